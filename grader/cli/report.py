"""`grade report FILE`: writes a JSON report in another format, without grading again."""

from pathlib import Path

import click

from grader.cli import options
from grader.cli.formats import FORMATS, Setting, add_step_summary, report_format
from grader.cli.run import colour, has_unicode, width, write
from grader.core.errors import UsageError
from grader.report import Style, from_json


@click.command("report", short_help="Write a JSON report in another format.")
@options.existing_file("file", "REPORT.json")
@report_format
@options.output("Write it to FILE instead of the terminal.")
@options.submission(
    "Where the graded files lie, for the annotations of --format github; this folder unless given.",
    file_okay=False,
)
def report_command(file: Path, form: str, output: Path | None, submission: Path) -> int:
    """Write REPORT.json, which `grade --format json` made, in another format. Exits with 0 whatever the score.

    \b
    grade --format json --output report.json
    grade report report.json --format junit --output report.xml
    """  # noqa: D301 - \b is click's mark for text that keeps its lines
    try:
        report = from_json(file.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise UsageError(f"{file} cannot be read as a report: {error}") from None
    style = Style(color=colour(output), width=width(), unicode=has_unicode())
    write(FORMATS[form](report, Setting(style=style, submission=submission)), output)
    if form == "github":
        add_step_summary(report)
    return 0

"""`grade report FILE`: writes a JSON report in another format, without grading again."""

from pathlib import Path

import click

from grader.cli.formats import FORMATS, Setting, add_step_summary
from grader.cli.run import colour, has_unicode, width, write
from grader.errors import UsageError
from grader.report import Style, from_json


@click.command("report", short_help="Write a JSON report in another format.")
@click.argument("file", type=click.Path(path_type=Path, exists=True, dir_okay=False), metavar="REPORT.json")
@click.option(
    "--format",
    "form",
    type=click.Choice(list(FORMATS)),
    default="text",
    show_default=True,
    help="How to write the report.",
)
@click.option(
    "--output",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="Write it to FILE instead of the terminal.",
)
@click.option(
    "--submission",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path(),
    metavar="DIR",
    help="Where the graded files lie, for the annotations of --format github; this folder unless given.",
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
    style = Style(colour=colour(output), width=width(), unicode=has_unicode())
    write(FORMATS[form](report, Setting(style=style, submission=submission)), output)
    if form == "github":
        add_step_summary(report)
    return 0

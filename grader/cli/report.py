"""`grade report FILE`: converts a JSON report to another format, without grading again."""

from pathlib import Path

import click

from grader.cli import options, terminal
from grader.cli.formats import FORMATS, PUBLISHED, RenderOptions, add_step_summary, report_format
from grader.cli.run import write
from grader.core.errors import UsageError
from grader.core.regular_file import read_regular
from grader.report import from_json

_MAX_BYTES = 64 * 2**20  # a thousand times an ordinary report


@click.command("report", short_help="Convert a JSON report to another format.")
@options.existing_file("file", "REPORT.json")
@report_format
@options.output("Write it to FILE instead of the terminal.")
@options.submission(
    "The folder of the graded files, for the annotations of --format github; this folder unless given.",
    file_okay=False,
)
def report_command(file: Path, form: str, output: Path | None, submission: Path) -> int:
    """Convert REPORT.json, written by `grade --format json`, to another format. Exits with 0 whatever the score.

    A report that is not final has no score to publish: for gradescope and classroom50 it then exits with 3.

    \b
    grade --format json --output report.json
    grade report report.json --format junit --output report.xml
    """  # noqa: D301 - \b is click's mark for text that keeps its lines
    try:
        report = from_json(read_regular(file, _MAX_BYTES).decode("utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise UsageError(
            f"{file} cannot be read as a report: {getattr(error, 'strerror', None) or error}"
        ) from None
    style = terminal.style(output)
    write(FORMATS[form](report, RenderOptions(style=style, submission=submission)), output)
    if form == "github":
        add_step_summary(report)
    return 3 if form in PUBLISHED and not report.final else 0

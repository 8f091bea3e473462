"""`grade class`: grades what a whole class handed in."""

from pathlib import Path

import click

from grader import batch, catalog, scoring
from grader.batch import HandedIn, Refused
from grader.cli.run import DEFAULT_SEED, write
from grader.dispatch import Dispatcher
from grader.errors import IsolationRefused, UsageError
from grader.model import Report
from grader.report import to_json
from grader.safetext import one_line

REQUIRED_LEVEL = 2  # at level 1 a submission can read the answers, at level 0 it has the instructor's rights
_NAME = 60


@click.command("class", short_help="Grade what a whole class handed in (for instructors).")
@click.argument(
    "submissions", type=click.Path(path_type=Path, exists=True, file_okay=False), metavar="SUBMISSIONS"
)
@click.option(
    "--reports",
    type=click.Path(path_type=Path, file_okay=False),
    metavar="DIR",
    help="Write the JSON report of each student to DIR.",
)
@click.option(
    "--require-isolation",
    type=click.IntRange(0, 3),
    default=REQUIRED_LEVEL,
    metavar="N",
    show_default=True,
    help="Refuse to grade below this isolation level.",
)
@click.option(
    "--jobs",
    type=click.IntRange(min=1),
    metavar="N",
    help="Grade so many exercises side by side; one for each core unless given.",
)
@click.option("--seed", type=int, default=DEFAULT_SEED, metavar="N", help="Seed of the inputs.")
def class_command(
    submissions: Path, reports: Path | None, require_isolation: int, jobs: int | None, seed: int
) -> int:
    """Grade every folder and zip in SUBMISSIONS, one for each student.

    Strangers' code needs isolation level 2 or better; `grade doctor` tells what this machine gives. Exits with 3
    if something of ours failed, with 1 if a submission could not be read, else with 0.

    \b
    grade class handed-in
    grade class handed-in --reports reports --seed 71
    """  # noqa: D301 - \b is click's mark for text that keeps its lines
    handed_in = batch.find(submissions)
    with Dispatcher(jobs) as dispatcher:
        course = catalog.load(catalog.find_root())
        _make(reports)
        if (isolation := dispatcher.isolation()).level < require_isolation:
            raise IsolationRefused(
                level=isolation.level, required=require_isolation, missing=isolation.missing
            )
        code, graded = 0, 0
        for one, ending in batch.grade(dispatcher, course, handed_in, seed):
            click.echo(_line(one, ending))
            if isinstance(ending, Refused):
                code = max(code, 1)
                continue
            graded += 1
            code = max(code, 3 if scoring.has_internal_error(ending) else 0)
            if reports is not None:
                write(to_json(ending), reports / f"{one.student}.json")
    click.echo(f"{graded} of {len(handed_in)} submissions graded at isolation level {isolation.level}.")
    return code


def _make(reports: Path | None) -> None:
    if reports is not None:
        try:
            reports.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise UsageError(f"Reports cannot be written to {reports}: {error.strerror}.") from None


def _line(one: HandedIn, ending: Report | Refused) -> str:
    """Return one student as a line. The name, a student's text, comes last: a CI log takes no score for a command."""
    name = one_line(one.student, limit=_NAME)
    if isinstance(ending, Refused):
        return f"{'not graded':>24}  {name}: {one_line(ending.reason, limit=600)}"
    void = " (some of it could not be graded: grade again)" if scoring.has_internal_error(ending) else ""
    points = f"{ending.points:.6g} of {ending.max_points:g}"
    return f"{points:>16} {ending.score:>7.1%}  {name}{void}"

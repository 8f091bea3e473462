"""`grade class`: grades what a whole class handed in."""

import sys
import time
from pathlib import Path

import click

from grader.classroom import executors
from grader.classroom.batch import Batch, Ended
from grader.classroom.gradebook import Gradebook
from grader.cli import options
from grader.cli.run import write
from grader.core import scoring
from grader.core.errors import UsageError
from grader.core.safetext import one_line
from grader.course import catalog
from grader.course.visibility import seen as seen_of
from grader.grading.dispatcher import cores
from grader.report import shown, to_json
from grader.submission import collection

_NAME = 60


@click.command("class", short_help="Grade what a whole class handed in (for instructors).")
@click.argument(
    "submissions", type=click.Path(path_type=Path, exists=True, file_okay=False), metavar="SUBMISSIONS"
)
@click.option("--assignment", metavar="NAME", help="Of <student>/<assignment>/ trees, grade this one.")
@click.option(
    "--gradebook",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE.db",
    help="Record every attempt in FILE.db, and grade only what has changed since.",
)
@click.option(
    "--reports",
    type=click.Path(path_type=Path, file_okay=False),
    metavar="DIR",
    help="Write the JSON report of each student to DIR, as far as they may see it.",
)
@options.require_isolation()
@options.jobs
@options.executor
@options.seed()
@options.course
def class_command(
    submissions: Path,
    assignment: str | None,
    gradebook: Path | None,
    reports: Path | None,
    require_isolation: int,
    jobs: int | None,
    executor: str,
    seed: int,
) -> int:
    """Grade every folder and zip in SUBMISSIONS, one for each student, or trees of <student>/<assignment>/.

    With a gradebook, a run that was interrupted goes on where it stopped, and what has not changed is not graded
    again. A git checkout was handed in when its HEAD was committed. Strangers' code needs isolation level 2 or better;
    `grade doctor` tells what this machine gives. Exits with 3 if something of ours failed, with 1 if a submission
    could not be read, else with 0.

    \b
    grade class handed-in --gradebook course.db
    grade class handed-in --reports reports --seed 71
    """  # noqa: D301 - \b is click's mark for text that keeps its lines
    found = collection.find(submissions, assignment)
    course = catalog.load(catalog.find_root())
    _make(reports)
    seen = {exercise.id: seen_of(exercise) for exercise in course.exercises}
    code, graded = 0, 0
    width = jobs or cores()
    with (
        Gradebook(gradebook or Path(":memory:")) as book,
        executors.open_executor(executor, width) as (pool, wide, slots),
    ):
        run = Batch(
            course=course,
            gradebook=book,
            executor=pool,
            seed=seed,
            width=wide,
            slots=slots,
            required_level=require_isolation,
        )
        progress = _Progress(len(found))
        for ended in run.grade(found):
            progress.tell(_line(ended))
            code = max(code, exit_code(ended))
            if ended.report is not None:
                graded += 1
                if reports is not None:
                    write(to_json(shown(ended.report, seen)), reports / f"{ended.student}.json")
    progress.clear()
    click.echo(f"{graded} of {len(found)} submissions graded in {progress.seconds():.0f} s.")
    return code


class _Progress:
    """A line for each submission; on a terminal also how many there are, how fast it goes, how long it takes."""

    def __init__(self, whole: int) -> None:
        self._whole, self._done, self._began = whole, 0, time.monotonic()
        self._shown = sys.stderr.isatty()

    def seconds(self) -> float:
        """Return how long it has taken."""
        return time.monotonic() - self._began

    def tell(self, line: str) -> None:
        """Count a submission."""
        self.clear()
        click.echo(line)
        self._done += 1
        if self._shown:
            rate = self._done / max(self.seconds(), 1e-3)
            left = (self._whole - self._done) / rate
            text = f"{self._done} of {self._whole}, {rate:.1f} a second, {_minutes(left)} left"
            click.echo(f"\r{text}".ljust(60), err=True, nl=False)

    def clear(self) -> None:
        """Take the line away before something else is printed."""
        if self._shown:
            click.echo("\r" + " " * 60 + "\r", err=True, nl=False)


def _minutes(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds < 90 else f"{seconds / 60:.0f} min"


def _make(reports: Path | None) -> None:
    if reports is not None:
        try:
            reports.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise UsageError(f"Reports cannot be written to {reports}: {error.strerror}.") from None


def exit_code(ended: Ended) -> int:
    """Return 3 where a failure of ours voids a part, 1 where a submission could not be read, else 0."""
    if ended.report is None:
        return 1
    return 3 if scoring.has_internal_error(ended.report) else 0


def _line(ended: Ended) -> str:
    """Return one student as a line. The name, a student's text, comes last: a CI log takes no score for a command."""
    name = one_line(ended.student, limit=_NAME)
    report = ended.report
    if report is None:
        return f"{'not graded':>24}  {name}: {one_line(ended.refused, limit=600)}"
    void = " (some of it could not be graded: grade again)" if scoring.has_internal_error(report) else ""
    unchanged = " (unchanged)" if ended.again else ""
    points = f"{report.points:.6g} of {report.max_points:g}"
    note = f"\n{'':>26}{one_line(ended.note)}" if ended.note else ""
    return f"{points:>16} {report.score:>7.1%}  {name}{void}{unchanged}{note}"

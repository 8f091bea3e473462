"""`grade regrade`: grades once more what a gradebook holds, and shows whose score changes."""

from pathlib import Path

import click

from grader.classroom.batch import StudentResult
from grader.classroom.gradebook import Gradebook
from grader.cli import options
from grader.cli.class_options import (
    ClassGrading,
    class_grading,
    exit_code,
    name_damaged,
    refusal_line,
    shown_name,
)
from grader.cli.progress import ProgressLine
from grader.core.errors import UsageError
from grader.core.model import Report
from grader.core.safetext import one_line
from grader.course import catalog
from grader.report import changes

_MAX_CHANGES = 12
_UNKNOWN = "damaged"


@click.command("regrade", short_help="Grade once more what a gradebook holds (for instructors).")
@options.gradebook
@click.argument("students", nargs=-1, metavar="[STUDENT]...")
@click.option("--dry-run", is_flag=True, help="Only show whose score would change, and how.")
@class_grading
@options.course
def regrade_command(gradebook: Path, students: tuple[str, ...], dry_run: bool, grading: ClassGrading) -> int:
    """Grade once more every hand-in of every student in FILE.db, or of those named, with the course as it is now.

    Run it after a suite, a key or a point changed. A result that differs is a new verdict on the same hand-in, and
    counts from then on; earlier ones stay. Each hand-in keeps the seed that it was graded with, unless --seed is given.
    What did not change is not graded again. Exits with 3 after an error in the grader.

    \b
    grade regrade course.db --dry-run
    grade regrade course.db ada bob
    """  # noqa: D301 - \b is click's mark for text that keeps its lines
    course = catalog.load(catalog.find_root())
    changed, reworded, code = 0, 0, 0
    with grading.open_run(course, gradebook, recording=not dry_run) as run:
        chosen = _chosen(run.gradebook, students)
        several = {student: len(run.gradebook.ids(student)) > 1 for student in chosen}
        count = sum(len(run.gradebook.ids(student)) for student in chosen)
        with ProgressLine("hand-ins", count) as progress:
            for result in run.again(chosen):
                lines = _change_lines(result, numbered=several[result.student])
                changed += bool(lines)
                reworded += not lines and not result.again
                code = max(code, exit_code(result))
                with progress.paused():
                    for line in lines:
                        click.echo(line)
                progress.ended()
        code = max(code, name_damaged(run.gradebook))
    would = "would change" if dry_run else "changed"
    words = f" {reworded} more keep every point; their reports have other words." if reworded else ""
    click.echo(f"{changed} of {count} hand-ins {would}.{words}")
    return code


def _chosen(book: Gradebook, wanted: tuple[str, ...]) -> list[str]:
    known = book.students()
    for student in wanted:
        if student not in known:
            raise UsageError(f"{shown_name(student)} has no attempt in this gradebook.")
    if not known:
        raise UsageError(
            "There is no attempt in this gradebook. `grade class SUBMISSIONS --gradebook` adds them."
        )
    return list(dict.fromkeys(wanted)) or known


def _change_lines(result: StudentResult, *, numbered: bool = False) -> list[str]:
    """Return how the score of a hand-in changes, and why; no line where it does not.

    The name comes after the points, and the number of the hand-in, where it is `numbered`, after the name.
    """
    if result.again:
        return []
    if result.report is None:
        return [refusal_line(result)]
    name = f"{shown_name(result.student)}{f' (attempt {result.number})' if numbered else ''}"
    if result.before is None:
        unknown = f"{_UNKNOWN} -> {result.report.points:.6g}/{result.report.max_points:g}"
        return [f"{unknown}  {name}"]
    found = changes(result.before, result.report)
    if not found:
        return []
    score = f"{_earned(result.before)} -> {_earned(result.report)}"
    shown = [f"    {one_line(change)}" for change in found[:_MAX_CHANGES]]
    more = [f"    and {len(found) - _MAX_CHANGES} more"] if len(found) > _MAX_CHANGES else []
    return [f"{score}  {name}", *shown, *more]


def _earned(report: Report) -> str:
    return f"{report.points:.6g}/{report.max_points:g}" if report.final else "not final"

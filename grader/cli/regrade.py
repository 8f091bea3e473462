"""`grade regrade`: grades once more what a gradebook holds, and tells whose score changes."""

from pathlib import Path

import click

from grader.classroom import executors
from grader.classroom.batch import Batch, Ended
from grader.classroom.gradebook import Attempt, Gradebook
from grader.cli import options
from grader.cli.classes import exit_code
from grader.core.errors import UsageError
from grader.core.safetext import one_line
from grader.course import catalog
from grader.grading.dispatcher import cores
from grader.report import changes

_MAX_CHANGES = 12
_NAME = 60


@click.command("regrade", short_help="Grade once more what a gradebook holds (for instructors).")
@options.gradebook
@click.argument("students", nargs=-1, metavar="[STUDENT]...")
@click.option("--dry-run", is_flag=True, help="Only show whose score would change, and how.")
@options.require_isolation()
@options.jobs
@options.executor
@options.seed()
@options.course
def regrade_command(
    gradebook: Path,
    students: tuple[str, ...],
    dry_run: bool,
    require_isolation: int,
    jobs: int | None,
    executor: str,
    seed: int,
) -> int:
    """Grade once more the last hand-in of every student in FILE.db, or of those named, with the course as it is now.

    Run it after a suite, a key or a point changed. Earlier attempts stay; a changed result is a new attempt. What did
    not change is not graded again. Exits with 3 if something of ours failed.

    \b
    grade regrade course.db --dry-run
    grade regrade course.db ada bob
    """  # noqa: D301 - \b is click's mark for text that keeps its lines
    course = catalog.load(catalog.find_root())
    changed, code = 0, 0
    with (
        Gradebook(gradebook) as book,
        executors.open_executor(executor, jobs or cores()) as (pool, width, slots),
    ):
        chosen = _chosen(book, students)
        run = Batch(
            course=course,
            gradebook=book,
            executor=pool,
            seed=seed,
            width=width,
            slots=slots,
            required_level=require_isolation,
            recording=not dry_run,
        )
        for before, ended in run.again(chosen):
            lines = _told(before, ended)
            changed += bool(lines)
            code = max(code, exit_code(ended))
            for line in lines:
                click.echo(line)
    would = "would change" if dry_run else "changed"
    click.echo(f"{changed} of {len(chosen)} students {would}.")
    return code


def _chosen(book: Gradebook, wanted: tuple[str, ...]) -> list[str]:
    known = book.students()
    for student in wanted:
        if student not in known:
            raise UsageError(f"{one_line(student, limit=_NAME)} has no attempt in this gradebook.")
    if not known:
        raise UsageError(
            "There is no attempt in this gradebook. `grade class SUBMISSIONS --gradebook` adds them."
        )
    return list(wanted or known)


def _told(before: Attempt, ended: Ended) -> list[str]:
    """Return how a student's score changes and why; nothing where it does not. The name comes last."""
    if ended.report is None:
        return [f"not graded  {one_line(ended.student, limit=_NAME)}: {one_line(ended.refused)}"]
    found = changes(before.report, ended.report)
    if not found:
        return []
    old, new = before.report, ended.report
    score = f"{old.points:.6g}/{old.max_points:g} -> {new.points:.6g}/{new.max_points:g}"
    shown = [f"    {one_line(change)}" for change in found[:_MAX_CHANGES]]
    more = [f"    and {len(found) - _MAX_CHANGES} more"] if len(found) > _MAX_CHANGES else []
    return [f"{score}  {one_line(ended.student, limit=_NAME)}", *shown, *more]

"""What `grade class` and `grade regrade` share: their options on grading, and how they show a student's result."""

import contextlib
import functools
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click

from grader.classroom.batch import ClassRun, StudentResult
from grader.classroom.course_versions import SortedMarks
from grader.classroom.executors import open_executor
from grader.classroom.gradebook import Gradebook
from grader.cli import options
from grader.core.safetext import one_line
from grader.course.catalog import Course
from grader.grading.dispatcher import cores

_MAX_NAME = 60
_MAX_REASON = 600


@dataclass(frozen=True, slots=True, kw_only=True)
class ClassGrading:
    """How a class is graded: the values of the options that both commands take.

    `jobs` is None for one a core, `seed` for that of the gradebook.
    """

    required_level: int
    jobs: int | None
    executor: str
    seed: int | None

    @contextlib.contextmanager
    def open_run(self, course: Course, gradebook: Path, *, recording: bool = True) -> Iterator[ClassRun]:
        """Open the gradebook and the executor, and give a run over a class on them."""
        with (
            Gradebook(gradebook) as book,
            open_executor(self.executor, self.jobs or cores()) as executor,
        ):
            yield ClassRun(
                course=course,
                gradebook=book,
                executor=executor,
                seed=book.seed(self.seed),
                required_level=self.required_level,
                recording=recording,
                reseed=self.seed is not None,
            )


def class_grading(command: options.Command) -> options.Command:
    """Add --require-isolation, --jobs, --executor and --seed; the command gets them as one `grading`."""

    @functools.wraps(command)
    def with_grading(
        *args: Any, require_isolation: int, jobs: int | None, executor: str, seed: int | None, **others: Any
    ) -> Any:
        grading = ClassGrading(required_level=require_isolation, jobs=jobs, executor=executor, seed=seed)
        return command(*args, grading=grading, **others)

    decorators = (options.require_isolation(), options.jobs, options.executor, options.class_seed)
    return options.together(*decorators)(with_grading)


def name_damaged(book: Gradebook) -> int:
    """Name the rows of a gradebook that were skipped; return the exit code: 1 where there are any."""
    for damaged in book.damaged:
        click.echo(f"skipped, {damaged}: {shown_name(damaged.student)}", err=True)
    return 1 if book.damaged else 0


def warn_of_versions(sorted_marks: SortedMarks) -> None:
    """Say how many marks are of an earlier version of the course, if any, and what mends that."""
    count = len(sorted_marks.outdated)
    if count:
        marks = "1 mark is" if count == 1 else f"{count} marks are"
        click.echo(
            f"{marks} of an earlier version of the course. `grade regrade` grades every hand-in with the present one.",
            err=True,
        )


def exit_code(result: StudentResult) -> int:
    """Return 3 where an error in the grader voids a part or all of it, 1 where it could not be read, else 0."""
    if result.report is None and result.again:
        return 0
    if result.report is None:
        return 3 if result.is_fault else 1
    return 0 if result.report.final else 3


def shown_name(student: str) -> str:
    """Return a student's name as it may be printed: in one line, and not too long."""
    return one_line(student, limit=_MAX_NAME)


def refusal_line(result: StudentResult, width: int = 0) -> str:
    """Return the line for a submission that could not be graded. The reason, last, may hold a student's text."""
    reason = one_line(result.refused, limit=_MAX_REASON)
    return f"{'not graded':>{width}}  {shown_name(result.student)}: {reason}"

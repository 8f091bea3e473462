"""A class at a time: finds what each student handed in below a folder, and grades one after another."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from grader import attempt
from grader.catalog import Course
from grader.dispatch import Dispatcher
from grader.errors import UsageError
from grader.model import Report
from grader.submission import open_submission


@dataclass(frozen=True, slots=True, kw_only=True)
class HandedIn:
    """What one student handed in: a folder or a zip. `student` is its name without the ending."""

    student: str
    path: Path


@dataclass(frozen=True, slots=True, kw_only=True)
class Refused:
    """A submission that cannot be graded, and why: the student's to mend, or the instructor's."""

    reason: str


def find(folder: Path) -> tuple[HandedIn, ...]:
    """Return the submissions in a folder, by student: every sub-folder and every zip in it is one.

    Hidden entries and other files are passed over, and links are not followed. Raises UsageError where there is
    no submission, and where a student has two: nothing here says which one counts.
    """
    found: dict[str, HandedIn] = {}
    for path in sorted(folder.iterdir()):
        is_zip = path.suffix.lower() == ".zip" and path.is_file()
        if path.name.startswith(".") or path.is_symlink() or not (is_zip or path.is_dir()):
            continue
        student = path.stem if is_zip else path.name
        if student in found:
            raise UsageError(
                f"{student} handed in twice: {found[student].path.name} and {path.name}. "
                f"Take one of them out of {folder}, and run this again."
            )
        found[student] = HandedIn(student=student, path=path)
    if not found:
        raise UsageError(
            f"There is no submission in {folder}: it holds no folder and no zip. "
            "Name the folder that holds one folder or zip for each student."
        )
    return tuple(found.values())


def grade(
    dispatcher: Dispatcher, course: Course, handed_in: Sequence[HandedIn], seed: int
) -> Iterator[tuple[HandedIn, Report | Refused]]:
    """Grade submissions in order; yield each with its report. One that cannot be read hurts no other."""
    for one in handed_in:
        try:
            submission = open_submission(one.path)
        except UsageError as error:
            yield one, Refused(reason=str(error))
        else:
            yield one, attempt.whole(dispatcher, course, submission, seed)

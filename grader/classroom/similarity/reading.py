"""Reads what is compared: every attempt in a gradebook, folders of further solutions, and what the course publishes."""

from collections.abc import Callable, Collection, Iterator
from pathlib import Path

from grader.classroom.gradebook import DamagedRow, Gradebook
from grader.classroom.similarity.similarity_records import Published, SolutionSource
from grader.core import error_location
from grader.core.errors import UsageError
from grader.core.model import Exercise
from grader.core.safetext import printable_name
from grader.submission import Folder, Recording, Snapshot, Submission, collection, open_submission

_COURSE_SOLUTIONS = ("reference.py", "mistakes.py", "fixtures.py")


def published(exercise: Exercise) -> Published:
    """Return what every student may have: the stub, the reference, and the known mistakes."""
    paths = [exercise.folder / name for name in _COURSE_SOLUTIONS]
    return Published(
        stub=exercise.stub.read_text(encoding="utf-8"),
        solutions=tuple(path.read_text(encoding="utf-8") for path in paths if path.is_file()),
    )


def of_class(book: Gradebook, exercise: str, stub: str | None = None) -> Iterator[SolutionSource]:
    """Yield all hand-ins for an exercise, by student and attempt, without those that are its `stub`.

    A hand-in that was graded several times comes once, with the number of the first attempt. One that cannot be read
    is left out, and named in `book.damaged`.
    """
    for one in book.hand_ins():
        try:
            snapshot = one.open().snapshot(exercise, stub)
        except DamagedRow as damaged:
            book.skip(damaged)
            continue
        except Exception as error:  # noqa: BLE001 - one hand-in must not end the comparison of the others
            book.skip(DamagedRow(one.student, one.number, f"its files: {error_location.summary(error)}"))
            continue
        if isinstance(snapshot, Snapshot):
            yield SolutionSource(
                student=one.student,
                module=exercise,
                sources=snapshot.sources,
                root=snapshot.root,
                number=one.number,
                submitted_at=one.submitted_at,
            )


def of_folder(
    folder: Path, exercises: Collection[str], skip: Callable[[str, str], None]
) -> dict[str, list[SolutionSource]]:
    """Return the solutions of a folder or zip by exercise: those of one person, or of a folder for each person.

    `skip` is called with the name of each person whose solution cannot be read, and the reason. Raises UsageError where
    there are no solutions.
    """
    # Of a folder, first what is directly in it: a deeper one may be that of one person among others.
    is_folder = folder.is_dir()
    one = Submission(Recording(Folder(folder)), is_workspace=True) if is_folder else open_submission(folder)
    found = _solutions(printable_name(folder.resolve().name), one, exercises)
    if not found and is_folder:
        for hand_in in collection.find(folder):
            try:
                found += _solutions(hand_in.student, hand_in.open(), exercises)
            except UsageError as error:
                skip(hand_in.student, str(error))
            except Exception as error:  # noqa: BLE001 - one of them must not end the comparison of the others
                skip(hand_in.student, error_location.summary(error))
    if not found:
        raise UsageError(f"{folder} holds no solution of {', '.join(exercises)}. Name another folder.")
    return {exercise: [source for source in found if source.module == exercise] for exercise in exercises}


def _solutions(name: str, submission: Submission, exercises: Collection[str]) -> list[SolutionSource]:
    snapshots = ((exercise, submission.snapshot(exercise)) for exercise in exercises)
    return [
        SolutionSource(
            student=name, module=exercise, sources=snapshot.sources, root=snapshot.root, outside=True
        )
        for exercise, snapshot in snapshots
        if isinstance(snapshot, Snapshot)
    ]

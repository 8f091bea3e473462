"""Reads what is compared: every attempt in a gradebook, folders of further solutions, and what the course publishes."""

from collections.abc import Collection, Iterator
from pathlib import Path

from grader.classroom.gradebook import Gradebook
from grader.classroom.similarity.similarity_records import Published, SolutionSource
from grader.core.errors import UsageError
from grader.core.model import Exercise
from grader.core.safetext import file_name
from grader.submission import Snapshot, Stored, Submission, collection, open_submission

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

    A hand-in that was graded several times comes once, with the number of the first attempt.
    """
    for one in book.hand_ins():
        snapshot = Submission(Stored.unpack(one.content)).snapshot(exercise, stub)
        if isinstance(snapshot, Snapshot):
            yield SolutionSource(
                student=one.student,
                module=exercise,
                sources=snapshot.sources,
                root=snapshot.root,
                number=one.number,
                submitted_at=one.submitted_at,
            )


def of_folder(folder: Path, exercises: Collection[str]) -> dict[str, list[SolutionSource]]:
    """Return the solutions of a folder or zip by exercise: those of one person, or of a folder for each person.

    Raises UsageError where there are none, or where one cannot be read.
    """
    found = _solutions(file_name(folder.resolve().name), open_submission(folder), exercises)
    if not found and folder.is_dir():
        for one in collection.find(folder):
            found += _solutions(one.student, one.open(), exercises)
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

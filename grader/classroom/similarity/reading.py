"""Reads what is compared: every attempt in a gradebook, a folder of other people's solutions, and what is published."""

from collections.abc import Collection, Iterator
from pathlib import Path

from grader.classroom.gradebook import Gradebook
from grader.classroom.similarity.similarity_records import Published, Work
from grader.core.errors import UsageError
from grader.core.model import Exercise
from grader.submission import Snapshot, Stored, Submission, collection, open_submission

_OURS = ("reference.py", "mistakes.py", "fixtures.py")


def published(exercise: Exercise) -> Published:
    """Return what is everybody's: the stub, the reference, and the known mistakes."""
    ours = [exercise.folder / name for name in _OURS]
    return Published(
        stub=exercise.stub.read_text(encoding="utf-8"),
        solutions=tuple(path.read_text(encoding="utf-8") for path in ours if path.is_file()),
    )


def of_class(book: Gradebook, exercise: str, stub: str | None = None) -> Iterator[Work]:
    """Yield what each student ever handed in for an exercise, by student and attempt; its `stub` is no work.

    Work that was graded several times is one hand-in, and has the number of the first attempt.
    """
    for one in book.hand_ins():
        snapshot = Submission(Stored.unpack(one.content)).snapshot(exercise, stub)
        if isinstance(snapshot, Snapshot):
            yield Work(
                student=one.student,
                module=exercise,
                sources=snapshot.sources,
                root=snapshot.root,
                number=one.number,
                submitted_at=one.submitted_at,
            )


def of_folder(folder: Path, exercises: Collection[str]) -> dict[str, list[Work]]:
    """Return what a folder or zip holds for each exercise: one person's solutions, or those of one folder for each.

    Raises UsageError where it holds none, or one that cannot be read.
    """
    found = _solutions(folder.resolve().name, open_submission(folder), exercises)
    if not found and folder.is_dir():
        for one in collection.find(folder):
            found += _solutions(one.student, one.open(), exercises)
    if not found:
        raise UsageError(f"{folder} holds no solution of {', '.join(exercises)}. Name another folder.")
    return {exercise: [work for work in found if work.module == exercise] for exercise in exercises}


def _solutions(name: str, submission: Submission, exercises: Collection[str]) -> list[Work]:
    snapshots = ((exercise, submission.snapshot(exercise)) for exercise in exercises)
    return [
        Work(student=name, module=exercise, sources=snapshot.sources, root=snapshot.root, outside=True)
        for exercise, snapshot in snapshots
        if isinstance(snapshot, Snapshot)
    ]

"""Reads what is compared: every attempt in a gradebook, a folder of other people's solutions, and what is published."""

from collections.abc import Iterator
from pathlib import Path

from grader import handed_in
from grader.gradebook import Gradebook
from grader.model import Exercise
from grader.similarity.records import Published, Work
from grader.submission import Snapshot, Stored, Submission, Unreadable, open_submission

_OURS = ("reference.py", "mistakes.py", "fixtures.py")


def published(exercise: Exercise) -> Published:
    """Return what is everybody's: the stub, the reference, and the known mistakes."""
    ours = [exercise.folder / name for name in _OURS]
    return Published(
        stub=exercise.stub.read_text(encoding="utf-8"),
        solutions=tuple(path.read_text(encoding="utf-8") for path in ours if path.is_file()),
    )


def of_class(book: Gradebook, exercise: str) -> Iterator[Work]:
    """Yield what each student ever handed in for an exercise, by student and attempt.

    Work that was graded several times is one hand-in, and has the number of the first attempt.
    """
    for one in book.hand_ins():
        snapshot = Submission(Stored.unpack(one.content)).snapshot(exercise)
        if isinstance(snapshot, Snapshot):
            yield Work(
                student=one.student,
                module=exercise,
                sources=snapshot.sources,
                root=snapshot.root,
                number=one.number,
                submitted_at=one.submitted_at,
            )


def of_folder(folder: Path, exercise: str) -> Iterator[Work]:
    """Yield what a folder holds for an exercise: one solution, or one folder or zip for each of several people.

    Raises UsageError where it holds none that can be read.
    """
    alone = open_submission(folder).snapshot(exercise)
    found: list[tuple[str, Snapshot | Unreadable]] = [(folder.resolve().name, alone)]
    if not isinstance(alone, Snapshot):
        found = [(one.student, one.open().snapshot(exercise)) for one in handed_in.find(folder)]
    for name, snapshot in found:
        if isinstance(snapshot, Snapshot):
            yield Work(
                student=name, module=exercise, sources=snapshot.sources, root=snapshot.root, outside=True
            )

"""How far a student has come in a workspace: what each exercise earned when it was graded last, and is open in quizzes.

Grading is what costs time; so its points are remembered, with the files that they were for.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import partial
from pathlib import Path

from grader.core.errors import DocumentError
from grader.core.model import Exercise, ExerciseResult, Hidden, Outcome
from grader.course import fingerprint, visibility
from grader.grading import attempt
from grader.quiz import Bank
from grader.quiz.answers import read_answers
from grader.submission import Folder, Submission, Text
from grader.workspace.state_file import StateFile
from grader.workspace.watch.snapshots import relied_on


class State(StrEnum):
    """Where an exercise stands."""

    NOT_BEGUN = "not begun"
    NOT_GRADED = "not graded yet"
    CHANGED = "changed since it was graded"
    GRADED = "graded"


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """Where an exercise stands; `points` are those of the last grading, of `max_points` that students see."""

    state: State
    max_points: float
    points: float = 0.0
    hidden: Hidden | None = None

    @property
    def is_done(self) -> bool:
        """Tell whether it has full marks, as far as they are shown."""
        return self.state is State.GRADED and self.points >= self.max_points


@dataclass(frozen=True, slots=True, kw_only=True)
class Answered:
    """How many items of a quiz have a response that can be read."""

    count: int
    of: int


@dataclass(frozen=True, slots=True)
class WorkspaceProgress:
    """What is known of a workspace."""

    workspace: Path

    def is_kept(self) -> bool:
        """Tell whether this is a workspace: where there is none, nothing is written."""
        return (self.workspace / "exercises").is_dir()

    def note(self, planned: attempt.Plan, results: Iterable[ExerciseResult]) -> None:
        """Remember what exercises earned. Raises UsageError where it cannot be written.

        Nothing is worth keeping of one that did not load, and has no points that are shown: it earned all of them.
        """
        known = {
            result.id: [result.points, _print(planned, result.id, result.hidden)]
            for result in results
            if result.id in planned.jobs
            and result.outcome is not Outcome.INTERNAL_ERROR
            and (result.max_points or result.is_full)
        }
        if known and self.is_kept():
            self._kept.write(self._kept.read() | known)

    def exercises(self, exercises: Sequence[Exercise]) -> dict[str, Standing]:
        """Return where each exercise stands."""
        planned = attempt.plan(Submission(Folder(self.workspace)), exercises, 0)
        known = self._read()
        return {exercise.id: _standing(exercise, planned, known) for exercise in exercises}

    def quizzes(self, banks: Sequence[Bank]) -> dict[str, Answered | None]:
        """Return how much of each quiz is answered; None where its answers cannot be read."""
        submission = Submission(Folder(self.workspace))
        return {bank.id: _answered(bank, submission) for bank in banks}

    @property
    def _kept(self) -> StateFile:
        return StateFile(self.workspace, "progress.json", "`grade` finds it all out again")

    def _read(self) -> Mapping[str, tuple[float, str]]:
        return dict(self._entries())

    def _entries(self) -> Iterator[tuple[str, tuple[float, str]]]:
        for name, entry in self._kept.read().items():
            match entry:
                case [int() | float() as points, str(files)]:
                    yield name, (float(points), files)
                case _:
                    raise self._kept.unreadable()


def _print(planned: attempt.Plan, exercise: str, hidden: Hidden | None) -> str:
    """Return what points were for: the files, and how many checks were left out of them."""
    files = relied_on(planned.jobs[exercise])
    left_out = [str(hidden.checks)] if hidden is not None else []
    return fingerprint.of(*(text for path in sorted(files) for text in (path, files[path])), *left_out)


def _standing(exercise: Exercise, planned: attempt.Plan, known: Mapping[str, tuple[float, str]]) -> Standing:
    hidden = visibility.seen(exercise).hidden
    most = exercise.points - hidden.max_points if hidden is not None else exercise.points
    stands = partial(Standing, max_points=most, hidden=hidden)
    refused = planned.refused.get(exercise.id)
    if refused is not None:
        begun = refused.outcome is not Outcome.NOT_ATTEMPTED
        return stands(state=State.NOT_GRADED if begun else State.NOT_BEGUN)
    module = planned.jobs[exercise.id].sources[f"{exercise.id}.py"]
    if module == exercise.stub.read_text(encoding="utf-8"):
        return stands(state=State.NOT_BEGUN)
    if exercise.id not in known:
        return stands(state=State.NOT_GRADED)
    points, files = known[exercise.id]
    is_same = files == _print(planned, exercise.id, hidden)
    # Where the course shows less than it did, points of before may be more than can be earned now.
    return stands(state=State.GRADED if is_same else State.CHANGED, points=min(points, most))


def _answered(bank: Bank, submission: Submission) -> Answered | None:
    found = submission.answers(bank.id)
    asked = [item.id for item in bank.items if item.void is None]
    if found is None:
        return Answered(count=0, of=len(asked))
    if not isinstance(found, Text):
        return None
    try:
        given = read_answers(bank, found.text, shown=found.name).given
    except DocumentError:
        return None
    return Answered(count=sum(name in given for name in asked), of=len(asked))

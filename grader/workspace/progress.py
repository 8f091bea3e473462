"""The progress of a student in a workspace: the last points of each exercise, and the unanswered items of quizzes.

Grading takes time, so points are stored, together with a fingerprint of the files that they were given for.
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
from grader.quiz.answers import Responses, read_answers
from grader.submission import Folder, Submission, Text
from grader.workspace.state_file import StateFile
from grader.workspace.watch.snapshots import relied_on


class State(StrEnum):
    """The state of an exercise in a workspace."""

    NOT_BEGUN = "not begun"
    NOT_GRADED = "not graded yet"
    CHANGED = "changed since it was graded"
    GRADED = "graded"


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """The state of an exercise. `points` are those of the last grading, out of `max_points` that students see."""

    state: State
    max_points: float
    points: float = 0.0
    hidden: Hidden | None = None

    @property
    def is_done(self) -> bool:
        """Tell whether it has all the points that students see."""
        return self.state is State.GRADED and self.points >= self.max_points


@dataclass(frozen=True, slots=True, kw_only=True)
class Answered:
    """How many items of a quiz have a valid response, `count` of `of`."""

    count: int
    of: int


@dataclass(frozen=True, slots=True, kw_only=True)
class _StoredPoints:
    """What is stored of an exercise: its points, the fingerprint of their files, and how many checks passed."""

    points: float
    files: str
    passed: int | None = None


@dataclass(frozen=True, slots=True)
class WorkspaceProgress:
    """The stored and the current progress of a workspace."""

    workspace: Path

    def is_stored(self) -> bool:
        """Tell whether this is a workspace; elsewhere nothing is written."""
        return (self.workspace / "exercises").is_dir()

    def note(self, planned: attempt.Plan, results: Iterable[ExerciseResult]) -> None:
        """Store what exercises earned. Raises UsageError where it cannot be written.

        A result without visible points is stored only where nothing went wrong: 0 of 0 would look like full marks.
        """
        known = {
            result.id: [result.points, _fingerprint(planned, result.id, result.hidden), _passed(result)]
            for result in results
            if result.id in planned.jobs and not result.is_void and (result.max_points or result.is_full)
        }
        if known and self.is_stored():
            self._file.write(self._file.read() | known)

    def passed(self) -> dict[str, int]:
        """Return how many checks of each exercise passed when it was last graded, by id. Raises UsageError."""
        return {name: entry.passed for name, entry in self._read().items() if entry.passed is not None}

    def exercises(self, exercises: Sequence[Exercise]) -> dict[str, Standing]:
        """Return the state of each exercise, by id."""
        planned = attempt.plan(Submission(Folder(self.workspace)), exercises, 0)
        known = self._read()
        return {exercise.id: _standing(exercise, planned, known) for exercise in exercises}

    def quizzes(self, banks: Sequence[Bank]) -> dict[str, Answered | None]:
        """Return how much of each quiz is answered, by id; None where the answers cannot be read."""
        submission = Submission(Folder(self.workspace))
        return {bank.id: _answered(bank, submission) for bank in banks}

    @property
    def _file(self) -> StateFile:
        return StateFile(self.workspace, "progress.json", "`grade` makes it again")

    def _read(self) -> Mapping[str, _StoredPoints]:
        return dict(self._entries())

    def _entries(self) -> Iterator[tuple[str, _StoredPoints]]:
        for name, entry in self._file.read().items():
            match entry:
                case [int() | float() as points, str(files)]:  # before passed checks were counted
                    yield name, _StoredPoints(points=float(points), files=files)
                case [int() | float() as points, str(files), int(passed)] if (
                    type(passed) is int and passed >= 0
                ):
                    yield name, _StoredPoints(points=float(points), files=files, passed=passed)
                case _:
                    raise self._file.unreadable()


def _passed(result: ExerciseResult) -> int:
    return sum(check.outcome is Outcome.PASSED for check in result.checks)


def _fingerprint(planned: attempt.Plan, exercise: str, hidden: Hidden | None) -> str:
    """Return a fingerprint of what the points were given for: the files, and the number of hidden checks."""
    files = relied_on(planned.jobs[exercise])
    left_out = [str(hidden.checks)] if hidden is not None else []
    return fingerprint.of(*(text for path in sorted(files) for text in (path, files[path])), *left_out)


def _standing(exercise: Exercise, planned: attempt.Plan, known: Mapping[str, _StoredPoints]) -> Standing:
    hidden = visibility.seen(exercise).hidden
    most = exercise.points - hidden.max_points if hidden is not None else exercise.points
    standing = partial(Standing, max_points=most, hidden=hidden)
    if exercise.id in planned.untouched:
        return standing(state=State.NOT_BEGUN)
    if exercise.id in planned.refused or exercise.id not in known:
        return standing(state=State.NOT_GRADED)
    entry = known[exercise.id]
    is_same = entry.files == _fingerprint(planned, exercise.id, hidden)
    # Where the course hides more than before, the stored points may be more than can be earned now.
    return standing(state=State.GRADED if is_same else State.CHANGED, points=min(entry.points, most))


def _answered(bank: Bank, submission: Submission) -> Answered | None:
    found = submission.answers(bank.id)
    responses = Responses()
    if found is not None and not isinstance(found, Text):
        return None
    try:
        if found is not None:
            responses = read_answers(bank, found.text, shown=found.name)
    except DocumentError:
        return None
    asked = [item.id for item in bank.asked(responses.draw) if item.void is None]
    return Answered(count=sum(name in responses.given for name in asked), of=len(asked))

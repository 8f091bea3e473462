"""A report as one flat list, for those who know no exercises: an entry per check, item, and whole that went wrong."""

from collections.abc import Iterator
from dataclasses import dataclass

from grader.core.model import (
    CheckResult,
    Counterexample,
    ExerciseResult,
    Frame,
    ItemResult,
    Outcome,
    QuizResult,
    Report,
)
from grader.report.phrases import counted_hidden, hidden_sentence


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """What became of one check or item, or of an exercise or answers file as a whole.

    `group` is `<exercise>` or `quiz.<quiz>`. `message` and `lines` hold student text, raw: a renderer makes it safe.
    A void exercise has nothing to earn, whatever its checks earned. What is `hidden` is one entry for each exercise,
    with nothing to earn either: it says how many checks there are, and is never full.
    """

    group: str
    id: str
    title: str
    outcome: Outcome
    points: float
    max_points: float
    message: str = ""
    lines: tuple[str, ...] = ()
    frame: Frame | None = None
    hidden: bool = False

    @property
    def is_full(self) -> bool:
        """Tell whether nothing more can be earned, and nothing went wrong."""
        return (
            not self.hidden
            and self.points >= self.max_points
            and self.outcome in (Outcome.PASSED, Outcome.SKIPPED)
        )


def entries(report: Report) -> list[Entry]:
    """Return every entry, in the order of the course."""
    found = [entry for exercise in report.exercises for entry in _of_exercise(exercise)]
    return found + [entry for quiz in report.quizzes for entry in _of_quiz(quiz)]


_TOLD_LATER = {Outcome.NOT_ATTEMPTED, Outcome.SKIPPED}


def worst_first(found: list[Entry]) -> list[Entry]:
    """Return what is not full, most severe first and what is not written last; else in the order of the course."""
    open_ones = [entry for entry in found if not entry.is_full and not entry.hidden]
    return sorted(open_ones, key=lambda entry: (entry.outcome in _TOLD_LATER, entry.outcome.severity))


def _of_exercise(exercise: ExerciseResult) -> Iterator[Entry]:
    void = exercise.outcome is Outcome.INTERNAL_ERROR
    if exercise.message or not (exercise.checks or exercise.shows_nothing):
        whole = exercise.max_points if not exercise.checks else 0.0
        yield Entry(
            group=exercise.id,
            id="whole",
            title="The exercise as a whole",
            outcome=exercise.outcome,
            points=0.0,
            max_points=whole,
            message=exercise.message or _said(exercise.outcome),
            lines=tuple(_traceback(exercise.traceback)),
            frame=_innermost(exercise.traceback),
        )
    for check in exercise.checks:
        yield Entry(
            group=exercise.id,
            id=check.id,
            title=check.title,
            outcome=check.outcome,
            points=0.0 if void else check.points,
            max_points=0.0 if void else check.max_points,
            message="" if check.outcome is Outcome.PASSED else check.rationale or _said(check.outcome),
            lines=tuple(_explained(check)),
            frame=_innermost(check.traceback),
        )
    if exercise.hidden is not None:
        yield Entry(
            group=exercise.id,
            id="hidden",
            title=f"{counted_hidden(exercise.hidden)} hidden from you",
            outcome=Outcome.SKIPPED,
            points=0.0,
            max_points=0.0,
            message=hidden_sentence(exercise.hidden),
            hidden=True,
        )


def _said(outcome: Outcome) -> str:
    return f"{str(outcome).replace('_', ' ').capitalize()}."


def _innermost(frames: tuple[Frame, ...]) -> Frame | None:
    return frames[-1] if frames else None


def _explained(check: CheckResult) -> Iterator[str]:
    if check.counterexample is not None:
        yield from example_rows(check.counterexample)
    if check.diagnosis is not None:
        yield f"known mistake, {check.diagnosis.mistake}: {check.diagnosis.message}"
    yield from _traceback(check.traceback)


def example_rows(example: Counterexample) -> Iterator[str]:
    """Yield a counterexample as `name: value`, a value of several lines below its name."""
    rows = [("call", example.call), *((argument.name, argument.value) for argument in example.arguments)]
    rows += [("expected", example.expected), ("got", example.got), ("where", example.where)]
    for name, value in rows:
        if value:
            yield f"{name}:\n{value}" if "\n" in value else f"{name}: {value}"


def _traceback(frames: tuple[Frame, ...]) -> Iterator[str]:
    for frame in frames:
        yield f"{frame.path}:{frame.line}: {frame.text}"


def _of_quiz(quiz: QuizResult) -> Iterator[Entry]:
    group = f"quiz.{quiz.id}"
    for n, problem in enumerate(quiz.problems):
        yield Entry(
            group=group,
            id=f"answers.{n + 1}",
            title="The answers file",
            outcome=Outcome.RAISED,
            points=0.0,
            max_points=0.0,
            message=problem,
        )
    for item in quiz.items:
        yield _of_item(group, item)


def _of_item(group: str, item: ItemResult) -> Entry:
    outcome, message = Outcome.PASSED, ""
    lines: tuple[str, ...] = ()
    if not item.max_points:
        outcome, message = Outcome.SKIPPED, "Withdrawn: it does not count."
    elif item.points < item.max_points and not item.answered:
        outcome, message = Outcome.NOT_ATTEMPTED, "Not answered yet."
    elif item.points < item.max_points:
        outcome, message = Outcome.FAILED, " ".join(item.feedback) or "Not the full answer."
        lines = (item.prompt.strip(), f"response: {item.response}")
    return Entry(
        group=group,
        id=item.id,
        title=item.id,
        outcome=outcome,
        points=item.points,
        max_points=item.max_points,
        message=message,
        lines=lines,
    )

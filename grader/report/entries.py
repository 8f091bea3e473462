"""A report as one flat list, for formats that have no exercises: an entry per check and item.

An exercise or answers file that could not be graded as a whole has an entry of its own.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from grader.core.model import (
    CheckResult,
    ExerciseResult,
    Frame,
    Hidden,
    ItemResult,
    Outcome,
    QuizResult,
    Report,
)
from grader.report.content import example_rows
from grader.report.phrases import NOT_GRADED, counted_hidden, hidden_sentence, item_name, known
from grader.report.text_layout import amount


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """The result of one check or item, or of an exercise or answers file as a whole.

    `group` is `<exercise>` or `quiz.<quiz>`. `message` and `lines` hold student text, raw: a renderer makes it safe.
    No entry of a `void` exercise has points, whatever its checks earned. The hidden checks of an exercise are one
    entry, marked `hidden` and worth 0 points, which counts them and is never full.
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
    duration_s: float = 0.0
    hidden: bool = False
    void: bool = False

    @property
    def is_full(self) -> bool:
        """Tell whether it earned all its points, and nothing went wrong."""
        return (
            not self.hidden
            and not self.void
            and self.points >= self.max_points
            and self.outcome in (Outcome.PASSED, Outcome.SKIPPED)
        )

    @property
    def earned(self) -> str:
        """The points as text: `1.5/2`, or that there are none yet."""
        return NOT_GRADED if self.void else amount(self.points, self.max_points)


def entries(report: Report) -> list[Entry]:
    """Return every entry, in the order of the course."""
    found = [entry for exercise in report.exercises for entry in exercise_entries(exercise)]
    return found + [entry for quiz in report.quizzes for entry in _of_quiz(quiz)]


WHOLE = "whole"
_LAST = {Outcome.NOT_ATTEMPTED, Outcome.SKIPPED}


def worst_first(found: list[Entry]) -> list[Entry]:
    """Return the entries that are not full: most severe first, unwritten and skipped ones last."""
    passed = Outcome.PASSED  # and yet not full: a check of a void exercise, of which there is nothing to fix
    open_ones = [e for e in found if not e.is_full and not e.hidden and e.outcome is not passed]
    return sorted(open_ones, key=lambda entry: (entry.outcome in _LAST, entry.outcome.severity))


def exercise_entries(exercise: ExerciseResult) -> Iterator[Entry]:
    """Yield the entries of one exercise: the whole, where something is said of it, its checks, and what is hidden."""
    explained = any(check.outcome is Outcome.INTERNAL_ERROR for check in exercise.checks)
    unexplained = exercise.is_void and not explained
    if exercise.message or unexplained or not (exercise.checks or exercise.shows_nothing):
        yield _whole_entry(exercise)
    for check in exercise.checks:
        yield _check_entry(exercise.id, check, void=exercise.is_void)
    if exercise.hidden is not None:
        yield _hidden_entry(exercise.id, exercise.hidden)


def _whole_entry(exercise: ExerciseResult) -> Entry:
    """Return the entry of an exercise as a whole; the points and the time of its checks are counted with them."""
    return Entry(
        group=exercise.id,
        id=WHOLE,
        title="The exercise as a whole",
        outcome=exercise.outcome,
        points=0.0,
        max_points=0.0 if exercise.checks else exercise.max_points,
        message=exercise.message or _sentence(exercise.outcome),
        lines=tuple(_traceback(exercise.traceback)),
        frame=_innermost(exercise.traceback),
        duration_s=0.0 if exercise.checks else exercise.duration_s,
        void=exercise.is_void,
    )


def _check_entry(exercise: str, check: CheckResult, *, void: bool) -> Entry:
    return Entry(
        group=exercise,
        id=check.id,
        title=check.title,
        outcome=check.outcome,
        points=0.0 if void else check.points,
        max_points=check.max_points,
        message="" if check.outcome is Outcome.PASSED else check.rationale or _sentence(check.outcome),
        lines=tuple(_details(check)),
        frame=_innermost(check.traceback),
        duration_s=check.duration_s,
        void=void,
    )


def _hidden_entry(exercise: str, hidden: Hidden) -> Entry:
    return Entry(
        group=exercise,
        id="hidden",
        title=f"{counted_hidden(hidden)} hidden from you",
        outcome=Outcome.SKIPPED,
        points=0.0,
        max_points=0.0,
        message=hidden_sentence(hidden),
        hidden=True,
    )


def _sentence(outcome: Outcome) -> str:
    return f"{str(outcome).replace('_', ' ').capitalize()}."


def _innermost(frames: tuple[Frame, ...]) -> Frame | None:
    return frames[-1] if frames else None


def _details(check: CheckResult) -> Iterator[str]:
    if check.counterexample is not None:
        for row in example_rows(check.counterexample):
            yield f"{row.name}:\n{row.value}" if "\n" in row.value else f"{row.name}: {row.value}"
    if check.diagnosis is not None:
        as_if = "as if it were " if check.diagnosis.of_check_alone else ""
        yield f"{as_if}{known(check.diagnosis)}: {check.diagnosis.message}"
    yield from _traceback(check.traceback)


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
    outcome, message = item_outcome(item)
    lines = (item.prompt.strip(), f"response: {item.response}") if outcome is Outcome.FAILED else ()
    return Entry(
        group=group,
        id=item.id,
        title=item_name(item.number, item.id),
        outcome=outcome,
        points=item.points,
        max_points=item.max_points,
        message=message,
        lines=lines,
    )


def item_outcome(item: ItemResult) -> tuple[Outcome, str]:
    """Return the outcome of a quiz item, and what is said of it."""
    if not item.max_points:
        return Outcome.SKIPPED, "Withdrawn: it does not count."
    if item.points >= item.max_points:
        return Outcome.PASSED, ""
    if not item.answered:
        return Outcome.NOT_ATTEMPTED, "Not answered yet."
    return Outcome.FAILED, " ".join(item.feedback) or "Not the full answer."

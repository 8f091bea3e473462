"""What a report says to a person, decided once: which checks come first, what is said of each, and what to do next.

Pure functions from results to records of plain text. `text_report` and `html_report` lay the records out and decide
nothing but the layout. Text of a student is raw here: a renderer makes it safe.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum

from grader.core.model import (
    CheckResult,
    Counterexample,
    Diagnosis,
    ExerciseResult,
    Flag,
    Frame,
    ItemResult,
    Outcome,
    Picture,
    QuizResult,
    Report,
)
from grader.report.phrases import (
    NONE_OPENED,
    NOT_GRADED,
    NOTHING_KNOWN,
    Help,
    advice,
    advice_on,
    all_hidden,
    begun,
    earned,
    earned_of,
    first_to_fix,
    first_to_mend,
    further,
    hidden_of,
    hidden_points,
    hidden_sentence,
    isolation,
    item_name,
    known,
    next_step,
    not_counted,
    passing,
    reason,
    share,
    unwritten,
    waits,
)
from grader.report.text_layout import amount


class Status(Enum):
    """How a check or an exercise is marked: by a sign in a terminal, by a color on a page."""

    PASSED = "passed"
    FAILED = "failed"
    WAITING = "waiting"
    VOID = "void"


_STATUSES = {
    Outcome.PASSED: Status.PASSED,
    Outcome.SKIPPED: Status.WAITING,
    Outcome.NOT_ATTEMPTED: Status.WAITING,
    Outcome.INTERNAL_ERROR: Status.VOID,
}


def status_of(outcome: Outcome) -> Status:
    """Return how an outcome is marked."""
    return _STATUSES.get(outcome, Status.FAILED)


@dataclass(frozen=True, slots=True, kw_only=True)
class Heading:
    """The line of an exercise or a quiz: its name, its title, and what it earned.

    `earned` is the points as text, or why there are none; `instead` is that reason alone. A bar shows `points` of
    `max_points` and `hidden_points` together; all three are 0 where nothing is decided.
    """

    id: str
    name: str
    title: str
    points: float
    max_points: float
    hidden_points: float
    earned: str
    instead: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ExampleRow:
    """One row of a counterexample. `kind` is call, argument, expected, got or where; `name` is what is written.

    `wrong` lists the wrong cells of `value`, each as the number of its line and its place in that line.
    """

    kind: str
    name: str
    value: str
    wrong: tuple[tuple[int, int], ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Example:
    """A counterexample as rows, none of them empty. `smallest` tells that shrinking found no smaller input."""

    rows: tuple[ExampleRow, ...]
    smallest: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownMistake:
    """A diagnosis: the sentence that names the known mistake, and the message that helps."""

    lead: str
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckContent:
    """One check. `reason` is the short form of `rationale`, for a check that is reported in one line.

    `advice` is what to do next, "" for a check that waits for another. `read` names the place in the text of the
    course that explains it, "" where there is none.
    """

    id: str
    title: str
    outcome: Outcome
    status: Status
    earned: str
    rationale: str
    reason: str
    traceback: tuple[Frame, ...]
    example: Example | None
    picture: Picture | None
    mistake: KnownMistake | None
    advice: str
    read: str


@dataclass(frozen=True, slots=True, kw_only=True)
class WholeContent:
    """What is said of an exercise as a whole: most often, why no check could run."""

    status: Status
    message: str
    traceback: tuple[Frame, ...]
    advice: str


@dataclass(frozen=True, slots=True, kw_only=True)
class HintsContent:
    """The hints that are open, how many there are, and how to open the next."""

    opened: tuple[str, ...]
    count: int
    further: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ExerciseContent:
    """One exercise. `first` is the check to work on first, `others` failed too, `waiting` were skipped.

    `not_attempted`, `unwritten`, `waits`, `passing`, `solution` and `hidden` are sentences, "" where they do not apply.
    An exercise that was not attempted says nothing else of its checks.
    """

    heading: Heading
    not_attempted: str
    whole: WholeContent | None
    first: CheckContent | None
    others: tuple[CheckContent, ...]
    waiting: tuple[CheckContent, ...]
    unwritten: str
    waits: str
    passed: tuple[CheckContent, ...]
    passing: str
    solution: str
    hidden: str
    hints: HintsContent | None
    flags: tuple[Flag, ...]
    output: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ItemContent:
    """A quiz item; `name` is its number and its id, `response` is empty where it is not answered."""

    name: str
    earned: str
    is_right: bool
    prompt: str
    response: str
    feedback: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class QuizContent:
    """One quiz. `to_begin` is the command that asks its questions, "" once it was begun; then the rest applies.

    `items` are those that were answered and did not earn everything, or all.
    """

    heading: Heading
    to_begin: str
    problems: tuple[str, ...]
    items: tuple[ItemContent, ...]
    right: str
    unanswered: str


@dataclass(frozen=True, slots=True, kw_only=True)
class FirstToMend:
    """The part to go on with: the exercise or quiz at `place` among those of its kind, from 0.

    `what` is the title of its first failing check, the name of its first wrong item, or why no check could run; then
    `is_found` tells that the part shows this. Where nothing is wrong yet, it is the title of the part.
    """

    is_quiz: bool
    place: int
    name: str
    what: str
    is_found: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class SummaryContent:
    """The whole report in a few sentences. `hidden` and `next_step` are "" where they do not apply.

    `total` is the line of all points; its title is the score in percent. `mend` is None where nothing is open.
    """

    total: Heading
    hidden: str
    isolation: str
    mend: FirstToMend | None
    next_step: str


def heading(part: ExerciseResult | QuizResult) -> Heading:
    """Return the line of an exercise or a quiz."""
    is_exercise = isinstance(part, ExerciseResult)
    is_void = isinstance(part, ExerciseResult) and part.is_void
    hidden = hidden_points([part]) if isinstance(part, ExerciseResult) else 0.0
    return Heading(
        id=part.id,
        name=part.id if is_exercise else f"quiz {part.id}",
        title=part.title,
        points=0.0 if is_void else part.points,
        max_points=0.0 if is_void else part.max_points,
        hidden_points=0.0 if is_void else hidden,
        earned=earned_of(part),
        instead=not_counted(part),
    )


def summary_content(report: Report, hints: Mapping[str, Help] = NOTHING_KNOWN) -> SummaryContent:
    """Return what is said of the whole report; `hints` holds the open hints of exercises, by id."""
    hidden = all_hidden(report.exercises)
    total = Heading(
        id="",
        name="Total",
        title=share(report),
        points=report.points if report.final else 0.0,
        max_points=report.max_points if report.final else 0.0,
        hidden_points=hidden.max_points if hidden is not None and report.final else 0.0,
        earned=earned(report),
        instead="not final" if not report.final else "hidden" if hidden is not None else "not counted",
    )
    return SummaryContent(
        total=total,
        hidden=hidden_sentence(hidden) if hidden is not None else "",
        isolation=isolation(report),
        mend=_first_to_mend(report),
        next_step=next_step(report, hints),
    )


def _first_to_mend(report: Report) -> FirstToMend | None:
    part = first_to_mend(report)
    if part is None:
        return None
    parts: Sequence[ExerciseResult | QuizResult]
    if isinstance(part, QuizResult):
        parts, found = report.quizzes, next((item.name for item in quiz_content(part).items), "")
    else:
        parts, exercise = report.exercises, exercise_content(part)
        found = exercise.first.title if exercise.first is not None else ""
        found = exercise.whole.message if exercise.whole is not None else found
    return FirstToMend(
        is_quiz=isinstance(part, QuizResult),
        place=next(n for n, other in enumerate(parts) if other is part),
        name=heading(part).name,
        what=found or part.title,
        is_found=bool(found),
    )


# --- exercises


def exercise_content(result: ExerciseResult, hints: Help = NONE_OPENED) -> ExerciseContent:
    """Return what is said of an exercise; `hints` says which of its hints are open."""
    attempted = result.outcome is not Outcome.NOT_ATTEMPTED
    checks = result.checks if attempted else ()
    passed = [check for check in checks if check.outcome is Outcome.PASSED]
    others = [check for check in checks if check.outcome is not Outcome.PASSED]
    first = first_to_fix(others)
    following = [_check(result.id, check, hints, first) for check in others if check is not first]
    is_done = bool(passed) and not others and result.hidden is None and not result.is_void
    return ExerciseContent(
        heading=heading(result),
        not_attempted=""
        if attempted
        else result.message or f"Not attempted yet: open exercises/{result.id}.py.",
        whole=_whole(result, hints) if attempted and result.message else None,
        first=_check(result.id, first, hints, first) if first is not None else None,
        others=tuple(check for check in following if check.outcome is not Outcome.SKIPPED),
        waiting=tuple(check for check in following if check.outcome is Outcome.SKIPPED),
        passed=tuple(_check(result.id, check, hints, first) for check in passed),
        unwritten=unwritten(check for check in others if check is not first),
        waits=waits(checks),
        passing=passing(result, hints.passed_before) if checks else "",
        solution=_solution(result.id, hints) if is_done else "",
        hidden=hidden_of(result),
        hints=_hints(result, hints),
        flags=result.flags,
        output=result.output if result.output.strip() else "",
    )


def _solution(exercise: str, hints: Help) -> str:
    then = ", `grade next` goes on" if hints.is_file else ""
    return f"`grade solution {exercise}` shows our solution{then}."


def _whole(result: ExerciseResult, hints: Help) -> WholeContent:
    loads = "The checks run as soon as the file loads." if result.outcome is Outcome.RAISED else ""
    return WholeContent(
        status=status_of(result.outcome),
        message=result.message,
        traceback=result.traceback,
        advice=loads or advice(result.id, result.outcome, hints),
    )


def _check(exercise: str, check: CheckResult, hints: Help, first: CheckResult | None) -> CheckContent:
    return CheckContent(
        id=check.id,
        title=check.title,
        outcome=check.outcome,
        status=status_of(check.outcome),
        earned=NOT_GRADED
        if check.outcome is Outcome.INTERNAL_ERROR
        else amount(check.points, check.max_points),
        rationale=check.rationale,
        reason=reason(check, first.diagnosis if first is not None else None),
        traceback=check.traceback,
        example=_example(check.counterexample, check.rationale),
        picture=check.picture,
        mistake=_mistake(check.diagnosis),
        advice=_advice(exercise, check, hints, is_first=check is first),
        read=f'Read "{check.passage.heading}" in {check.passage.page}.' if check.passage is not None else "",
    )


def _advice(exercise: str, check: CheckResult, hints: Help, *, is_first: bool) -> str:
    if check.outcome in (Outcome.PASSED, Outcome.SKIPPED):
        return ""
    case = exercise if is_first else f"{exercise} {check.id.removeprefix('test_')}"
    return advice_on(exercise, check, hints, case if check.counterexample is not None else "")


def _example(example: Counterexample | None, rationale: str) -> Example | None:
    """Return the counterexample; what came is left out where the rationale says it, and None where nothing is left."""
    if example is None:
        return None
    rows = tuple(row for row in example_rows(example) if not (row.kind == "got" and row.value == rationale))
    return Example(rows=rows, smallest=example.smallest) if rows else None


def example_rows(example: Counterexample) -> Iterator[ExampleRow]:
    """Yield the rows of a counterexample that say something: the call, its arguments, what was expected, what came."""
    yield from _row("call", "call", example.call)
    for argument in example.arguments:
        yield from _row("argument", argument.name, argument.value)
    yield from _row("expected", "expected", example.expected)
    yield from _row("got", "got", example.got, example.wrong)
    yield from _row("where", "where", example.where)


def _row(kind: str, name: str, value: str, wrong: tuple[tuple[int, int], ...] = ()) -> Iterator[ExampleRow]:
    if value:
        yield ExampleRow(kind=kind, name=name, value=value, wrong=wrong)


def _mistake(diagnosis: Diagnosis | None) -> KnownMistake | None:
    if diagnosis is None:
        return None
    lead = f"Your results are exactly those of {known(diagnosis)}:"
    if diagnosis.of_check_alone:
        lead = f"This check behaves as if it were {known(diagnosis)}, and others show that there is more:"
    return KnownMistake(lead=lead, message=diagnosis.message)


def _hints(result: ExerciseResult, hints: Help) -> HintsContent | None:
    """Return what has been opened, as long as the exercise is not finished."""
    if not hints.opened or (result.points >= result.max_points and not result.is_void):
        return None
    return HintsContent(opened=hints.opened, count=hints.count, further=further(result.id, hints))


# --- quizzes


def quiz_content(quiz: QuizResult, *, every: bool = False) -> QuizContent:
    """Return what is said of a quiz: of wrong answers, or with `every` of all items."""
    right = sum(item.answered and item.points >= item.max_points for item in quiz.items)
    return QuizContent(
        heading=heading(quiz),
        to_begin="" if begun(quiz) else f"`grade quiz {quiz.id}` asks the questions.",
        problems=quiz.problems,
        items=tuple(
            _item(item) for item in quiz.items if every or (item.answered and item.points < item.max_points)
        ),
        right=f"{right} of {len(quiz.items)} answers are right." if right else "",
        unanswered=_unanswered(quiz.items) if begun(quiz) else "",
    )


def _unanswered(items: Sequence[ItemResult]) -> str:
    """Name the items that wait for an answer; one that was withdrawn earns nothing, and does not wait."""
    names = [
        item_name(item.number, item.id)
        for item in items
        if not item.answered and item.points < item.max_points
    ]
    return f"{len(names)} not answered yet: {', '.join(names)}." if names else ""


def _item(item: ItemResult) -> ItemContent:
    return ItemContent(
        name=item_name(item.number, item.id),
        earned=amount(item.points, item.max_points),
        is_right=item.answered and item.points >= item.max_points,
        prompt=item.prompt,
        response=item.response,
        feedback=item.feedback,
    )

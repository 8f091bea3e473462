"""The sentences of a report for people, the same in text and HTML: what to fix first, why, and what to do next."""

import math
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

from grader.core.model import (
    CheckResult,
    Counterexample,
    Diagnosis,
    Exercise,
    ExerciseResult,
    Hidden,
    Outcome,
    QuizResult,
    Report,
)
from grader.report.redaction import WITHHELD
from grader.report.text_layout import amount, number, percent

_LATER = {Outcome.NOT_ATTEMPTED: 1, Outcome.INTERNAL_ERROR: 2, Outcome.SKIPPED: 3}


@dataclass(frozen=True, slots=True, kw_only=True)
class Help:
    """What helps a student go on with an exercise: the hints opened so far, and how many there are.

    `is_file` tells that the code is a file, to be opened and replayed, and not a cell of a notebook. `passed_before` is
    how many checks passed when it was last graded; None where that is not known.
    """

    opened: tuple[str, ...] = ()
    count: int = 0
    is_file: bool = True
    passed_before: int | None = None


NOT_GRADED = "not graded"
GRADE_AGAIN = "grade again, or tell your instructor."
NONE_OPENED = Help()
NOTHING_KNOWN: Mapping[str, Help] = MappingProxyType({})


def first_to_fix(others: Sequence[CheckResult]) -> CheckResult | None:
    """Return the first failing check; else the first that is not written yet, void, or skipped. None without any."""
    return min(others, key=lambda check: _LATER.get(check.outcome, 0), default=None)


def further(exercise: str, hints: Help) -> str:
    """Say which hint is next."""
    opened = len(hints.opened)
    if not opened:
        return f"`grade hint {exercise}` gives a nudge."
    if opened < hints.count:
        return f"`grade hint {exercise}` opens hint {opened + 1} of {hints.count}."
    return f"All {opened} hints are open; `grade hint {exercise} 1` shows the first again."


def advice_on(exercise: str, check: CheckResult, hints: Help, case: str) -> str:
    """Say what to do about a check. Where its input is not shown, there is none to work out by hand."""
    if check.rationale == WITHHELD and check.outcome in (Outcome.CRASHED, Outcome.RAISED, Outcome.FAILED):
        return f"Its title says what it asks for: try your code on such inputs. Stuck? {further(exercise, hints)}"
    return advice(exercise, check.outcome, hints, case, example=check.counterexample)


_MOST_BY_HAND = 40  # numbers in all arguments of a call that a person works out on paper
_NUMBER = re.compile(r"-?\d+(?:\.(\d+))?(?:e[-+]?\d+)?")


def can_be_worked_by_hand(example: Counterexample | None) -> bool:
    """Tell whether a call is one of a function with a known result, and all its numbers are shown, few and short.

    What an object computes depends on its state, which is not shown.
    """
    if example is None or not example.expected:
        return False
    if not example.call.partition("(")[0].isidentifier() or ")." in example.call:
        return False
    if any(argument.value.startswith("module ") for argument in example.arguments):
        return False
    shown = [example.call.partition("(")[2], *(argument.value for argument in example.arguments)]
    if any(words in text for text in shown for words in ("first corner", "cut here", "...")):
        return False
    numbers = [number for text in shown for number in _NUMBER.finditer(text.partition("\n")[2] or text)]
    return 0 < len(numbers) <= _MOST_BY_HAND and all(
        "e" not in n[0] and len(n[1] or "") <= 2 for n in numbers
    )


def advice(
    exercise: str, outcome: Outcome, hints: Help, case: str = "", *, example: Counterexample | None = None
) -> str:
    """Say what to do about a check with this outcome; `case` is the argument of `grade replay`, "" for no replay.

    A cell of a notebook is not a file: it can be neither opened nor replayed.
    """
    case = case if hints.is_file else ""
    stuck = f"Stuck? {further(exercise, hints)}"
    match outcome:
        case Outcome.INTERNAL_ERROR:
            return "Nothing is decided: grade again, or tell your instructor."
        case Outcome.TAMPERING:
            return "Your code may only compute. Remove what does more than that, then grade again."
        case Outcome.TIME_LIMIT:
            return f"Look for a loop that never ends, or that visits every element in Python.{_replay(case)} {stuck}"
        case Outcome.MEMORY_LIMIT:
            return f"Look for a tensor that is much larger than the input and the result. {stuck}"
        case Outcome.OUTPUT_LIMIT:
            return "Remove `print` calls, at least those inside loops, then grade again."
        case Outcome.NOT_ATTEMPTED:
            where = (
                f"Open exercises/{exercise}.py and write it." if hints.is_file else "Write it in the cell."
            )
            return f"{where} {stuck}"
        case Outcome.CRASHED | Outcome.RAISED:
            return f"Make this call work first.{_replay(case)} {stuck}"
        case _:
            if can_be_worked_by_hand(example):
                return (
                    f"Work this input out by hand, then follow your code through it.{_replay(case)} {stuck}"
                )
            return f"Follow your code through this call, step by step.{_replay(case)} {stuck}"


def _replay(case: str) -> str:
    return f" `grade replay {case} --pdb` stops in it." if case else ""


def reason(check: CheckResult, shown: Diagnosis | None) -> str:
    """Say briefly why a check did not pass. The diagnosis `shown` is in the report already, and is not repeated."""
    if check.outcome is Outcome.NOT_ATTEMPTED:
        return "not written yet"
    if check.rationale == WITHHELD:
        return "no details"
    if check.diagnosis is None:
        return check.rationale.rstrip(".")
    return "the same mistake" if check.diagnosis == shown else known(check.diagnosis)


def known(diagnosis: Diagnosis) -> str:
    """Name the known mistake of a diagnosis, or the two that explain the results together."""
    one, _, other = diagnosis.mistake.partition("+")
    return f"two known mistakes together, {one} and {other}" if other else f"a known mistake, {one}"


def dedented(text: str) -> list[str]:
    """Return the lines of a text without the indent of the first, so that a caret stays below its character."""
    lines = text.rstrip().split("\n")
    indent = len(lines[0]) - len(lines[0].lstrip())
    return [line[indent:] if not line[:indent].strip() else line for line in lines] if text.strip() else []


def item_name(number: int, item_id: str) -> str:
    """Return what a quiz item is called wherever it is asked or reported: `3 shape-after-pool`.

    In a report that was written before items had a number, that is the id alone.
    """
    return f"{number} {item_id}" if number else item_id


def begun(quiz: QuizResult) -> bool:
    """Tell whether anything of a quiz has been answered."""
    return bool(quiz.problems) or any(item.answered for item in quiz.items)


def first_step(exercises: Sequence[Exercise], quizzes: Sequence[QuizResult]) -> str:
    """Say how to begin: with the first exercise, else the first quiz."""
    for exercise in exercises:
        write = f", write {exercise.names[0]}" if exercise.names else ""
        return f"open exercises/{exercise.id}.py{write}, and run `grade {exercise.id}`."
    return f"`grade quiz {quizzes[0].id}`." if quizzes else "`grade list`."


def all_hidden(results: Iterable[ExerciseResult]) -> Hidden | None:
    """Return the hidden checks of several exercises as one sum; None where nothing is hidden."""
    return sum_hidden(result.hidden for result in results)


def sum_hidden(parts: Iterable[Hidden | None]) -> Hidden | None:
    """Return the sum of several hidden parts; None where there is none."""
    found = [hidden for hidden in parts if hidden is not None]
    if not found:
        return None
    points = math.fsum(hidden.max_points for hidden in found)
    return Hidden(checks=sum(hidden.checks for hidden in found), max_points=points)


def hidden_points(results: Iterable[ExerciseResult]) -> float:
    """Return the points of the hidden checks of several exercises."""
    found = all_hidden(results)
    return found.max_points if found is not None else 0.0


def counted_hidden(hidden: Hidden) -> str:
    """Return `3 checks, worth 5 points,`: the beginning of a sentence on hidden checks."""
    checks = f"{hidden.checks} check" if hidden.checks == 1 else f"{hidden.checks} checks"
    points = number(hidden.max_points)
    return f"{checks}, worth {points} {'point' if points == '1' else 'points'},"


def hidden_sentence(hidden: Hidden) -> str:
    """Say how many checks are hidden, and when they count."""
    verb, pronoun = ("is", "it counts") if hidden.checks == 1 else ("are", "they count")
    return (
        f"{counted_hidden(hidden)} {verb} hidden from you: {pronoun} when your work is graded for the record."
    )


def hidden_of(result: ExerciseResult) -> str:
    """Say what is hidden of an exercise, and that its output is therefore not shown; "" where nothing is hidden."""
    return (
        f"{hidden_sentence(result.hidden)} What your code prints is not shown either."
        if result.hidden
        else ""
    )


def passing(result: ExerciseResult, before: int | None = None) -> str:
    """Say how many of the checks that are shown pass, and how many more than `before`."""
    passed = sum(check.outcome is Outcome.PASSED for check in result.checks)
    which = "checks you can see" if result.hidden is not None else "checks"
    count = f"All {passed}" if passed == len(result.checks) else f"{passed} of {len(result.checks)}"
    return f"{count} {which} pass{_change(passed, before)}."


def _change(passed: int, before: int | None) -> str:
    if before is None or passed == before:
        return ""
    return f", {abs(passed - before)} {'more' if passed > before else 'fewer'} than last time"


def unwritten(checks: Iterable[CheckResult]) -> str:
    """Say how many checks ask for code that is not written yet; "" where none does."""
    count = sum(check.outcome is Outcome.NOT_ATTEMPTED for check in checks)
    if not count:
        return ""
    return f"{count} more {'checks ask' if count > 1 else 'check asks'} for what is not written yet"


def waits(checks: Sequence[CheckResult]) -> str:
    """Say how many checks wait for which others: `8 checks wait for: Two windows.`; "" where none waits."""
    waiting = {check.title: check.rationale for check in checks if check.outcome is Outcome.SKIPPED}
    if not waiting:
        return ""
    verb = "1 check waits" if len(waiting) == 1 else f"{len(waiting)} checks wait"
    titles = {f"Waits for: {title}." for title in waiting}
    first = sorted(set(waiting.values()) - titles)  # which themselves wait for nothing
    if len(first) == 1:
        return f"{verb} for: {first[0].removeprefix('Waits for: ').rstrip('.')}"
    return f"{verb} for {len(first)} others to pass"


def earned(report: Report) -> str:
    """Return `28.5/58 points`; where checks are hidden, say that these are the points of the others.

    A report that is not final has none to show.
    """
    if not report.final:
        return "Not final"
    points = f"{amount(report.points, report.max_points)} points"
    if all_hidden(report.exercises) is None:
        return points
    return f"{points} that you can see" if report.max_points else "No points that you can see"


def share(report: Report) -> str:
    """Return the score in percent; where checks are hidden, say that it is the score of the others.

    Of a report that is not final, say why it has none.
    """
    if not report.final:
        return "some of it could not be graded"
    if all_hidden(report.exercises) is None:
        return percent(report.score)
    return f"{percent(report.score)} of what you can see" if report.max_points else "nothing you can see"


def not_counted(part: ExerciseResult | QuizResult) -> str:
    """Say why a part has no points to show."""
    if isinstance(part, ExerciseResult) and part.is_void:
        return NOT_GRADED
    return "hidden" if isinstance(part, ExerciseResult) and part.hidden is not None else "not counted"


def earned_of(part: ExerciseResult | QuizResult) -> str:
    """Return what a part earned: `3.5/10`, `3/3, 5 hidden`, or why there are no points to show."""
    if not part.max_points or (isinstance(part, ExerciseResult) and part.is_void):
        return not_counted(part)
    secret = hidden_points([part]) if isinstance(part, ExerciseResult) else 0.0
    return amount(part.points, part.max_points) + (f", {number(secret)} hidden" if secret else "")


def nothing_left(results: Iterable[ExerciseResult]) -> str:
    """Say that every check passes, or every check that is not hidden."""
    if all_hidden(results) is None:
        return "Everything passes. Well done."
    return "Everything you can see passes. The rest counts when your work is graded for the record."


def isolation(report: Report) -> str:
    """Say how the worker was isolated, and which seed the inputs were drawn from, unless it is secret."""
    found = report.isolation
    layers = f": {', '.join(found.layers)}" if found.layers else ""
    missing = f" Missing here: {', '.join(found.missing)}." if found.missing else ""
    seed = f" Seed {report.seed}." if report.seed is not None else ""
    return f"Isolation level {found.level} of 3{layers}.{missing}{seed}"


def void_sentence(report: Report, request: str, clean: Callable[[str], str] = str) -> str:
    """Name the exercises that could not be graded, and add a request; "" for a report that is final.

    `clean` makes an id safe in the format it is written in.
    """
    if report.final:
        return ""
    void = ", ".join(clean(exercise.id) for exercise in report.exercises if exercise.is_void)
    return f"Not graded, through an error in the grader{f': {void}' if void else ''}. Nothing is decided: {request}"


def first_to_mend(report: Report) -> ExerciseResult | QuizResult | None:
    """Return the part to go on with: the first open exercise, one that earned something before others; else a quiz.

    None where nothing is open. Of a void exercise it is not known whether there is anything to mend.
    """
    unfinished = [exercise for exercise in report.exercises if not exercise.is_full and not exercise.is_void]
    if unfinished:
        return max(unfinished, key=lambda exercise: exercise.points > 0)
    return next((quiz for quiz in report.quizzes if quiz.points < quiz.max_points), None)


def next_step(report: Report, hints: Mapping[str, Help] = NOTHING_KNOWN) -> str:
    """Say what to do after reading a report; "" where there are no points to earn."""
    if void := void_sentence(report, GRADE_AGAIN):
        return void
    chosen = first_to_mend(report)
    if chosen is None:
        return nothing_left(report.exercises) if report.max_points else ""
    if isinstance(chosen, QuizResult):
        return f"Next: `grade quiz {chosen.id}`."
    if not hints.get(chosen.id, NONE_OPENED).is_file:
        return f"Next: change the cell of {chosen.id}, then grade the notebook again."
    return f"Next: change exercises/{chosen.id}.py, then run `grade {chosen.id}`."

"""What every report for people says, whatever it is set in: what to mend first, why, and what to do next."""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

from grader.core.model import CheckResult, Diagnosis, ExerciseResult, Hidden, Outcome, QuizResult, Report
from grader.report.redaction import WITHHELD
from grader.report.text_layout import amount, number

_TOLD_LATER = {Outcome.NOT_ATTEMPTED: 1, Outcome.INTERNAL_ERROR: 2, Outcome.SKIPPED: 3}


@dataclass(frozen=True, slots=True, kw_only=True)
class Help:
    """What there is to go on with: hints opened so far, of how many, and a file to open and to replay, or a cell."""

    opened: tuple[str, ...] = ()
    count: int = 0
    is_file: bool = True


NONE_OPENED = Help()
NOTHING_KNOWN: Mapping[str, Help] = MappingProxyType({})


def first_to_mend(others: Sequence[CheckResult]) -> CheckResult | None:
    """Return the first check that went wrong; else the first not yet written, or broken by us."""
    return min(others, key=lambda check: _TOLD_LATER.get(check.outcome, 0), default=None)


def further(exercise: str, hints: Help) -> str:
    """Say which hint is next."""
    opened = len(hints.opened)
    if not opened:
        return f"`grade hint {exercise}` gives a nudge."
    if opened < hints.count:
        return f"`grade hint {exercise}` opens hint {opened + 1} of {hints.count}."
    return f"All {opened} hints are open; `grade hint {exercise} 1` shows the first again."


def advice_on(exercise: str, check: CheckResult, hints: Help, case: str) -> str:
    """Say how to get on with a check; one that keeps its input to itself has none to work out."""
    if check.rationale == WITHHELD and check.outcome in (Outcome.CRASHED, Outcome.RAISED, Outcome.FAILED):
        return f"Its title says what it asks for: try your code on such inputs. Stuck? {further(exercise, hints)}"
    return advice(exercise, check.outcome, hints, case)


def advice(exercise: str, outcome: Outcome, hints: Help, case: str = "") -> str:
    """Say how to get on with a check that ended like this; `case` are the words by which `grade replay` knows it.

    A cell of a notebook is no file: there is none to open, and none to replay.
    """
    case = case if hints.is_file else ""
    nudge = f"Stuck? {further(exercise, hints)}"
    match outcome:
        case Outcome.INTERNAL_ERROR:
            return "Grade again; if it stays, tell your instructor. It costs you no points."
        case Outcome.TAMPERING:
            return "Graded code may only compute. Take out what does more than that, then grade again."
        case Outcome.TIME_LIMIT:
            return f"Look for a loop that never ends, or that visits every element in Python.{_replay(case)} {nudge}"
        case Outcome.MEMORY_LIMIT:
            return f"Look for a tensor much larger than input and result together. {nudge}"
        case Outcome.OUTPUT_LIMIT:
            return "Take out what prints, at least inside loops; then grade again."
        case Outcome.NOT_ATTEMPTED:
            where = (
                f"Open exercises/{exercise}.py and write it." if hints.is_file else "Write it in the cell."
            )
            return f"{where} {nudge}"
        case Outcome.CRASHED | Outcome.RAISED:
            return f"Make this call work first.{_replay(case)} {nudge}"
        case _:
            return f"Work this input out by hand, then follow your code through it.{_replay(case)} {nudge}"


def _replay(case: str) -> str:
    return f" `grade replay {case} --pdb` stops in it." if case else ""


def reason(check: CheckResult, told: Diagnosis | None) -> str:
    """Say briefly why a check did not pass, where the diagnosis `told` has been told already."""
    if check.outcome is Outcome.NOT_ATTEMPTED:
        return "not written yet"
    if check.rationale == WITHHELD:
        return "no details"
    if check.diagnosis is None:
        return check.rationale.rstrip(".")
    return "the same mistake" if check.diagnosis == told else known(check.diagnosis)


def known(diagnosis: Diagnosis) -> str:
    """Name the known mistake of a diagnosis, or the two that were made together."""
    one, _, other = diagnosis.mistake.partition("+")
    return f"two known mistakes together, {one} and {other}" if other else f"a known mistake, {one}"


def dedented(text: str) -> list[str]:
    """Return the lines of a text without the indent of the first: a caret stays below its character."""
    lines = text.rstrip().split("\n")
    indent = len(lines[0]) - len(lines[0].lstrip())
    return [line[indent:] if not line[:indent].strip() else line for line in lines] if text.strip() else []


def begun(quiz: QuizResult) -> bool:
    """Tell whether anything of a quiz has been answered."""
    return bool(quiz.problems) or any(item.answered for item in quiz.items)


def all_hidden(results: Iterable[ExerciseResult]) -> Hidden | None:
    """Return what is hidden of several exercises together; None where nothing is."""
    return sum_hidden(result.hidden for result in results)


def sum_hidden(parts: Iterable[Hidden | None]) -> Hidden | None:
    """Return several hidden parts as one; None where there is none."""
    found = [hidden for hidden in parts if hidden is not None]
    if not found:
        return None
    points = math.fsum(hidden.max_points for hidden in found)
    return Hidden(checks=sum(hidden.checks for hidden in found), max_points=points)


def hidden_points(results: Iterable[ExerciseResult]) -> float:
    """Return what is hidden of several exercises is worth."""
    found = all_hidden(results)
    return found.max_points if found is not None else 0.0


def counted_hidden(hidden: Hidden) -> str:
    """Return `3 checks, worth 5 points,`: what is hidden, at the beginning of a sentence."""
    checks = f"{hidden.checks} check" if hidden.checks == 1 else f"{hidden.checks} checks"
    points = number(hidden.max_points)
    return f"{checks}, worth {points} {'point' if points == '1' else 'points'},"


def hidden_sentence(hidden: Hidden) -> str:
    """Say what is hidden, and when it counts."""
    verb, pronoun = ("is", "it counts") if hidden.checks == 1 else ("are", "they count")
    return (
        f"{counted_hidden(hidden)} {verb} hidden from you: {pronoun} when your work is graded for the record."
    )


def hidden_of(result: ExerciseResult) -> str:
    """Say what is hidden of an exercise, and what of it is not shown therefore; "" where nothing is."""
    return f"{hidden_sentence(result.hidden)} What your code prints is left out too." if result.hidden else ""


def passing(result: ExerciseResult) -> str:
    """Say how many of the checks that are shown pass: `All 12 checks pass`, `9 of 12 checks pass`."""
    passed = sum(check.outcome is Outcome.PASSED for check in result.checks)
    which = "checks you can see" if result.hidden is not None else "checks"
    count = f"All {passed}" if passed == len(result.checks) else f"{passed} of {len(result.checks)}"
    return f"{count} {which} pass"


def earned(report: Report) -> str:
    """Return `28.5/58 points`, and of what, where not everything is shown."""
    points = f"{amount(report.points, report.max_points)} points"
    if all_hidden(report.exercises) is None:
        return points
    return f"{points} that you can see" if report.max_points else "No points that you can see"


def share(report: Report) -> str:
    """Return the score in percent, and of what, where not everything is shown."""
    if all_hidden(report.exercises) is None:
        return f"{number(report.score * 100)} %"
    return (
        f"{number(report.score * 100)} % of what you can see" if report.max_points else "nothing you can see"
    )


def not_counted(part: ExerciseResult | QuizResult) -> str:
    """Say why a part has no points to show."""
    return "hidden" if isinstance(part, ExerciseResult) and part.hidden is not None else "not counted"


def earned_of(part: ExerciseResult | QuizResult) -> str:
    """Return what a part earned: `3.5/10`, `3/3, 5 hidden`, or why there is nothing to tell."""
    if not part.max_points:
        return not_counted(part)
    secret = hidden_points([part]) if isinstance(part, ExerciseResult) else 0.0
    return amount(part.points, part.max_points) + (f", {number(secret)} hidden" if secret else "")


def nothing_left(results: Iterable[ExerciseResult]) -> str:
    """Say that all is done, as far as that is known."""
    if all_hidden(results) is None:
        return "Everything passes. Well done."
    return "Everything you can see passes. The rest counts when your work is graded for the record."


def isolation(report: Report) -> str:
    """Say how submissions were locked in, and by which seed their inputs were drawn."""
    found = report.isolation
    layers = f": {', '.join(found.layers)}" if found.layers else ""
    missing = f" Missing here: {', '.join(found.missing)}." if found.missing else ""
    return f"Isolation level {found.level} of 3{layers}.{missing} Seed {report.seed}."


def next_step(report: Report, hints: Mapping[str, Help] = NOTHING_KNOWN) -> str:
    """Say what to do after reading a report; "" where there was nothing to earn."""
    void = [exercise.id for exercise in report.exercises if exercise.outcome is Outcome.INTERNAL_ERROR]
    if void:
        return f"Not counted, through a fault of ours: {', '.join(void)}. Please grade again."
    unfinished = [exercise for exercise in report.exercises if not exercise.is_full]
    if not unfinished and report.points >= report.max_points:
        return nothing_left(report.exercises) if report.max_points else ""
    if unfinished:
        chosen = max(unfinished, key=lambda exercise: exercise.points > 0).id
        if not hints.get(chosen, NONE_OPENED).is_file:
            return f"Next: change the cell of {chosen}, then grade the notebook again."
        return f"Next: change exercises/{chosen}.py, then run `grade {chosen}`."
    chosen = next(quiz.id for quiz in report.quizzes if quiz.points < quiz.max_points)
    return f"Next: `grade quiz {chosen}`."

"""What a report on a class says, whatever it is set in."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from grader.classroom.late_policy import Keep
from grader.classroom.statistics import ClassSummary, MisconceptionSummary, MistakeSummary, Share, Spread
from grader.core.model import Counterexample, Outcome
from grader.report.text_layout import number

_WORDS = {
    Outcome.INTERNAL_ERROR: "our fault",
    Outcome.TAMPERING: "did what graded code may not",
    Outcome.TIME_LIMIT: "ran out of time",
    Outcome.MEMORY_LIMIT: "ran out of memory",
    Outcome.OUTPUT_LIMIT: "printed too much",
    Outcome.CRASHED: "crashed",
    Outcome.RAISED: "raised an exception",
    Outcome.NOT_ATTEMPTED: "not written",
    Outcome.FAILED: "wrong",
    Outcome.SKIPPED: "waits for another check",
    Outcome.PASSED: "passed",
}


def percent(share: float | None) -> str:
    """Return a whole number of percent, cut rather than rounded up; n/a of nothing."""
    return "n/a" if share is None else f"{math.floor(share * 100 + 1e-6)} %"


def counted(count: int, noun: str) -> str:
    """Return `1 student` or `2 students`."""
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


def of(share: Share) -> str:
    """Return `3 of 40`."""
    return f"{share.count} of {share.of}"


def outcome(found: Outcome) -> str:
    """Say how a check or an exercise ended for somebody."""
    return _WORDS[found]


def moment(time: datetime) -> str:
    """Return a time to the minute, with its zone."""
    return f"{time:%a %Y-%m-%d %H:%M} UTC{time:%z}".removesuffix("+0000")


def seconds(value: float) -> str:
    """Return a duration as a person says it."""
    if value < 90:
        return f"{value:.1f} s"
    return f"{value / 60:.0f} min" if value < 5400 else f"{value / 3600:.1f} h"


# --- the whole


def rule(summary: ClassSummary) -> str:
    """Say which attempt of a student counts, and what may be earned."""
    kept = {Keep.BEST: "best", Keep.LAST: "last"}[summary.keep]
    text = f"Of each student the {kept} attempt counts; {number(summary.max_points)} points can be earned."
    if summary.due is None:
        return text
    late = [student for student in summary.students if student.days_late]
    text += f" Due {moment(summary.due)}: {_late(len(late))}"
    cost = math.fsum(student.penalty_percent for student in late)
    return f"{text}, which costs them {number(cost / len(late))} % on average." if cost else f"{text}."


def _late(count: int) -> str:
    return f"{count} of these attempts came late" if count != 1 else "1 of these attempts came late"


def spread_sentence(spread: Spread) -> str:
    """Say in a sentence how scores are spread."""
    middle = f"half of them lie from {percent(spread.lower_quartile)} to {percent(spread.upper_quartile)}"
    text = f"Median {percent(spread.median)}, mean {percent(spread.mean)}"
    if spread.deviation is None:
        return f"{text}."
    return (
        f"{text}, standard deviation {spread.deviation * 100:.0f} percentage points; {middle}, "
        f"all from {percent(spread.low)} to {percent(spread.high)}."
    )


def hand_in_sentences(summary: ClassSummary) -> list[str]:
    """Say when and how often a class handed in, and what grading it took."""
    firsts = [student.first for student in summary.students]
    lasts = [student.last for student in summary.students]
    often = ", ".join(f"{students} {_times(times)}" for times, students in summary.hand_ins)
    told = [
        f"The first hand-in came {moment(min(firsts))}, the last {moment(max(lasts))}.",
        f"Students by number of hand-ins: {often}.",
    ]
    late = sum(day.late for day in summary.days)
    if summary.due is not None:
        told.append(f"{late} of {sum(day.count for day in summary.days)} hand-ins came late.")
    time = summary.seconds
    told.append(
        f"Grading took {seconds(time.median)} for the median student, {seconds(time.high)} for the slowest, "
        f"{seconds(time.mean * time.n)} for all."
    )
    return told


def _times(times: int) -> str:
    return {1: "once", 2: "twice"}.get(times, f"{times} times")


@dataclass(frozen=True, slots=True, kw_only=True)
class Matter:
    """Something an instructor should look at, and the names it is about."""

    told: str
    names: tuple[str, ...]


def matters(summary: ClassSummary) -> list[Matter]:
    """Return what an instructor should look at: what could not be graded, and who has not begun."""
    ours = "through a fault of ours; `grade regrade` tries again"
    never = [student.student for student in summary.void if not student.marked]
    lately = [student.student for student in summary.void if student.marked]
    empty = [student.student for student in summary.students if not student.begun]
    faults = {exercise for student in summary.void for exercise in student.exercises}
    found = [
        (f"Not graded yet, and counted nowhere here, {ours}", never),
        (f"An earlier attempt counts: the last was not graded in full, {ours}", lately),
        ("Exercises with a fault of ours", sorted(faults)),
        ("Handed in, and nothing begun", empty),
    ]
    return [Matter(told=told, names=tuple(names)) for told, names in found if names]


# --- for the lecture


@dataclass(frozen=True, slots=True, kw_only=True)
class Lecture:
    """What to say in class about a mistake: two or three sentences, and where those are not enough a call to show."""

    said: str
    call: str = ""
    rows: tuple[tuple[str, str], ...] = ()


def lecture(mistake: MistakeSummary) -> Lecture:
    """Return what to say about a known mistake: how many made it, what helps, and the call to try it on."""
    where = f"`{mistake.name}`" if mistake.name else mistake.exercise
    made = mistake.made
    many = f"All {made.of}" if made.count == made.of > 1 else of(made)
    said = f"{many} made this mistake in {where}. {mistake.message}".strip()
    example = mistake.example
    if example is None:
        return Lecture(said=said)
    values = (example.expected, example.got)
    if example.arguments or not example.expected or any("\n" in value or len(value) > 60 for value in values):
        return Lecture(said=said, call=_call(example), rows=tuple(_rows(example)))
    wrong = f", and not {example.got}" if example.got else ""
    return Lecture(said=f"{said} Try it: `{_call(example)}` is {example.expected}{wrong}.")


def _call(example: Counterexample) -> str:
    return " ".join(example.call.replace("`", "'").split())


def _rows(example: Counterexample) -> list[tuple[str, str]]:
    rows = [(argument.name, argument.value) for argument in example.arguments]
    rows += [("right", example.expected), ("mistaken", example.got)]
    return [(name, _short(value)) for name, value in rows if value]


def _short(value: str) -> str:
    """Return a value in one line where its shape is followed by one row."""
    lines = value.split("\n")
    return ": ".join(lines) if len(lines) == 2 and len(value) < 60 else value


def misconception(found: MisconceptionSummary, mistakes: Sequence[MistakeSummary]) -> str:
    """Say what to tell the class about a misconception that answers betray, and whether their code holds it too."""
    coded = [m for m in mistakes if m.id == found.id]
    both = "".join(f" In code, {of(m.made)} made it too ({m.exercise})." for m in coded)
    return f"{found.feedback}{both}".strip()


def places(found: MisconceptionSummary) -> str:
    """Name the quizzes whose items showed a misconception."""
    quizzes = dict.fromkeys(quiz for quiz, _ in found.items)
    return ", ".join(quizzes)

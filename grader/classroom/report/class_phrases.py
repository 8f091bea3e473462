"""The sentences of a class report, which the text and the page share."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from grader.classroom.late_policy import Keep
from grader.classroom.statistics import ClassSummary, MisconceptionSummary, MistakeSummary, Share, Spread
from grader.core.model import Counterexample, Outcome
from grader.report import text_layout
from grader.report.text_layout import number

_OUTCOMES = {
    Outcome.INTERNAL_ERROR: "error in the grader",
    Outcome.TAMPERING: "did what graded code must not",
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
    """Return a share in [0, 1] as a whole percentage, as reports show it. None is n/a."""
    return "n/a" if share is None else text_layout.percent(share)


def counted(count: int, noun: str) -> str:
    """Return `1 student` or `2 students`."""
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


def count_of(share: Share) -> str:
    """Return `3 of 40`."""
    return f"{share.count} of {share.of}"


def outcome_words(found: Outcome) -> str:
    """Return the words for how a check or an exercise ended."""
    return _OUTCOMES[found]


def moment(time: datetime) -> str:
    """Return a time to the minute, with its zone."""
    return f"{time:%a %Y-%m-%d %H:%M} UTC{time:%z}".removesuffix("+0000")


def seconds(value: float) -> str:
    """Return a duration in seconds, minutes or hours, as its size asks for."""
    if value < 90:
        return f"{value:.1f} s"
    return f"{value / 60:.0f} min" if value < 5400 else f"{value / 3600:.1f} h"


# --- the class as a whole


def rule(summary: ClassSummary) -> str:
    """Return which hand-in of a student counts, the maximum points, and what late hand-ins cost."""
    best_or_last = {Keep.BEST: "best", Keep.LAST: "last"}[summary.keep]
    text = f"The {best_or_last} hand-in of each student counts; {number(summary.max_points)} points can be earned."
    if summary.due is None:
        return text
    late = [student for student in summary.students if student.days_late]
    text += f" Due {moment(summary.due)}: {_late(len(late))}"
    cost = math.fsum(student.penalty_percent for student in late)
    return f"{text}, which costs them {number(cost / len(late))} % on average." if cost else f"{text}."


def _late(count: int) -> str:
    return f"{count} of these came late" if count != 1 else "1 of these came late"


def spread_sentence(spread: Spread) -> str:
    """Return a sentence on how scores are distributed."""
    middle = f"half of them lie from {percent(spread.lower_quartile)} to {percent(spread.upper_quartile)}"
    text = f"Median {percent(spread.median)}, mean {percent(spread.mean)}"
    if spread.deviation is None:
        return f"{text}."
    return (
        f"{text}, standard deviation {spread.deviation * 100:.0f} percentage points; {middle}, "
        f"all from {percent(spread.low)} to {percent(spread.high)}."
    )


def hand_in_sentences(summary: ClassSummary) -> list[str]:
    """Return sentences on when and how often a class handed in, and how long grading took."""
    firsts = [student.first for student in summary.students]
    lasts = [student.last for student in summary.students]
    often = ", ".join(f"{students} {_times(times)}" for times, students in summary.hand_ins)
    sentences = [
        f"The first hand-in came {moment(min(firsts))}, the last {moment(max(lasts))}.",
        f"Students by number of hand-ins: {often}.",
    ]
    late = sum(day.late for day in summary.days)
    if summary.due is not None:
        sentences.append(f"{late} of {sum(day.count for day in summary.days)} hand-ins came late.")
    time = summary.seconds
    sentences.append(
        f"Grading took {seconds(time.median)} for the median student, {seconds(time.high)} for the slowest, "
        f"{seconds(time.mean * time.n)} for all."
    )
    return sentences


def _times(times: int) -> str:
    return {1: "once", 2: "twice"}.get(times, f"{times} times")


@dataclass(frozen=True, slots=True, kw_only=True)
class Notice:
    """Something that needs the instructor's attention, and the students or exercises concerned."""

    text: str
    names: tuple[str, ...]


def notices(summary: ClassSummary) -> list[Notice]:
    """Return what needs attention: students and exercises that could not be graded, students without any work."""
    error, retry = "an error in the grader", "`grade regrade` tries again"
    ungraded = [student.student for student in summary.void if not student.marked]
    outdated = [student.student for student in summary.void if student.marked]
    empty = [student.student for student in summary.students if not student.begun]
    void = {exercise for student in summary.void for exercise in student.exercises}
    found = [
        (f"Not graded because of {error}, and not counted here; {retry}", ungraded),
        (f"An earlier attempt counts: the last was not graded in full because of {error}; {retry}", outdated),
        (f"Exercises with {error}", sorted(void)),
        ("Handed in without any work", empty),
    ]
    return [Notice(text=text, names=tuple(names)) for text, names in found if names]


# --- for the lecture


@dataclass(frozen=True, slots=True, kw_only=True)
class LectureNote:
    """What to say in a lecture about a mistake: two or three sentences, and a call to show where those are not enough.

    `rows` are the arguments and results of that call, as (name, value).
    """

    text: str
    call: str = ""
    rows: tuple[tuple[str, str], ...] = ()


def lecture_note(mistake: MistakeSummary) -> LectureNote:
    """Return what to say about a known mistake: how many made it, what helps, and a call that shows it."""
    where = f"`{mistake.name}`" if mistake.name else mistake.exercise
    made = mistake.made
    count = f"All {made.of}" if made.count == made.of > 1 else count_of(made)
    text = f"{count} made this mistake in {where}. {mistake.message}".strip()
    example = mistake.example
    if example is None:
        return LectureNote(text=text)
    values = (example.expected, example.got)
    if example.arguments or not example.expected or any("\n" in value or len(value) > 60 for value in values):
        return LectureNote(text=text, call=_call(example), rows=tuple(_rows(example)))
    wrong = f", and not {example.got}" if example.got else ""
    return LectureNote(text=f"{text} Try it: `{_call(example)}` is {example.expected}{wrong}.")


def _call(example: Counterexample) -> str:
    return " ".join(example.call.replace("`", "'").split())


def _rows(example: Counterexample) -> list[tuple[str, str]]:
    rows = [(argument.name, argument.value) for argument in example.arguments]
    rows += [("right", example.expected), ("mistaken", example.got)]
    return [(name, _short(value)) for name, value in rows if value]


def _short(value: str) -> str:
    """Join a shape and a single row into one line."""
    lines = value.split("\n")
    return ": ".join(lines) if len(lines) == 2 and len(value) < 60 else value


def misconception(found: MisconceptionSummary, mistakes: Sequence[MistakeSummary]) -> str:
    """Return what to say in a lecture about a misconception in answers, and how many have it in their code too."""
    coded = [m for m in mistakes if m.id == found.id]
    both = "".join(f" In code, {count_of(m.made)} made it too ({m.exercise})." for m in coded)
    return f"{found.feedback}{both}".strip()


def places(found: MisconceptionSummary) -> str:
    """Return the quizzes whose items show a misconception."""
    quizzes = dict.fromkeys(quiz for quiz, _ in found.items)
    return ", ".join(quizzes)

"""Marks as CSV: nbgrader's own table, and a table for Moodle's import of grades."""

import csv
import io
import math
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime

from grader.core.model import Mark

NBGRADER = (
    "assignment", "duedate", "timestamp", "student_id", "last_name", "first_name", "email", "raw_score",
    "late_submission_penalty", "score", "max_score",
)  # fmt: skip
_FORMULA = ("=", "+", "-", "@", "\t", "\r")


def guarded(text: str) -> str:
    """Return a cell of text that no spreadsheet takes for a formula, however it begins."""
    return f"'{text}" if text.startswith(_FORMULA) or text.lstrip().startswith(_FORMULA[:4]) else text


def points_text(points: float) -> str:
    """Return points with two decimals, as gradebooks compare them: cut, never rounded up to what was not earned."""
    return f"{math.floor(points * 100 + 1e-6) / 100:.2f}"


def to_csv(rows: Iterable[Sequence[str]]) -> str:
    """Return rows as CSV text, its lines ended by CR LF."""
    written = io.StringIO(newline="")
    csv.writer(written, lineterminator="\r\n").writerows(rows)
    return written.getvalue()


def to_nbgrader(marks: Iterable[Mark], assignment: str, due: datetime | None) -> str:
    """Return the marks as `nbgrader export` writes them: times in UTC; names and email, which we do not know, empty."""
    rows = [list(NBGRADER)]
    for mark in marks:
        email = mark.student if _is_email(mark.student) else ""
        numbers = (mark.raw_points, mark.raw_points - mark.points, mark.points, mark.max_points)
        times = ["" if time is None else _time(time) for time in (due, mark.submitted_at)]
        who = [guarded(mark.student), "", "", guarded(email)]
        rows.append([guarded(assignment), *times, *who, *(repr(float(number)) for number in numbers)])
    return to_csv(rows)


def to_moodle(marks: Iterable[Mark], item: str) -> str:
    """Return the marks for Moodle: grade and feedback, as importing feedback alone would wipe the grades.

    A student known by an email address is matched by that, another by the ID number.
    """
    rows = [["ID number", "Email address", f"{guarded(item)} (Real)", f"{guarded(item)} (Feedback)"]]
    for mark in marks:
        student = guarded(mark.student)
        who = ["", student] if _is_email(mark.student) else [student, ""]
        rows.append([*who, points_text(mark.points), explained(mark)])
    return to_csv(rows)


def explained(mark: Mark) -> str:
    """Return what a mark is made of, in a sentence or two. It begins with a word and holds nothing of a student's."""
    sentence = (
        f"Attempt {mark.number}: {points_text(mark.raw_points)} of {points_text(mark.max_points)} points."
    )
    if mark.days_late:
        days = "1 day" if mark.days_late == 1 else f"{mark.days_late} days"
        sentence += f" {days} late: {mark.penalty_percent:g} % less."
    return sentence


def mixed(marks: Sequence[Mark]) -> bool:
    """Tell whether some students go by an email address and some do not: Moodle matches by one column."""
    return len({_is_email(mark.student) for mark in marks}) > 1


def _is_email(student: str) -> bool:
    return "@" in student[1:-1]


def _time(time: datetime) -> str:
    return time.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S.%f")

"""Marks as CSV: the table of `nbgrader export`, and a table for Moodle's import of grades."""

import csv
import io
import math
import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from types import MappingProxyType

from grader.core.model import Mark, Person

NBGRADER = (
    "assignment", "duedate", "timestamp", "student_id", "last_name", "first_name", "email", "raw_score",
    "late_submission_penalty", "score", "max_score",
)  # fmt: skip
# A spreadsheet skips leading blanks, control and zero-width characters, and some read full-width signs as ASCII ones.
_SKIPPED = r"\s\x00-\x20\x7f-\xa0\u200b-\u200f\u2060\ufeff"
_FORMULA = re.compile(rf"[{_SKIPPED}]*[=+\-@\uff1d\uff0b\uff0d\uff20]|[\t\r\n]")


def guarded(text: str) -> str:
    """Return the text of a CSV cell so that no spreadsheet reads it as a formula: with an apostrophe before it.

    Every text that the grader did not write itself goes through here. Other text is returned unchanged.
    """
    return f"'{text}" if _FORMULA.match(text) else text


def points_text(points: float) -> str:
    """Return points with two decimals, as gradebooks compare them, cut and not rounded up."""
    return f"{math.floor(points * 100 + 1e-6) / 100:.2f}"


def to_csv(rows: Iterable[Sequence[str]]) -> str:
    """Return rows as CSV text with CR LF at the end of each line."""
    written = io.StringIO(newline="")
    csv.writer(written, lineterminator="\r\n").writerows(rows)
    return written.getvalue()


def to_nbgrader(
    marks: Iterable[Mark],
    assignment: str,
    due: datetime | None,
    people: Mapping[str, Person] = MappingProxyType({}),
) -> str:
    """Return the marks as `nbgrader export` writes them: times in UTC, unknown names and emails empty."""
    rows = [list(NBGRADER)]
    for mark in marks:
        person = _person(mark, people)
        last, first = _last_and_first(person.name)
        numbers = (mark.raw_points, mark.raw_points - mark.points, mark.points, mark.max_points)
        times = ["" if time is None else _time(time) for time in (due, mark.submitted_at)]
        student = [guarded(text) for text in (person.id, last, first, person.email)]
        rows.append([guarded(assignment), *times, *student, *(repr(float(number)) for number in numbers)])
    return to_csv(rows)


def to_moodle(marks: Iterable[Mark], item: str, people: Mapping[str, Person] = MappingProxyType({})) -> str:
    """Return the marks for Moodle, with grade and feedback: importing feedback alone would delete the grades.

    A student of the roster has both columns by which Moodle matches. Of another, a name that is an email address stands
    in that column, and another name in that of the ID number.
    """
    rows = [["ID number", "Email address", f"{guarded(item)} (Real)", f"{guarded(item)} (Feedback)"]]
    for mark in marks:
        person = _person(mark, people)
        number = "" if person.id == person.email else person.id
        rows.append([guarded(number), guarded(person.email), points_text(mark.points), explained(mark)])
    return to_csv(rows)


def explained(mark: Mark) -> str:
    """Explain a mark in a sentence or two. The text begins with a word and holds no text of a student."""
    if not mark.number:
        return "Nothing was handed in."
    sentence = (
        f"Attempt {mark.number}: {points_text(mark.raw_points)} of {points_text(mark.max_points)} points."
    )
    if mark.days_late:
        days = "1 day" if mark.days_late == 1 else f"{mark.days_late} days"
        sentence += f" {days} late: {mark.penalty_percent:g} % less."
    return sentence


def mixed(marks: Sequence[Mark], people: Mapping[str, Person] = MappingProxyType({})) -> bool:
    """Tell whether neither of the two columns by which Moodle matches has a value for every student."""
    persons = [_person(mark, people) for mark in marks]
    return not all(person.email for person in persons) and any(
        person.id == person.email for person in persons
    )


def _person(mark: Mark, people: Mapping[str, Person]) -> Person:
    """Return the person of the roster whose mark it is; else one with what the name says."""
    name = mark.student
    return people.get(name) or Person(id=name, email=name if _is_email(name) else "")


def _last_and_first(name: str) -> tuple[str, str]:
    """Return the last and the first name, as a comma or else the last blank divides them."""
    if "," in name:
        last, _, first = name.partition(",")
    else:
        first, _, last = name.rpartition(" ")
    return last.strip(), first.strip()


def _is_email(student: str) -> bool:
    return "@" in student[1:-1]


def _time(time: datetime) -> str:
    return time.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S.%f")

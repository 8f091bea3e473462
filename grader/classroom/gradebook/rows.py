"""The records of a gradebook, and how each is read from its row. A row that cannot be read is a `DamagedRow`."""

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from grader.core import error_location
from grader.core.errors import GraderError
from grader.core.model import ExerciseResult, QuizResult, Report, Score
from grader.core.safetext import one_line
from grader.course import fingerprint
from grader.report import FORMAT, are_points, join
from grader.submission import Stored, Submission

_MAX_PROBLEM_CHARS = 300
_MAX_NUMBER_CHARS = 20
MAX_NUMBER = 10**9  # of hand-ins of a student, and of verdicts of a hand-in
_NO_VERDICT = "its verdict is missing"
_MARGIN = timedelta(days=2)  # a time nearer to the years 1 and 9999 has no value in some time zones


class DamagedRow(GraderError):
    """A row of a gradebook cannot be read. The message says whose hand-in it is about, and what is wrong with it."""

    def __init__(self, student: object, number: object, problem: str) -> None:
        self.student = student if isinstance(student, str) else repr(student)
        self.number, self.problem = number, one_line(problem, limit=_MAX_PROBLEM_CHARS)
        shown = one_line(str(number), limit=_MAX_NUMBER_CHARS)
        super().__init__(f"attempt {shown} in the gradebook cannot be read: {self.problem}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """Verdict `number` on one student's hand-in: one grading of it. The last verdict on a hand-in counts.

    `submission` is the fingerprint of what was handed in, `conditions` that of everything the report depends on. Times
    are UTC.
    """

    student: str
    hand_in: int
    number: int
    submission: str
    conditions: str
    submitted_at: datetime
    graded_at: datetime
    report: Report


@dataclass(frozen=True, slots=True, kw_only=True)
class HandIn:
    """What one student handed in at one time, packed. `number` counts the hand-ins of the student."""

    student: str
    number: int
    submitted_at: datetime
    content: bytes

    def open(self) -> Submission:
        """Unpack it. Raises DamagedRow."""
        try:
            return Submission(Stored.unpack(self.content))
        except Exception as error:  # noqa: BLE001 - damaged bytes may raise anything
            raise DamagedRow(
                self.student, self.number, f"its files: {error_location.summary(error)}"
            ) from None


def student_name(student: object, number: object) -> str:
    """Return the name of whose hand-in it is. Raises DamagedRow where it is no valid text."""
    if not isinstance(student, str) or not is_valid(student):
        raise DamagedRow(student, number, "its student is not text")
    return student


def _check_identity(student: object, number: object) -> None:
    """Raise DamagedRow where a hand-in has no usable name or number. SQLite stores any type in any column."""
    student_name(student, number)
    if not isinstance(number, int) or not 1 <= number <= MAX_NUMBER:
        raise DamagedRow(student, number, "its number is not that of an attempt")


def is_valid(text: str) -> bool:
    """Tell whether a text was stored as UTF-8: no other can be looked up again."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """The results that a verdict consists of, or some of them, in their order."""

    exercises: tuple[ExerciseResult, ...]
    quizzes: tuple[QuizResult, ...]


def verdict(row: Sequence[Any], parts: Parts) -> Verdict:
    """Return a verdict of its row, in the order of the fields; the report is without its parts. Raises DamagedRow."""
    student, hand_in, number, submission, conditions, submitted, graded, head = row
    _check_identity(student, hand_in)
    if head is None:
        raise DamagedRow(student, hand_in, _NO_VERDICT)
    if not all(isinstance(text, str) for text in (submission, conditions, head)):
        raise DamagedRow(student, hand_in, "its fingerprints or its report are not text")
    if not isinstance(number, int) or not 1 <= number <= MAX_NUMBER:
        raise DamagedRow(student, hand_in, "the number of its verdict is none")
    try:
        return Verdict(
            student=student,
            hand_in=hand_in,
            number=number,
            submission=submission,
            conditions=conditions,
            submitted_at=_time(submitted),
            graded_at=_time(graded),
            report=join(head, parts.exercises, parts.quizzes),
        )
    except (ValueError, TypeError, OverflowError, RecursionError) as error:
        raise DamagedRow(student, hand_in, _problem(error)) from None


def score(
    student: str,
    number: int,
    submitted: str,
    version: int,
    points: float,
    max_points: float,
    void: object,
    head: str | None,
) -> Score:
    """Return the points of a hand-in, if its verdict has a report. Raises DamagedRow."""
    _check_identity(student, number)
    if head is None:
        raise DamagedRow(student, number, _NO_VERDICT)
    try:
        at, form = _time(submitted), _format(head)
    except (ValueError, TypeError, OverflowError, RecursionError) as error:
        raise DamagedRow(student, number, _problem(error)) from None
    if form != FORMAT:
        raise DamagedRow(student, number, f"its report has the format {form!r}; this version reads {FORMAT}")
    if not all(isinstance(n, int | float) and math.isfinite(n) for n in (points, max_points)):
        raise DamagedRow(student, number, "its points are not numbers")
    if not are_points(points, max_points):
        raise DamagedRow(student, number, f"it has {points:g} of {max_points:g} points")
    return Score(
        student=student,
        number=number,
        submitted_at=at,
        points=points,
        max_points=max_points,
        void=bool(void),
        version=version if isinstance(version, int) else 0,
    )


def hand_in(student: str, number: int, submission: str, submitted: str, content: bytes | None) -> HandIn:
    """Return a hand-in whose content is what was handed in. Raises DamagedRow."""
    _check_identity(student, number)
    if content is None:
        raise DamagedRow(student, number, "its files are missing")
    if not isinstance(content, bytes) or fingerprint.of(content.hex()) != submission:
        raise DamagedRow(student, number, "its files are not those that were handed in")
    try:
        return HandIn(student=student, number=number, submitted_at=_time(submitted), content=content)
    except (ValueError, TypeError, OverflowError) as error:
        raise DamagedRow(student, number, _problem(error)) from None


def is_whole(head: object) -> bool:
    """Tell whether a stored report holds its parts itself, as one that could not be moved to this schema does."""
    try:
        document = json.loads(head) if isinstance(head, str) else None
    except (ValueError, RecursionError):
        return True  # damaged
    return not isinstance(document, dict) or "exercises" in document or "quizzes" in document


def _format(head: str) -> object:
    document = json.loads(head)
    return document.get("format") if isinstance(document, dict) else None


def _problem(error: Exception) -> str:
    return "it is nested too deeply" if isinstance(error, RecursionError) else str(error)


def _time(text: str) -> datetime:
    """Return a stored time. Raises ValueError and OverflowError for one that cannot be shown in every time zone."""
    at = datetime.fromisoformat(text)
    if at.tzinfo is None:
        raise ValueError(f"{text!r} is a time without an offset")
    utc = at.astimezone(UTC)
    _ = utc - _MARGIN, utc + _MARGIN
    return utc

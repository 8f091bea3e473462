"""Pseudonyms for students, for a summary that is shown to the class."""

import hmac
import re
from collections.abc import Iterable, Mapping, Set
from dataclasses import replace

from grader.classroom.gradebook import Gradebook
from grader.classroom.statistics.summary_records import ClassSummary, QuizSummary

_FIRST, _COUNT = 1000, 9000  # four digits
MIN_WRITERS = 5  # a response of fewer students could identify one


def pseudonyms(book: Gradebook) -> dict[str, str]:
    """Return a pseudonym for each student of a gradebook, which does not change when others join.

    The numbers are computed from the names and from the first hand-in, as a secret: without the gradebook, they cannot
    be computed from a list of the class. Their order carries no information.
    """
    arrivals = book.arrivals()
    if not arrivals:
        return {}
    return _numbered(arrivals, book.secret())


def _numbered(arrivals: Iterable[str], secret: bytes) -> dict[str, str]:
    numbers: dict[str, int] = {}
    taken: set[int] = set()
    for student in arrivals:  # on a collision the earlier student keeps the number
        digest = hmac.digest(secret, student.encode("utf-8", "surrogatepass"), "sha256")
        number = int.from_bytes(digest[:8], "big") % _COUNT
        while number in taken and len(taken) < _COUNT:
            number = (number + 1) % _COUNT
        if number in taken:
            number = len(taken)
        taken.add(number)
        numbers[student] = number
    return {student: f"student {_FIRST + number}" for student, number in numbers.items()}


def anonymous(summary: ClassSummary, names: Mapping[str, str]) -> ClassSummary:
    """Return a summary sorted by pseudonyms instead of names, without similar pairs and rare responses."""
    parts = {part for name in names for part in _words(name)}
    students = [replace(student, student=names[student.student]) for student in summary.students]
    void = [replace(student, student=names[student.student]) for student in summary.void]
    return replace(
        summary,
        students=tuple(sorted(students, key=lambda student: student.student)),
        void=tuple(sorted(void, key=lambda student: student.student)),
        similar=(),  # students recognize their own code, and a lecture is not the place to ask about it
        quizzes=tuple(_impersonal(quiz, parts) for quiz in summary.quizzes),
    )


def _impersonal(quiz: QuizSummary, parts: Set[str]) -> QuizSummary:
    """Return a quiz without wrong responses of fewer than five students, or with a part of a name in them."""
    items = [
        replace(
            item,
            wrong=tuple(
                found
                for found in item.wrong
                if found.given.count >= MIN_WRITERS and parts.isdisjoint(_words(found.text))
            ),
        )
        for item in quiz.items
    ]
    return replace(quiz, items=tuple(items))


def _words(text: str) -> set[str]:
    return {word for word in re.findall(r"[^\W_]+", text.casefold()) if not word.isdigit()}

"""Numbers in the place of names, for a summary that is shown to the class."""

import hashlib
import hmac
import re
from collections.abc import Iterable, Mapping, Set
from dataclasses import replace

from grader.classroom.gradebook import Gradebook
from grader.classroom.statistics.summary_records import ClassSummary, QuizSummary

_FIRST, _COUNT = 1000, 9000  # four digits
_FEWEST = 5  # what fewer wrote may tell who wrote it


def pseudonyms(book: Gradebook) -> dict[str, str]:
    """Return a pseudonym for each student of a gradebook: one that stays when others join.

    The numbers follow from the names and from what the first student handed in: who does not hold the gradebook cannot
    compute them from a list of the class. Their order says nothing.
    """
    arrivals = book.arrivals()
    if not arrivals:
        return {}
    return _numbered(arrivals, hashlib.sha256(book.content(book.attempt(arrivals[0], 1))).digest())


def _numbered(arrivals: Iterable[str], secret: bytes) -> dict[str, str]:
    numbers: dict[str, int] = {}
    taken: set[int] = set()
    for student in arrivals:  # who came earlier keeps a number that a later one would have too
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
    """Return a summary with pseudonyms for names, in their order, without pairs and without rare responses."""
    parts = {part for name in names for part in _words(name)}
    students = [replace(student, student=names[student.student]) for student in summary.students]
    void = [replace(student, student=names[student.student]) for student in summary.void]
    return replace(
        summary,
        students=tuple(sorted(students, key=lambda student: student.student)),
        void=tuple(sorted(void, key=lambda student: student.student)),
        similar=(),  # a student knows their own code again, and a lecture is no place to ask
        quizzes=tuple(_impersonal(quiz, parts) for quiz in summary.quizzes),
    )


def _impersonal(quiz: QuizSummary, parts: Set[str]) -> QuizSummary:
    """Return a quiz without the wrong responses that fewer than five students wrote, or that hold a part of a name."""
    items = [
        replace(
            item,
            wrong=tuple(
                found
                for found in item.wrong
                if found.given.count >= _FEWEST and parts.isdisjoint(_words(found.text))
            ),
        )
        for item in quiz.items
    ]
    return replace(quiz, items=tuple(items))


def _words(text: str) -> set[str]:
    return {word for word in re.findall(r"[^\W_]+", text.casefold()) if not word.isdigit()}

"""Which solutions of a class are alike beyond what the exercise makes alike: a lead to look at, never a verdict.

Sources in, frozen records out; nothing is run, and nothing leaves the machine.
"""

from collections.abc import Iterable

from grader.classroom.similarity.comparing import Index
from grader.classroom.similarity.explaining import explain
from grader.classroom.similarity.preprocessing import Cache, Preparation, Unreadable, changed
from grader.classroom.similarity.reading import of_class, of_folder, published
from grader.classroom.similarity.similarity_records import (
    Block,
    Comparison,
    Excerpt,
    Pair,
    Published,
    Side,
    Unread,
    Work,
)

__all__ = [
    "MAX_PAIRS", "MINIMUM", "Block", "Comparison", "Excerpt", "Pair", "Published", "Side", "Unread", "Work",
    "compare", "of_class", "of_folder", "published",
]  # fmt: skip

MINIMUM = 0.7
MAX_PAIRS = 200


def compare(
    exercise: str,
    works: Iterable[Work],
    published: Published,
    *,
    minimum: float = MINIMUM,
    most: int = MAX_PAIRS,
    cache: Cache | None = None,
) -> Comparison:
    """Compare all solutions of an exercise.

    Several attempts of a student are several solutions; they are not compared with each other, and of those that make
    a pair with another student's the most alike are reported. At most `most` pairs are explained.
    """
    preparation = Preparation(published, cache)
    solutions, unread = [], []
    for work in works:
        try:
            solutions.append(preparation.solution(work))
        except Unreadable as problem:
            unread.append(
                Unread(exercise=exercise, student=work.student, number=work.number, reason=str(problem))
            )
    preparation.keep()
    index = Index(list(changed(solutions)))
    found = sorted(index.matches(minimum), key=lambda match: -match.score)
    pairs = [explain(exercise, index, match) for match in found[:most]]
    return Comparison(
        exercise=exercise,
        students=len({one.work.student for one in solutions if not one.work.outside}),
        found=len(found),
        pairs=tuple(sorted(pairs, key=lambda pair: (-pair.score, pair.first.student, pair.second.student))),
        unread=tuple(unread),
    )

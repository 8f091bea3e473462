"""Which solutions of a class are more alike than the exercise makes them: a lead to look at, never a verdict.

Sources in, frozen records out; no solution is run, and nothing leaves the machine.
"""

from collections.abc import Iterable

from grader.classroom.similarity.comparing import PieceIndex
from grader.classroom.similarity.explaining import explain
from grader.classroom.similarity.piece_cache import delete_cache, open_cache
from grader.classroom.similarity.preprocessing import Cache, NotComparable, Preparation, changed
from grader.classroom.similarity.reading import of_class, of_folder, published
from grader.classroom.similarity.similarity_records import (
    Block,
    Comparison,
    Excerpt,
    Pair,
    Published,
    Side,
    SolutionSource,
    Unread,
)
from grader.core import error_location

__all__ = [
    "MAX_PAIRS",
    "MINIMUM",
    "Block",
    "Cache",
    "Comparison",
    "Excerpt",
    "Pair",
    "Published",
    "Side",
    "SolutionSource",
    "Unread",
    "compare",
    "delete_cache",
    "of_class",
    "of_folder",
    "open_cache",
    "published",
]  # fmt: skip

MINIMUM = 0.7  # independent solutions of ten people reached 0.51, disguised copies 0.74
MAX_PAIRS = 200


def compare(
    exercise: str,
    sources: Iterable[SolutionSource],
    published: Published,
    *,
    minimum: float = MINIMUM,
    most: int = MAX_PAIRS,
    cache: Cache | None = None,
) -> Comparison:
    """Compare all solutions of an exercise.

    Several attempts of a student are several solutions. They are not compared with each other; of those that pair with
    another student's, the most similar one is reported. Pairs below the score `minimum`, in [0, 1], are left out, and
    at most `most` pairs are explained.
    """
    preparation = Preparation(published, cache)
    solutions, unread = [], []
    for source in sources:
        try:
            solutions.append(preparation.solution(source))
        except NotComparable as problem:
            unread.append(_unread(exercise, source, str(problem)))
        except Exception as error:  # noqa: BLE001 - one solution must not end the comparison of the others
            unread.append(
                _unread(exercise, source, f"an error in the grader, {error_location.summary(error)}")
            )
    preparation.keep()
    index = PieceIndex(list(changed(solutions)))
    found = sorted(index.matches(minimum), key=lambda match: -match.score)
    pairs = [explain(exercise, index, match) for match in found[:most]]
    return Comparison(
        exercise=exercise,
        students=len({one.source.student for one in solutions if not one.source.outside}),
        found=len(found),
        pairs=tuple(sorted(pairs, key=lambda pair: (-pair.score, pair.first.student, pair.second.student))),
        unread=tuple(unread),
    )


def _unread(exercise: str, source: SolutionSource, reason: str) -> Unread:
    return Unread(exercise=exercise, student=source.student, number=source.number, reason=reason)

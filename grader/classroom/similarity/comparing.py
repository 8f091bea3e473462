"""Finds the pairs of solutions that are alike, without comparing each with each.

An inverted index maps each piece to the solutions that hold it. For each solution the rarest pieces are looked up
first, until the rest could not reach the minimum any more: a solution that was not found by then is no candidate
(prefix filtering; Chaudhuri, Ganti & Kaushik 2006, "A primitive operator for similarity joins in data cleaning"). No
pair is missed, and the cost grows with what is shared, not with the square of the class.
"""

import math
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass

from grader.classroom.similarity.fragments import Piece
from grader.classroom.similarity.similarity_phrases import Phrase
from grader.classroom.similarity.similarity_records import SolutionSource

# A solution or function with less code of its own counts as if it had so many nodes: a match of little code is weak
# evidence, and one of a single function weaker.
_FLOOR = 40.0
_FLOOR_OF_FUNCTION = 50.0
_FEW = 6  # in a small class, a piece that fewer students hold is never common

Item = Piece | Phrase
Place = tuple[str, int]  # file and line


@dataclass(frozen=True, slots=True, kw_only=True)
class Solution:
    """A solution cut into pieces, without those that the course publishes.

    `code` maps each piece to its places, `words` holds comments, names and the like, and `functions` the pieces of each
    function and method by its name.
    """

    source: SolutionSource
    code: Mapping[Piece, set[Place]]
    words: Set[Phrase]
    functions: Mapping[str, Set[Piece]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Match:
    """Two solutions, by their positions in the list, and their score in [0, 1], or that of one `function`."""

    first: int
    second: int
    score: float
    function: str = ""


class PieceIndex:
    """An inverted index of one exercise: which students and which solutions hold each piece."""

    def __init__(self, solutions: Sequence[Solution]) -> None:
        self.solutions = solutions
        self.holders: dict[Item, set[str]] = defaultdict(set)
        self._postings: dict[Item, list[int]] = defaultdict(list)
        for n, solution in enumerate(solutions):
            for item in _items(solution):
                self.holders[item].add(owner(solution.source))
                self._postings[item].append(n)
        self._limit = max(_FEW, len({owner(solution.source) for solution in solutions}) / 3)
        self._own = [self._sum(solution.code) for solution in solutions]
        self._functions = [
            {name: self._sum(pieces) for name, pieces in solution.functions.items()} for solution in solutions
        ]

    def _sum(self, items: Iterable[Item]) -> float:
        return math.fsum(map(self.value, items))

    def value(self, item: Item) -> float:
        """Return the weight of a piece or phrase: in full where two students hold it, falling to 0 where a third do."""
        holders = len(self.holders[item])
        return item.weight * max(0.0, 1 - math.log(max(holders, 2) / 2) / math.log(self._limit / 2))

    def matches(self, minimum: float) -> list[Match]:
        """Return the pairs with at least this score: for each two students the one with the highest."""
        best: dict[tuple[str, str], Match] = {}
        for first, second in sorted(self._candidates(minimum)):
            match = self.match(first, second)
            names = [owner(self.solutions[n].source) for n in (first, second)]
            pair = (min(names), max(names))
            if match.score >= minimum and (pair not in best or match.score >= best[pair].score):
                best[pair] = match  # of equals, the latest
        return list(best.values())

    def _candidates(self, minimum: float) -> set[tuple[int, int]]:
        found: set[tuple[int, int]] = set()
        for n, functions in enumerate(self._functions):
            wanted = [
                max(_FLOOR, self._own[n]),
                *(max(_FLOOR_OF_FUNCTION, own) for own in functions.values()),
            ]
            found |= {(min(n, m), max(n, m)) for m in self._sharing(n, minimum * min(wanted))}
        return found

    def _sharing(self, n: int, wanted: float) -> Iterator[int]:
        """Yield every solution that may share pieces of this weight with solution `n`."""
        here = self.solutions[n]
        items = sorted(_items(here), key=lambda item: len(self.holders[item]))
        left = self._sum(items)
        for item in items:
            if left < wanted:
                return
            left -= self.value(item)
            yield from (m for m in self._postings[item] if _comparable(here.source, self.solutions[m].source))

    def match(self, first: int, second: int) -> Match:
        """Return the share of the shorter solution's own code that the other has too, or of one function if higher.

        Where both are equal, the score is that of the solution.
        """
        shared = self.shared(first, second)
        found = [(math.fsum(shared.values()) / max(_FLOOR, min(self._own[first], self._own[second])), "")]
        for n in (first, second):
            for name, pieces in self.solutions[n].functions.items():
                same = math.fsum(shared[piece] for piece in pieces if piece in shared)
                found.append((same / max(_FLOOR_OF_FUNCTION, self._functions[n][name]), name))
        score, function = max(found, key=lambda one: min(1.0, one[0]))
        return Match(first=first, second=second, score=min(1.0, score), function=function)

    def shared(self, first: int, second: int) -> dict[Item, float]:
        """Return the pieces and phrases of both that are not common, with their weights."""
        a, b = self.solutions[first], self.solutions[second]
        common: list[Item] = [*(a.code.keys() & b.code.keys()), *(a.words & b.words)]
        return {item: value for item in common if (value := self.value(item)) > 0}

    def others(self, first: int, second: int) -> int:
        """Return how many other students hold at least half, by weight, of what these two share."""
        shared = self.shared(first, second)
        held: dict[str, float] = defaultdict(float)
        for item, value in shared.items():
            for holder in self.holders[item]:
                held[holder] += value
        for n in (first, second):
            del held[owner(self.solutions[n].source)]
        return sum(value >= math.fsum(shared.values()) / 2 for value in held.values())


def _items(solution: Solution) -> Iterator[Item]:
    yield from solution.code
    yield from solution.words


def owner(source: SolutionSource) -> str:
    """Return a key for the author: a person outside the class is never a student of it, even of the same name."""
    return f"{'outside' if source.outside else 'class'} {source.student}"


def _comparable(one: SolutionSource, other: SolutionSource) -> bool:
    return owner(one) != owner(other) and not (one.outside and other.outside)

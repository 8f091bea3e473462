"""Finds the pairs of solutions that are alike, without comparing each with each.

An index tells who has a piece. Each solution asks it for its rarest pieces first, and stops when what is left could not
reach the minimum any more: whoever was not met by then is not a lead (Chaudhuri, Ganti & Kaushik 2006, "A primitive
operator for similarity joins"). So nothing is missed, and the work is in what is shared, not in the class squared.
"""

import math
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence, Set
from dataclasses import dataclass

from grader.similarity.cutting import Piece
from grader.similarity.records import Work
from grader.similarity.wording import Phrase

FLOOR = 40.0  # a solution with less of its own than so many nodes counts as if it had so many: little proves little
_FEW = 6  # in a small class, what fewer than so many have is never everybody's

Item = Piece | Phrase
Place = tuple[str, int]  # file and line


@dataclass(frozen=True, slots=True, kw_only=True)
class Solution:
    """A solution in pieces, without what the course holds: for each piece its places, and what it says in words."""

    work: Work
    code: Mapping[Piece, set[Place]]
    words: Set[Phrase]


@dataclass(frozen=True, slots=True, kw_only=True)
class Match:
    """Two solutions, by their places in the list, and how alike they are."""

    first: int
    second: int
    score: float


class Index:
    """Who has what: of a class, for one exercise."""

    def __init__(self, solutions: Sequence[Solution]) -> None:
        self.solutions = solutions
        self.holders: dict[Item, set[str]] = defaultdict(set)
        self._postings: dict[Item, list[int]] = defaultdict(list)
        for n, solution in enumerate(solutions):
            for item in _items(solution):
                self.holders[item].add(owner(solution.work))
                self._postings[item].append(n)
        self._limit = max(_FEW, len({owner(solution.work) for solution in solutions}) / 3)
        self._own = [math.fsum(map(self.value, solution.code)) for solution in solutions]

    def value(self, item: Item) -> float:
        """Return what a piece or a phrase counts: its weight where two have it, nothing where a third does."""
        holders = len(self.holders[item])
        return item.weight * max(0.0, 1 - math.log(max(holders, 2) / 2) / math.log(self._limit / 2))

    def matches(self, minimum: float) -> list[Match]:
        """Return the pairs with at least this score, of each two students the one that is most alike."""
        best: dict[tuple[str, str], Match] = {}
        for first, second in sorted(self._candidates(minimum)):
            score = self.score(first, second)
            names = [owner(self.solutions[n].work) for n in (first, second)]
            pair = (min(names), max(names))
            if score >= minimum and (pair not in best or score >= best[pair].score):
                best[pair] = Match(first=first, second=second, score=score)  # of equals, the latest
        return list(best.values())

    def _candidates(self, minimum: float) -> set[tuple[int, int]]:
        found: set[tuple[int, int]] = set()
        for n in range(len(self.solutions)):
            found |= {(min(n, m), max(n, m)) for m in self._met(n, minimum * max(self._own[n], FLOOR))}
        return found

    def _met(self, n: int, wanted: float) -> Iterator[int]:
        """Yield every solution that may share so much with this one, if this is the shorter of the two."""
        here = self.solutions[n]
        items = sorted(_items(here), key=lambda item: len(self.holders[item]))
        left = math.fsum(map(self.value, items))
        for item in items:
            if left < wanted:
                return
            left -= self.value(item)
            yield from (m for m in self._postings[item] if _comparable(here.work, self.solutions[m].work))

    def score(self, first: int, second: int) -> float:
        """Return how much of what the shorter one has of its own the other has too."""
        shared = math.fsum(self.shared(first, second).values())
        return min(1.0, shared / max(FLOOR, min(self._own[first], self._own[second])))

    def shared(self, first: int, second: int) -> dict[Item, float]:
        """Return what both have and not everybody, with what it counts."""
        a, b = self.solutions[first], self.solutions[second]
        common: list[Item] = [*(a.code.keys() & b.code.keys()), *(a.words & b.words)]
        return {item: value for item in common if (value := self.value(item)) > 0}

    def others(self, first: int, second: int) -> int:
        """Return how many other students have half of what these two share, or more."""
        shared = self.shared(first, second)
        held: dict[str, float] = defaultdict(float)
        for item, value in shared.items():
            for holder in self.holders[item]:
                held[holder] += value
        for n in (first, second):
            del held[owner(self.solutions[n].work)]
        return sum(value >= math.fsum(shared.values()) / 2 for value in held.values())


def _items(solution: Solution) -> Iterator[Item]:
    yield from solution.code
    yield from solution.words


def owner(work: Work) -> str:
    """Return a name for whoever wrote it: a student outside the class is nobody of the class, whatever the name."""
    return f"{'outside' if work.outside else 'class'} {work.student}"


def _comparable(one: Work, other: Work) -> bool:
    return owner(one) != owner(other) and not (one.outside and other.outside)

"""Finds the pairs of solutions that are alike, without comparing each with each.

An index tells who has a piece. Each solution asks it for its rarest pieces first, and stops when what is left could not
reach the minimum any more: whoever was not met by then is not a lead (Chaudhuri, Ganti & Kaushik 2006, "A primitive
operator for similarity joins in data cleaning"). So nothing is missed, and the work is in what is shared, not in the
class squared.
"""

import math
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass

from grader.classroom.similarity.fragments import Piece
from grader.classroom.similarity.phrases import Phrase
from grader.classroom.similarity.similarity_records import Work

# What has less of its own than so many nodes counts as if it had so many: little proves little, and one function less.
_FLOOR = 40.0
_FLOOR_OF_FUNCTION = 50.0
_FEW = 6  # in a small class, what fewer than so many have is never everybody's

Item = Piece | Phrase
Place = tuple[str, int]  # file and line


@dataclass(frozen=True, slots=True, kw_only=True)
class Solution:
    """A solution in pieces, without what the course holds: for each piece its places, and what it says in words.

    `functions` holds the pieces of each function and method once more, by its name.
    """

    work: Work
    code: Mapping[Piece, set[Place]]
    words: Set[Phrase]
    functions: Mapping[str, Set[Piece]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Match:
    """Two solutions, by their places in the list, and how alike they are, or one function of them is."""

    first: int
    second: int
    score: float
    function: str = ""


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
        self._own = [self._sum(solution.code) for solution in solutions]
        self._functions = [
            {name: self._sum(pieces) for name, pieces in solution.functions.items()} for solution in solutions
        ]

    def _sum(self, items: Iterable[Item]) -> float:
        return math.fsum(map(self.value, items))

    def value(self, item: Item) -> float:
        """Return what a piece or a phrase counts: its weight where two have it, nothing where a third does."""
        holders = len(self.holders[item])
        return item.weight * max(0.0, 1 - math.log(max(holders, 2) / 2) / math.log(self._limit / 2))

    def matches(self, minimum: float) -> list[Match]:
        """Return the pairs with at least this score, of each two students the one that is most alike."""
        best: dict[tuple[str, str], Match] = {}
        for first, second in sorted(self._candidates(minimum)):
            match = self.match(first, second)
            names = [owner(self.solutions[n].work) for n in (first, second)]
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
            found |= {(min(n, m), max(n, m)) for m in self._met(n, minimum * min(wanted))}
        return found

    def _met(self, n: int, wanted: float) -> Iterator[int]:
        """Yield every solution that may share so much with this one."""
        here = self.solutions[n]
        items = sorted(_items(here), key=lambda item: len(self.holders[item]))
        left = self._sum(items)
        for item in items:
            if left < wanted:
                return
            left -= self.value(item)
            yield from (m for m in self._postings[item] if _comparable(here.work, self.solutions[m].work))

    def match(self, first: int, second: int) -> Match:
        """Return how much of what the shorter one has of its own the other has too, or of one function if that is more.

        Where they are equal, the solution is meant.
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

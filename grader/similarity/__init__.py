"""Which solutions of a class are alike beyond what the exercise makes alike: a lead to look at, never a verdict.

Sources in, frozen records out; nothing is run, and nothing leaves the machine.
"""

import ast
import re
from collections.abc import Iterable
from dataclasses import dataclass

from grader import source
from grader.similarity.comparing import Index, Solution, without
from grader.similarity.cutting import File, cut
from grader.similarity.explaining import explain
from grader.similarity.records import Block, Comparison, Excerpt, Pair, Side, Unread, Work
from grader.similarity.wording import phrases

__all__ = [
    "MINIMUM",
    "Block",
    "Comparison",
    "Excerpt",
    "Pair",
    "Published",
    "Side",
    "Unread",
    "Work",
    "compare",
]

MINIMUM = 0.7
MAX_PAIRS = 200
MAX_CHARACTERS = 100_000  # of all files of a solution; an honest one has 10,000


@dataclass(frozen=True, slots=True, kw_only=True)
class Published:
    """What everybody may have: the text of the stub, and of our own solutions."""

    stub: str
    solutions: tuple[str, ...] = ()


_TOO_LARGE = "is larger than any honest solution"


class _Unreadable(Exception):
    """The message says why a solution is not compared."""


def compare(
    exercise: str,
    works: Iterable[Work],
    published: Published,
    *,
    minimum: float = MINIMUM,
    most: int = MAX_PAIRS,
) -> Comparison:
    """Compare all solutions of an exercise, several attempts of a student included; those are never compared together.

    What is published is nobody's own. At most `most` pairs are explained.
    """
    contract = frozenset(re.findall(r"[^\W\d]\w*", published.stub))
    ours = [_solution(_ours(text), contract) for text in (published.stub, *published.solutions)]
    solutions, unread = [], []
    for work in works:
        try:
            solutions.append(without(_solution(work, contract), ours))
        except _Unreadable as reason:
            unread.append(
                Unread(exercise=exercise, student=work.student, number=work.number, reason=str(reason))
            )
    index = Index(solutions)
    found = sorted(index.matches(minimum), key=lambda match: -match.score)
    pairs = [explain(exercise, index, match) for match in found[:most]]
    return Comparison(
        exercise=exercise,
        students=len({one.work.student for one in solutions if not one.work.outside}),
        found=len(found),
        pairs=tuple(sorted(pairs, key=lambda p: (-p.score, p.first.student, p.second.student))),
        unread=tuple(unread),
    )


def _ours(text: str) -> Work:
    return Work(student="", module="ours", sources={"ours.py": text})


def _solution(work: Work, contract: frozenset[str]) -> Solution:
    try:
        files = _files(work)
        return Solution(work=work, code=cut(files, contract).places, words=phrases(files))
    except (RecursionError, MemoryError):
        raise _Unreadable("is nested too deeply to be compared") from None


def _files(work: Work) -> list[File]:
    """Return the files that make up a solution. Raises _Unreadable where one is too large, or is no Python."""
    small = {path: text for path, text in work.sources.items() if len(text) <= MAX_CHARACTERS}
    found = [File(path, small[path], list(ast.walk(tree))) for path, tree in source.trees(small, work.module)]
    wanted = {work.module, *(name for file in found for name, _, _ in source.imports(file.nodes))}
    if wanted & {_module(path) for path in work.sources.keys() - small.keys()}:
        raise _Unreadable(_TOO_LARGE)
    if sum(len(file.text) for file in found) > MAX_CHARACTERS:
        raise _Unreadable(_TOO_LARGE)
    if work.module not in {_module(file.path) for file in found}:
        raise _Unreadable("is not Python that can be read")
    return found


def _module(path: str) -> str:
    return path.removesuffix(".py").removesuffix("/__init__").replace("/", ".")

"""Explains a pair: which lines of both files match, and which words only these two students have."""

import re
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import replace
from itertools import product

from grader.classroom.similarity.comparing import Match, PieceIndex, Place
from grader.classroom.similarity.fragments import Piece
from grader.classroom.similarity.similarity_phrases import Phrase
from grader.classroom.similarity.similarity_records import Block, Excerpt, Pair, Side, SolutionSource

MAX_BLOCKS = 6
MAX_WORDING = 8
_MAX_LINES = 30
_MAX_CHARACTERS = 200
_GAP = 4  # a run may skip lines that match nothing: blank ones, comments, common code
_MAX_COUPLES = 400
_RARE = 2  # wording is shown only where no third student has it

_NEWLINE = re.compile(r"\r\n|\r|\n")  # the line endings of Python's parser; str.splitlines has more

Lines = tuple[Place, Place]


def explain(exercise: str, index: PieceIndex, match: Match) -> Pair:
    """Return a pair with its matching lines and words. Students of the class come before people outside it."""
    first, second = index.solutions[match.first], index.solutions[match.second]
    if _rank(first.source) > _rank(second.source):
        return explain(exercise, index, replace(match, first=match.second, second=match.first))
    shared = index.shared(match.first, match.second)
    pieces = [item for item in shared if isinstance(item, Piece)]
    words = sorted(
        (item for item in shared if isinstance(item, Phrase) and len(index.holders[item]) <= _RARE),
        key=lambda item: (-len(item.text), item),
    )
    votes: dict[Lines, float] = defaultdict(float)
    for piece in pieces:
        here, there = first.code[piece], second.code[piece]
        for lines in _couples(sorted(here), sorted(there)):
            votes[lines] += shared[piece] / (len(here) * len(there))
    return Pair(
        exercise=exercise,
        first=_side(first.source),
        second=_side(second.source),
        score=match.score,
        function=match.function,
        pieces=len(pieces),
        alone=sum(len(index.holders[piece]) <= _RARE for piece in pieces),
        others=index.others(match.first, match.second),
        wording=tuple(f'{item.kind} "{item.text}"' for item in words[:MAX_WORDING]),
        blocks=tuple(_blocks(votes, first.source, second.source))[:MAX_BLOCKS],
    )


def _couples(here: Sequence[Place], there: Sequence[Place]) -> Iterable[Lines]:
    """Return the lines that may match: each with each, or, where they are many, the n-th with the n-th."""
    return product(here, there) if len(here) * len(there) <= _MAX_COUPLES else zip(here, there, strict=False)


def _rank(source: SolutionSource) -> tuple[bool, str]:
    return source.outside, source.student


def _side(source: SolutionSource) -> Side:
    return Side(
        student=source.student,
        number=source.number,
        submitted_at=source.submitted_at,
        outside=source.outside,
    )


def _blocks(votes: dict[Lines, float], first: SolutionSource, second: SolutionSource) -> list[Block]:
    """Return runs of lines that match, those of most weight first."""
    runs: list[list[Lines]] = []
    for pair in _partners(votes):
        if runs and _follows(runs[-1], pair):
            runs[-1].append(pair)
        else:
            runs.append([pair])
    found = [
        Block(
            first=_excerpt(first, [a for a, _ in run]),
            second=_excerpt(second, [b for _, b in run]),
            weight=sum(votes[pair] for pair in run),
        )
        for run in runs
    ]
    return sorted(found, key=lambda block: -block.weight)


def _partners(votes: dict[Lines, float]) -> list[Lines]:
    """Return each line of the first file with the line of the second that shares most with it, in order."""
    best: dict[Place, Lines] = {}
    for pair, weight in sorted(votes.items()):
        if pair[0] not in best or weight > votes[best[pair[0]]]:
            best[pair[0]] = pair
    return [best[place] for place in sorted(best)]


def _follows(run: Sequence[Lines], pair: Lines) -> bool:
    """Tell whether a pair of lines continues a run, in both files."""
    (path, line), (other_path, other_line) = pair
    seen = [b for _, (_, b) in run]
    near = min(seen) - _GAP <= other_line <= max(seen) + _GAP
    (last_path, last_line), (last_other, _) = run[-1]
    return path == last_path and other_path == last_other and line - last_line <= _GAP and near


def _excerpt(source: SolutionSource, places: Iterable[Place]) -> Excerpt:
    found = sorted(places)
    path, first = found[0]
    last = found[-1][1]
    lines = _NEWLINE.split(source.sources[path])[first - 1 : min(last, first - 1 + _MAX_LINES)]
    return Excerpt(
        path=source.root + path,
        first=first,
        last=last,
        text=tuple(line.rstrip()[:_MAX_CHARACTERS] for line in lines),
    )

"""The records of a comparison: what is compared, and the pairs that are found."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class SolutionSource:
    """One student's solution of one exercise: the text of `module` and of the files beside it, by path.

    `number` is that of the attempt, and `submitted_at` when it was handed in: 0 and None for a solution from a folder.
    Solutions from `outside` the class are compared with the class, never with each other.
    """

    student: str
    module: str
    sources: Mapping[str, str]
    root: str = ""
    number: int = 0
    submitted_at: datetime | None = None
    outside: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Published:
    """What every student may have: the text of the stub, and of the course's own solutions."""

    stub: str
    solutions: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Side:
    """One solution of a pair: its student and attempt."""

    student: str
    number: int
    submitted_at: datetime | None
    outside: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Excerpt:
    """Lines of a file, from `first` to `last`, counted from 1; `text` holds them, or the first of many."""

    path: str
    first: int
    last: int
    text: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """Lines of the first solution that match lines of the second; `weight` is that of the pieces they share."""

    first: Excerpt
    second: Excerpt
    weight: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Pair:
    """Two solutions of one exercise that are alike. A lead to look at, not a verdict.

    `score`, in [0, 1], is the share of the shorter solution's own code that the other has too, with equal wording
    counted in. A student's own code is what neither the course nor a third of the class has; the more students have a
    piece, the less it counts. Where one `function` scores higher than the whole, the score is that of the function.
    `pieces` is how many pieces of such code both have, `alone` how many of these no other student has, and `others` how
    many other students have at least half of them. `wording` holds comments, texts, names and numbers that no other
    student has. `blocks` are sorted by weight, the highest first.
    """

    exercise: str
    first: Side
    second: Side
    score: float
    function: str
    pieces: int
    alone: int
    others: int
    wording: tuple[str, ...]
    blocks: tuple[Block, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Unread:
    """A solution that could not be compared, and the reason."""

    exercise: str
    student: str
    number: int
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """The result for one exercise: `students` were compared, and `found` pairs reach the minimum.

    `pairs` are the most similar of these, the highest score first.
    """

    exercise: str
    students: int
    found: int
    pairs: tuple[Pair, ...]
    unread: tuple[Unread, ...] = field(default=())

"""What is compared, and what is found: frozen records."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Work:
    """One student's solution of one exercise: the text of `module` and of the files beside it, by path.

    `number` is the attempt's and `submitted_at` when it was handed in; both are nothing for what comes from a folder.
    What is `outside` the class is compared with the class, and never with itself.
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
    """What everybody may have: the text of the stub, and of our own solutions."""

    stub: str
    solutions: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Side:
    """Whose solution it is, and which attempt of theirs."""

    student: str
    number: int
    submitted_at: datetime | None
    outside: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Excerpt:
    """Lines of a file, from `first` to `last`, counted from 1; `text` holds them, cut where they are many."""

    path: str
    first: int
    last: int
    text: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """Lines of the first that match lines of the second; `weight` is how much of what is rare they hold."""

    first: Excerpt
    second: Excerpt
    weight: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Pair:
    """Two solutions of one exercise that are alike. A lead to look at, not a verdict.

    `score`, in [0, 1], is the share of the shorter one's own code that the other has too, equal wording counted with
    it; own is what neither the course nor a third of the class has, and each piece counts the less the more have it.
    Where one `function` of them is more alike than the whole, it is the score of that.
    `pieces` is how many pieces of such code both have, `alone` how many of these nobody else has, and `others` how many
    other students have half of them or more. `wording` are comments, texts, names and numbers that hardly anybody else
    has. `blocks` come with the most telling first.
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
    """A solution that could not be compared, and why."""

    exercise: str
    student: str
    number: int
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """What comparing one exercise came to: `students` were compared; `found` pairs reach the minimum.

    `pairs` are the most alike of these, the highest score first.
    """

    exercise: str
    students: int
    found: int
    pairs: tuple[Pair, ...]
    unread: tuple[Unread, ...] = field(default=())

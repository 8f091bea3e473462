"""What a class chose and wrote: the options of an item, and the wrong responses that several gave."""

import math
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

from grader.classroom.statistics import psychometrics
from grader.classroom.statistics.summary_records import Concern, OptionSummary, Share, WrongResponse
from grader.core.model import ItemResult
from grader.quiz import Item
from grader.quiz.responses import ResponseError
from grader.quiz.text_answers import normal

ENOUGH = 30  # with fewer, chance alone makes half of what looks strange
FUNCTIONAL = 0.05  # of a distractor that fewer choose, nothing can be said (Haladyna and Downing, 1993)
_MOST_WRONG = 5
_MOST_CHARACTERS = 60
_FEWEST = 2  # what one student wrote is no pattern

Found = TypeVar("Found", str, tuple[str, ...])


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What one student gave for an item.

    `credit` is in [0, 1], `rest` the mean credit in the rest of the quiz, None without one; `strong` and `weak` tell
    how far the student belongs to the strongest and the weakest 27 %.
    """

    result: ItemResult
    credit: float
    rest: float | None
    strong: float
    weak: float


def options(item: Item | None, asked: Sequence[Asked]) -> tuple[OptionSummary, ...]:
    """Return every option of an item and who chose it; nothing where an item has none, or the course no longer has it.

    Who left the item out chose none of them.
    """
    known = item.answer_options() if item is not None else {}
    if item is None or not known:
        return ()
    chosen = [_chosen(item, one.result) for one in asked]
    found = [_option(name, *known[name], asked, [name in one for one in chosen]) for name in known]
    if len(asked) < ENOUGH:
        return tuple(found)
    key = max((option.r for option in found if option.correct and option.r is not None), default=None)
    single = item.has_one_right
    return tuple(replace(option, concern=_concern(option, key, single=single)) for option in found)


def _chosen(item: Item, result: ItemResult) -> frozenset[str]:
    """Return the options that a response names; none where it cannot be read any more."""
    if not result.answered:
        return frozenset()
    try:
        return item.chosen_options(item.read(result.response))
    except ResponseError:
        return frozenset()


def _option(
    name: str, text: str, correct: bool, asked: Sequence[Asked], chosen: Sequence[bool]
) -> OptionSummary:
    numbers = [float(one) for one in chosen]
    pairs = [(n, one.rest) for n, one in zip(numbers, asked, strict=True) if one.rest is not None]
    return OptionSummary(
        id=name,
        text=text,
        correct=correct,
        chosen=Share(count=sum(chosen), of=len(asked)),
        strong=psychometrics.weighted(numbers, [one.strong for one in asked]),
        weak=psychometrics.weighted(numbers, [one.weak for one in asked]),
        r=psychometrics.correlation([n for n, _ in pairs], [rest for _, rest in pairs]),
    )


def _concern(option: OptionSummary, key: float | None, *, single: bool) -> Concern | None:
    """Return what is strange about an option.

    A student or two make a difference between two groups: the correlation of all must say the same, and be as large as
    chance makes it once in six times (its standard error where there is none).
    """
    if option.r is None or option.strong is None or option.weak is None:
        return Concern.UNCHOSEN if not option.chosen.count and not option.correct else None
    by_chance = 1 / math.sqrt(option.chosen.of - 1)
    if option.correct:
        avoided = not single and option.r < -by_chance and option.strong < option.weak
        return Concern.AVOIDED if avoided else None
    rare = option.chosen.count < FUNCTIONAL * option.chosen.of
    if option.r < by_chance or option.strong <= option.weak or rare:
        return None
    return Concern.RIVAL if single and (key is None or option.r > key) else Concern.STRONG


# --- what was written


def wrong(item: Item | None, asked: Sequence[Asked], *, drawn: bool) -> tuple[WrongResponse, ...]:
    """Return the wrong responses that most gave: each at least two students, and one in twenty.

    Where the numbers are `drawn` for each student, equal responses mean different things: what they betray is counted.
    """
    given: Counter[tuple[str, ...]] = Counter()
    written: dict[tuple[str, ...], Counter[str]] = defaultdict(Counter)
    betrayed: dict[tuple[str, ...], Counter[tuple[str, ...]]] = defaultdict(Counter)
    for one in asked:
        if not one.result.answered or one.credit >= 1:
            continue
        slips = one.result.misconceptions
        key = slips if drawn else (_same(item, one.result.response),)
        if key:
            given[key] += 1
            written[key][_short(one.result.response)] += 1
            betrayed[key][slips] += 1
    frequent = sorted(given, key=lambda key: (-given[key], key))[:_MOST_WRONG]
    return tuple(
        WrongResponse(
            text="" if drawn else _most(written[key]),
            misconceptions=_most(betrayed[key]),
            given=Share(count=given[key], of=len(asked)),
        )
        for key in frequent
        if given[key] >= max(_FEWEST, FUNCTIONAL * len(asked))
    )


def _same(item: Item | None, response: str) -> str:
    """Return text that is the same for responses that mean the same, as `28`, ` 28.0` and `56/2`."""
    try:
        value = item.read(response) if item is not None else response
    except ResponseError:
        value = response
    if isinstance(value, dict):
        value = sorted(value.items())
    return normal(value) if isinstance(value, str) else repr(value)


def _short(response: str) -> str:
    line = " ".join(response[: 20 * _MOST_CHARACTERS].split())
    return line if len(line) <= _MOST_CHARACTERS else f"{line[: _MOST_CHARACTERS - 3]}..."


def _most(counted: Counter[Found]) -> Found:
    return max(counted, key=lambda found: (counted[found], found))

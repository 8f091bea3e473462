"""Counts the responses to an item: who chose each option, and the frequent wrong responses."""

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

ENOUGH = 30  # with fewer students, half of the concerns would be due to chance alone
FUNCTIONAL = (
    0.05  # a distractor that a smaller share chooses has no usable figures (Haladyna and Downing, 1993)
)
MAX_WRONG = 5
MAX_CHARACTERS = 60
MIN_STUDENTS = 2  # the response of a single student is no pattern

Found = TypeVar("Found", str, tuple[str, ...])


@dataclass(frozen=True, slots=True, kw_only=True)
class ItemAnswer:
    """One student's answer to an item.

    `credit` is in [0, 1], `rest` the mean credit in the rest of the quiz, None without one; `strong` and `weak` are the
    weights in [0, 1] of the student in the strongest and the weakest 27 %.
    """

    result: ItemResult
    credit: float
    rest: float | None
    strong: float
    weak: float


def options(item: Item | None, answers: Sequence[ItemAnswer]) -> tuple[OptionSummary, ...]:
    """Return every option of an item with its counts; () where it has none, or is no longer in the course.

    A student who left the item out chose no option.
    """
    known = item.answer_options() if item is not None else {}
    if item is None or not known:
        return ()
    chosen = [_chosen(item, one.result) for one in answers]
    found = [_option(name, *known[name], answers, [name in one for one in chosen]) for name in known]
    if len(answers) < ENOUGH:
        return tuple(found)
    key = max((option.r for option in found if option.correct and option.r is not None), default=None)
    single = item.has_one_right
    return tuple(replace(option, concern=_concern(option, key, single=single)) for option in found)


def _chosen(item: Item, result: ItemResult) -> frozenset[str]:
    """Return the options that a response names; none where the item can no longer read it."""
    if not result.answered:
        return frozenset()
    in_bank = dict(zip(sorted(result.letters), result.letters, strict=True))
    try:
        return frozenset(in_bank.get(name, name) for name in item.chosen_options(item.read(result.response)))
    except ResponseError:
        return frozenset()


def _option(
    name: str, text: str, correct: bool, answers: Sequence[ItemAnswer], chosen: Sequence[bool]
) -> OptionSummary:
    numbers = [float(one) for one in chosen]
    pairs = [(n, one.rest) for n, one in zip(numbers, answers, strict=True) if one.rest is not None]
    return OptionSummary(
        id=name,
        text=text,
        correct=correct,
        chosen=Share(count=sum(chosen), of=len(answers)),
        strong=psychometrics.weighted(numbers, [one.strong for one in answers]),
        weak=psychometrics.weighted(numbers, [one.weak for one in answers]),
        r=psychometrics.correlation([n for n, _ in pairs], [rest for _, rest in pairs]),
    )


def _concern(option: OptionSummary, key: float | None, *, single: bool) -> Concern | None:
    """Return the concern about an option, if any.

    One or two students can make a difference between two groups. So the correlation over all students must agree, and
    exceed its standard error under no correlation, as it does by chance in one case of six.
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


# --- wrong responses


def wrong_responses(
    item: Item | None, answers: Sequence[ItemAnswer], *, drawn: bool
) -> tuple[WrongResponse, ...]:
    """Return the most frequent wrong responses: each of at least two students, and of one in twenty.

    Where the numbers are `drawn` for each student, equal responses have different meanings, so their misconceptions are
    counted.
    """
    given: Counter[tuple[str, ...]] = Counter()
    written: dict[tuple[str, ...], Counter[str]] = defaultdict(Counter)
    misconceptions: dict[tuple[str, ...], Counter[tuple[str, ...]]] = defaultdict(Counter)
    for one in answers:
        if not one.result.answered or one.credit >= 1:
            continue
        shown = one.result.misconceptions
        key = shown if drawn else (_response_key(item, one.result.response),)
        if key:
            given[key] += 1
            written[key][_short(one.result.response)] += 1
            misconceptions[key][shown] += 1
    frequent = sorted(given, key=lambda key: (-given[key], key))[:MAX_WRONG]
    return tuple(
        WrongResponse(
            text="" if drawn else _most(written[key]),
            misconceptions=_most(misconceptions[key]),
            given=Share(count=given[key], of=len(answers)),
        )
        for key in frequent
        if given[key] >= max(MIN_STUDENTS, FUNCTIONAL * len(answers))
    )


def _response_key(item: Item | None, response: str) -> str:
    """Return a key that is equal for responses of equal meaning, as `28`, ` 28.0` and `56/2`."""
    try:
        value = item.read(response) if item is not None else response
    except ResponseError:
        value = response
    if isinstance(value, dict):
        value = sorted(value.items())
    return normal(value) if isinstance(value, str) else repr(value)


def _short(response: str) -> str:
    line = " ".join(response[: 20 * MAX_CHARACTERS].split())
    return line if len(line) <= MAX_CHARACTERS else f"{line[: MAX_CHARACTERS - 3]}..."


def _most(counted: Counter[Found]) -> Found:
    return max(counted, key=lambda found: (counted[found], found))

"""Draws every item of a bank with many seeds, and reports what is wrong with any draw.

The idea is that of `stresstest_exercise` in R/exams: two hundred draws show what a reader of one draw cannot notice.
"""

import math
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence

from grader.core.errors import Problem
from grader.quiz.bank import Bank
from grader.quiz.draw import FIRST_DRAW, concrete, draw_values
from grader.quiz.formulas import FormulaError, Value
from grader.quiz.marking import grade_item
from grader.quiz.types import Item
from grader.quiz.types.base import Aliases, Location, Problems

SEEDS = 200
MAX_SIZE = 10**12
MAX_POSITION_SHARE = 0.6
MIN_POSITIONS = 4
MIN_ACCEPTED = 0.2
MIN_DRAWS = 3
MAX_HIDDEN_SHARE = 0.25


def stress(bank: Bank, seeds: Sequence[int] = range(SEEDS)) -> list[Problem]:
    """Return what is wrong with the items of a bank, drawn with each of these seeds, and with the bank as a whole."""
    found = list(_bank_problems(bank))
    for place, item in bank.placed:
        found += [((*place, *where), f"{item.id}: {message}") for where, message in _item(bank, item, seeds)]
    return [bank.source.problem(where, message) for where, message in found]


def _item(bank: Bank, item: Item, seeds: Sequence[int]) -> Problems:
    yield from item.design_problems()
    seeds = seeds if item.varies else seeds[:1]
    try:
        draws = [draw_values(item, bank.salt, seed) for seed in seeds]
    except FormulaError as error:
        yield ("where",), str(error)
        return
    if item.params:
        yield from _draw_problems(draws)
    hidden: Counter[Location] = Counter()
    for seed, (values, _) in zip(seeds, draws, strict=True):
        try:
            drawn = concrete(item, values, bank.salt, seed, FIRST_DRAW)
            found = list(_seed_problems(drawn, bank.aliases))
            hidden.update(_hidden(drawn, bank.aliases))
        except Exception as error:  # noqa: BLE001 - whatever a draw raises, the author must know
            found = [((), f"{type(error).__name__}: {error}")]
        if found:
            suffix = f" (seed {seed})" if item.varies else ""
            yield from ((where, f"{message}{suffix}") for where, message in found)
            return
    for where, count in hidden.items():
        if count > MAX_HIDDEN_SHARE * len(seeds):
            often = f" in {count} of {len(seeds)} draws" if item.varies else ""
            yield where, f"this wrong answer is the same as one before it{often}"


def _draw_problems(draws: Sequence[tuple[Mapping[str, Value], int]]) -> Problems:
    accepted = len(draws) / sum(tries for _, tries in draws)
    if accepted < MIN_ACCEPTED:
        yield ("where",), f"only {accepted:.0%} of the draws satisfy where; narrow the parameters instead"
    different = len({tuple(values.values()) for values, _ in draws})
    if different < min(MIN_DRAWS, len(draws)):
        yield ("params",), f"{len(draws)} seeds give {different} different draws"


def _seed_problems(item: Item, aliases: Aliases) -> Problems:
    yield from item.item_problems(aliases)
    for number in (number for _, part in item.answerables() for number in part.numbers()):
        if not math.isfinite(number) or abs(number) > MAX_SIZE:
            yield ("key",), f"the number {number:g} is too large"
    if item.void is not None:
        return
    full = grade_item(item, item.key_response(), aliases)
    if full.points != item.points:
        yield ("key",), f"the key earns {full.points:g} of {item.points:g} points"
    empty = item.empty_response()
    if grade_item(item, None, aliases).points or (empty is not None and item.mark(empty, aliases).credit):
        yield ("credit",), "a blank answer earns points"


def _hidden(item: Item, aliases: Aliases) -> Iterator[Location]:
    """Yield the places of foreseen wrong answers whose feedback is never shown: an earlier one is equal."""
    for where, part in item.answerables():
        for n, wrong in enumerate(part.foreseen()):
            response = part.read(part.written(wrong.value))
            if part.mark(response, aliases).feedback != (wrong.feedback,):
                yield (*where, "expected_wrong", n, "value")


def _bank_problems(bank: Bank) -> Problems:
    in_place = [item for item in bank.asked() if item.shuffled_field() is None]
    right = [letter for item in in_place for letter in item.right_places()]
    if len(right) >= MIN_POSITIONS:
        letter, count = Counter(right).most_common(1)[0]
        if count > MAX_POSITION_SHARE * len(right):
            yield ("items",), f"{count} of {len(right)} right options are {letter}; move some of them"
    verdicts = [item.verdict for item in bank.asked() if item.verdict is not None]
    if len(verdicts) >= MIN_POSITIONS and len(set(verdicts)) == 1:
        yield ("items",), f"all {len(verdicts)} statements are {str(verdicts[0]).lower()}"

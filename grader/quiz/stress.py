"""Draws every item of a bank with many seeds, and says what goes wrong with any of them.

The idea is that of `stresstest_exercise` in R/exams: what no reader notices in one draw, two hundred show.
"""

import math
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from functools import singledispatch
from typing import cast

from grader.core.errors import Problem
from grader.quiz.bank import Bank
from grader.quiz.credit import Rule
from grader.quiz.draw import concrete, draw_values
from grader.quiz.formulas import FormulaError, Value
from grader.quiz.items import (
    ClozeItem,
    CodeOutputItem,
    GridItem,
    Item,
    MatchItem,
    MultiItem,
    NumberKey,
    OrderItem,
    ShapeKey,
    SingleItem,
    TrueFalseItem,
    WordsKey,
    right_letters,
)
from grader.quiz.marking import grade_item, mark
from grader.quiz.numeric_answers import plain, plain_matrix
from grader.quiz.responses import read, shown
from grader.quiz.soundness import Found, Location, item_problems

SEEDS = 200
MAX_SIZE = 10**12
MAX_RIGHT_SHARE = 0.6
MAX_POSITION_SHARE = 0.6
MIN_POSITIONS = 4
MIN_ACCEPTED = 0.2
MIN_DRAWS = 3
MAX_HIDDEN_SHARE = 0.25


def stress(bank: Bank, seeds: Sequence[int] = range(SEEDS)) -> list[Problem]:
    """Return what is wrong with the items of a bank, drawn with each of these seeds, and with the bank as a whole."""
    found = [((*where,), message) for where, message in _bank_problems(bank)]
    for n, item in enumerate(bank.items):
        found += [
            (("items", n, *where), f"{item.id}: {message}") for where, message in _item(bank, item, seeds)
        ]
    return [bank.source.problem(where, message) for where, message in found]


def _item(bank: Bank, item: Item, seeds: Sequence[int]) -> Found:
    if isinstance(item, MultiItem) and len(item.key) > MAX_RIGHT_SHARE * len(item.options):
        share = len(item.key) / len(item.options)
        yield ("options",), f"{share:.0%} of the options are right, so choosing all of them earns too much"
    varies = item.params or getattr(item, "shuffle", False)
    seeds = seeds if varies else seeds[:1]
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
            drawn = concrete(item, values, bank.salt, seed)
            found = list(_seed_problems(drawn, bank.aliases))
            hidden.update(_hidden(drawn, bank.aliases))
        except Exception as error:  # noqa: BLE001 - whatever a draw raises, the author must know
            found = [((), f"{type(error).__name__}: {error}")]
        if found:
            yield from (
                (where, f"{message} (seed {seed})" if varies else message) for where, message in found
            )
            return
    for where, count in hidden.items():
        if count > MAX_HIDDEN_SHARE * len(seeds):
            often = f" in {count} of {len(seeds)} draws" if varies else ""
            yield where, f"this wrong answer is the same as one before it{often}"


def _draw_problems(draws: Sequence[tuple[Mapping[str, Value], int]]) -> Found:
    accepted = len(draws) / sum(tries for _, tries in draws)
    if accepted < MIN_ACCEPTED:
        yield ("where",), f"only {accepted:.0%} of the draws fulfil where; narrow the parameters instead"
    different = len({tuple(values.values()) for values, _ in draws})
    if different < min(MIN_DRAWS, len(draws)):
        yield ("params",), f"{len(draws)} seeds give {different} different draws"


def _seed_problems(item: Item, aliases: Mapping[str, str]) -> Found:
    yield from item_problems(item, aliases)
    for number in _numbers(item):
        if not math.isfinite(number) or abs(number) > MAX_SIZE:
            yield ("key",), f"the number {number:g} is absurd"
    if item.void is not None:
        return
    full = grade_item(item, key_response(item), aliases)
    if full.points != item.points:
        yield ("key",), f"the key earns {full.points:g} of {item.points:g} points"
    if grade_item(item, None, aliases).points or (
        (empty := _empty(item)) is not None and mark(item, empty, aliases).credit
    ):
        yield ("credit",), "a blank answer earns points"


def _empty(item: Item) -> object:
    """Return the response in which nothing is chosen; None where there is none, or where it may earn something."""
    if isinstance(item, MultiItem) and item.credit is not Rule.EACH:
        given = any(option.void == "full" for option in item.options.values())
        return None if given else frozenset()
    return {} if isinstance(item, (MatchItem, ClozeItem)) else None


def _hidden(item: Item, aliases: Mapping[str, str]) -> Iterator[Location]:
    """Yield the places of foreseen wrong answers whose feedback no student sees: another one comes first."""
    parts: dict[Location, object] = {(): item}
    if isinstance(item, ClozeItem):
        parts = {("blanks", name): blank for name, blank in item.blanks.items()}
    for where, part in parts.items():
        for n, wrong in enumerate(getattr(part, "expected_wrong", [])):
            value = _as_written(part, wrong.value)
            if mark(part, read(part, value), aliases).feedback != (wrong.feedback,):
                yield (*where, "expected_wrong", n, "value")


def _as_written(part: object, value: object) -> object:
    """Return an expected wrong answer as a student would write it."""
    if isinstance(part, NumberKey):
        number = plain(cast("float", value))
        return number if part.unit is None else f"{number!r} {part.unit}"
    return value if isinstance(part, (WordsKey, CodeOutputItem)) else shown(value)


# --- the key, as a student would write it


@singledispatch
def key_response(item: object) -> object:
    """Return the response to a drawn item, or to a blank, that earns everything."""
    raise TypeError(f"{type(item).__name__} is no type of item")


@key_response.register(SingleItem)
@key_response.register(MultiItem)
def _(item: SingleItem | MultiItem) -> object:
    return sorted(letter for letter in item.key if item.options[letter].void != "drop")


@key_response.register
def _(item: TrueFalseItem) -> object:
    return [item.key, *right_letters(item.reasons)]


@key_response.register
def _(item: NumberKey) -> object:
    number = plain(item.key)
    return number if item.unit is None else f"{number!r} {item.unit}"


@key_response.register
def _(item: ShapeKey) -> object:
    return f"({', '.join(map(str, item.key))})"


@key_response.register
def _(item: WordsKey) -> object:
    return item.accept[0]


@key_response.register
def _(item: MatchItem) -> object:
    return {name: row.key for name, row in item.rows.items()}


@key_response.register
def _(item: OrderItem) -> object:
    return list(item.key)


@key_response.register
def _(item: ClozeItem) -> object:
    return {name: key_response(blank) for name, blank in item.blanks.items()}


@key_response.register
def _(item: CodeOutputItem) -> object:
    return item.key


@key_response.register
def _(item: GridItem) -> object:
    return plain_matrix(item.key)


def _numbers(item: Item) -> Iterator[float]:
    for part in item.blanks.values() if isinstance(item, ClozeItem) else (item,):
        if isinstance(part, NumberKey):
            yield from (plain(part.key), *(plain(wrong.value) for wrong in part.expected_wrong))
        if isinstance(part, ShapeKey):
            yield from (size for size in part.key if isinstance(size, int))
        if isinstance(part, GridItem):
            yield from (cell for row in plain_matrix(part.key) for cell in row)


# --- the bank as a whole


def _bank_problems(bank: Bank) -> Found:
    right = [letter for item in bank.items for letter in _right_letter(item)]
    if len(right) >= MIN_POSITIONS:
        letter, count = Counter(right).most_common(1)[0]
        if count > MAX_POSITION_SHARE * len(right):
            yield ("items",), f"{count} of {len(right)} right options are {letter}; let them stand elsewhere"
    verdicts = [item.key for item in bank.items if isinstance(item, TrueFalseItem)]
    if len(verdicts) >= MIN_POSITIONS and len(set(verdicts)) == 1:
        yield ("items",), f"all {len(verdicts)} statements are {str(verdicts[0]).lower()}"


def _right_letter(item: Item) -> Sequence[str]:
    if isinstance(item, SingleItem):
        return sorted(item.key)
    return sorted(right_letters(item.reasons)) if isinstance(item, TrueFalseItem) else []

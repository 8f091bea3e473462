"""Draws the parameters of items and the order of shuffled options from a seed.

Random numbers are BLAKE2b hashes of quiz, seed, item, name and a counter. The random streams of libraries are not used:
the same seed gives the same quiz on every Python, platform and version.
"""

import hashlib
from collections.abc import Mapping
from typing import Any, TypeVar

from pydantic import BaseModel

from grader.quiz.fields import Param
from grader.quiz.formulas import Formula, FormulaError, Value, fill
from grader.quiz.types import Item

MAX_TRIES = 1000
# What an answers file means depends on how its questions were drawn; it names that in `draw: 2`, and one without is of
# the first way. Since the second, shuffled options are lettered in the order that they are shown in.
FIRST_DRAW, RELETTERED, DRAW = 1, 2, 2
_KEY = b"convgrader/draw/1"
# Fields that hold names or code of the course: braces in them are not formulas.
_LITERAL = frozenset(
    {
        "id",
        "type",
        "verify",
        "misconception",
        "patterns",
        "params",
        "where",
        "credit",
        "void",
        "unit",
        "shows",
    }
)

Part = TypeVar("Part")


class Stream:
    """A stream of random numbers that depends on its labels only."""

    def __init__(self, *labels: object) -> None:
        self._labels = "\x1f".join(map(str, labels)).encode()
        self._count = 0

    def below(self, bound: int) -> int:
        """Return a whole number from 0 to bound - 1. Up to a million, the bias of the modulo is below 1e-13."""
        data = self._labels + b"\x1f" + str(self._count).encode()
        self._count += 1
        return int.from_bytes(hashlib.blake2b(data, digest_size=8, key=_KEY).digest()) % bound

    def shuffled(self, parts: list[Part]) -> list[Part]:
        """Return the parts in a drawn order (Fisher and Yates)."""
        parts = list(parts)
        for last in range(len(parts) - 1, 0, -1):
            other = self.below(last + 1)
            parts[last], parts[other] = parts[other], parts[last]
        return parts


def drawn(item: Item, salt: str, seed: int, draw: int = DRAW) -> Item:
    """Return the item with its numbers drawn and its options in their order for this seed.

    Raises FormulaError where a formula has no value, or no draw satisfies `where`.
    """
    return concrete(item, draw_values(item, salt, seed)[0], salt, seed, draw)


def concrete(item: Item, values: Mapping[str, Value], salt: str, seed: int, draw: int = DRAW) -> Item:
    """Return the item with these parameters, and its options in their order for this seed."""
    filled: Item = _filled(item, values, texts=bool(item.params))
    name = item.shuffled_field()
    if name is None:
        return filled
    order = Stream(salt, seed, item.id, "options").shuffled(list(getattr(filled, name)))
    return filled.in_order(order, relettered=draw >= RELETTERED)


def draw_values(item: Item, salt: str, seed: int) -> tuple[dict[str, Value], int]:
    """Return the parameters of an item for a seed, and how many draws it took to satisfy `where`."""
    for attempt in range(MAX_TRIES):
        values: dict[str, Value] = {}
        for name, param in item.params.items():
            values[name] = _draw(param, values, Stream(salt, seed, item.id, name, attempt))
        if all(condition.value(values) for condition in item.where):
            return values, attempt + 1
    raise FormulaError(f'no draw satisfies "where": {", ".join(condition.text for condition in item.where)}')


def _draw(param: Param, earlier: Mapping[str, Value], stream: Stream) -> Value:
    if param.value is not None:
        return param.value.value(earlier)
    if param.choices is not None:
        chosen = param.choices[stream.below(len(param.choices))]
        return chosen.value(earlier) if isinstance(chosen, Formula) else chosen
    low, high = param.low or 0, param.high or 0
    return low + param.step * stream.below((high - low) // param.step + 1)


def _filled(part: Any, values: Mapping[str, Value], *, texts: bool) -> Any:
    """Return a part of an item with formulas replaced by numbers, and `{formulas}` in its texts too."""
    if isinstance(part, Formula):
        return part.value(values)
    if isinstance(part, str):
        return fill(part, values) if texts else part
    if isinstance(part, list):
        return [_filled(inner, values, texts=texts) for inner in part]
    if isinstance(part, dict):
        return {key: _filled(inner, values, texts=texts) for key, inner in part.items()}
    if isinstance(part, BaseModel):
        names = [name for name in type(part).model_fields if name not in _LITERAL]
        return part.model_copy(update={n: _filled(getattr(part, n), values, texts=texts) for n in names})
    return part

"""`shape`: the shape of a tensor; as an item, and as a blank of a cloze."""

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Annotated, Literal

from pydantic import Field

from grader.quiz.fields import Size, Text, Wrong
from grader.quiz.responses import MAX_LENGTH, ResponseError
from grader.quiz.types.base import (
    IS_RIGHT,
    RIGHT,
    Answerable,
    Item,
    MarkedResponse,
    Problems,
    foreseen_mark,
    within,
)

MAX_AXES = 8
_ANY_BATCH = {"N", "B", "*", "-1", "None"}
_SHAPE = re.compile(r"(?:torch\.)?(?:Size)?\s*[\[(]*([^\[\]()]*?),?\s*[\])]*")
_EXPECTED = "a shape is expected, for example: (1, 8, 32, 32)"


class WrongShape(Wrong):
    """A shape that shows a misconception."""

    value: list[Size]


class ShapeKey(Answerable):
    """The shape of a tensor."""

    key: Annotated[list[Size], Field(min_length=1, max_length=8)]
    expected_wrong: list[WrongShape] = []

    def read(self, value: object) -> list[int | str]:
        """Read a shape."""
        return read_shape(value)

    def mark(self, response: list[int | str], aliases: Mapping[str, str]) -> MarkedResponse:
        """Compare with the key, then with the foreseen shapes."""
        if response == self.key:
            return RIGHT
        return foreseen_mark(wrong for wrong in self.expected_wrong if wrong.value == response)

    def problems(self, aliases: Mapping[str, str]) -> Problems:
        """Yield sizes that are none, and foreseen shapes that are right."""
        yield from within(("key",), _size_problems(self.key))
        for n, wrong in enumerate(self.expected_wrong):
            yield from within(("expected_wrong", n, "value"), _size_problems(wrong.value))
            if wrong.value == self.key:
                yield ("expected_wrong", n, "value"), IS_RIGHT

    def answer_form(self) -> str:
        """Return what to write."""
        return "a shape, such as (1, 8, 32, 32)" + (", with N for any batch size" if "N" in self.key else "")

    def key_response(self) -> object:
        """Return the shape as torch prints it."""
        return f"({', '.join(map(str, self.key))})"

    def equals_key(self, value: object) -> bool:
        """Tell whether a computed sequence has the sizes of the key."""
        return isinstance(value, Sequence) and list(value) == self.key

    def numbers(self) -> Iterator[float]:
        """Yield the sizes of the key."""
        yield from (size for size in self.key if isinstance(size, int))


class ShapeItem(Item, ShapeKey):
    """The shape of a tensor."""

    type: Literal["shape"]
    verify: Text | None = None


class ShapeBlank(ShapeKey):
    """A shape in a gap."""

    type: Literal["shape"]


def read_shape(value: object) -> list[int | str]:
    """Read (1, 8, 32, 32), [1, 8], torch.Size([1, 8]), 1x8x32x32 or (N, 8). Raises ResponseError otherwise."""
    if isinstance(value, bool) or not isinstance(value, (int, str, list)):
        raise ResponseError(_EXPECTED)
    if isinstance(value, list):
        parts: Sequence[object] = value
    else:
        match = _SHAPE.fullmatch(str(value).strip()) if len(str(value)) <= MAX_LENGTH else None
        text = match[1] if match else ""
        written = re.split(r"\s*,\s*" if "," in text else r"\s*[x\u00d7*]\s*|\s+", text.strip())
        parts = [int(part) if re.fullmatch(r"[0-9]{1,9}", part) else part for part in written]
    if not 0 < len(parts) <= MAX_AXES:
        raise ResponseError(_EXPECTED)
    return [_read_size(part, batch=n == 0 and len(parts) > 1) for n, part in enumerate(parts)]


def _read_size(part: object, *, batch: bool) -> int | str:
    if batch and str(part) in _ANY_BATCH:
        return "N"
    if isinstance(part, bool) or not isinstance(part, int) or not 0 <= part < 10**9:
        raise ResponseError(_EXPECTED)
    return part


def _size_problems(sizes: Sequence[object]) -> Problems:
    for n, size in enumerate(sizes):
        if size != "N" and (not isinstance(size, int) or isinstance(size, bool) or size < 0):
            yield (n,), f"{size} is not a size; divide with // in formulas"

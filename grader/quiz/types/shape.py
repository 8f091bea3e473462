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
from grader.quiz.typography import plain, strange, unread

MAX_AXES = 8
_ANY_BATCH = {"n", "b", "*", "-1", "none", "batch"}
_SHAPE = re.compile(r"(?:torch\.)?(?:size|shape)?\s*=?\s*[\[(]*([^\[\]()]*?)[,;]?\s*[\])]*", re.IGNORECASE)
_GROUPED = re.compile(r"\d{1,3}(?:[ _']\d{3})+|\d+(?:_\d+)+")
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
        match = _SHAPE.fullmatch(plain(str(value)).strip()) if len(str(value)) <= MAX_LENGTH else None
        text = match[1].strip() if match else ""
        parts = re.split(_between(text), text)
    if not 0 < len(parts) <= MAX_AXES:
        raise ResponseError(_EXPECTED + strange(str(value)))
    return [_read_size(part, batch=n == 0 and len(parts) > 1) for n, part in enumerate(parts)]


def _between(text: str) -> str:
    """Return the pattern of what stands between the sizes of a shape."""
    if re.search("[,;]", text):
        return r"\s*[,;]\s*"
    if re.search("[xX\u00d7]", text):
        return r"\s*[xX\u00d7]\s*"
    return r"\s*\*\s*" if re.search(r"\w\s*\*\s*\w", text) else r"\s+"


def _read_size(part: object, *, batch: bool) -> int | str:
    written = plain(str(part)).strip()
    if batch and written.lower() in _ANY_BATCH:
        return "N"
    digits = re.sub("[ _']", "", written) if _GROUPED.fullmatch(written) else written
    if isinstance(part, bool | float) or not re.fullmatch(r"[0-9]{1,9}", digits):
        odd = next((n for n, c in enumerate(written) if not c.isdigit()), len(written))
        raise ResponseError(_EXPECTED + unread(str(part).strip(), odd))
    return int(digits)


def _size_problems(sizes: Sequence[object]) -> Problems:
    for n, size in enumerate(sizes):
        if size != "N" and (not isinstance(size, int) or isinstance(size, bool) or size < 0):
            yield (n,), f"{size} is not a size; divide with // in formulas"

"""Writes values as Python that evaluates to the same value, bit for bit.

Nothing is pickled, and no text becomes code: a string is written as a literal, escapes and all.
"""

import base64
import math
import zlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import torch

from grader.sandbox.protocol.values import tensor_bytes

MAX_CHARACTERS = 2**19  # of one value: a longer file cannot be read or debugged
_MAX_NUMBERS = 512  # of a tensor that is written as numbers; a larger one is written as bytes
_LINE_CHARACTERS = 96
_IMPLIED = {torch.float32, torch.int64, torch.bool}  # the dtypes that torch.tensor infers from such numbers


class Unwritable(Exception):
    """A value that cannot be written as Python; the message says why, as the end of a sentence."""


@dataclass(frozen=True, slots=True)
class Named:
    """Stands for an object that the code has made already: the expression that evaluates to it."""

    expression: str


def literal(value: object, *, turns: bool = False) -> str:
    """Return Python for a value. Raises Unwritable for what has no literal, or too large a one.

    With `turns` a tensor that is not contiguous is written as one that is not either.
    """
    return _Writer(turns).write(value)


@dataclass(slots=True)
class _Writer:
    """Writes one value, and raises Unwritable as soon as it is too long: a value may hold thousands of tensors."""

    _turns: bool
    _left: int = MAX_CHARACTERS

    def _spend(self, text: str) -> str:
        self._left -= len(text)
        if self._left < 0:
            raise Unwritable("it has too many values for a file that a person reads")
        return text

    def write(self, value: object) -> str:
        """Return Python for a value or a part of it."""
        if isinstance(value, torch.Tensor):
            turned = _turned(value) if self._turns and not value.is_contiguous() else ""
            leaf = ".requires_grad_()" if value.requires_grad else ""
            return self._tensor(value.detach()) + turned + leaf
        if isinstance(value, Mapping):
            pairs = [f"{self.write(key)}: {self.write(item)}" for key, item in value.items()]
            return self._bracketed("{", pairs, "}")
        if isinstance(value, tuple):
            return (
                f"({self.write(value[0])},)"
                if len(value) == 1
                else self._bracketed("(", self._each(value), ")")
            )
        if isinstance(value, list):
            return self._bracketed("[", self._each(value), "]")
        return self._spend(_plain(value))

    def _each(self, values: Iterable[object]) -> list[str]:
        return [self.write(value) for value in values]

    def _bracketed(self, opening: str, parts: Sequence[str], closing: str) -> str:
        """Return parts in one line where they fit, else each on lines of its own."""
        self._spend(opening + closing)
        line = f"{opening}{', '.join(parts)}{closing}"
        if len(line) <= _LINE_CHARACTERS and "\n" not in line:
            return line
        inner = "".join(f"    {part},\n".replace("\n", "\n    ").rstrip(" ") for part in parts)
        return f"{opening}\n{inner}{closing}"

    def _tensor(self, tensor: torch.Tensor) -> str:
        if not tensor.numel():
            return self._spend(f"torch.empty({tuple(tensor.shape)}, dtype={tensor.dtype})")
        if tensor.numel() > _MAX_NUMBERS:
            return self._spend(_bytes(tensor))
        dtype = "" if tensor.dtype in _IMPLIED else f", dtype={tensor.dtype}"
        return f"torch.tensor({self._numbers(tensor)}{dtype})"

    def _numbers(self, tensor: torch.Tensor) -> str:
        if tensor.dim() == 0:
            return self._spend(_number(tensor))
        if tensor.dim() == 1:
            return self._spend(f"[{', '.join(_number(cell) for cell in tensor)}]")
        return self._bracketed("[", [self._numbers(part) for part in tensor], "]")


def _turned(tensor: torch.Tensor) -> str:
    """Return what puts the axes of a tensor into reverse order in memory, and leaves its values as they are."""
    turn = f".permute({tuple(range(tensor.dim())[::-1])})"
    return f"{turn}.contiguous(){turn}"


def _plain(value: object) -> str:
    """Return Python for what holds no other values."""
    if isinstance(value, Named):
        return value.expression
    if isinstance(value, float) and not math.isfinite(value):
        return f'float("{value}")'
    if value is None or isinstance(value, (bool, int, float)):
        return repr(value)
    if isinstance(value, str):
        return ascii(value)
    raise Unwritable(f"a {type(value).__name__} cannot be written down")


def _number(cell: torch.Tensor) -> str:
    """Return the shortest spelling that gives this number again in its dtype."""
    value = cell.item()
    if not isinstance(value, float) or not math.isfinite(value):
        return _plain(value)
    for digits in range(1, 17):
        short = float(f"{value:.{digits}g}")
        if torch.equal(torch.tensor(short, dtype=cell.dtype), cell):
            return repr(short)
    return repr(value)


def _bytes(tensor: torch.Tensor) -> str:
    """Write a large tensor as its bytes in row-major order: exact, and no code."""
    text = base64.b64encode(zlib.compress(tensor_bytes(tensor), 9)).decode()
    data = f'bytearray(zlib.decompress(base64.b64decode("{text}")))'
    return f"torch.frombuffer({data}, dtype={tensor.dtype}).reshape({tuple(tensor.shape)})"

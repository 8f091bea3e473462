"""Reads what students write as answers: letters, numbers and shapes. Nothing here evaluates anything."""

import math
import re
from collections.abc import Collection, Sequence
from fractions import Fraction

MAX_LENGTH = 60
MAX_AXES = 8
_NUMBER = r"[+-]?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d{1,2})?"
_NUMERIC = re.compile(rf"({_NUMBER})\s*(?:/\s*({_NUMBER}))?\s*(%)?")
_SHAPE = re.compile(r"(?:torch\.)?(?:Size)?\s*[\[(]*\s*(\d+(?:\s*[,x\u00d7*\s]\s*\d+)*)\s*,?\s*[\])]*")


class ResponseError(Exception):
    """What a student wrote cannot be read as an answer. The message says what was expected, with an example."""


def read_letters(value: object, letters: Collection[str], *, several: bool) -> frozenset[str]:
    """Read `b`, or with `several` also [a, c] and "a, c". Raises ResponseError for unknown letters."""
    parts = value if isinstance(value, list) else re.split(r"[,;\s]+", str(value).strip().strip("[]"))
    found = [str(part).strip().strip("().").lower() for part in parts]
    found = [part for part in found if part]
    choices = ", ".join(letters)
    for letter in found:
        if letter not in letters:
            raise ResponseError(f'"{letter[:20]}" is none of the options; they are {choices}')
    if not several and len(found) != 1:
        raise ResponseError(f"choose one of {choices}, for example: {next(iter(letters))}")
    return frozenset(found)


def read_number(value: object) -> float:
    """Read 0.5, "1/2", "50%", "5e-1" or "-3". Raises ResponseError for everything else, nan and inf included."""
    if isinstance(value, bool) or not isinstance(value, (int, float, str)):
        raise ResponseError("a number is expected, for example: 28, 0.5, 1/2 or 50%")
    text = str(value).strip().replace("\N{MINUS SIGN}", "-")
    if "," in text:
        raise ResponseError("write numbers with a point and without thousands separators: 0.875, 1225500")
    match = _NUMERIC.fullmatch(text) if len(text) <= MAX_LENGTH else None
    if match is None:
        raise ResponseError("a number is expected, for example: 28, 0.5, 1/2 or 50%")
    numerator, denominator, percent = match.groups()
    number = Fraction(numerator) / (100 if percent else 1)
    if denominator is not None:
        if not Fraction(denominator):
            raise ResponseError("this divides by zero")
        number /= Fraction(denominator)
    return float(number)


def read_shape(value: object) -> list[int]:
    """Read (1, 8, 32, 32), [1, 8, 32, 32], torch.Size([1, 8]) or 1x8x32x32. Raises ResponseError otherwise."""
    expected = "a shape is expected, for example: (1, 8, 32, 32)"
    if isinstance(value, list):
        if all(type(size) is int and 0 <= size < 10**9 for size in value) and 0 < len(value) <= MAX_AXES:
            return value
        raise ResponseError(expected)
    if isinstance(value, bool) or not isinstance(value, (int, str)):
        raise ResponseError(expected)
    match = _SHAPE.fullmatch(str(value).strip()) if len(str(value)) <= MAX_LENGTH else None
    sizes = [int(size) for size in re.findall(r"\d+", match[1])] if match else []
    if not 0 < len(sizes) <= MAX_AXES or max(sizes) >= 10**9:
        raise ResponseError(expected)
    return sizes


def net_credit(chosen: Collection[str], key: Collection[str]) -> float:
    """Return the `net` credit of a multi item, in [0, 1]: max(0, (right chosen - wrong chosen) / right options).

    Choosing everything, or nothing, earns nothing in a balanced item. The rule of Canvas and PrairieLearn.
    """
    right = len(set(chosen) & set(key))
    wrong = len(set(chosen) - set(key))
    return max(0.0, (right - wrong) / len(key))


def shown(value: object) -> str:
    """Return a response as a student would write it."""
    if isinstance(value, Sequence) and not isinstance(value, str):
        return ", ".join(str(part) for part in value)
    return str(value)

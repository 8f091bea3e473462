"""Writes what a suite compared as lines of Python: which result it was, and the assertion that failed.

An assertion is written only if it fails on the recorded result; so once the file passes, its case is fixed.
"""

import math
from collections.abc import Callable, Iterable, Iterator, Mapping

import torch

from grader.grading.engine.feedback.literals import Unwritable, literal
from grader.grading.engine.feedback.value_text import shown_in_full
from grader.grading.engine.proxy import ForeignNumber, ForeignResult
from grader.grading.engine.suite.comparison import Mismatch
from grader.sandbox.protocol.messages import ForeignValue, HandleValue, Value
from grader.sandbox.protocol.values import Unpacker

Written = Callable[[str], str]  # from the name of a result to the expression of what was compared

# (rtol, atol): the first by which the result is still wrong is written.
_TOLERANCES = ((1e-3, 1e-4), (1e-4, 1e-5), (1.3e-6, 1e-5), (1e-7, 1e-7))


# --- which result was compared


def origin(replies: Iterable[tuple[Value, bytes]], got: object) -> tuple[int, Written] | None:
    """Return the number of the reply that holds what was compared, the last first, and where; None if no reply does."""
    numbered = list(enumerate(replies))
    if isinstance(got, (ForeignResult, ForeignNumber)):  # it has no value to compare: the last foreign result
        foreign = [number for number, (value, _) in numbered if isinstance(value, ForeignValue)]
        return (foreign[-1], _itself) if foreign else None
    for number, (value, data) in reversed(numbered):
        whole = Unpacker(bytearray(data), _stand_in).unpack(value)
        is_distinctive = isinstance(got, (torch.Tensor, float, list, tuple, dict))
        places = _places(whole) if is_distinctive else iter([("", whole)])
        for path, part in places:
            written = _same(part, got)
            if written is not None:
                return number, _at(path, written)
        if not is_distinctive:
            return None  # None or 3 may occur anywhere: only the last result can be meant
    return None


def _at(path: str, written: Written) -> Written:
    return lambda name: written(f"{name}{path}")


class _Other:
    """Stands for what is not sent; it equals nothing."""


def _stand_in(_value: HandleValue | ForeignValue, _array: object = None) -> _Other:
    return _Other()


def _places(value: object, path: str = "") -> Iterator[tuple[str, object]]:
    """Yield a value and everything in it, with the path that leads there."""
    yield path, value
    if isinstance(value, (list, tuple)):
        for n, item in enumerate(value):
            yield from _places(item, f"{path}[{n}]")
    elif isinstance(value, Mapping):
        for key, item in value.items():
            yield from _places(item, f"{path}[{key!a}]")


def _same(part: object, got: object) -> Written | None:
    """Return how `got` is made of a part of a result: as it is, in another shape, as its shape or its number."""
    if isinstance(part, torch.Tensor):
        if isinstance(got, torch.Tensor):
            if part.dtype != got.dtype or not _equal(part.reshape(-1), got.detach().reshape(-1)):
                return None
            return _itself if part.shape == got.shape else lambda name: f"{name}.reshape({tuple(got.shape)})"
        if isinstance(got, tuple) and got == tuple(part.shape):
            return lambda name: f"tuple({name}.shape)"
        if isinstance(got, float) and part.numel() == 1 and part.item() == got:
            return lambda name: f"{name}.item()"
        return None
    if isinstance(part, dict) and isinstance(got, list) and list(part) == got:
        return lambda name: f"list({name})"
    return _itself if _alike(part, got) else None


def _alike(part: object, got: object) -> bool:
    if type(part) is not type(got):
        return False
    if isinstance(part, torch.Tensor) and isinstance(got, torch.Tensor):
        return part.dtype == got.dtype and _equal(part, got.detach())
    if isinstance(part, (list, tuple)) and isinstance(got, (list, tuple)):
        return len(part) == len(got) and all(map(_alike, part, got))
    if isinstance(part, dict) and isinstance(got, dict):
        return list(part) == list(got) and all(_alike(part[key], got[key]) for key in part)
    return _plain(part) and part == got


def _itself(name: str) -> str:
    return name


def _plain(value: object) -> bool:
    if isinstance(value, (list, tuple)):
        return all(map(_plain, value))
    return value is None or isinstance(value, (bool, int, float, str))


def _equal(one: torch.Tensor, other: torch.Tensor) -> bool:
    return one.shape == other.shape and torch.allclose(one, other, rtol=0, atol=0, equal_nan=True)


# --- what was wrong with it


def assertion_lines(result: str, wrong: Mismatch, *, in_full: bool = False) -> list[str] | None:
    """Return lines that print `result` beside what is expected, and assert that they agree; None where none can.

    They go as far as the comparison that failed: type, shape, dtype, value. With `in_full` the values
    are compared as well, whatever failed.
    """
    try:
        if isinstance(wrong.expected, torch.Tensor):
            expected = wrong.expected.detach()
            if wrong.any_value:
                return _of_form(result, expected)
            return (
                _of_dtype(result, expected)
                if wrong.step == "dtype"
                else _of_tensor(result, wrong.got, expected, in_full)
            )
        if wrong.any_value and isinstance(wrong.expected, tuple):
            return [
                f"got = {result}",
                'print("got", got, sep="\\n")',
                _IS_TENSOR,
                _same_shape(wrong.expected),
            ]
        return _of_number(result, wrong.got, wrong.expected)
    except Unwritable:
        return None


def _of_form(result: str, expected: torch.Tensor) -> list[str]:
    """Compare type, shape and dtype alone: the expected values mean nothing."""
    same = f"assert got.dtype == {expected.dtype}, got.dtype"
    return [f"got = {result}", 'print("got", got, sep="\\n")', _IS_TENSOR, _same_shape(expected.shape), same]


def _of_dtype(result: str, expected: torch.Tensor) -> list[str]:
    same = f"assert got.dtype == {expected.dtype}, got.dtype"
    return [f"got = {result}", 'print("got", got, sep="\\n")', _IS_TENSOR, _same_shape(expected.shape), same]


def _same_shape(shape: tuple[int, ...]) -> str:
    return f"assert tuple(got.shape) == {tuple(shape)}, tuple(got.shape)"


def _shown(result: str, expected: str) -> list[str]:
    return [
        f"got = {result}",
        f"expected = {expected}",
        'print("got", got, sep="\\n")',
        'print("expected", expected, sep="\\n")',
    ]


_IS_TENSOR = 'assert type(got) is torch.Tensor, f"got a {type(got).__name__} where a tensor is expected"'


def _of_tensor(result: str, got: object, expected: torch.Tensor, in_full: bool) -> list[str] | None:
    """Compare step by step: type, shape, value."""
    same_shape = _same_shape(expected.shape)
    small = shown_in_full(expected)
    if not isinstance(got, torch.Tensor) or got.shape != expected.shape:
        shown = _shown(result, literal(expected)) if small else [f"got = {result}"]
        lines = [*shown, _IS_TENSOR, same_shape]
        return [*lines, _close(*_TOLERANCES[1])] if in_full and small else lines
    tolerances = _closest(got, expected)
    if tolerances is None:
        return None
    if small:
        return [*_shown(result, literal(expected)), _IS_TENSOR, same_shape, _close(*tolerances)]
    return [f"got = {result}", _IS_TENSOR, same_shape, *_first_wrong(got, expected, tolerances)]


def _first_wrong(got: torch.Tensor, expected: torch.Tensor, tolerances: tuple[float, float]) -> Iterator[str]:
    """Compare the first wrong place of a large result: all of it is more than the report shows."""
    place = tuple((~_is_close(got, expected, *tolerances)).nonzero()[0].tolist())
    where = ", ".join(map(str, place))
    yield f"# The first wrong place, at [{where}]: the whole expected result is too large to show."
    yield from _shown(f"got[{where}]", literal(expected[place].clone()))
    yield _close(*tolerances)


def _close(rtol: float, atol: float) -> str:
    return (
        "torch.testing.assert_close("
        f"got, expected, rtol={rtol:g}, atol={atol:g}, equal_nan=True, check_dtype=False)"
    )


def _closest(got: torch.Tensor, expected: torch.Tensor) -> tuple[float, float] | None:
    """Return the widest tolerances by which the two still differ."""
    for tolerances in _TOLERANCES:
        if not bool(_is_close(got, expected, *tolerances).all()):
            return tolerances
    return None


def _is_close(got: torch.Tensor, expected: torch.Tensor, rtol: float, atol: float) -> torch.Tensor:
    return torch.isclose(got.detach().double(), expected.double(), rtol=rtol, atol=atol, equal_nan=True)


def _of_number(result: str, got: object, expected: object) -> list[str] | None:
    lines = _shown(result, literal(expected))
    if isinstance(expected, float) and isinstance(got, (int, float)) and not isinstance(got, bool):
        for rtol, atol in _TOLERANCES:
            if not math.isclose(got, expected, rel_tol=rtol, abs_tol=atol):
                return [
                    *lines,
                    "import math",
                    f"assert math.isclose(got, expected, rel_tol={rtol:g}, abs_tol={atol:g})",
                ]
        return None
    if not _plain(got) or not _plain(expected):
        return None
    if isinstance(expected, (list, tuple)) and isinstance(got, (list, tuple)):
        exact = list(got) != list(expected) and not any(isinstance(item, float) for item in expected)
        return [*lines, "assert list(got) == list(expected)"] if exact else None
    return [*lines, "assert type(got) is type(expected) and got == expected"]

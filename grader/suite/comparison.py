"""Compares a student's value with the expected one, step by step: type, shape, dtype, NaN, value.

The first step that differs is the failure, told in one sentence and with the place where it differs.
"""

import contextlib
import math
from collections.abc import Generator
from contextvars import ContextVar
from typing import NoReturn

import torch

from grader.proxy import ForeignResult, RemoteObject
from grader.suite.location import locate

AXES = {1: ("element",), 2: ("row", "column"), 3: ("channel", "row", "column"), 4: ("N", "C", "H", "W")}


_shares: ContextVar[list[float] | None] = ContextVar("shares", default=None)


@contextlib.contextmanager
def measuring() -> Generator[list[float]]:
    """Collect |got - expected| as a share of what is allowed, for each comparison of floats: 0.02 is room for 50."""
    shares: list[float] = []
    token = _shares.set(shares)
    try:
        yield shares
    finally:
        _shares.reset(token)


class Mismatch(AssertionError):
    """A value differs from the expected one. `rationale` is one student-safe sentence, `where` may be empty."""

    def __init__(self, rationale: str, *, got: object, expected: object, where: str = "") -> None:
        super().__init__(rationale)
        self.rationale = rationale
        self.got = got
        self.expected = expected
        self.where = where


def assert_matches(
    got: object,
    expected: object,
    *,
    rtol: float | None = None,
    atol: float | None = None,
    check_dtype: bool = True,
    what: str = "the result",
    axes: tuple[str, ...] | None = None,
) -> None:
    """Raise Mismatch unless `got` equals `expected`, looked at step by step.

    Numbers and tensors may differ by atol + rtol * |expected|; the defaults are those of torch.testing.
    `axes` names the axes of a tensor; four axes are (N, C, H, W) unless told otherwise.
    """
    if isinstance(got, ForeignResult):
        raise Mismatch(got.sentence, got=got, expected=expected)
    if isinstance(expected, torch.Tensor):
        _tensors(got, expected, rtol, atol, check_dtype, what, axes)
    elif isinstance(expected, (list, tuple)):
        _sequences(got, expected, rtol, atol, check_dtype, what)
    elif isinstance(expected, dict):
        _mappings(got, expected, rtol, atol, check_dtype, what)
    else:
        _scalars(got, expected, rtol, atol, what)


def assert_shape(got: object, shape: tuple[int, ...], *, what: str = "the result") -> None:
    """Raise Mismatch unless `got` is a tensor of this shape; its values and dtype are left to other checks."""
    if isinstance(got, ForeignResult):
        raise Mismatch(got.sentence, got=got, expected=shape)
    wanted = torch.empty(shape, device="meta")
    if type(got) is not torch.Tensor:
        raise Mismatch(_type_rationale(got, wanted, what), got=got, expected=shape)
    if got.shape != wanted.shape:
        rationale = f"{_start(what)} has the shape {tuple(got.shape)}, not {shape}."
        where = _shape_difference(got, wanted, None)
        raise Mismatch(rationale, got=tuple(got.shape), expected=shape, where=where)


def type_name(value: object) -> str:
    """Name a value's type as a student would."""
    if value is None:
        return "None"
    if isinstance(value, torch.Tensor):
        return f"a tensor of shape {tuple(value.shape)}"
    if isinstance(value, RemoteObject):
        return f"an object ({value!r})"
    article = "an" if type(value).__name__[0] in "aeiou" else "a"
    return f"{article} {type(value).__name__}"


def _type_rationale(got: object, expected: object, what: str) -> str:
    if got is None:
        return f"{_start(what)} is None. Does the last line return it?"
    if isinstance(got, tuple) and got and isinstance(expected, torch.Tensor):
        return f"{_start(what)} is a tuple of {len(got)}, where a single tensor is expected."
    return f"{_start(what)} is {type_name(got)}, where {type_name(expected)} is expected."


def _wrong_type(got: object, expected: object, what: str) -> NoReturn:
    raise Mismatch(_type_rationale(got, expected, what), got=got, expected=expected)


def _start(what: str) -> str:
    """Begin a sentence with `what`; a name keeps its spelling."""
    return f"The{what[3:]}" if what.startswith("the ") else what


def _scalars(got: object, expected: object, rtol: float | None, atol: float | None, what: str) -> None:
    if isinstance(expected, float) and type(got) is int:
        got = float(got)  # 1 for 1.0 is no mistake worth points
    if type(got) is not type(expected):
        _wrong_type(got, expected, what)
    if isinstance(expected, float) and isinstance(got, float):
        if math.isnan(got) and not math.isnan(expected):
            raise Mismatch(f"{_start(what)} is NaN.", got=got, expected=expected)
        relative, absolute = rtol or 1e-6, atol or 1e-8
        allowed = max(relative * max(abs(got), abs(expected)), absolute)  # as math.isclose has it
        _note(0.0 if got == expected else abs(got - expected) / allowed)
        if got == expected or math.isclose(got, expected, rel_tol=relative, abs_tol=absolute):
            return
    elif got == expected:
        return
    raise Mismatch(f"{_start(what)} is {got!r}, not {expected!r}.", got=got, expected=expected)


def _sequences(
    got: object,
    expected: list[object] | tuple[object, ...],
    rtol: float | None,
    atol: float | None,
    check_dtype: bool,
    what: str,
) -> None:
    if not isinstance(got, (list, tuple)):  # a list for a tuple is no mistake worth points
        _wrong_type(got, expected, what)
    if len(got) != len(expected):
        rationale = f"{_start(what)} has {len(got)} items, where {len(expected)} are expected."
        raise Mismatch(rationale, got=got, expected=expected)
    for n, (one, other) in enumerate(zip(got, expected, strict=True), start=1):
        try:
            assert_matches(
                one,
                other,
                rtol=rtol,
                atol=atol,
                check_dtype=check_dtype,
                what=f"the item {n} of {what.removeprefix('the ')}",
            )
        except Mismatch as mismatch:
            if isinstance(other, torch.Tensor):
                raise
            raise Mismatch(mismatch.rationale, got=got, expected=expected) from None


def _mappings(
    got: object,
    expected: dict[object, object],
    rtol: float | None,
    atol: float | None,
    check_dtype: bool,
    what: str,
) -> None:
    if not isinstance(got, dict):
        _wrong_type(got, expected, what)
    absent = [key for key in expected if key not in got]
    extra = [key for key in got if key not in expected]
    if absent or extra:
        parts = [f"lacks {_listed(absent)}"] if absent else []
        parts += [f"has {_listed(extra)}, which nobody expects"] if extra else []
        raise Mismatch(f"{_start(what)} {' and '.join(parts)}.", got=list(got), expected=list(expected))
    for key, other in expected.items():
        assert_matches(got[key], other, rtol=rtol, atol=atol, check_dtype=check_dtype, what=f"{what} `{key}`")


def _listed(keys: list[object]) -> str:
    shown = ", ".join(f"`{key}`" for key in keys[:6])
    return shown if len(keys) <= 6 else f"{shown} and {len(keys) - 6} more"


def _tensors(
    got: object,
    expected: torch.Tensor,
    rtol: float | None,
    atol: float | None,
    check_dtype: bool,
    what: str,
    axes: tuple[str, ...] | None,
) -> None:
    if type(got) is not torch.Tensor:
        _wrong_type(got, expected, what)
    got, expected = got.detach(), expected.detach()
    if got.shape != expected.shape:
        rationale = f"{_start(what)} has the shape {tuple(got.shape)}, not {tuple(expected.shape)}."
        where = _shape_difference(got, expected, axes)
        raise Mismatch(rationale, got=got, expected=expected, where=where)
    if check_dtype and got.dtype != expected.dtype:
        rationale = f"{_start(what)} has the dtype {_dtype(got)}, not {_dtype(expected)}."
        raise Mismatch(rationale, got=got, expected=expected)
    _values(got, expected, rtol, atol, what, axes or AXES.get(expected.dim(), ()))


def _dtype(tensor: torch.Tensor) -> str:
    return str(tensor.dtype).removeprefix("torch.")


def _shape_difference(got: torch.Tensor, expected: torch.Tensor, axes: tuple[str, ...] | None) -> str:
    names = axes or AXES.get(expected.dim(), ())
    if got.dim() != expected.dim() or len(names) != expected.dim():
        return (
            f"it has {got.dim()} axes, where {expected.dim()} are expected"
            if got.dim() != expected.dim()
            else ""
        )
    sizes = zip(names, got.shape, expected.shape, strict=True)
    return ", ".join(f"{name} is {ours}, not {theirs}" for name, ours, theirs in sizes if ours != theirs)


def _values(
    got: torch.Tensor,
    expected: torch.Tensor,
    rtol: float | None,
    atol: float | None,
    what: str,
    axes: tuple[str, ...],
) -> None:
    default_r, default_a = _tolerances(got, expected)
    relative, absolute = default_r if rtol is None else rtol, default_a if atol is None else atol
    ours, theirs = got.double(), expected.double()
    _measure(ours, theirs, relative, absolute)
    same = torch.isclose(ours, theirs, rtol=relative, atol=absolute, equal_nan=True)
    if bool(same.all()):
        return
    wrong = ~same
    unexpected_nan = ours.isnan() & ~theirs.isnan()
    if bool(unexpected_nan.any()):
        count = int(unexpected_nan.sum())
        rationale = f"{_start(what)} holds NaN in {count} of {got.numel()} places."
    else:
        rationale = f"{_start(what)} is wrong in {int(wrong.sum())} of {got.numel()} places."
    raise Mismatch(rationale, got=got, expected=expected, where=locate(ours, theirs, wrong, axes))


def _measure(ours: torch.Tensor, theirs: torch.Tensor, rtol: float, atol: float) -> None:
    """Note how much of its tolerance a comparison uses, where somebody asks and there is a tolerance."""
    if _shares.get() is None or not (0 < rtol + atol < math.inf) or not ours.numel():
        return
    used = (ours - theirs).abs() / (atol + rtol * theirs.abs())
    # Equal infinities, and NaN where NaN is expected, give NaN here: they use nothing.
    _note(float(used.nan_to_num(nan=0.0, posinf=math.inf).max()))


def _note(share: float) -> None:
    if (shares := _shares.get()) is not None:
        shares.append(share)


def _tolerances(got: torch.Tensor, expected: torch.Tensor) -> tuple[float, float]:
    """Return (rtol, atol) of torch.testing for the less exact of two dtypes."""
    known = {torch.float32: (1.3e-6, 1e-5), torch.float64: (1e-7, 1e-7), torch.float16: (1e-3, 1e-5)}
    pairs = [known.get(tensor.dtype, (0.0, 0.0)) for tensor in (got, expected)]
    return max(pairs)

"""Compares a student's value with the expected one, step by step.

The steps: type, shape, dtype, device, NaN or infinity, value. The first step that differs is the failure, reported in
one sentence with the place where it differs. The other effects of a call (gradients, changed arguments) are compared
in `effects`.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Literal, NoReturn

import torch

from grader.grading.engine.proxy import ForeignNumber, ForeignResult, RemoteObject
from grader.grading.engine.suite.location import locate
from grader.grading.engine.suite.near_types import form_advice
from grader.grading.engine.suite.shapes import AXES, shape_difference
from grader.grading.engine.suite.tolerance_use import record_numbers, record_tensors

_DTYPE_ADVICE = {
    torch.float64: "numpy makes float64; make new tensors with dtype=x.dtype, or with x.new_zeros(...)",
    torch.float32: "float32 is the default of torch; make new tensors with dtype=x.dtype, or with x.new_zeros(...)",
    torch.bool: "a comparison gives bool; take x itself, or convert with .to(x.dtype)",
}
_TOLERANCES = {
    torch.float64: (1e-7, 1e-7),
    torch.float32: (1.3e-6, 1e-5),
    torch.float16: (1e-3, 1e-5),
    torch.bfloat16: (1.6e-2, 1e-5),
}  # (rtol, atol) of torch.testing
NUMBER_RTOL, NUMBER_ATOL = 1e-6, 1e-8  # of Python's floats, compared by math.isclose
_MAX_LISTED_KEYS = 6
_OPEN_ENDS = tuple(f" {word}" for word in ("of", "for", "in", "at", "after", "from", "with", "by", "the"))
_WHOLE_ADVICE = "whole numbers have no fractions; make new tensors with dtype=x.dtype"


Step = Literal["type", "length", "keys", "shape", "dtype", "device", "nan", "infinity", "value"]


class Mismatch(AssertionError):
    """A value differs from the expected one. `rationale` is one student-safe sentence, `where` may be empty.

    `axes` names the axes of `got` and `expected`, where both are tensors of one shape, and `cells` is true where they
    differ; None where no values were compared. `step` is the one at which they differ, "" where it is none of those of
    a comparison. With `any_value` only type, shape and dtype of `expected` mean something, as its tolerance is
    infinite; or `expected` is the shape of the tensor that is expected. The place is computed on first access: a search
    for the smallest example makes many of these, and shows one.
    """

    def __init__(
        self,
        rationale: str,
        *,
        got: object,
        expected: object,
        where: str | Callable[[], str] = "",
        axes: tuple[str, ...] = (),
        cells: torch.Tensor | None = None,
        step: Step | Literal[""] = "",
        any_value: bool = False,
    ) -> None:
        super().__init__(rationale)
        self.cells = cells
        self.step = step
        self.any_value = any_value
        self.rationale = rationale
        self.got = got
        self.expected = expected
        self.axes = axes
        self._where = where

    @property
    def where(self) -> str:
        """Where the two differ, as one phrase."""
        if not isinstance(self._where, str):
            self._where = self._where()
        return self._where

    @where.setter
    def where(self, where: str) -> None:
        self._where = where


@dataclass(frozen=True, slots=True, kw_only=True)
class _Rules:
    """The tolerances of a comparison, and the name of what is compared."""

    rtol: float | None
    atol: float | None
    check_dtype: bool
    what: str
    axes: tuple[str, ...] | None = None

    @property
    def start(self) -> str:
        """Begin a sentence with what is compared; a name keeps its spelling.

        Words that need another one behind them, as `the shape of` does, are for the entries of a dict: the dict itself
        is the result.
        """
        what = self.what.strip().removesuffix(",")
        if not what or what.endswith(_OPEN_ENDS):
            return "The result"
        return what[:1].upper() + what[1:] if what.startswith(("the ", "item ")) else what


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

    Numbers and tensors may differ by atol + rtol * |expected|; the defaults are those of torch.testing for the dtype
    of `expected`. Without `check_dtype` a right number of another type passes too: of numpy, a tensor without axes, 3.0
    for 3.
    `axes` names the axes of a tensor; four axes are (N, C, H, W) by default.
    """
    rules = _Rules(rtol=rtol, atol=atol, check_dtype=check_dtype, what=what, axes=axes)
    try:
        _compare(got, expected, rules)
    except Mismatch as mismatch:
        mismatch.any_value = math.inf in (rtol, atol)
        raise


def usable(got: object) -> object:
    """Return what a check of values can go on with: the first item of a tuple, the numbers of an array as a tensor.

    Anything else is returned as it is. What a result is made of is the business of one check.
    """
    if isinstance(got, tuple) and got:
        got = got[0]
    if isinstance(got, ForeignResult) and got.array is not None:
        return got.array.clone()
    return got


def assert_shape(got: object, shape: tuple[int, ...], *, what: str = "the result") -> None:
    """Raise Mismatch unless `got` is a tensor of this shape; its values and dtype are left to other checks."""
    if isinstance(got, ForeignResult):
        raise Mismatch(got.sentence, got=got, expected=shape, step="type")
    wanted = torch.empty(shape, device="meta")
    rules = _Rules(rtol=None, atol=None, check_dtype=False, what=what)
    if type(got) is not torch.Tensor:
        rationale = _type_rationale(got, wanted, rules, _same_shape)
        raise Mismatch(rationale, got=got, expected=shape, step="type", any_value=True)
    if got.shape != wanted.shape:
        rationale = f"{rules.start} has the shape {tuple(got.shape)}, not {shape}."
        where = shape_difference(got, wanted, None)
        raise Mismatch(rationale, got=tuple(got.shape), expected=shape, where=where, step="shape")


def type_name(value: object) -> str:
    """Name a value's type as a student would."""
    if value is None:
        return "None"
    if isinstance(value, torch.Tensor):
        return f"a tensor of shape {tuple(value.shape)}"
    if isinstance(value, RemoteObject):
        return f"an object ({value!r})"
    if isinstance(value, ForeignNumber):
        return f"a number of the type {value.type_name}, as numpy makes them"
    article = "an" if type(value).__name__[0] in "aeiou" else "a"
    return f"{article} {type(value).__name__}"


def _compare(got: object, expected: object, rules: _Rules) -> None:
    if isinstance(got, ForeignResult):
        raise Mismatch(got.sentence, got=got, expected=expected, step="type")
    if isinstance(expected, torch.Tensor):
        _tensors(got, expected, rules)
    elif isinstance(expected, (list, tuple)):
        _sequences(got, expected, rules)
    elif isinstance(expected, dict):
        _mappings(got, expected, rules)
    else:
        _scalars(got, expected, rules)


# --- type


def _type_rationale(
    got: object, expected: object, rules: _Rules, right: Callable[[object, object], bool]
) -> str:
    if got is None and rules.what == "the result":
        return f"{rules.start} is None. Does the last line return it?"
    advice = form_advice(got, expected, right)
    end = f": {advice}." if advice else "."
    if isinstance(got, tuple) and got and isinstance(expected, torch.Tensor):
        return f"{rules.start} is a tuple of {len(got)}, where a single tensor is expected{end}"
    return f"{rules.start} is {type_name(got)}, where {type_name(expected)} is expected{end}"


def _wrong_type(got: object, expected: object, rules: _Rules) -> NoReturn:
    def right(one: object, other: object) -> bool:
        try:
            _compare(one, other, rules)
        except Mismatch:
            return False
        return True

    raise Mismatch(_type_rationale(got, expected, rules, right), got=got, expected=expected, step="type")


def _same_shape(one: object, other: object) -> bool:
    both = isinstance(one, torch.Tensor) and isinstance(other, torch.Tensor)
    return both and one.shape == other.shape  # type: ignore[attr-defined]


# --- numbers and containers


def _scalars(got: object, expected: object, rules: _Rules) -> None:
    if not rules.check_dtype and type(expected) in (int, float):
        got = _as_number(got, whole=isinstance(expected, int))
    if isinstance(expected, float) and type(got) is int:
        got = _as_float(got)  # 1 for 1.0 costs no points
    if type(got) is not type(expected):
        _wrong_type(got, expected, rules)
    if isinstance(expected, float) and isinstance(got, float):
        if math.isnan(got) and math.isnan(expected):
            return
        if math.isnan(got):
            raise Mismatch(f"{rules.start} is NaN.", got=got, expected=expected, step="nan")
        rtol = NUMBER_RTOL if rules.rtol is None else rules.rtol
        atol = NUMBER_ATOL if rules.atol is None else rules.atol
        record_numbers(got, expected, rtol, atol)
        if math.isclose(got, expected, rel_tol=rtol, abs_tol=atol):
            return
    elif got == expected:
        return
    one, other = _apart(got, expected)
    rationale = f"{rules.start} is {one}, not {other}."
    raise Mismatch(rationale, got=got, expected=expected, step="value")


def _apart(got: object, expected: object) -> tuple[str, str]:
    """Return two values as text, floats with so few digits as tell them apart, and at least four."""
    if isinstance(got, float) and isinstance(expected, float):
        for digits in range(4, 17):
            one, other = (_float(value, digits) for value in (got, expected))
            if one != other:
                return one, other
    return _written(got), _written(expected)


def _float(value: float, digits: int) -> str:
    text = f"{value:.{digits}g}"
    return text if set(text) & set(".en") else f"{text}.0"


def _as_number(value: object, *, whole: bool) -> object:
    """Return the number that a value of another type stands for; the value itself where it stands for none."""
    number = value
    if isinstance(value, torch.Tensor) and value.dim() == 0 and value.dtype is not torch.bool:
        number = value.item()
    elif isinstance(value, ForeignNumber):
        number = value.plain
    if whole and isinstance(number, float) and number.is_integer():
        return int(number)
    return number


def _written(value: object) -> str:
    if isinstance(value, int) and value.bit_length() > 1024:
        return f"a number of {value.bit_length()} bits"  # Python refuses to print the largest ones
    return repr(value)


def _as_float(number: int) -> float:
    try:
        return float(number)
    except OverflowError:
        return math.inf if number > 0 else -math.inf


def _sequences(got: object, expected: list[object] | tuple[object, ...], rules: _Rules) -> None:
    if not isinstance(got, (list, tuple)):  # a list for a tuple costs no points
        _wrong_type(got, expected, rules)
    if len(got) != len(expected):
        rationale = f"{rules.start} has {len(got)} items, where {len(expected)} are expected."
        raise Mismatch(rationale, got=got, expected=expected, step="length")
    for n, (one, other) in enumerate(zip(got, expected, strict=True), start=1):
        inside = replace(rules, what=f"item {n} of {rules.what}", axes=None)
        try:
            _compare(one, other, inside)
        except Mismatch as mismatch:
            if isinstance(other, torch.Tensor):
                raise
            raise Mismatch(mismatch.rationale, got=got, expected=expected, step=mismatch.step) from None


def _mappings(got: object, expected: dict[object, object], rules: _Rules) -> None:
    if not isinstance(got, dict):
        _wrong_type(got, expected, rules)
    absent = [key for key in expected if key not in got]
    extra = [key for key in got if key not in expected]
    if absent or extra:
        parts = [f"lacks {_listed(absent)}"] if absent else []
        parts += [f"has {_listed(extra)}, which is not expected"] if extra else []
        rationale = f"{rules.start} {' and '.join(parts)}."
        raise Mismatch(rationale, got=list(got), expected=list(expected), step="keys")
    for key, other in expected.items():
        _compare(got[key], other, replace(rules, what=f"{rules.what} `{key}`", axes=None))


def _listed(keys: list[object]) -> str:
    shown = ", ".join(f"`{key}`" for key in keys[:_MAX_LISTED_KEYS])
    more = len(keys) - _MAX_LISTED_KEYS
    return f"{shown} and {more} more" if more > 0 else shown


# --- tensors


def _tensors(got: object, expected: torch.Tensor, rules: _Rules) -> None:
    if type(got) is not torch.Tensor:
        _wrong_type(got, expected, rules)
    got, expected = got.detach(), expected.detach()
    if got.shape != expected.shape:
        rationale = f"{rules.start} has the shape {tuple(got.shape)}, not {tuple(expected.shape)}."
        raise Mismatch(
            rationale,
            got=got,
            expected=expected,
            where=lambda: shape_difference(got, expected, rules.axes),
            step="shape",
        )
    if rules.check_dtype and got.dtype != expected.dtype:
        rationale = f"{rules.start} has the dtype {_dtype(got)}, not {_dtype(expected)}{_dtype_advice(got)}."
        raise Mismatch(rationale, got=got, expected=expected, step="dtype")
    if got.device != expected.device:
        rationale = (
            f"{rules.start} is on {got.device}, not on {expected.device}: make it with device=x.device."
        )
        raise Mismatch(rationale, got=got, expected=expected, step="device")
    _values(got, expected, rules)


def _dtype(tensor: torch.Tensor) -> str:
    return str(tensor.dtype).removeprefix("torch.")


def _dtype_advice(got: torch.Tensor) -> str:
    advice = _DTYPE_ADVICE.get(got.dtype, "" if got.is_floating_point() else _WHOLE_ADVICE)
    return f": {advice}" if advice else ""


def _values(got: torch.Tensor, expected: torch.Tensor, rules: _Rules) -> None:
    wrong = ~_close(got, expected, rules)
    if not bool(wrong.any()):
        return
    got64, expected64 = got.double(), expected.double()
    axes = rules.axes or AXES.get(expected.dim(), ())
    how, step = _how_wrong(got64, expected64, wrong)
    if got.numel() == 1:
        how = "is {}, not {}".format(*_apart(got.item(), expected.item()))
    raise Mismatch(
        f"{rules.start} {how}.",
        got=got,
        expected=expected,
        where=lambda: locate(got64, expected64, wrong, axes),
        axes=axes,
        cells=wrong,
        step=step,
    )


def _close(got: torch.Tensor, expected: torch.Tensor, rules: _Rules) -> torch.Tensor:
    if (
        rules.rtol is None
        and rules.atol is None
        and not (got.is_floating_point() or expected.is_floating_point())
    ):
        return got == expected  # exactly: float64 cannot hold all large integers
    default_rtol, default_atol = _tolerances(expected)
    rtol = default_rtol if rules.rtol is None else rules.rtol
    atol = default_atol if rules.atol is None else rules.atol
    record_tensors(got, expected, rtol, atol)
    return torch.isclose(got.double(), expected.double(), rtol=rtol, atol=atol, equal_nan=True)


def _how_wrong(got: torch.Tensor, expected: torch.Tensor, wrong: torch.Tensor) -> tuple[str, Step]:
    """Describe NaN first, then infinities, then how many values are wrong and the largest error; and name the step."""
    total = got.numel()
    if count := int((got.isnan() & ~expected.isnan()).sum()):
        return f"holds NaN in {count} of {total} places", "nan"
    for infinity in (math.inf, -math.inf):
        if count := int(((got == infinity) & expected.isfinite()).sum()):
            return (
                f"holds {infinity} in {count} of {total} places, where finite numbers are expected",
                "infinity",
            )
    largest = float((got - expected)[wrong].abs().max())
    by = f", by up to {largest:.4g}" if math.isfinite(largest) else ""
    return f"is wrong in {int(wrong.sum())} of {total} places{by}", "value"


def _tolerances(expected: torch.Tensor) -> tuple[float, float]:
    """Return (rtol, atol) of torch.testing for the expected dtype, so that no result chooses its own tolerance.

    A float may match whole numbers where dtypes are not compared: to within the tolerance of float32.
    """
    return _TOLERANCES.get(expected.dtype, _TOLERANCES[torch.float32])

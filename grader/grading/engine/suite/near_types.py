"""Recognizes a right result in the wrong form: inside a tuple, as a list, as a plain number.

Nothing here guesses: the advice is given only where the value inside was compared and is right.
"""

from collections.abc import Callable

import torch

from grader.grading.engine.proxy import ForeignNumber

_MAX_DEPTH = 8
_MAX_ITEMS = 8
_ORDINALS = ("first", "second", "third", "fourth", "fifth", "sixth", "seventh", "eighth")

Right = Callable[[object, object], bool]


def form_advice(got: object, expected: object, right: Right) -> str:
    """Return what to change, where `got` holds the right value in the wrong form; else "".

    `right(one, other)` returns whether one value matches another.
    """
    if isinstance(expected, torch.Tensor):
        return _item(got, expected, right) or _numbers(got, expected, right)
    if isinstance(got, torch.Tensor) and got.numel() == 1 and not isinstance(expected, (tuple, list, dict)):
        number = got.item()
        whole = isinstance(expected, int) and isinstance(number, float) and number.is_integer()
        if right(int(number) if whole else number, expected):
            return "its value is right, so turn it into a number, with .item() for a float or int(...) for an int"
    if isinstance(got, ForeignNumber) and type(expected) in (int, float):
        whole = isinstance(expected, int) and got.plain == expected
        if whole or right(float(got.plain), expected):
            return f"its value is right, so convert it with {'int' if whole else 'float'}(...)"
    if type(expected) is int and type(got) is float and got == expected:
        return "its value is right, and // in place of / keeps whole numbers whole"
    return ""


def _item(got: object, expected: torch.Tensor, right: Right) -> str:
    """Look for the right item of a tuple such as `(out, cache)`."""
    if not isinstance(got, (tuple, list)):
        return ""
    for ordinal, item in zip(_ORDINALS, got[:_MAX_ITEMS], strict=False):
        if isinstance(item, torch.Tensor) and right(item, expected):
            return f"its {ordinal} item is right, so return only that"
    return ""


def _numbers(got: object, expected: torch.Tensor, right: Right) -> str:
    tensor = _as_tensor(got)
    if tensor is None or not right(tensor.to(expected.dtype), expected):
        return ""
    if isinstance(got, (list, tuple)):
        return "the values are right, so return them in one tensor, with torch.stack or torch.tensor"
    if isinstance(got, ForeignNumber):
        return "its value is right, so return it as a tensor: stay with torch functions"
    return "its value is right, so return it as a tensor, without .item(), float() or int()"


def _as_tensor(value: object) -> torch.Tensor | None:
    """Return nested numbers, or a list of tensors of one shape, as a tensor."""
    try:
        if isinstance(value, (list, tuple)) and value and all(type(item) is torch.Tensor for item in value):
            return torch.stack(list(value))
        return torch.tensor(value, dtype=torch.float64) if _plain(value, _MAX_DEPTH) else None
    except (ValueError, TypeError, RuntimeError, OverflowError):
        return None  # ragged, or too large: no tensor


def _plain(value: object, depth: int) -> bool:
    if isinstance(value, (list, tuple)):
        return depth > 0 and all(_plain(item, depth - 1) for item in value)
    return type(value) in (int, float, bool) or isinstance(value, ForeignNumber)

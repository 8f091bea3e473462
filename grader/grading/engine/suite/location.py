"""Says where two tensors of one shape differ: which rows, columns, channels or samples, and by what rule."""

import torch

from grader.grading.engine.suite.relation import relation

_NOUNS = {"N": "sample", "C": "channel", "H": "row", "W": "column"}
_SIDES = ("top", "bottom", "left", "right")


def locate(got: torch.Tensor, expected: torch.Tensor, wrong: torch.Tensor, axes: tuple[str, ...]) -> str:
    """Return one phrase on where `wrong` (bool) is true, and on a simple rule that relates the values, if there is one.

    `got` and `expected` are float64 of one shape. Returns "" where nothing short can be said.
    """
    phrases = [phrase for phrase in (_pattern(wrong, axes), relation(got, expected, axes)) if phrase]
    if expected.numel() > 1:
        phrases.append(_first(got, expected, wrong, axes))
    return "; ".join(phrases)


def _pattern(wrong: torch.Tensor, axes: tuple[str, ...]) -> str:
    """Name the slices that hold everything wrong, or the border; else the slices that are right."""
    if bool(wrong.all()) or len(axes) != wrong.dim():
        return ""
    name, verb = _slices(wrong, axes)
    right, _ = _slices(~wrong, axes)
    sides = _sides(wrong)
    if right and (2 * int(wrong.sum()) > wrong.numel() or not name) and _fills(~wrong):
        return f"everything but {right} is wrong"
    if sides and (len(sides) > 1 or not name):
        return "only the border is wrong" + (f", {' and '.join(sides)}" if len(sides) < 4 else "")
    return f"only {name} {verb} wrong" if name else ""


def _slices(mask: torch.Tensor, axes: tuple[str, ...]) -> tuple[str, str]:
    """Name the places on each axis that hold everything true, the innermost first; and give the verb."""
    found = []
    for axis, name in enumerate(axes):
        touched, size = _touched(mask, axis), mask.shape[axis]
        if len(touched) < size and (named := _places(touched, size, _NOUNS.get(name, name))):
            found.append((named, "are" if named.startswith("the ") and len(touched) > 1 else "is"))
    return " of ".join(named for named, _ in reversed(found)), found[-1][1] if found else ""


def _touched(mask: torch.Tensor, axis: int) -> list[int]:
    others = [other for other in range(mask.dim()) if other != axis]
    touched: list[int] = (mask.any(dim=others) if others else mask).nonzero().flatten().tolist()
    return touched


def _fills(mask: torch.Tensor) -> bool:
    """Return whether everything in the slices that `mask` touches is true."""
    count = 1
    for axis in range(mask.dim()):
        count *= len(_touched(mask, axis))
    return count == int(mask.sum())


def _places(touched: list[int], size: int, noun: str) -> str:
    """Name these places of one axis, or return "" where they follow no simple rule."""
    first, last = touched[0], touched[-1]
    if len(touched) == 1:
        return f"the {_ordinal(first, size)} {noun}"
    if touched == list(range(first, last + 1)):
        if first == 0 or last == size - 1:
            return f"the {'last' if first else 'first'} {len(touched)} {noun}s"
        return f"the {noun}s {first} to {last}"
    step = touched[1] - first
    if first < step and touched == list(range(first, size, step)):
        return f"every {_ordinal(step - 1, 0)} {noun}"
    return ""


def _ordinal(index: int, size: int) -> str:
    if index == size - 1:
        return "last"
    return {0: "first", 1: "second", 2: "third"}.get(index, f"{index + 1}th")


def _sides(wrong: torch.Tensor) -> list[str]:
    """Name the sides of the border that hold everything wrong; none where something inside is wrong."""
    if wrong.dim() < 2 or min(wrong.shape[-2:]) <= 2 or bool(wrong[..., 1:-1, 1:-1].any()):
        return []
    edges = (wrong[..., 0, 1:-1], wrong[..., -1, 1:-1], wrong[..., 1:-1, 0], wrong[..., 1:-1, -1])
    return [side for side, edge in zip(_SIDES, edges, strict=True) if bool(edge.any())]


def _first(got: torch.Tensor, expected: torch.Tensor, wrong: torch.Tensor, axes: tuple[str, ...]) -> str:
    index = tuple(wrong.nonzero()[0].tolist())
    named = ", ".join(f"{name} {n}" for name, n in zip(axes, index, strict=False)) if axes else str(index)
    return f"first at {named}: {got[index]:.6g} instead of {expected[index]:.6g}"

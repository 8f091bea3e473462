"""Says how two shapes differ: which axis has another size, is in another place, is missing, or is one too many."""

from itertools import permutations

import torch

AXES = {1: ("element",), 2: ("row", "column"), 3: ("channel", "row", "column"), 4: ("N", "C", "H", "W")}

_LAYOUTS = {
    (0, 2, 3, 1): "channels last",
    (1, 2, 0): "channels last",
    (0, 1, 3, 2): "height and width are swapped",
    (0, 2, 1): "height and width are swapped",
    (1, 0): "it is transposed",
}


def shape_difference(got: torch.Tensor, expected: torch.Tensor, axes: tuple[str, ...] | None) -> str:
    """Return one phrase on how the shape of `got` differs. A meta tensor stands for a shape without values."""
    names = axes or AXES.get(expected.dim(), ())
    if len(names) != expected.dim():
        names = tuple(f"axis {n}" for n in range(expected.dim()))
    if got.dim() != expected.dim():
        count = f"it has {_axes(got.dim())}, where {expected.dim()} {_are(expected.dim())} expected"
        detail = _ones(got, expected, names) or _joined(got, expected)
        return f"{count}: {detail}" if detail else count
    if moved := _moved(got, expected, names):
        return moved
    sizes = zip(names, got.shape, expected.shape, strict=True)
    return ", ".join(f"{name} is {size}, not {wanted}" for name, size, wanted in sizes if size != wanted)


def _axes(count: int) -> str:
    return f"{count or 'no'} {'axis' if count == 1 else 'axes'}"


def _are(count: int) -> str:
    return "is" if count == 1 else "are"


def _moved(got: torch.Tensor, expected: torch.Tensor, names: tuple[str, ...]) -> str:
    """Name the order of the axes, where `got` has the expected sizes in another order."""
    if expected.dim() not in (2, 3, 4) or sorted(got.shape) != sorted(expected.shape):
        return ""
    orders = [
        order
        for order in permutations(range(expected.dim()))
        if all(got.shape[n] == expected.shape[axis] for n, axis in enumerate(order))
    ]
    orders.sort(key=lambda order: (order not in _LAYOUTS, sum(n != axis for n, axis in enumerate(order))))
    proved = [order for order in orders if _same(got, expected.permute(order))]
    order = (proved or orders)[0]
    given, wanted = (f"({', '.join(names[axis] for axis in way)})" for way in (order, range(expected.dim())))
    described = f"its axes {'are' if proved else 'look like'} {given}, where {wanted} are expected"
    layout = f": {_LAYOUTS[order]}" if order in _LAYOUTS else ""
    return described + layout + ("; apart from that the values are right" if proved else "")


def _same(got: torch.Tensor, expected: torch.Tensor) -> bool:
    if expected.is_meta or not expected.numel():
        return False
    return torch.allclose(got.double(), expected.double(), rtol=1e-4, atol=1e-5, equal_nan=True)


def _ones(got: torch.Tensor, expected: torch.Tensor, names: tuple[str, ...]) -> str:
    """Describe axes of size 1 that are missing, or too many, where all other sizes are right."""
    if [size for size in got.shape if size != 1] != [size for size in expected.shape if size != 1]:
        return ""
    count = expected.dim() - got.dim()
    ones = [name for name, size in zip(names, expected.shape, strict=True) if size == 1]
    if count > 0:
        which = f", {' and '.join(ones)}," if len(ones) == count else ""
        what = "the axis" if count == 1 else "the axes"
        return f"{what} of size 1{which} {_are(count)} missing; keepdim=True, or unsqueeze, keeps what has size 1"
    what = "one axis" if count == -1 else f"{-count} axes"
    return f"{what} of size 1 {_are(-count)} too many; squeeze, or an index, takes it away"


def _joined(got: torch.Tensor, expected: torch.Tensor) -> str:
    if got.dim() < expected.dim() and got.numel() == expected.numel() > 1:
        return "the number of values is right, but axes are joined; reshape gives them back"
    if got.dim() == expected.dim() - 1 and got.shape == expected.shape[1:]:
        return "the first axis is missing, the others are right"
    return ""

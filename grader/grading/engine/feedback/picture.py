"""Selects the plane with the largest error of a wrong result, and reduces it to a size that can be drawn."""

import math

import torch
import torch.nn.functional as F

from grader.core.model import Picture, Plane
from grader.grading.engine.feedback.value_text import shown_in_full
from grader.grading.engine.suite.comparison import Mismatch

MAX_SIDE = 32
_MIN_SIDE = 3
_MIN_CELLS = 16  # a smaller plane is read faster as numbers, where they are all shown
_NAMES = {"N": "sample", "C": "channel"}


def picture(mismatch: Mismatch, call: str) -> Picture | None:
    """Return what to draw of two tensors of one shape, or None where a picture shows no more than the numbers."""
    got, expected = mismatch.got, mismatch.expected
    if not isinstance(got, torch.Tensor) or not isinstance(expected, torch.Tensor):
        return None
    if got.shape != expected.shape or got.dim() < 2 or (mismatch.axes[:1] == ("N",) and got.dim() < 4):
        return None  # a batch of vectors has no two spatial axes
    height, width = got.shape[-2:]
    if min(height, width) < _MIN_SIDE or (height * width < _MIN_CELLS and shown_in_full(got)):
        return None
    got64, expected64 = got.detach().double(), expected.detach().double()
    # An infinity matches itself, though inf - inf is NaN.
    errors = (got64 - expected64).masked_fill(torch.isclose(got64, expected64, equal_nan=True), 0.0)
    index = _worst(errors)
    axes = mismatch.axes or tuple(f"axis {n}" for n in range(got.dim()))
    blocks = (math.ceil(height / MAX_SIDE), math.ceil(width / MAX_SIDE))
    return Picture(
        call=call,
        plane=", ".join(f"{_NAMES.get(axis, axis)} {n}" for axis, n in zip(axes, index, strict=False)),
        height=height,
        width=width,
        block_height=blocks[0],
        block_width=blocks[1],
        expected=_rows(_means(expected64[index], blocks)),
        got=_rows(_means(got64[index], blocks)),
        difference=_rows(_extremes(errors[index], blocks)),
    )


def _worst(errors: torch.Tensor) -> tuple[int, ...]:
    """Return the index of the plane with the largest error; of NaN and infinities, that with most of them."""
    planes = errors.flatten(-2)
    wild = ~planes.isfinite()
    size = wild.sum(-1) if bool(wild.any()) else planes.abs().amax(-1)
    return tuple(int(n) for n in torch.unravel_index(size.argmax(), size.shape)) if size.dim() else ()


def _means(plane: torch.Tensor, blocks: tuple[int, int]) -> torch.Tensor:
    """Average over blocks; a block at the edge, over the part inside the plane."""
    return F.avg_pool2d(plane[None, None], blocks, ceil_mode=True)[0, 0]


def _extremes(plane: torch.Tensor, blocks: tuple[int, int]) -> torch.Tensor:
    highest, lowest = (F.max_pool2d(p[None, None], blocks, ceil_mode=True)[0, 0] for p in (plane, -plane))
    return torch.where(highest.abs() >= lowest.abs(), highest, -lowest)


def _rows(plane: torch.Tensor) -> Plane:
    return tuple(tuple(_rounded(value) for value in row) for row in plane.tolist())


def _rounded(value: float) -> float | None:
    return float(f"{value:.4g}") if math.isfinite(value) else None

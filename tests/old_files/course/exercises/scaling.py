"""Scaling: the miniature exercise of the engine's own tests."""

import torch
from torch import nn


def double(x: torch.Tensor) -> torch.Tensor:
    """Return twice `x`, any shape."""
    raise NotImplementedError


def total(x: torch.Tensor, start: float = 0.0) -> float:
    """Return the sum of `x` and `start`, as a float."""
    raise NotImplementedError


class Scale(nn.Module):
    """Multiplies by a learnable factor, 3 at first, and counts its calls in the buffer `calls`."""

    def __init__(self) -> None:
        super().__init__()
        raise NotImplementedError

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return `x` times the factor."""
        raise NotImplementedError

"""Reference of the miniature exercise."""

import torch
from torch import nn


def double(x: torch.Tensor) -> torch.Tensor:
    """Return twice `x`."""
    return 2 * x


def total(x: torch.Tensor, start: float = 0.0) -> float:
    """Return the sum of `x` and `start`."""
    return float(x.sum()) + start


class Scale(nn.Module):
    """Multiplies by a learnable factor."""

    def __init__(self) -> None:
        super().__init__()
        self.factor = nn.Parameter(torch.tensor(3.0))
        self.register_buffer("calls", torch.tensor(0))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return `x` times the factor."""
        if self.training:
            self.calls += 1
        return self.factor * x

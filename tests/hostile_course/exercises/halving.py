"""Halving: what hostile submissions attack."""

import torch


def halve(x: torch.Tensor) -> torch.Tensor:
    """Return half of `x`, any shape."""
    raise NotImplementedError


def largest(x: torch.Tensor) -> float:
    """Return the largest element of `x`."""
    raise NotImplementedError

"""Reference. What hostile submissions look for stands in every file of this course: CANARY-OF-THE-COURSE."""

import torch


def halve(x: torch.Tensor) -> torch.Tensor:
    """Return half of `x`."""
    return x / 2


def largest(x: torch.Tensor) -> float:
    """Return the largest element of `x`."""
    return float(x.max())

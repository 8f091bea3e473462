"""Reference: CANARY-OF-THE-COURSE."""

import torch


def shift(x: torch.Tensor, by: float = 1.0) -> torch.Tensor:
    """Return `x` plus `by`."""
    return x + by

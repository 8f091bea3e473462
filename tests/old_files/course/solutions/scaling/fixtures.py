"""Runs beside the student's code."""

import torch


def ones(count: int) -> torch.Tensor:
    """Return `count` ones."""
    return torch.ones(count)


def run_twice(model: torch.nn.Module, x: torch.Tensor) -> torch.Tensor:
    """Run a model twice; return the second result."""
    model(x)
    return model(x)

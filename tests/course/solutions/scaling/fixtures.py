"""Runs beside the student's code."""

import torch


def ones(count: int) -> torch.Tensor:
    """Return `count` ones."""
    return torch.ones(count)


def run_twice(model: torch.nn.Module, x: torch.Tensor) -> torch.Tensor:
    """Run a model twice; return the second result."""
    model(x)
    return model(x)


def keeps_buffers(model: torch.nn.Module, x: torch.Tensor) -> bool:
    """Tell whether the buffers of a model are the same tensors after a call."""
    before = dict(model.named_buffers())
    model(x)
    return all(before[name] is buffer for name, buffer in model.named_buffers())

"""Looks at a student's layer from beside it: what a call from outside cannot ask of a module."""

import torch
from torch import nn


def to_float64(layer: nn.Module) -> nn.Module:
    """Convert the parameters and buffers of a layer to float64, in place, and return the layer."""
    return layer.double()


def call_without_gradients(layer: nn.Module, x: torch.Tensor) -> torch.Tensor:
    """Run a layer under `torch.no_grad()`, in the mode it is in."""
    with torch.no_grad():
        return layer(x)


def not_none(layer: nn.Module) -> list[str]:
    """Name those of weight and bias that the layer has, and that are not None."""
    return [name for name in ("weight", "bias") if getattr(layer, name, None) is not None]


def buffers_in_graph(layer: nn.Module) -> list[str]:
    """Name the buffers that are still joined to the graph of an earlier batch."""
    return [name for name, buffer in layer.named_buffers() if buffer.requires_grad]

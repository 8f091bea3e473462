"""Reference of `relu`: activations from elementary operations."""

import math

import torch


def relu(x: torch.Tensor) -> torch.Tensor:
    """Return max(0, x) elementwise."""
    # clamp keeps NaN, where a comparison with 0 would turn it into 0.
    return x.clamp(min=0)


def relu_backward(grad_output: torch.Tensor, x: torch.Tensor) -> torch.Tensor:
    """Return grad_output where x > 0, and 0 elsewhere."""
    return torch.where(x > 0, grad_output, torch.zeros_like(grad_output))


def leaky_relu(x: torch.Tensor, negative_slope: float = 0.01) -> torch.Tensor:
    """Return x where x > 0, and negative_slope * x elsewhere."""
    return torch.where(x > 0, x, negative_slope * x)


def elu(x: torch.Tensor, alpha: float = 1.0) -> torch.Tensor:
    """Return x where x > 0, and alpha * (exp(x) - 1) elsewhere."""
    # Both branches are computed everywhere, and in the backward pass too: without the clamp, exp(1000) = inf
    # would put NaN into the gradient even though `where` does not choose it.
    return torch.where(x > 0, x, alpha * torch.expm1(x.clamp(max=0)))


def gelu(x: torch.Tensor) -> torch.Tensor:
    """Return x * Phi(x), exactly."""
    return 0.5 * x * (1 + torch.erf(x / math.sqrt(2)))


def dead_fraction(pre_activations: torch.Tensor) -> float:
    """Return the share of units that are <= 0 for every sample and position."""
    units = pre_activations.transpose(0, 1).flatten(1)
    return (units <= 0).all(dim=1).double().mean().item()

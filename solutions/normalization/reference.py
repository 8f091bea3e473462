"""Reference of `normalization`: one formula, three choices of axes."""

from collections.abc import Sequence

import torch


def layer_norm(
    x: torch.Tensor,
    normalized_shape: Sequence[int],
    weight: torch.Tensor | None = None,
    bias: torch.Tensor | None = None,
    eps: float = 1e-5,
) -> torch.Tensor:
    """Normalize each sample over its last len(normalized_shape) axes."""
    axes = tuple(range(-len(normalized_shape), 0))
    return scale_and_shift(normalize(x, axes, eps), weight, bias)


def instance_norm(
    x: torch.Tensor,
    weight: torch.Tensor | None = None,
    bias: torch.Tensor | None = None,
    eps: float = 1e-5,
) -> torch.Tensor:
    """Normalize each channel of each image, (N, C, H, W), over height and width."""
    return scale_and_shift(normalize(x, (2, 3), eps), per_channel(weight), per_channel(bias))


def group_norm(
    x: torch.Tensor,
    num_groups: int,
    weight: torch.Tensor | None = None,
    bias: torch.Tensor | None = None,
    eps: float = 1e-5,
) -> torch.Tensor:
    """Normalize each group of C / num_groups neighboring channels of each image, (N, C, H, W)."""
    # (N, G, C / G, H, W): the axis is split from the left, which keeps neighboring channels together.
    grouped = x.unflatten(1, (num_groups, -1))
    result = normalize(grouped, (2, 3, 4), eps).reshape(x.shape)
    return scale_and_shift(result, per_channel(weight), per_channel(bias))


def normalize(x: torch.Tensor, axes: tuple[int, ...], eps: float) -> torch.Tensor:
    """Move x to mean 0 and variance 1 over these axes. Mean and variance depend on x, and stay in the graph."""
    mean = x.mean(dim=axes, keepdim=True)
    var = x.var(dim=axes, correction=0, keepdim=True)
    return (x - mean) / torch.sqrt(var + eps)


def scale_and_shift(x: torch.Tensor, weight: torch.Tensor | None, bias: torch.Tensor | None) -> torch.Tensor:
    """Multiply by weight and add bias, where they are given."""
    x = x if weight is None else x * weight
    return x if bias is None else x + bias


def per_channel(values: torch.Tensor | None) -> torch.Tensor | None:
    """View (C,) as (C, 1, 1), so that it spreads over (N, C, H, W)."""
    return None if values is None else values.view(-1, 1, 1)

"""Reference of `convolution`: windows by unfold, then one sum of products."""

import torch


def zero_pad2d(x: torch.Tensor, padding: int) -> torch.Tensor:
    """Return x with a border of zeros: (N, C, H, W) -> (N, C, H + 2 * padding, W + 2 * padding)."""
    n, c, h, w = x.shape
    padded = x.new_zeros(n, c, h + 2 * padding, w + 2 * padding)
    # From padding to padding + h, not to -padding: 0:-0 would be empty.
    padded[:, :, padding : padding + h, padding : padding + w] = x
    return padded


def conv2d(
    x: torch.Tensor,
    weight: torch.Tensor,
    bias: torch.Tensor | None = None,
    stride: int = 1,
    padding: int = 0,
) -> torch.Tensor:
    """Return the cross-correlation of x with each filter: (N, C, H, W) -> (N, C_out, H', W')."""
    k_h, k_w = weight.shape[2:]
    # unfold drops a window that does not fit entirely, which is the floor of the size formula.
    windows = zero_pad2d(x, padding).unfold(2, k_h, stride).unfold(3, k_w, stride)  # (N, C, H', W', K_h, K_w)
    result = torch.einsum("nchwij,ocij->nohw", windows, weight)
    return result if bias is None else result + bias[:, None, None]  # (C_out, 1, 1): one bias for each filter

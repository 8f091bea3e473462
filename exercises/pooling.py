"""Pooling by hand: downsample a feature map by the largest value, or the mean, of each window.

Notes: section 4. Work on x of shape (N, C, H, W); every channel of every image is pooled on its own. torch's
own pooling is switched off here; indexing, unfold, amax, mean and F.pad are yours to use.

Where the notes fall short: LeCun's original LeNet pooled by averages, and AlexNet's windows overlap (K=3,
S=2), so `K=2, S=2` is one choice among others. Pooling has no parameters: it learns nothing.
"""

import torch


def max_pool2d(
    x: torch.Tensor, kernel_size: int, stride: int | None = None, padding: int = 0
) -> torch.Tensor:
    """Return the largest value of each window of kernel_size x kernel_size.

    x: (N, C, H, W), any float dtype. Result: (N, C, H', W') of the same dtype, with
    H' = (H + 2 * padding - kernel_size) // stride + 1, and W' likewise: a window that sticks out is dropped.
    `stride` is the step from window to window; None means kernel_size. Windows may overlap, or leave gaps.
    Padding must never win: it counts as minus infinity. Gradients flow to where the maximum was.

    Example, by hand: rows [1, 5, 2] and [3, 4, 9], kernel 2, stride 1 give [5, 9].
    """
    raise NotImplementedError


def avg_pool2d(
    x: torch.Tensor, kernel_size: int, stride: int | None = None, padding: int = 0
) -> torch.Tensor:
    """Return the mean of each window; shapes, stride and dtype as in max_pool2d.

    Padding counts as zeros, and the divisor is always kernel_size * kernel_size, as in torch by default.

    Example, by hand: the window [[4, 0], [0, 0]] has the mean 1.
    """
    raise NotImplementedError


def global_avg_pool2d(x: torch.Tensor) -> torch.Tensor:
    """Return the mean of each channel over all its positions.

    x: (N, C, H, W). Result: (N, C, 1, 1), as nn.AdaptiveAvgPool2d(1) gives it.

    Source: Lin, Chen & Yan 2013, "Network in network", section 3.2.
    """
    raise NotImplementedError

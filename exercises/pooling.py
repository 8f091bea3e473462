"""Pooling by hand: downsample a feature map by the largest value, or the mean, of each window.

Notes: section 4. Work on x of shape (N, C, H, W); every channel of every image is pooled on its own. torch's
own pooling is switched off here; indexing, unfold, amax, mean and F.pad are yours to use. A batch holds at least
one image, which need not be contiguous (reshape takes any tensor, view does not), and the kernel fits into the
padded image. Gradients flow through all three, and none changes x.

Where the notes stop short, and you must not:

- They say that LeNet and AlexNet pool with K=2, S=2. LeCun's LeNet pooled by averages, and AlexNet's windows
  overlap (K=3, S=2): kernel and stride are two numbers, and neither needs to divide the image's sides.
- They say nothing of padding. What is padded must not change the result: it is minus infinity for a maximum,
  and zero for a mean, where it still counts in the divisor.
- Pooling has no parameters: it learns nothing.
"""

import torch


def max_pool2d(
    x: torch.Tensor, kernel_size: int, stride: int | None = None, padding: int = 0
) -> torch.Tensor:
    """Return the largest value of each window of kernel_size x kernel_size.

    x: (N, C, H, W), any float dtype. Result: (N, C, H', W') of the same dtype, with
    H' = (H + 2 * padding - kernel_size) // stride + 1, and W' likewise: a window that sticks out is dropped.
    `stride` is the step from window to window; None means kernel_size. Windows may overlap, or leave gaps.
    Padding must never win: it counts as minus infinity, below every finite number, and is at most kernel_size // 2,
    as torch demands. A window that holds NaN gives NaN.
    Return the values alone. Gradients flow to where the maximum was.

    Example, by hand: rows [1, 5, 2] and [3, 4, 9], kernel 2, stride 1 give [5, 9]. With stride None, or 2, the
    second window would stick out, and the result is [5].

    Source: the section on max pooling of the notes; torch's documentation of nn.MaxPool2d.
    """
    raise NotImplementedError


def avg_pool2d(
    x: torch.Tensor, kernel_size: int, stride: int | None = None, padding: int = 0
) -> torch.Tensor:
    """Return the mean of each window; shapes, stride and dtype as in max_pool2d.

    Padding counts as zeros, and the divisor is always kernel_size * kernel_size, as in torch by default.
    A window that holds NaN gives NaN, and no other does.

    Example, by hand: the window [[4, 0], [0, 0]] has the mean 1. A pixel 4 alone, with kernel 2, stride 1 and
    padding 1, gives [[1, 1], [1, 1]].

    Source: LeCun et al. 1998, where LeNet pools like this; torch's documentation of nn.AvgPool2d.
    """
    raise NotImplementedError


def global_avg_pool2d(x: torch.Tensor) -> torch.Tensor:
    """Return the mean of each channel over all its positions.

    x: (N, C, H, W). Result: (N, C, 1, 1) of the same dtype, as nn.AdaptiveAvgPool2d(1) gives it.

    Example, by hand: one image of two channels, [[1, 2, 3]] and [[-1, 0, 4]], gives [[[[2]], [[1]]]].

    Source: Lin, Chen & Yan 2013, "Network in network", section 3.2.
    """
    raise NotImplementedError

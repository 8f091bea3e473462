"""Reference of `pooling`: windows by unfold, then one reduction.

Why it is written this way:

- Both pools are the same walk over windows, followed by another reduction. The walk is written once.
- `unfold` does not copy: it is a view in which neighboring windows share their pixels. It works for every stride,
  overlapping or with gaps; cutting the image into blocks with reshape works for one stride, and for sizes that divide.
- Padding needs the value that never changes the result: minus infinity for a maximum, 0 for a sum. Zeros would win
  against negative activations, silently, along the border only.
- The mean divides by kernel_size ** 2 always, padding included, as torch does unless count_include_pad=False.
- Nothing leaves torch and nothing is written into, so autograd finds its own way back: to the winner of each window
  for the maximum, to all of its pixels alike for the mean.
"""

import torch
import torch.nn.functional as F


def _windows(
    x: torch.Tensor, kernel_size: int, stride: int | None, padding: int, fill: float
) -> torch.Tensor:
    """Return the windows of x, (N, C, H, W), as (N, C, H', W', kernel_size, kernel_size)."""
    step = kernel_size if stride is None else stride
    padded = F.pad(x, (padding, padding, padding, padding), value=fill)
    # unfold drops a window that does not fit entirely, which is the floor of the size formula.
    return padded.unfold(2, kernel_size, step).unfold(3, kernel_size, step)


def max_pool2d(
    x: torch.Tensor, kernel_size: int, stride: int | None = None, padding: int = 0
) -> torch.Tensor:
    """Return the largest value of each window."""
    # Minus infinity is neutral for max, as 0 is for a sum: a padded pixel never wins, not even among negatives.
    # max over one flat axis sends the gradient to one winner of a tie, as torch's pooling does; amax shares it.
    return _windows(x, kernel_size, stride, padding, float("-inf")).flatten(-2).max(dim=-1).values


def avg_pool2d(
    x: torch.Tensor, kernel_size: int, stride: int | None = None, padding: int = 0
) -> torch.Tensor:
    """Return the mean of each window, zeros of the padding included."""
    return _windows(x, kernel_size, stride, padding, 0.0).mean(dim=(-2, -1))


def global_avg_pool2d(x: torch.Tensor) -> torch.Tensor:
    """Return the mean of each channel, as (N, C, 1, 1)."""
    return x.mean(dim=(2, 3), keepdim=True)

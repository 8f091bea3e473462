"""Batch normalization in the steps of the paper, without torch's own operator.

Why it is written this way:

- Each step of the paper is one method, in its order: statistics, normalize, scale and shift.
- Statistics are kept as (C,), as torch keeps them, and viewed as (1, C, 1, 1) only where they meet the batch. One wrong
  view is the commonest mistake here, so it is written once, in `per_channel`.
- Two variances on purpose: the batch is all there is when it is normalized (divide by n), and a sample of what will
  come when it is kept (divide by n - 1). With one value per channel the second does not exist, hence the ValueError.
- eps stands under the root: outside it would do next to nothing where it is needed, near variance 0.
- The batch's mean and variance stay in the graph, since each value moves them; the running ones leave it, or every past
  batch would stay in memory. They are written with copy_, so that the buffers remain the same tensors.
- self.training alone decides. no_grad is about memory, and a layer may well be evaluated with gradients.
"""

import torch
from torch import nn


class BatchNorm2d(nn.Module):
    """Normalize each channel of an image batch (N, C, H, W). Ioffe and Szegedy 2015, algorithms 1 and 2."""

    def __init__(
        self, num_features: int, eps: float = 1e-5, momentum: float = 0.1, affine: bool = True
    ) -> None:
        super().__init__()
        self.eps = eps
        self.momentum = momentum
        self.weight = nn.Parameter(torch.ones(num_features)) if affine else None
        self.bias = nn.Parameter(torch.zeros(num_features)) if affine else None
        # Buffers are saved, loaded and converted with the layer, but no optimizer ever sees them.
        self.register_buffer("running_mean", torch.zeros(num_features))
        self.register_buffer("running_var", torch.ones(num_features))
        self.register_buffer("num_batches_tracked", torch.tensor(0))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return the normalized batch, (N, C, H, W). Raises ValueError where one value has no variance."""
        mean, var = self._statistics(x)
        return self._scale_and_shift(self._normalize(x, mean, var))

    def _statistics(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Return the mean and variance to normalize with, both (C,); in training, keep track of them."""
        if not self.training:
            return self.running_mean, self.running_var
        count = x.numel() // x.shape[1]
        if count == 1:
            raise ValueError(f"Training needs more than one value per channel, got {tuple(x.shape)}.")
        mean, var = self._of_batch(x)
        self._track(mean, var, count)
        return mean, var

    def _of_batch(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Return mean and biased variance of each channel; they stay in the graph, since they depend on x."""
        return x.mean(dim=(0, 2, 3)), x.var(dim=(0, 2, 3), correction=0)

    @torch.no_grad()  # the buffers must not drag the graph of every past batch behind them
    def _track(self, mean: torch.Tensor, var: torch.Tensor, count: int) -> None:
        """Move the running statistics one step towards those of a batch with `count` values per channel."""
        # A batch is a sample: its variance is too small on average when divided by n, and right by n - 1.
        unbiased = var * count / (count - 1)
        self.running_mean.copy_((1 - self.momentum) * self.running_mean + self.momentum * mean)
        self.running_var.copy_((1 - self.momentum) * self.running_var + self.momentum * unbiased)
        self.num_batches_tracked += 1

    def _normalize(self, x: torch.Tensor, mean: torch.Tensor, var: torch.Tensor) -> torch.Tensor:
        """Move each channel by its mean, and divide it by its standard deviation."""
        return (x - per_channel(mean)) / torch.sqrt(per_channel(var) + self.eps)

    def _scale_and_shift(self, x: torch.Tensor) -> torch.Tensor:
        """Let the network choose another mean and scale, where it may."""
        if self.weight is None:
            return x
        return x * per_channel(self.weight) + per_channel(self.bias)


def per_channel(values: torch.Tensor) -> torch.Tensor:
    """View (C,) as (1, C, 1, 1), so that it spreads over (N, C, H, W)."""
    return values.view(1, -1, 1, 1)

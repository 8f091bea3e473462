"""Batch normalization by hand: build the layer `BatchNorm2d`.

A channel whose values are large, or far from zero, makes the next layer hard to train. Batch normalization
moves every channel to mean 0 and variance 1, and then lets the network choose another mean and scale itself:

    y = weight * (x - mean) / sqrt(var + eps) + bias

There is one mean, one variance, one weight and one bias for each channel.

Where the notes (section 7.1) stop short, and you must not:

- Their formula has no eps. A channel that holds one value everywhere has variance 0, and 0 / 0 is NaN.
- "Batch mean" means: per channel, over the batch AND over height and width, (N, H, W) of (N, C, H, W).
- They do not say that the layer behaves differently in evaluation. One image alone has no batch to be
  compared with, so the layer keeps running statistics while it trains, and uses those in evaluation.
- Their test, `y.mean()` near 0 and `y.std()` near 1, is passed by a layer that does nothing, because
  `torch.randn` has that mean and deviation already. Try your layer on `5 + 3 * torch.randn(4, 8, 32, 32)`.

Source: Ioffe and Szegedy 2015, algorithms 1 and 2; section 7.1 of the notes.
"""

import torch
from torch import nn


class BatchNorm2d(nn.Module):
    """Normalize each channel of an image batch, as `torch.nn.BatchNorm2d` does.

    Args:
        num_features: the number of channels C.
        eps: the small number added to the variance, under the square root.
        momentum: the weight of the NEW batch in the running statistics.
        affine: whether there is a learned weight and bias.

    What the layer holds, with these names, so that its `state_dict` fits torch's layer:

        weight               parameter, (C,), starts at 1; None when affine is False
        bias                 parameter, (C,), starts at 0; None when affine is False
        running_mean         buffer, (C,), starts at 0
        running_var          buffer, (C,), starts at 1
        num_batches_tracked  buffer, one whole number (int64), starts at 0

    A buffer is part of the state but is not learned: look up `self.register_buffer`.
    """

    def __init__(
        self, num_features: int, eps: float = 1e-5, momentum: float = 0.1, affine: bool = True
    ) -> None:
        super().__init__()
        self.num_features = num_features
        self.eps = eps
        self.momentum = momentum
        self.affine = affine
        raise NotImplementedError  # parameters and buffers go here

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return the normalized batch; x and the result are (N, C, H, W), of the layer's dtype. Do not change x.

        x may be a view whose numbers lie in another order in memory, and its values may be far from zero.

        In training (`self.training` is true), for each channel with n = N * H * W values:

        1. mean and var are those of this batch; this var divides by n (the biased one).
        2. The result is weight * (x - mean) / sqrt(var + eps) + bias. Gradients flow through mean and var.
        3. The running statistics take one step towards the batch, outside the graph:

               running = (1 - momentum) * running + momentum * batch

           Write it into the buffers in place: another tensor under the same name, or as `.data`, is not enough,
           since other programs may hold the first. Here the batch's variance divides by n - 1 (the unbiased one):
           torch has two variances on purpose. And momentum weighs the new batch; in Keras and CS231n it weighs the
           old. It may be any number from 0 to 1.
        4. num_batches_tracked grows by one.

        In evaluation, mean and var are running_mean and running_var, and no buffer changes; eps, weight and bias do
        what they do in training, and a single value per channel is welcome. `self.training` alone
        decides between the two: under `torch.no_grad()` a layer in training mode still trains its statistics,
        and a layer in evaluation may be asked for gradients. Return the batch alone, not the statistics.

        A worked channel, with fresh statistics and momentum 0.1:

            values 1, 3, 5, 7 -> mean 4; squared distances 9, 1, 1, 9, together 20
            biased variance   20 / 4 = 5         -> the value 1 becomes (1 - 4) / sqrt(5) = -1.3416
            running_mean      0.9 * 0 + 0.1 * 4  = 0.4
            unbiased variance 20 / 3 = 6.6667    -> running_var 0.9 * 1 + 0.1 * 6.6667 = 1.5667

        torch's layer refuses a single value per channel in training (n = 1), and no check of this exercise
        gives you one, nor an empty batch.
        """
        raise NotImplementedError

"""Normalize without the batch, by hand: layer, instance and group normalization.

Like batch normalization, all three move numbers to mean 0 and variance 1, and then let the network choose
another mean and scale:

    y = weight * (x - mean) / sqrt(var + eps) + bias

They differ in one thing: over which numbers of x, (N, C, H, W), one mean and one variance are taken.

                over the numbers of                           how many means   weight and bias
    batch       one channel, in all images: N, H, W           C                (C,)
    layer       one sample, with all channels: C, H, W        N                (C, H, W)
    instance    one channel of one image: H, W                N * C            (C,)
    group       C / G neighboring channels of one image      N * G            (C,)

So one group is layer normalization, and C groups are instance normalization, but for weight and bias. None of
the three looks at other images: they need no running statistics, do the same in training and in evaluation,
and work on a batch of one image.

Where the notes (section 7.2) stop short, and you must not:

- "Within each sample" hides the axes. In a transformer, layer normalization runs over the last axis, the
  features of one token. On images, as here, it runs over C, H and W together, and not over rows of pixels.
- Their formula has no eps, which stands under the root: where all numbers are the same, the variance is 0, and
  the result must be 0 (before weight and bias), not 0 / 0 = NaN.
- The variance is the biased one, which divides by n. `torch.var` divides by n - 1 unless you tell it otherwise.
- Numbers may be far from 0. Subtract the mean before you square: in float32, mean(x ** 2) - mean ** 2 has no digits
  left where the mean is 10 000. And a number that is missing (NaN) stays missing: its whole stretch becomes NaN.

torch's own normalizations are switched off here; mean, var, reshape and arithmetic are yours to use. In the
checks every mean is over two numbers or more, all arguments of a call have one float dtype, whichever, and eps may be
any number from 0 up.
"""

from collections.abc import Sequence

import torch


def layer_norm(
    x: torch.Tensor,
    normalized_shape: Sequence[int],
    weight: torch.Tensor | None = None,
    bias: torch.Tensor | None = None,
    eps: float = 1e-5,
) -> torch.Tensor:
    """Normalize each sample over the last axes of x, which `normalized_shape` names by their sizes.

    x: (N, C, H, W) with normalized_shape (C, H, W) for images; or (N, L, D) with (D,) for tokens; always the
    last len(normalized_shape) axes, however many. weight and bias: of shape normalized_shape, one number for each
    place; None means 1 and 0. Result: shape and dtype of x. Gradients flow through mean and variance. No argument
    is changed.

    Example, by hand: a sample of two channels, [[1, 3]] and [[5, 7]], has the mean 4 and the variance
    (9 + 1 + 1 + 9) / 4 = 5, so its 1 becomes (1 - 4) / sqrt(5) = -1.3416.

    Source: Ba, Kiros & Hinton 2016, "Layer normalization", section 3.
    """
    raise NotImplementedError


def instance_norm(
    x: torch.Tensor,
    weight: torch.Tensor | None = None,
    bias: torch.Tensor | None = None,
    eps: float = 1e-5,
) -> torch.Tensor:
    """Normalize each channel of each image by itself, over height and width.

    x: (N, C, H, W). weight and bias: (C,), one number for each channel; None means 1 and 0. Result: shape and
    dtype of x. Gradients flow through mean and variance. No argument is changed.

    torch's function has four more arguments (running_mean, running_var, use_input_stats, momentum), which are
    hardly ever used, and are left out here.

    Example, by hand: the channel [[1, 3]] has the mean 2 and the variance 1, and becomes [[-1, 1]].

    Source: Ulyanov, Vedaldi & Lempitsky 2016, "Instance normalization: the missing ingredient for fast stylization".
    """
    raise NotImplementedError


def group_norm(
    x: torch.Tensor,
    num_groups: int,
    weight: torch.Tensor | None = None,
    bias: torch.Tensor | None = None,
    eps: float = 1e-5,
) -> torch.Tensor:
    """Normalize each group of neighboring channels of each image, over these channels, height and width.

    x: (N, C, H, W), where num_groups divides C. With 6 channels, 2 groups are the channels 0 1 2 and 3 4 5.
    weight and bias: (C,), one number for each channel, not for each group; None means 1 and 0. Result: shape and
    dtype of x. Gradients flow through mean and variance. No argument is changed.

    Example, by hand: four channels of one pixel, 1, 3, 10 and 30, in 2 groups: the means are 2 and 20, the
    variances 1 and 100, so the result is -1, 1, -1, 1.

    Source: Wu & He 2018, "Group normalization", section 3.
    """
    raise NotImplementedError

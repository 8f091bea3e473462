"""Activations: what a network does between two linear maps, and what flows back through it.

Notes: section 5. Write each function from elementary operations (where, maximum, exp, erf, ...); torch's own
relu, leaky_relu, elu and gelu are switched off here, forwards and backwards. Any shape, any float dtype: the
result has both of `x`. No function changes its arguments, and gradients flow through all of them.

Where the notes stop short, and you must not:

- They say that ReLU avoids saturation. It does for positive inputs only: its gradient is zero for all others,
  which is how a unit dies.
- They name LeakyReLU, ELU and GELU without a formula, and libraries differ in their defaults. Here everything
  is as in torch, and the docstrings say what that is.
- They say that a network without activations is linear. That holds if it has no max pooling, which is not
  linear itself.
- Their example prints tensor([[0.0000, 0.5000, 2.0000]]) in truth, with four digits.
"""

import math  # noqa: F401 - you may need it

import torch


def relu(x: torch.Tensor) -> torch.Tensor:
    """Return max(0, x) for every element, in a new tensor: `x` itself stays as it is. NaN stays NaN.

    Example, by hand: [-2, 0, 3] becomes [0, 0, 3].

    Source: Nair & Hinton 2010, "Rectified linear units improve restricted Boltzmann machines".
    """
    raise NotImplementedError


def relu_backward(grad_output: torch.Tensor, x: torch.Tensor) -> torch.Tensor:
    """Return the gradient of a loss with respect to `x`, given its gradient with respect to relu(x).

    This is the chain rule: pass `grad_output` on where relu has slope 1, and nothing where it has slope 0.
    At x = 0 both slopes could be argued for; torch takes 0, and so do we. Change neither argument.

    Example, by hand: grad_output [5, 5, 5] and x [-1, 0, 2] give [0, 0, 5].
    """
    raise NotImplementedError


def leaky_relu(x: torch.Tensor, negative_slope: float = 0.01) -> torch.Tensor:
    """Return x where x > 0, and negative_slope * x elsewhere, for any slope, also above 1 or below 0.

    The "negative slope" is the slope for negative x; it is usually a small positive number.

    Example, by hand: [-2, 3] with slope 0.1 becomes [-0.2, 3], and with slope 1.5 it becomes [-3, 3].

    Source: Maas, Hannun & Ng 2013, "Rectifier nonlinearities improve neural network acoustic models".
    """
    raise NotImplementedError


def elu(x: torch.Tensor, alpha: float = 1.0) -> torch.Tensor:
    """Return x where x > 0, and alpha * (exp(x) - 1) elsewhere. Finite for every finite x, 1000 included.

    Example, by hand: [-1, 0, 2] with alpha 1 becomes [-0.6321, 0, 2], since exp(-1) = 0.3679. Very negative
    values come close to -alpha. The gradient is finite for every finite x too.

    Source: Clevert, Unterthiner & Hochreiter 2015, "Fast and accurate deep network learning by ELUs".
    """
    raise NotImplementedError


def gelu(x: torch.Tensor) -> torch.Tensor:
    """Return x * Phi(x), where Phi is the distribution function of the standard normal: the exact form.

    Phi(x) = (1 + erf(x / sqrt(2))) / 2. The forms with tanh (GPT-2) or sigmoid (QuickGELU) are approximations
    of it, up to 0.0005 and 0.02 off. They earn the point for the shape of the curve, and not the one for exactness.

    Example: Phi(2) is 0.97725, so 2 becomes 1.9545; and -1 becomes -0.1587.

    Source: Hendrycks & Gimpel 2016, "Gaussian error linear units", section 2.
    """
    raise NotImplementedError


def dead_fraction(pre_activations: torch.Tensor) -> float:
    """Return which share of the units is dead on this batch: a float between 0 and 1.

    `pre_activations` are values before relu: (N, F), where each of the F columns is one unit, or (N, C, H, W),
    where each of the C channels is one unit. A unit is dead when all its values are <= 0, over the whole batch
    and, for images, over all positions: relu then gives 0, and no gradient, everywhere. So the result is the
    number of dead units divided by F or C.

    Example, by hand: [[-1, 2, 0], [-3, -1, 0]] has the units [-1, -3], [2, -1] and [0, 0]; two of three are dead.
    Images of 3 channels in which a single position of channel 0 is positive, and nothing else, give 2/3 too.

    Source: Lu, Shin, Su & Karniadakis 2019, "Dying ReLU and initialization", section 1.
    """
    raise NotImplementedError

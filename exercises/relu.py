"""Activations: what a network does between two linear maps, and what flows back through it.

Notes: section 5. Write each function from elementary operations (where, maximum, exp, erf, ...); torch's own
relu, leaky_relu, elu and gelu are switched off here. Any shape, any float dtype: the result has both of `x`.

Two places where the notes are short of the truth: ReLU avoids saturation for positive inputs only, its
gradient is zero for all others, which is how a unit dies; and `print(relu(x))` shows -0.0 or 0.0 as `0.`.
"""

import math  # noqa: F401 - you may need it

import torch


def relu(x: torch.Tensor) -> torch.Tensor:
    """Return max(0, x) for every element, in a new tensor: `x` itself stays as it is. NaN stays NaN.

    Example, by hand: [-2, 0, 3] becomes [0, 0, 3].
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
    """Return x where x > 0, and negative_slope * x elsewhere, for any slope.

    Example, by hand: [-2, 3] with slope 0.1 becomes [-0.2, 3].

    Source: Maas, Hannun & Ng 2013, "Rectifier nonlinearities improve neural network acoustic models".
    """
    raise NotImplementedError


def elu(x: torch.Tensor, alpha: float = 1.0) -> torch.Tensor:
    """Return x where x > 0, and alpha * (exp(x) - 1) elsewhere. Finite for every finite x, 1000 included.

    Example, by hand: 0 stays 0 for every alpha; very negative values come close to -alpha.

    Source: Clevert, Unterthiner & Hochreiter 2015, "Fast and accurate deep network learning by ELUs".
    """
    raise NotImplementedError


def gelu(x: torch.Tensor) -> torch.Tensor:
    """Return x * Phi(x), where Phi is the distribution function of the standard normal: the exact form.

    Phi(x) = (1 + erf(x / sqrt(2))) / 2. The forms with tanh or sigmoid are approximations of it.

    Source: Hendrycks & Gimpel 2016, "Gaussian error linear units", section 2.
    """
    raise NotImplementedError


def dead_fraction(pre_activations: torch.Tensor) -> float:
    """Return which share of the units is dead on this batch: a float between 0 and 1.

    `pre_activations`: (N, F), or (N, C, H, W) where each channel is one unit. A unit is dead when its
    pre-activation is <= 0 for every sample (and every position): relu then gives 0, and no gradient, everywhere.

    Example, by hand: [[-1, 2, 0], [-3, -1, 0]] has the units [-1, -3], [2, -1] and [0, 0]; two of three are dead.
    """
    raise NotImplementedError

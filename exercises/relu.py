"""Activations: what a network does between two linear maps, and what flows back through it.

Notes: section 5. Write each function from elementary operations (where, maximum, exp, erf, ...); torch's own
relu, leaky_relu, elu and gelu are switched off here, forwards and backwards. Any shape, any float dtype: the
result has both of `x`. No function changes its arguments, and gradients flow through all of them.

Where the notes are short of the truth: ReLU avoids saturation for positive inputs only. Its gradient is zero
for all others, which is how a unit dies. A network without activations is linear only if it has no max
pooling, which is not linear itself. And torch prints the example's result as tensor([[0.0000, 0.5000, 2.0000]]).
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

    `pre_activations` are values before relu: (N, F), where each of the F columns is one unit, or (N, C, H, W),
    where each of the C channels is one unit. A unit is dead when all its values are <= 0, over the whole batch
    and, for images, over all positions: relu then gives 0, and no gradient, everywhere. So the result is the
    number of dead units divided by F or C.

    Example, by hand: [[-1, 2, 0], [-3, -1, 0]] has the units [-1, -3], [2, -1] and [0, 0]; two of three are dead.
    Images of 3 channels in which a single position of channel 0 is positive, and nothing else, give 2/3 too.
    """
    raise NotImplementedError

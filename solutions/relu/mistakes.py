"""Known mistakes of `relu`."""

import math

import torch

from grader.mistakes import mistake


@mistake("relu")
def in_place(x):
    """Make a copy: `x[x < 0] = 0` changes the tensor of whoever called you."""
    x[x < 0] = 0
    return x


@mistake("relu")
def absolute(x):
    """That is the absolute value: negative numbers become 0, not positive."""
    return x.abs()


@mistake("relu")
def keeps_the_negative(x):
    """You keep the wrong half: relu passes positive values and stops negative ones."""
    return x.clamp(max=0)


@mistake("relu")
def drops_nan(x):
    """A comparison with NaN is false, so your function turns NaN into 0 and hides it. Use clamp or maximum, which keep it."""
    return torch.where(x > 0, x, torch.zeros_like(x))


@mistake("relu")
def always_float32(x):
    """You turn everything into float32: the result must have the dtype of x."""
    return x.float().clamp(min=0)


@mistake("relu_backward")
def at_zero(grad_output, x):
    """At x = 0 torch takes the gradient 0: the mask is x > 0, not x >= 0."""
    return grad_output * (x >= 0)


@mistake("relu_backward")
def no_chain(grad_output, x):
    """You return the mask alone. Multiply by grad_output: that is the chain rule."""
    return (x > 0).to(grad_output.dtype)


@mistake("relu_backward")
def aliases_gradient(grad_output, x):
    """`dx = grad_output` is a second name for the same tensor, and writing to it changes the caller's: copy first."""
    grad_output[x <= 0] = 0
    return grad_output


@mistake("relu_backward")
def masks_the_gradient(grad_output, x):
    """The mask comes from x, not from grad_output: a negative gradient passes where x is positive."""
    return torch.where(grad_output > 0, grad_output, torch.zeros_like(grad_output))


@mistake("relu_backward")
def forward_again(grad_output, x):
    """You multiply by relu(x), which is the forward value. The slope is 1 where x > 0, not x."""
    return grad_output * x.clamp(min=0)


@mistake("leaky_relu")
def max_trick(x, negative_slope=0.01):
    """max(slope * x, x) equals leaky ReLU only for slopes between 0 and 1: use where(x > 0, x, slope * x)."""
    return torch.maximum(negative_slope * x, x)


@mistake("leaky_relu")
def sign(x, negative_slope=0.01):
    """The argument "negative_slope" is the slope for negative x. It is a positive number, and the result stays negative."""
    return torch.where(x > 0, x, -negative_slope * x)


@mistake("leaky_relu")
def hard_coded_slope(x, negative_slope=0.01):
    """Use the argument, not a number of your own: defaults differ (torch 0.01, TensorFlow 0.2, Keras 0.3)."""
    return torch.where(x > 0, x, 0.01 * x)


@mistake("leaky_relu")
def another_default(x, negative_slope=0.1):
    """The default slope is 0.01, as in torch. Yours is another one."""
    return torch.where(x > 0, x, negative_slope * x)


@mistake("leaky_relu")
def writes_into_x(x, negative_slope=0.01):
    """`x[x < 0] *= slope` changes the tensor of whoever called you: compute a new one, for instance with where."""
    x[x < 0] *= negative_slope
    return x


@mistake("leaky_relu")
def constant_for_negatives(x, negative_slope=0.01):
    """The slope multiplies x: for negative x the result is negative_slope * x, not the slope itself."""
    return torch.where(x > 0, x, torch.full_like(x, negative_slope))


@mistake("elu")
def exp_overflow(x, alpha=1.0):
    """exp(1000) is inf, and inf * 0 is NaN: clamp x to at most 0 before exp, or use where with expm1 of the clamped x."""
    positive = (x > 0).to(x.dtype)
    return positive * x + (1 - positive) * alpha * (torch.exp(x) - 1)


@mistake("elu")
def nan_in_the_gradient(x, alpha=1.0):
    """`where` computes both branches backwards too: exp(1000) = inf makes the gradient NaN. Clamp x before exp."""
    return torch.where(x > 0, x, alpha * (torch.exp(x) - 1))


@mistake("elu")
def missing_minus_one(x, alpha=1.0):
    """ELU is continuous: alpha * (exp(x) - 1), which is 0 at x = 0. You lack the - 1."""
    return torch.where(x > 0, x, alpha * torch.exp(x.clamp(max=0)))


@mistake("elu")
def alpha_ignored(x, alpha=1.0):
    """You never use `alpha`: it scales the negative side."""
    return torch.where(x > 0, x, torch.expm1(x.clamp(max=0)))


@mistake("elu")
def alpha_on_both_sides(x, alpha=1.0):
    """`alpha` scales the negative side alone: positive values pass unchanged."""
    return alpha * torch.where(x > 0, x, torch.expm1(x.clamp(max=0)))


@mistake("gelu")
def tanh_for_erf(x):
    """This is the tanh approximation: close (5e-4), but torch's default is the exact form with erf."""
    return 0.5 * x * (1 + torch.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x**3)))


@mistake("gelu")
def sigmoid_1702(x):
    """You compute x * sigmoid(1.702 x), known as "QuickGELU", which is a coarser approximation: use erf."""
    return x * torch.sigmoid(1.702 * x)


@mistake("gelu")
def no_root(x):
    """Phi(x) is (1 + erf(x / sqrt(2))) / 2: you lack the division by sqrt(2) inside erf."""
    return 0.5 * x * (1 + torch.erf(x))


@mistake("gelu")
def distribution_only(x):
    """That is Phi(x) alone: GELU multiplies it by x."""
    return 0.5 * (1 + torch.erf(x / math.sqrt(2)))


@mistake("dead_fraction")
def counts_activations(pre_activations):
    """You count single activations. A unit is dead only if it is <= 0 for every sample: use all() over the batch first."""
    return (pre_activations <= 0).double().mean().item()


@mistake("dead_fraction")
def strictly_negative(pre_activations):
    """Relu gives 0, and gradient 0, at exactly 0 too: count pre-activations <= 0."""
    units = pre_activations.transpose(0, 1).flatten(1)
    return (units < 0).all(dim=1).double().mean().item()


@mistake("dead_fraction")
def any_sample(pre_activations):
    """You count units that are silent for some sample. Dead means silent for every sample: all(), not any()."""
    units = pre_activations.transpose(0, 1).flatten(1)
    return (units <= 0).any(dim=1).double().mean().item()


@mistake("dead_fraction")
def sums_first(pre_activations):
    """You add up the values of a unit before you compare: a unit that fires once is alive, however negative the rest is."""
    units = pre_activations.transpose(0, 1).flatten(1)
    return (units.sum(dim=1) <= 0).double().mean().item()


@mistake("dead_fraction")
def writes_zeros(pre_activations):
    """You apply relu in place, and the caller's pre-activations are gone: compare with 0 instead of writing."""
    units = pre_activations.clamp_(min=0).transpose(0, 1).flatten(1)
    return (units == 0).all(dim=1).double().mean().item()


@mistake("dead_fraction")
def over_units(pre_activations):
    """You look for samples in which no unit fires. Take all() over the samples (axis 0), and the mean over the units."""
    return (pre_activations.flatten(1) <= 0).all(dim=1).double().mean().item()


@mistake("dead_fraction")
def positions_as_units(pre_activations):
    """For images a channel is one unit: it is alive if any position of any image is positive. Take all() over (0, 2, 3)."""
    return (pre_activations <= 0).all(dim=0).double().mean().item()


@mistake("dead_fraction")
def count_of_units(pre_activations):
    """You return how many units are dead. Divide by the number of units."""
    units = pre_activations.transpose(0, 1).flatten(1)
    return float((units <= 0).all(dim=1).sum())

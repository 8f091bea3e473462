"""Known mistakes of `normalization`."""

import torch
from reference import group_norm, instance_norm, layer_norm, per_channel, scale_and_shift

from grader.mistakes import mistake


def _moments(x, axes, correction=0):
    return x.mean(dim=axes, keepdim=True), x.var(dim=axes, correction=correction, keepdim=True)


def _last_axes(normalized_shape):
    return tuple(range(-len(normalized_shape), 0))


def _grouped(x, num_groups):
    n, c, h, w = x.shape
    return x.reshape(n, num_groups, c // num_groups, h, w)


# One mean and variance for each kind, and what is done with them; each returns the result before weight and bias.


def _unbiased(x, axes, eps):
    mean, var = _moments(x, axes, correction=1)
    return (x - mean) / torch.sqrt(var + eps)


def _eps_outside(x, axes, eps):
    mean, var = _moments(x, axes)
    return (x - mean) / (torch.sqrt(var) + eps)


def _std_and_eps(x, axes, eps):
    return (x - x.mean(dim=axes, keepdim=True)) / (x.std(dim=axes, keepdim=True) + eps)


def _times_eps(x, axes, eps):
    mean, var = _moments(x, axes)
    return (x - mean) / (torch.sqrt(var) * eps)


def _not_rooted(x, axes, eps):
    mean, var = _moments(x, axes)
    return (x - mean) / (var + eps)


def _no_mean(x, axes, eps):
    return x / torch.sqrt((x**2).mean(dim=axes, keepdim=True) + eps)


def _no_division(x, axes):
    return x - x.mean(dim=axes, keepdim=True)


def _mean_absolute(x, axes, eps):
    moved = x - x.mean(dim=axes, keepdim=True)
    return moved / torch.sqrt(moved.abs().mean(dim=axes, keepdim=True) ** 2 + eps)


def _squares_first(x, axes, eps):
    mean = x.mean(dim=axes, keepdim=True)
    return (x - mean) / torch.sqrt((x * x).mean(dim=axes, keepdim=True) - mean * mean + eps)


def _detached_moments(x, axes, eps):
    mean, var = _moments(x.detach(), axes)
    return (x - mean) / torch.sqrt(var + eps)


def _detached_mean(x, axes, eps):
    mean, var = _moments(x, axes)
    return (x - mean.detach()) / torch.sqrt(var + eps)


def _detached_var(x, axes, eps):
    mean, var = _moments(x, axes)
    return (x - mean) / torch.sqrt(var.detach() + eps)


def _in_place(x, axes, eps):
    mean, var = _moments(x, axes)
    x -= mean
    return x / torch.sqrt(var + eps)


# Layer norm


@mistake("layer_norm")
def last_axis_only(x, normalized_shape, weight=None, bias=None, eps=1e-5):
    """Each row along the last axis is normalized by itself. The mean runs over all axes of normalized_shape, for images C, H and W."""
    mean, var = _moments(x, (-1,))
    return scale_and_shift((x - mean) / torch.sqrt(var + eps), weight, bias)


@mistake("layer_norm")
def annotated_transformer(x, normalized_shape, weight=None, bias=None, eps=1e-5):
    """Your results are those of the Annotated Transformer: here the mean runs over C, H and W, and sqrt(var + eps) divides, correction=0."""
    return scale_and_shift(_std_and_eps(x, (-1,), eps), weight, bias)


@mistake("layer_norm")
def channels_only(x, normalized_shape, weight=None, bias=None, eps=1e-5):
    """Each pixel is normalized over its channels. Here the mean runs over height and width as well: C, H and W."""
    mean, var = _moments(x, (1,))
    return scale_and_shift((x - mean) / torch.sqrt(var + eps), weight, bias)


@mistake("layer_norm")
def each_channel_alone(x, normalized_shape, weight=None, bias=None, eps=1e-5):
    """Each channel is normalized by itself, which is instance norm: layer norm takes one mean over C, H and W."""
    mean, var = _moments(x, (-2, -1))
    return scale_and_shift((x - mean) / torch.sqrt(var + eps), weight, bias)


@mistake("layer_norm")
def whole_batch(x, normalized_shape, weight=None, bias=None, eps=1e-5):
    """The whole batch shares one mean: each sample has its own, and does not depend on the others."""
    mean, var = _moments(x, tuple(range(x.dim())))
    return scale_and_shift((x - mean) / torch.sqrt(var + eps), weight, bias)


@mistake("layer_norm")
def over_the_batch(x, normalized_shape, weight=None, bias=None, eps=1e-5):
    """That is batch norm: layer norm takes the mean of one sample, over its channels, height and width."""
    mean, var = _moments(x, (0, *range(2, x.dim())))
    return scale_and_shift((x - mean) / torch.sqrt(var + eps), weight, bias)


@mistake("layer_norm")
def axes_always_three(x, normalized_shape, weight=None, bias=None, eps=1e-5):
    """Your mean runs over all axes but the first, whatever normalized_shape is: take the last len(normalized_shape) ones, for tokens too."""
    return layer_norm(x, x.shape[1:], weight, bias, eps)


@mistake("layer_norm")
def image_axes_by_number(x, normalized_shape, weight=None, bias=None, eps=1e-5):
    """dim=(1, 2, 3) exists in images only: count from the end, the last len(normalized_shape) axes, for tokens too."""
    mean, var = _moments(x, (1, 2, 3))
    return scale_and_shift((x - mean) / torch.sqrt(var + eps), weight, bias)


@mistake("layer_norm")
def rows_of_a_table(x, normalized_shape, weight=None, bias=None, eps=1e-5):
    """Two names for x.shape are too few where x has more axes, as images do: normalize over the last len(normalized_shape) of them."""
    _n, d = x.shape
    return layer_norm(x, (d,), weight, bias, eps)


@mistake("layer_norm")
def layer_unbiased(x, normalized_shape, weight=None, bias=None, eps=1e-5):
    """Your variance divides by n - 1, as torch's var and std do by default: pass correction=0 (or unbiased=False)."""
    return scale_and_shift(_unbiased(x, _last_axes(normalized_shape), eps), weight, bias)


@mistake("layer_norm")
def layer_std_and_eps(x, normalized_shape, weight=None, bias=None, eps=1e-5):
    """Your results are those of x.std() + eps, as in the Annotated Transformer: divide by sqrt(var + eps), with var's correction=0."""
    return scale_and_shift(_std_and_eps(x, _last_axes(normalized_shape), eps), weight, bias)


@mistake("layer_norm")
def layer_eps_outside(x, normalized_shape, weight=None, bias=None, eps=1e-5):
    """Your results are those of eps outside the square root, where it changes far too little: put it inside, sqrt(var + eps)."""
    return scale_and_shift(_eps_outside(x, _last_axes(normalized_shape), eps), weight, bias)


@mistake("layer_norm")
def layer_times_eps(x, normalized_shape, weight=None, bias=None, eps=1e-5):
    """Your result is 1 / eps times too large, as if eps were multiplied: it is added, sqrt(var + eps)."""
    return scale_and_shift(_times_eps(x, _last_axes(normalized_shape), eps), weight, bias)


@mistake("layer_norm")
def layer_no_eps(x, normalized_shape, weight=None, bias=None, eps=1e-5):
    """Without eps a constant sample is 0 / 0, which is NaN: divide by sqrt(var + eps)."""
    return layer_norm(x, normalized_shape, weight, bias, 0.0)


@mistake("layer_norm")
def layer_eps_hard_coded(x, normalized_shape, weight=None, bias=None, eps=1e-5):
    """Your results are those of eps = 1e-5, whatever eps is: use the argument `eps`."""
    return layer_norm(x, normalized_shape, weight, bias)


@mistake("layer_norm")
def layer_not_rooted(x, normalized_shape, weight=None, bias=None, eps=1e-5):
    """Your result is divided by the variance: divide by its square root, the standard deviation."""
    return scale_and_shift(_not_rooted(x, _last_axes(normalized_shape), eps), weight, bias)


@mistake("layer_norm")
def layer_no_mean(x, normalized_shape, weight=None, bias=None, eps=1e-5):
    """Your result is x divided by its root mean square, nothing subtracted (RMSNorm): subtract the mean first."""
    return scale_and_shift(_no_mean(x, _last_axes(normalized_shape), eps), weight, bias)


@mistake("layer_norm")
def layer_no_division(x, normalized_shape, weight=None, bias=None, eps=1e-5):
    """Your result is x less its mean, divided by nothing: divide by sqrt(var + eps) as well."""
    return scale_and_shift(_no_division(x, _last_axes(normalized_shape)), weight, bias)


@mistake("layer_norm")
def layer_squares_first(x, normalized_shape, weight=None, bias=None, eps=1e-5):
    """Far from zero your variance is wrong, as mean(x ** 2) - mean ** 2 is, which loses all digits: subtract the mean, then square."""
    return scale_and_shift(_squares_first(x, _last_axes(normalized_shape), eps), weight, bias)


@mistake("layer_norm")
def layer_mean_absolute(x, normalized_shape, weight=None, bias=None, eps=1e-5):
    """Your result is divided by the mean distance from the mean. The variance is the mean of the squared distances."""
    return scale_and_shift(_mean_absolute(x, _last_axes(normalized_shape), eps), weight, bias)


@mistake("layer_norm")
def layer_eps_squared(x, normalized_shape, weight=None, bias=None, eps=1e-5):
    """Your results are those of eps * eps under the root: add eps itself, sqrt(var + eps)."""
    return layer_norm(x, normalized_shape, weight, bias, eps * eps)


@mistake("layer_norm")
def layer_eps_zero_ignored(x, normalized_shape, weight=None, bias=None, eps=1e-5):
    """For eps=0 your results are those of 1e-5, as with `eps or 1e-5`: 0 is a number like any other, and only None is none."""
    return layer_norm(x, normalized_shape, weight, bias, eps or 1e-5)


@mistake("layer_norm")
def images_or_tokens(x, normalized_shape, weight=None, bias=None, eps=1e-5):
    """For one axis and for three your results are right, and for another number of axes those of one: count len(normalized_shape) axes."""
    axes = (1, 2, 3) if len(normalized_shape) == 3 else (-1,)
    mean, var = _moments(x, axes)
    return scale_and_shift((x - mean) / torch.sqrt(var + eps), weight, bias)


@mistake("layer_norm")
def layer_no_affine(x, normalized_shape, weight=None, bias=None, eps=1e-5):
    """Weight and bias change nothing in your results: multiply the normalized values by weight, and add bias."""
    return layer_norm(x, normalized_shape, eps=eps)


@mistake("layer_norm")
def layer_affine_together(x, normalized_shape, weight=None, bias=None, eps=1e-5):
    """A weight and a bias may be given one without the other: ask for each by itself whether it is None."""
    result = layer_norm(x, normalized_shape, eps=eps)
    return result if weight is None else result * weight + bias


@mistake("layer_norm")
def layer_affine_per_channel(x, normalized_shape, weight=None, bias=None, eps=1e-5):
    """In layer norm weight and bias have the shape normalized_shape, one number for each place: x * weight, no view."""
    return scale_and_shift(layer_norm(x, normalized_shape, eps=eps), per_channel(weight), per_channel(bias))


@mistake("layer_norm")
def layer_bias_before_weight(x, normalized_shape, weight=None, bias=None, eps=1e-5):
    """Your bias is multiplied by the weight as well: the weight comes first, weight * normalized + bias."""
    result = scale_and_shift(layer_norm(x, normalized_shape, eps=eps), None, bias)
    return scale_and_shift(result, weight, None)


@mistake("layer_norm")
def layer_statistics_detached(x, normalized_shape, weight=None, bias=None, eps=1e-5):
    """The gradient of x is the one for a fixed mean and variance, and both depend on x: no .detach(), .item() or no_grad."""
    return scale_and_shift(_detached_moments(x, _last_axes(normalized_shape), eps), weight, bias)


@mistake("layer_norm")
def layer_mean_detached(x, normalized_shape, weight=None, bias=None, eps=1e-5):
    """The gradient of x is the one for a fixed mean, and the mean depends on x as the variance does: leave both in the graph."""
    return scale_and_shift(_detached_mean(x, _last_axes(normalized_shape), eps), weight, bias)


@mistake("layer_norm")
def layer_variance_detached(x, normalized_shape, weight=None, bias=None, eps=1e-5):
    """The gradient of x is the one for a fixed variance, and the variance depends on x as the mean does: leave both in the graph."""
    return scale_and_shift(_detached_var(x, _last_axes(normalized_shape), eps), weight, bias)


@mistake("layer_norm")
def layer_detached(x, normalized_shape, weight=None, bias=None, eps=1e-5):
    """The values are right, but no gradient reaches x: stay with torch operations, without .data or .detach()."""
    return layer_norm(x.detach(), normalized_shape, weight, bias, eps)


@mistake("layer_norm")
def layer_in_place(x, normalized_shape, weight=None, bias=None, eps=1e-5):
    """The caller's tensor is changed, as by `x -= mean` or `x.sub_(mean)`: write x - mean, which makes a new one."""
    return scale_and_shift(_in_place(x, _last_axes(normalized_shape), eps), weight, bias)


@mistake("layer_norm")
def layer_always_float32(x, normalized_shape, weight=None, bias=None, eps=1e-5):
    """Your result is float32 whatever comes in: make new tensors with the dtype of x, and convert nothing."""
    return layer_norm(x, normalized_shape, weight, bias, eps).float()


@mistake("layer_norm")
def layer_always_float64(x, normalized_shape, weight=None, bias=None, eps=1e-5):
    """Your result is float64 whatever comes in: convert it with .to(x.dtype)."""
    return layer_norm(x, normalized_shape, weight, bias, eps).double()


@mistake("layer_norm")
def layer_through_numpy(x, normalized_shape, weight=None, bias=None, eps=1e-5):
    """Your result is float64 and lets no gradient pass, as through numpy: mean, var and arithmetic work on tensors as well."""
    return torch.from_numpy(layer_norm(x, normalized_shape, weight, bias, eps).double().numpy())


@mistake("layer_norm")
def layer_numpy_array(x, normalized_shape, weight=None, bias=None, eps=1e-5):
    """Your result is a numpy array: x.mean, x.var and arithmetic work on tensors as well, and let gradients pass."""
    return layer_norm(x, normalized_shape, weight, bias, eps).numpy()


@mistake("layer_norm")
def layer_with_cache(x, normalized_shape, weight=None, bias=None, eps=1e-5):
    """Your result is a tuple, as (out, cache) is: return the result alone. torch remembers by itself what the backward pass needs."""
    return layer_norm(x, normalized_shape, weight, bias, eps), _moments(x, _last_axes(normalized_shape))


@mistake("layer_norm")
def layer_returns_none(x, normalized_shape, weight=None, bias=None, eps=1e-5):
    """Your function returns None: end it with `return` and the result."""
    layer_norm(x, normalized_shape, weight, bias, eps)


# Instance norm


@mistake("instance_norm")
def channels_together(x, weight=None, bias=None, eps=1e-5):
    """All channels of an image share one mean, which is layer norm: each channel has its own, over H and W."""
    return scale_and_shift(layer_norm(x, x.shape[1:], eps=eps), per_channel(weight), per_channel(bias))


@mistake("instance_norm")
def images_together(x, weight=None, bias=None, eps=1e-5):
    """That is batch norm: each image has its own mean, so average over height and width, dim=(2, 3), not over axis 0."""
    mean, var = _moments(x, (0, 2, 3))
    return scale_and_shift((x - mean) / torch.sqrt(var + eps), per_channel(weight), per_channel(bias))


@mistake("instance_norm")
def everything_together(x, weight=None, bias=None, eps=1e-5):
    """Everything shares one mean, as with x.mean(): each channel of each image has its own. Use dim=(2, 3), keepdim=True."""
    mean, var = _moments(x, (0, 1, 2, 3))
    return scale_and_shift((x - mean) / torch.sqrt(var + eps), per_channel(weight), per_channel(bias))


@mistake("instance_norm")
def each_row_alone(x, weight=None, bias=None, eps=1e-5):
    """Each row is normalized by itself: the mean of a channel runs over height and width, dim=(2, 3)."""
    mean, var = _moments(x, (3,))
    return scale_and_shift((x - mean) / torch.sqrt(var + eps), per_channel(weight), per_channel(bias))


@mistake("instance_norm")
def channels_last(x, weight=None, bias=None, eps=1e-5):
    """Your means run over axes 1 and 2, as for images of (N, H, W, C). Here they are (N, C, H, W): dim=(2, 3)."""
    mean, var = _moments(x, (1, 2))
    return scale_and_shift((x - mean) / torch.sqrt(var + eps), weight, bias)


@mistake("instance_norm")
def no_keepdim(x, weight=None, bias=None, eps=1e-5):
    """Your mean has the shape (N, C), which does not line up with (N, C, H, W): pass keepdim=True to mean and var."""
    mean, var = x.mean(dim=(2, 3)), x.var(dim=(2, 3), correction=0)
    return scale_and_shift((x - mean) / torch.sqrt(var + eps), per_channel(weight), per_channel(bias))


@mistake("instance_norm")
def image_without_batch(x, weight=None, bias=None, eps=1e-5):
    """Three names for x.shape are too few: x is a batch of images, (N, C, H, W), so leave the first axis as it is."""
    c, h, w = x.shape
    return instance_norm(x.reshape(1, c, h, w), weight, bias, eps)[0]


@mistake("instance_norm")
def instance_unbiased(x, weight=None, bias=None, eps=1e-5):
    """Your variance divides by n - 1, as torch's var and std do by default: pass correction=0 (or unbiased=False)."""
    return scale_and_shift(_unbiased(x, (2, 3), eps), per_channel(weight), per_channel(bias))


@mistake("instance_norm")
def instance_std_and_eps(x, weight=None, bias=None, eps=1e-5):
    """Your results are those of x.std() + eps: divide by sqrt(var + eps), with var's correction=0."""
    return scale_and_shift(_std_and_eps(x, (2, 3), eps), per_channel(weight), per_channel(bias))


@mistake("instance_norm")
def instance_eps_outside(x, weight=None, bias=None, eps=1e-5):
    """Your results are those of eps outside the square root, where it changes far too little: put it inside, sqrt(var + eps)."""
    return scale_and_shift(_eps_outside(x, (2, 3), eps), per_channel(weight), per_channel(bias))


@mistake("instance_norm")
def instance_no_eps(x, weight=None, bias=None, eps=1e-5):
    """Without eps a constant channel is 0 / 0, which is NaN: divide by sqrt(var + eps)."""
    return instance_norm(x, weight, bias, 0.0)


@mistake("instance_norm")
def instance_eps_hard_coded(x, weight=None, bias=None, eps=1e-5):
    """Your results are those of eps = 1e-5, whatever eps is: use the argument `eps`."""
    return instance_norm(x, weight, bias)


@mistake("instance_norm")
def instance_not_rooted(x, weight=None, bias=None, eps=1e-5):
    """Your result is divided by the variance: divide by its square root, the standard deviation."""
    return scale_and_shift(_not_rooted(x, (2, 3), eps), per_channel(weight), per_channel(bias))


@mistake("instance_norm")
def instance_no_mean(x, weight=None, bias=None, eps=1e-5):
    """Your result is x divided by its root mean square, nothing subtracted: subtract the mean of each channel first."""
    return scale_and_shift(_no_mean(x, (2, 3), eps), per_channel(weight), per_channel(bias))


@mistake("instance_norm")
def instance_mean_absolute(x, weight=None, bias=None, eps=1e-5):
    """Your result is divided by the mean distance from the mean. The variance is the mean of the squared distances."""
    return scale_and_shift(_mean_absolute(x, (2, 3), eps), per_channel(weight), per_channel(bias))


@mistake("instance_norm")
def instance_no_division(x, weight=None, bias=None, eps=1e-5):
    """Your result is x less its mean, divided by nothing: divide by sqrt(var + eps) as well."""
    return scale_and_shift(_no_division(x, (2, 3)), per_channel(weight), per_channel(bias))


@mistake("instance_norm")
def instance_squares_first(x, weight=None, bias=None, eps=1e-5):
    """Far from zero your variance is wrong, as mean(x ** 2) - mean ** 2 is, which loses all digits: subtract the mean, then square."""
    return scale_and_shift(_squares_first(x, (2, 3), eps), per_channel(weight), per_channel(bias))


@mistake("instance_norm")
def instance_eps_squared(x, weight=None, bias=None, eps=1e-5):
    """Your results are those of eps * eps under the root: add eps itself, sqrt(var + eps)."""
    return instance_norm(x, weight, bias, eps * eps)


@mistake("instance_norm")
def instance_eps_zero_ignored(x, weight=None, bias=None, eps=1e-5):
    """For eps=0 your results are those of 1e-5, as with `eps or 1e-5`: 0 is a number like any other, and only None is none."""
    return instance_norm(x, weight, bias, eps or 1e-5)


@mistake("instance_norm")
def instance_bias_before_weight(x, weight=None, bias=None, eps=1e-5):
    """Your bias is multiplied by the weight as well: the weight comes first, weight * normalized + bias."""
    result = scale_and_shift(instance_norm(x, eps=eps), None, per_channel(bias))
    return scale_and_shift(result, per_channel(weight), None)


@mistake("instance_norm")
def instance_no_affine(x, weight=None, bias=None, eps=1e-5):
    """Weight and bias change nothing in your results: multiply the normalized values by weight, and add bias."""
    return instance_norm(x, eps=eps)


@mistake("instance_norm")
def instance_affine_together(x, weight=None, bias=None, eps=1e-5):
    """A weight and a bias may be given one without the other: ask for each by itself whether it is None."""
    result = instance_norm(x, eps=eps)
    return result if weight is None else result * per_channel(weight) + per_channel(bias)


@mistake("instance_norm")
def instance_affine_along_the_width(x, weight=None, bias=None, eps=1e-5):
    """Weight and bias line up with the last axis, the width, as in a plain `* weight`: view both as (C, 1, 1) first."""
    return scale_and_shift(instance_norm(x, eps=eps), weight, bias)


@mistake("instance_norm")
def instance_statistics_detached(x, weight=None, bias=None, eps=1e-5):
    """The gradient of x is the one for a fixed mean and variance, and both depend on x: no .detach(), .item() or no_grad."""
    return scale_and_shift(_detached_moments(x, (2, 3), eps), per_channel(weight), per_channel(bias))


@mistake("instance_norm")
def instance_mean_detached(x, weight=None, bias=None, eps=1e-5):
    """The gradient of x is the one for a fixed mean, and the mean depends on x as the variance does: leave both in the graph."""
    return scale_and_shift(_detached_mean(x, (2, 3), eps), per_channel(weight), per_channel(bias))


@mistake("instance_norm")
def instance_variance_detached(x, weight=None, bias=None, eps=1e-5):
    """The gradient of x is the one for a fixed variance, and the variance depends on x as the mean does: leave both in the graph."""
    return scale_and_shift(_detached_var(x, (2, 3), eps), per_channel(weight), per_channel(bias))


@mistake("instance_norm")
def instance_detached(x, weight=None, bias=None, eps=1e-5):
    """The values are right, but no gradient reaches x: stay with torch operations, without .data or .detach()."""
    return instance_norm(x.detach(), weight, bias, eps)


@mistake("instance_norm")
def instance_in_place(x, weight=None, bias=None, eps=1e-5):
    """The caller's tensor is changed, as by `x -= mean` or `x.sub_(mean)`: write x - mean, which makes a new one."""
    return scale_and_shift(_in_place(x, (2, 3), eps), per_channel(weight), per_channel(bias))


@mistake("instance_norm")
def instance_always_float32(x, weight=None, bias=None, eps=1e-5):
    """Your result is float32 whatever comes in: make new tensors with the dtype of x, x.new_zeros(x.shape)."""
    return instance_norm(x, weight, bias, eps).float()


@mistake("instance_norm")
def instance_always_float64(x, weight=None, bias=None, eps=1e-5):
    """Your result is float64 whatever comes in: convert it with .to(x.dtype)."""
    return instance_norm(x, weight, bias, eps).double()


@mistake("instance_norm")
def instance_through_numpy(x, weight=None, bias=None, eps=1e-5):
    """Your result is float64 and lets no gradient pass, as through numpy: mean, var and arithmetic work on tensors as well."""
    return torch.from_numpy(instance_norm(x, weight, bias, eps).double().numpy())


@mistake("instance_norm")
def instance_numpy_array(x, weight=None, bias=None, eps=1e-5):
    """Your result is a numpy array: x.mean, x.var and arithmetic work on tensors as well, and let gradients pass."""
    return instance_norm(x, weight, bias, eps).numpy()


@mistake("instance_norm")
def instance_with_statistics(x, weight=None, bias=None, eps=1e-5):
    """Your result is a tuple, with mean and variance in it: return the result alone."""
    return instance_norm(x, weight, bias, eps), *_moments(x, (2, 3))


@mistake("instance_norm")
def instance_returns_none(x, weight=None, bias=None, eps=1e-5):
    """Your function returns None: end it with `return` and the result."""
    instance_norm(x, weight, bias, eps)


# Group norm


@mistake("group_norm")
def interleaved(x, num_groups, weight=None, bias=None, eps=1e-5):
    """Your groups take every num_groups-th channel. Groups are neighbors: reshape to (N, G, C // G, H, W), in this order."""
    order = torch.arange(x.shape[1]).view(-1, num_groups).T.flatten()
    result = group_norm(x[:, order], num_groups, eps=eps)[:, order.argsort()]
    return scale_and_shift(result, per_channel(weight), per_channel(bias))


@mistake("group_norm")
def channels_in_a_group(x, num_groups, weight=None, bias=None, eps=1e-5):
    """Your groups have num_groups channels each: it is the number of groups, and each has C // num_groups."""
    return group_norm(x, x.shape[1] // num_groups, weight, bias, eps)


@mistake("group_norm")
def groups_ignored(x, num_groups, weight=None, bias=None, eps=1e-5):
    """All channels share one mean, which is layer norm: each group of channels has its own."""
    return group_norm(x, 1, weight, bias, eps)


@mistake("group_norm")
def each_channel_by_itself(x, num_groups, weight=None, bias=None, eps=1e-5):
    """Each channel is normalized by itself, which is instance norm: average over the channels of a group as well."""
    return group_norm(x, x.shape[1], weight, bias, eps)


@mistake("group_norm")
def each_pixel_by_itself(x, num_groups, weight=None, bias=None, eps=1e-5):
    """Each pixel has a mean of its own, over the channels of a group: average over height and width as well."""
    grouped = _grouped(x, num_groups)
    mean, var = _moments(grouped, (2,))
    result = ((grouped - mean) / torch.sqrt(var + eps)).reshape(x.shape)
    return scale_and_shift(result, per_channel(weight), per_channel(bias))


@mistake("group_norm")
def batch_together(x, num_groups, weight=None, bias=None, eps=1e-5):
    """Your groups run over the whole batch: each image has means of its own, and does not depend on the others."""
    grouped = _grouped(x, num_groups)
    mean, var = _moments(grouped, (0, 2, 3, 4))
    result = ((grouped - mean) / torch.sqrt(var + eps)).reshape(x.shape)
    return scale_and_shift(result, per_channel(weight), per_channel(bias))


@mistake("group_norm")
def groups_of_the_batch(x, num_groups, weight=None, bias=None, eps=1e-5):
    """The whole batch is cut into groups, as by reshape(num_groups, -1): keep the batch axis, reshape(N, num_groups, -1)."""
    flat = x.reshape(num_groups, -1)
    mean, var = _moments(flat, (1,))
    result = ((flat - mean) / torch.sqrt(var + eps)).reshape(x.shape)
    return scale_and_shift(result, per_channel(weight), per_channel(bias))


@mistake("group_norm")
def not_reshaped_back(x, num_groups, weight=None, bias=None, eps=1e-5):
    """Your result still has its groups apart: reshape it back to the shape of x, (N, C, H, W), before weight and bias."""
    return _grouped(group_norm(x, num_groups, weight, bias, eps), num_groups)


@mistake("group_norm")
def group_unbiased(x, num_groups, weight=None, bias=None, eps=1e-5):
    """Your variance divides by n - 1, as torch's var and std do by default: pass correction=0 (or unbiased=False)."""
    result = _unbiased(_grouped(x, num_groups), (2, 3, 4), eps).reshape(x.shape)
    return scale_and_shift(result, per_channel(weight), per_channel(bias))


@mistake("group_norm")
def group_std_and_eps(x, num_groups, weight=None, bias=None, eps=1e-5):
    """Your results are those of x.std() + eps: divide by sqrt(var + eps), with var's correction=0."""
    result = _std_and_eps(_grouped(x, num_groups), (2, 3, 4), eps).reshape(x.shape)
    return scale_and_shift(result, per_channel(weight), per_channel(bias))


@mistake("group_norm")
def group_eps_outside(x, num_groups, weight=None, bias=None, eps=1e-5):
    """Your results are those of eps outside the square root, where it changes far too little: put it inside, sqrt(var + eps)."""
    result = _eps_outside(_grouped(x, num_groups), (2, 3, 4), eps).reshape(x.shape)
    return scale_and_shift(result, per_channel(weight), per_channel(bias))


@mistake("group_norm")
def group_no_eps(x, num_groups, weight=None, bias=None, eps=1e-5):
    """Without eps a constant group is 0 / 0, which is NaN: divide by sqrt(var + eps)."""
    return group_norm(x, num_groups, weight, bias, 0.0)


@mistake("group_norm")
def group_eps_hard_coded(x, num_groups, weight=None, bias=None, eps=1e-5):
    """Your results are those of eps = 1e-5, whatever eps is: use the argument `eps`."""
    return group_norm(x, num_groups, weight, bias)


@mistake("group_norm")
def group_not_rooted(x, num_groups, weight=None, bias=None, eps=1e-5):
    """Your result is divided by the variance: divide by its square root, the standard deviation."""
    result = _not_rooted(_grouped(x, num_groups), (2, 3, 4), eps).reshape(x.shape)
    return scale_and_shift(result, per_channel(weight), per_channel(bias))


@mistake("group_norm")
def group_no_mean(x, num_groups, weight=None, bias=None, eps=1e-5):
    """Your result is x divided by its root mean square, nothing subtracted: subtract the mean of each group first."""
    result = _no_mean(_grouped(x, num_groups), (2, 3, 4), eps).reshape(x.shape)
    return scale_and_shift(result, per_channel(weight), per_channel(bias))


@mistake("group_norm")
def group_no_division(x, num_groups, weight=None, bias=None, eps=1e-5):
    """Your result is x less its mean, divided by nothing: divide by sqrt(var + eps) as well."""
    result = _no_division(_grouped(x, num_groups), (2, 3, 4)).reshape(x.shape)
    return scale_and_shift(result, per_channel(weight), per_channel(bias))


@mistake("group_norm")
def group_mean_absolute(x, num_groups, weight=None, bias=None, eps=1e-5):
    """Your result is divided by the mean distance from the mean. The variance is the mean of the squared distances."""
    result = _mean_absolute(_grouped(x, num_groups), (2, 3, 4), eps).reshape(x.shape)
    return scale_and_shift(result, per_channel(weight), per_channel(bias))


@mistake("group_norm")
def group_squares_first(x, num_groups, weight=None, bias=None, eps=1e-5):
    """Far from zero your variance is wrong, as mean(x ** 2) - mean ** 2 is, which loses all digits: subtract the mean, then square."""
    result = _squares_first(_grouped(x, num_groups), (2, 3, 4), eps).reshape(x.shape)
    return scale_and_shift(result, per_channel(weight), per_channel(bias))


@mistake("group_norm")
def group_eps_squared(x, num_groups, weight=None, bias=None, eps=1e-5):
    """Your results are those of eps * eps under the root: add eps itself, sqrt(var + eps)."""
    return group_norm(x, num_groups, weight, bias, eps * eps)


@mistake("group_norm")
def group_eps_zero_ignored(x, num_groups, weight=None, bias=None, eps=1e-5):
    """For eps=0 your results are those of 1e-5, as with `eps or 1e-5`: 0 is a number like any other, and only None is none."""
    return group_norm(x, num_groups, weight, bias, eps or 1e-5)


@mistake("group_norm")
def group_bias_before_weight(x, num_groups, weight=None, bias=None, eps=1e-5):
    """Your bias is multiplied by the weight as well: the weight comes first, weight * normalized + bias."""
    result = scale_and_shift(group_norm(x, num_groups, eps=eps), None, per_channel(bias))
    return scale_and_shift(result, per_channel(weight), None)


@mistake("group_norm")
def group_no_affine(x, num_groups, weight=None, bias=None, eps=1e-5):
    """Weight and bias change nothing in your results: multiply the normalized values by weight, and add bias."""
    return group_norm(x, num_groups, eps=eps)


@mistake("group_norm")
def group_affine_together(x, num_groups, weight=None, bias=None, eps=1e-5):
    """A weight and a bias may be given one without the other: ask for each by itself whether it is None."""
    result = group_norm(x, num_groups, eps=eps)
    return result if weight is None else result * per_channel(weight) + per_channel(bias)


@mistake("group_norm")
def affine_per_group(x, num_groups, weight=None, bias=None, eps=1e-5):
    """Weight and bias belong to channels, not to groups: reshape back to (N, C, H, W) first, then use (C, 1, 1)."""
    size = x.shape[1] // num_groups
    weight, bias = (None if v is None else v[:num_groups].repeat_interleave(size) for v in (weight, bias))
    return group_norm(x, num_groups, weight, bias, eps)


@mistake("group_norm")
def group_affine_along_the_width(x, num_groups, weight=None, bias=None, eps=1e-5):
    """Weight and bias line up with the last axis, the width, as in a plain `* weight`: view both as (C, 1, 1) first."""
    return scale_and_shift(group_norm(x, num_groups, eps=eps), weight, bias)


@mistake("group_norm")
def group_statistics_detached(x, num_groups, weight=None, bias=None, eps=1e-5):
    """The gradient of x is the one for a fixed mean and variance, and both depend on x: no .detach(), .item() or no_grad."""
    result = _detached_moments(_grouped(x, num_groups), (2, 3, 4), eps).reshape(x.shape)
    return scale_and_shift(result, per_channel(weight), per_channel(bias))


@mistake("group_norm")
def group_mean_detached(x, num_groups, weight=None, bias=None, eps=1e-5):
    """The gradient of x is the one for a fixed mean, and the mean depends on x as the variance does: leave both in the graph."""
    result = _detached_mean(_grouped(x, num_groups), (2, 3, 4), eps).reshape(x.shape)
    return scale_and_shift(result, per_channel(weight), per_channel(bias))


@mistake("group_norm")
def group_variance_detached(x, num_groups, weight=None, bias=None, eps=1e-5):
    """The gradient of x is the one for a fixed variance, and the variance depends on x as the mean does: leave both in the graph."""
    result = _detached_var(_grouped(x, num_groups), (2, 3, 4), eps).reshape(x.shape)
    return scale_and_shift(result, per_channel(weight), per_channel(bias))


@mistake("group_norm")
def group_detached(x, num_groups, weight=None, bias=None, eps=1e-5):
    """The values are right, but no gradient reaches x: stay with torch operations, without .data or .detach()."""
    return group_norm(x.detach(), num_groups, weight, bias, eps)


@mistake("group_norm")
def group_in_place(x, num_groups, weight=None, bias=None, eps=1e-5):
    """The caller's tensor is changed, as by `x -= mean`, through a view or reshape too: write x - mean, which makes a new one."""
    result = _in_place(_grouped(x, num_groups), (2, 3, 4), eps).reshape(x.shape)
    return scale_and_shift(result, per_channel(weight), per_channel(bias))


@mistake("group_norm")
def group_always_float32(x, num_groups, weight=None, bias=None, eps=1e-5):
    """Your result is float32 whatever comes in: torch.zeros does that. Write x.new_zeros(x.shape), or torch.zeros_like(x)."""
    return group_norm(x, num_groups, weight, bias, eps).float()


@mistake("group_norm")
def group_always_float64(x, num_groups, weight=None, bias=None, eps=1e-5):
    """Your result is float64 whatever comes in: convert it with .to(x.dtype)."""
    return group_norm(x, num_groups, weight, bias, eps).double()


@mistake("group_norm")
def group_through_numpy(x, num_groups, weight=None, bias=None, eps=1e-5):
    """Your result is float64 and lets no gradient pass, as through numpy: mean, var and arithmetic work on tensors as well."""
    return torch.from_numpy(group_norm(x, num_groups, weight, bias, eps).double().numpy())


@mistake("group_norm")
def group_numpy_array(x, num_groups, weight=None, bias=None, eps=1e-5):
    """Your result is a numpy array: x.mean, x.var and arithmetic work on tensors as well, and let gradients pass."""
    return group_norm(x, num_groups, weight, bias, eps).numpy()


@mistake("group_norm")
def group_with_cache(x, num_groups, weight=None, bias=None, eps=1e-5):
    """Your result is a tuple, as (out, cache) is: return the result alone. torch remembers by itself what the backward pass needs."""
    return group_norm(x, num_groups, weight, bias, eps), _moments(_grouped(x, num_groups), (2, 3, 4))


@mistake("group_norm")
def group_returns_none(x, num_groups, weight=None, bias=None, eps=1e-5):
    """Your function returns None: end it with `return` and the result."""
    group_norm(x, num_groups, weight, bias, eps)

"""Known mistakes of `pooling`."""

import torch
import torch.nn.functional as F
from reference import _windows, avg_pool2d, max_pool2d

from grader.mistakes import calls, mistake, without


@mistake(
    "max_pool2d",
    confirm=without(calls("relu", "relu_", "ReLU", "clamp", "clamp_", "clamp_min")),
    otherwise="The maximum of negative numbers is negative, and yours is 0, as after a ReLU: pool x as it is.",
)
def zero_init(x, kernel_size, stride=None, padding=0):
    """The maximum of negative numbers is negative: start from -inf (or from the first element), not from 0."""
    best = max_pool2d(x, kernel_size, stride, padding)
    return torch.maximum(best, torch.zeros_like(best))


@mistake("max_pool2d")
def zero_padding(x, kernel_size, stride=None, padding=0):
    """Zeros in the padding win against negative values: pad with -inf for a maximum."""
    return _windows(x, kernel_size, stride, padding, 0.0).amax(dim=(-2, -1))


@mistake("max_pool2d")
def pads_the_result(x, kernel_size, stride=None, padding=0):
    """The border of your result is 0, as if the result was padded, and not the image: pad x with -inf, and pool that."""
    return F.pad(max_pool2d(x, kernel_size, stride), (padding,) * 4)


@mistake("max_pool2d")
def default_stride_one(x, kernel_size, stride=1, padding=0):
    """When no stride is given it equals kernel_size, so that windows lie side by side. Yours is 1."""
    return max_pool2d(x, kernel_size, stride or 1, padding)


@mistake("max_pool2d")
def stride_required(x, kernel_size, stride, padding=0):
    """`stride` may be left out: give it the default None, and let None mean kernel_size."""
    return max_pool2d(x, kernel_size, stride, padding)


@mistake(
    "max_pool2d",
    outlier="It lacks two arguments of the stub: it raises wherever either is given, as in most checks.",
)
def no_stride_argument(x, kernel_size):
    """Your function takes no stride and no padding: keep the stub's signature, and slide the window by `stride`."""
    return max_pool2d(x, kernel_size)


@mistake("max_pool2d")
def stride_ignored(x, kernel_size, stride=None, padding=0):
    """Your result is the same for every `stride`: window (i, j) starts at row i * stride and column j * stride."""
    return max_pool2d(x, kernel_size, None, padding)


@mistake("max_pool2d")
def keeps_cut_off_windows(x, kernel_size, stride=None, padding=0):
    """A window that sticks out is dropped: round the output size down. Your result holds the cut-off ones."""
    step = kernel_size if stride is None else stride
    missing = [-(size + 2 * padding - kernel_size) % step for size in (x.shape[3], x.shape[2])]
    longer = F.pad(x, (padding, padding + missing[0], padding, padding + missing[1]), value=float("-inf"))
    return max_pool2d(longer, kernel_size, step)


@mistake("max_pool2d")
def divisible_only(x, kernel_size, stride=None, padding=0):
    """Sizes need not be multiples of the kernel: drop the rows and columns that are left over instead of refusing."""
    step = kernel_size if stride is None else stride
    assert (x.shape[2] + 2 * padding - kernel_size) % step == 0, "height does not fit"
    assert (x.shape[3] + 2 * padding - kernel_size) % step == 0, "width does not fit"
    return max_pool2d(x, kernel_size, stride, padding)


@mistake("max_pool2d")
def reshape_trick(x, kernel_size, stride=None, padding=0):
    """Cutting the image into blocks with view() needs sizes that divide, and a stride of kernel_size: use unfold, or slices."""
    n, c, h, w = x.shape
    blocks = x.reshape(n, c, h // kernel_size, kernel_size, w // kernel_size, kernel_size)
    return blocks.amax(dim=(3, 5))


@mistake(
    "max_pool2d", outlier="It raises for every window of more than one row, so that no value can be judged."
)
def builtin_max(x, kernel_size, stride=None, padding=0):
    """If the error mentions an ambiguous Boolean value: Python's max() compares whole rows. Use .max() or torch.amax on the window."""
    windows = _windows(x, kernel_size, stride, padding, float("-inf"))
    out = windows.new_empty(windows.shape[:4])
    for place in torch.cartesian_prod(*(torch.arange(size) for size in out.shape)).tolist():
        out[tuple(place)] = max(windows[tuple(place)])
    return out


@mistake("max_pool2d")
def integer_result(x, kernel_size, stride=None, padding=0):
    """Your result is a tensor of whole numbers, and fractions are lost: make it with x.new_empty(...) or dtype=x.dtype."""
    return max_pool2d(x, kernel_size, stride, padding).long()


@mistake("max_pool2d")
def integer_buffer(x, kernel_size, stride=None, padding=0):
    """Make the result with the dtype of x: yours holds whole numbers, the fractions are cut off."""
    return max_pool2d(x, kernel_size, stride, padding).trunc()


@mistake("max_pool2d")
def transposed(x, kernel_size, stride=None, padding=0):
    """Your result is the transpose of the right one: look at the order of the axes in permute or in your loops."""
    return max_pool2d(x, kernel_size, stride, padding).transpose(2, 3)


@mistake("max_pool2d")
def across_channels(x, kernel_size, stride=None, padding=0):
    """Each channel is pooled on its own: the number of channels does not change."""
    return max_pool2d(x, kernel_size, stride, padding).amax(dim=1, keepdim=True)


@mistake("max_pool2d")
def channel_axis_vanishes(x, kernel_size, stride=None, padding=0):
    """The axis of the channels is gone, as after a maximum over them: pool each channel on its own."""
    return max_pool2d(x, kernel_size, stride, padding).amax(dim=1)


@mistake("max_pool2d")
def channels_share_a_maximum(x, kernel_size, stride=None, padding=0):
    """All channels get the same value, as .max() of a slice x[n, :, ...] runs over them too: take the maximum over dim=(-2, -1)."""
    out = max_pool2d(x, kernel_size, stride, padding)
    return out.amax(dim=1, keepdim=True).expand_as(out).clone()


@mistake("max_pool2d")
def images_share_a_maximum(x, kernel_size, stride=None, padding=0):
    """Your result is a maximum over the batch too: each image is pooled on its own."""
    return max_pool2d(x, kernel_size, stride, padding).amax(dim=0, keepdim=True)


@mistake(
    "max_pool2d",
    outlier="An image of one channel is too low for its windows: it raises, and no value can be judged.",
)
def channels_last(x, kernel_size, stride=None, padding=0):
    """Axes 1 and 2 are pooled, as for (N, H, W, C): PyTorch lays images out as (N, C, H, W), so pool axes 2 and 3."""
    return max_pool2d(x.permute(0, 3, 1, 2), kernel_size, stride, padding).permute(0, 2, 3, 1)


@mistake("max_pool2d", outlier="It raises on every image, so that no value can be judged.")
def unpacks_fewer_axes(x, kernel_size, stride=None, padding=0):
    """The image x has four axes, (N, C, H, W). If you unpack fewer of them, write n, c, h, w = x.shape, or count axes from the end."""
    height, width = x.shape
    return max_pool2d(x.view(1, 1, height, width), kernel_size, stride, padding)


@mistake("max_pool2d")
def square_assumed(x, kernel_size, stride=None, padding=0):
    """Your result is as high as it is wide, whatever the image: keep height and width apart. Try an image of 2 x 4."""
    step = kernel_size if stride is None else stride
    size = (x.shape[2] + 2 * padding - kernel_size) // step + 1
    padded = F.pad(x, (padding,) * 4, value=float("-inf"))
    out = x.new_zeros(x.shape[0], x.shape[1], size, size)
    for i in range(size):
        for j in range(size):
            rows, columns = slice(i * step, i * step + kernel_size), slice(j * step, j * step + kernel_size)
            out[:, :, i, j] = padded[:, :, rows, columns].amax(dim=(2, 3))
    return out


@mistake("max_pool2d")
def stride_not_in_index(x, kernel_size, stride=None, padding=0):
    """The size is right, but windows lie one pixel apart: window (i, j) starts at (i * stride, j * stride)."""
    step = kernel_size if stride is None else stride
    right = max_pool2d(x, kernel_size, step, padding)
    return max_pool2d(x, kernel_size, 1, padding)[:, :, : right.shape[2], : right.shape[3]]


@mistake("max_pool2d")
def padding_ignored(x, kernel_size, stride=None, padding=0):
    """Your result is the same for every `padding`: add that many rows and columns of -inf on every side."""
    return max_pool2d(x, kernel_size, stride)


@mistake("max_pool2d")
def with_indices(x, kernel_size, stride=None, padding=0):
    """Return the values alone: yours is a tuple of values and indices. torch.max with dim= gives both; take .values."""
    return torch.max(_windows(x, kernel_size, stride, padding, float("-inf")).flatten(-2), dim=-1)[:]


@mistake("max_pool2d")
def with_cache(x, kernel_size, stride=None, padding=0):
    """Return the result alone, not (out, cache): what the backward pass needs is remembered by autograd."""
    return max_pool2d(x, kernel_size, stride, padding), x


@mistake("max_pool2d")
def returns_numpy(x, kernel_size, stride=None, padding=0):
    """You return a numpy array, through which no gradient flows: stay with torch functions from x to the result."""
    return max_pool2d(x.detach(), kernel_size, stride, padding).numpy()


@mistake("max_pool2d")
def numpy_inside(x, kernel_size, stride=None, padding=0):
    """Your result is float64 and no gradient flows, as after a way through numpy: make it with x.new_empty(...), in torch."""
    return max_pool2d(x.detach(), kernel_size, stride, padding).double()


@mistake("max_pool2d")
def detached(x, kernel_size, stride=None, padding=0):
    """The values are right, but no gradient flows: stay with torch operations on x, without numpy, .data or .detach()."""
    return max_pool2d(x.detach(), kernel_size, stride, padding)


@mistake("max_pool2d")
def max_in_float32(x, kernel_size, stride=None, padding=0):
    """The result has the dtype of x: yours is float32 whatever comes in. Make new tensors with x.new_empty or dtype=x.dtype."""
    return max_pool2d(x, kernel_size, stride, padding).float()


@mistake("max_pool2d")
def finite_padding(x, kernel_size, stride=None, padding=0):
    """Your padding is a finite number, which wins against lower ones: pad with float("-inf"), which never wins."""
    return _windows(x, kernel_size, stride, padding, -1e4).amax(dim=(-2, -1))


@mistake("max_pool2d")
def finite_start(x, kernel_size, stride=None, padding=0):
    """Of very low numbers your maximum is too high, as if it started from a number like -10000: start from float("-inf")."""
    return max_pool2d(x, kernel_size, stride, padding).clamp(min=-1e4)


@mistake("max_pool2d")
def swallows_nan(x, kernel_size, stride=None, padding=0):
    """NaN does not show in your result, as with `if value > best`, which is false for NaN: amax and torch.maximum keep it."""
    return max_pool2d(
        x.nan_to_num(nan=float("-inf"), posinf=float("inf"), neginf=float("-inf")),
        kernel_size,
        stride,
        padding,
    )


@mistake(
    "max_pool2d", outlier="Where there is one window none is left, so that hardly a value can be judged."
)
def missing_plus_one(x, kernel_size, stride=None, padding=0):
    """One row and one column of windows is missing: count places, not gaps, (H + 2 * padding - kernel_size) // stride + 1."""
    return max_pool2d(x, kernel_size, stride, padding)[:, :, :-1, :-1]


@mistake("avg_pool2d")
def divides_by_count_kept(x, kernel_size, stride=None, padding=0):
    """Divide by kernel_size * kernel_size always: padded zeros count in the divisor, as in torch by default."""
    inside = avg_pool2d(torch.ones_like(x), kernel_size, stride, padding)
    return avg_pool2d(x, kernel_size, stride, padding) / inside


@mistake("avg_pool2d")
def divides_by_nonzeros(x, kernel_size, stride=None, padding=0):
    """Divide by the window's area, whatever its values are: zeros count too."""
    windows = _windows(x, kernel_size, stride, padding, 0.0)
    return windows.sum(dim=(-2, -1)) / (windows != 0).sum(dim=(-2, -1)).clamp(min=1)


@mistake("avg_pool2d")
def divides_by_side(x, kernel_size, stride=None, padding=0):
    """A window holds kernel_size * kernel_size values, not kernel_size: divide by its area."""
    return avg_pool2d(x, kernel_size, stride, padding) * kernel_size


@mistake("avg_pool2d")
def sums(x, kernel_size, stride=None, padding=0):
    """That is the sum of the window: divide it by kernel_size * kernel_size."""
    return avg_pool2d(x, kernel_size, stride, padding) * kernel_size**2


@mistake("avg_pool2d")
def takes_the_maximum(x, kernel_size, stride=None, padding=0):
    """This is max pooling: take the mean of each window."""
    return _windows(x, kernel_size, stride, padding, 0.0).amax(dim=(-2, -1))


@mistake("avg_pool2d")
def stride_as_window(x, kernel_size, stride=None, padding=0):
    """Your result is the same for every `stride`: each window is kernel_size wide, and they start `stride` apart."""
    return avg_pool2d(x, kernel_size, None, padding)


@mistake("avg_pool2d")
def window_as_stride(x, kernel_size, stride=None, padding=0):
    """Your windows are `stride` wide: a window is kernel_size wide, however far apart windows are."""
    return avg_pool2d(x, stride or kernel_size, stride, padding)


@mistake("avg_pool2d")
def averages_channels(x, kernel_size, stride=None, padding=0):
    """Your result is a mean over the channels too: each channel is pooled on its own."""
    return avg_pool2d(x, kernel_size, stride, padding).mean(dim=1, keepdim=True)


@mistake("avg_pool2d")
def stride_of_one(x, kernel_size, stride=1, padding=0):
    """When no stride is given it equals kernel_size, as for the maximum. Yours is 1."""
    return avg_pool2d(x, kernel_size, stride or 1, padding)


@mistake("avg_pool2d")
def no_padding(x, kernel_size, stride=None, padding=0):
    """Your result is the same for every `padding`: add that many rows and columns of zeros on every side."""
    return avg_pool2d(x, kernel_size, stride)


@mistake("avg_pool2d")
def pads_with_infinity(x, kernel_size, stride=None, padding=0):
    """The border of your result is -inf, as if padded for a maximum: a mean needs zeros there."""
    return _windows(x, kernel_size, stride, padding, float("-inf")).mean(dim=(-2, -1))


@mistake("avg_pool2d")
def rounds_up(x, kernel_size, stride=None, padding=0):
    """A window that sticks out is dropped, here too. Your result holds the cut-off ones."""
    step = kernel_size if stride is None else stride
    missing = [-(size + 2 * padding - kernel_size) % step for size in (x.shape[3], x.shape[2])]
    longer = F.pad(x, (padding, padding + missing[0], padding, padding + missing[1]))
    return avg_pool2d(longer, kernel_size, step)


@mistake("avg_pool2d")
def mean_through_numpy(x, kernel_size, stride=None, padding=0):
    """Your result is float64 and no gradient flows, as after a way through numpy: stay in torch, with the dtype of x."""
    return avg_pool2d(x.detach(), kernel_size, stride, padding).double()


@mistake("avg_pool2d")
def divides_in_place(x, kernel_size, stride=None, padding=0):
    """The caller's image is changed, as by `x /= ...`: divide your own sums instead."""
    x /= kernel_size**2
    return _windows(x, kernel_size, stride, padding, 0.0).sum(dim=(-2, -1))


@mistake("avg_pool2d")
def always_float32(x, kernel_size, stride=None, padding=0):
    """The result has the dtype of x: yours is float32 whatever comes in. Make new tensors with x.new_zeros or dtype=x.dtype."""
    return avg_pool2d(x, kernel_size, stride, padding).float()


@mistake("avg_pool2d")
def avg_detached(x, kernel_size, stride=None, padding=0):
    """The values are right, but no gradient flows: stay with torch operations on x, without numpy, .data or .detach()."""
    return avg_pool2d(x.detach(), kernel_size, stride, padding)


@mistake("avg_pool2d")
def avg_transposed(x, kernel_size, stride=None, padding=0):
    """Your result is the transpose of the right one: look at the order of the axes in permute or in your loops."""
    return avg_pool2d(x, kernel_size, stride, padding).transpose(2, 3)


@mistake("avg_pool2d")
def avg_images_together(x, kernel_size, stride=None, padding=0):
    """Your result is a mean over the batch too: each image is pooled on its own."""
    return avg_pool2d(x, kernel_size, stride, padding).mean(dim=0, keepdim=True)


@mistake("global_avg_pool2d")
def global_detached(x):
    """The values are right, but no gradient flows: stay with torch operations on x, without numpy, .data or .detach()."""
    return x.detach().mean(dim=(2, 3), keepdim=True)


@mistake("global_avg_pool2d")
def global_in_float32(x):
    """The result has the dtype of x: yours is float32 whatever comes in. Take the mean of x itself."""
    return x.float().mean(dim=(2, 3), keepdim=True)


@mistake("global_avg_pool2d")
def view_of_any_image(x):
    """`view` joins only axes that lie in one piece, and x may be a part of another tensor: use reshape or flatten, which take any."""
    return x.view(*x.shape[:2], -1).mean(dim=2)[:, :, None, None]


@mistake("global_avg_pool2d")
def no_spatial_axes(x):
    """Keep the two spatial axes with size 1, as torch does: keepdim=True gives (N, C, 1, 1)."""
    return x.mean(dim=(2, 3))


@mistake("global_avg_pool2d")
def over_the_batch_too(x):
    """Each image has its own means: average over height and width, not over the batch."""
    return x.mean(dim=(0, 2, 3), keepdim=True)


@mistake("global_avg_pool2d")
def over_channels_too(x):
    """Each channel has its own mean: average over axes 2 and 3, not over axis 1."""
    return x.mean(dim=(1, 2, 3), keepdim=True)


@mistake("global_avg_pool2d")
def global_maximum(x):
    """That is the maximum of each channel: take the mean."""
    return x.amax(dim=(2, 3), keepdim=True)


@mistake("global_avg_pool2d")
def over_the_rows_alone(x):
    """One of the two spatial axes is left: take the mean over both, dim=(2, 3)."""
    return x.mean(dim=3, keepdim=True)


@mistake("global_avg_pool2d")
def global_sum(x):
    """That is the sum of each channel: divide it by H * W, or use mean."""
    return x.sum(dim=(2, 3), keepdim=True)


@mistake("global_avg_pool2d")
def over_axes_of_channels_last(x):
    """That is the mean over axes 1 and 2, as for (N, H, W, C): here they are channel and row. Take axes 2 and 3."""
    return x.mean(dim=(1, 2), keepdim=True)

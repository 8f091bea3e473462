"""Known mistakes of `output_size`."""

import math

import numpy as np
from reference import conv_mult_adds, conv_output_size, conv_parameter_count, receptive_field

from grader.mistakes import mistake


@mistake("conv_output_size")
def no_floor(size, kernel_size, stride=1, padding=0, dilation=1):
    """The positions that fit are counted in whole steps: use integer division, (size + 2 * padding - reach) // stride + 1."""
    return (size + 2 * padding - dilation * (kernel_size - 1) - 1) / stride + 1


@mistake("conv_output_size")
def below_zero(size, kernel_size, stride=1, padding=0, dilation=1):
    """A kernel that does not fit has no position: the number is 0 then, and never below. Take max(..., 0)."""
    return (size + 2 * padding - dilation * (kernel_size - 1) - 1) // stride + 1


@mistake("conv_output_size")
def cut_towards_zero(size, kernel_size, stride=1, padding=0, dilation=1):
    """A kernel that does not fit has no position, and yours has one, as int(-0.5) is 0, not -1: divide with //, and take max(..., 0)."""
    return int((size + 2 * padding - dilation * (kernel_size - 1) - 1) / stride) + 1


@mistake("conv_output_size")
def at_least_one(size, kernel_size, stride=1, padding=0, dilation=1):
    """A kernel that does not fit has no position: the answer is 0, and yours is 1."""
    return max(conv_output_size(size, kernel_size, stride, padding, dilation), 1)


@mistake("conv_output_size")
def ceil_or_round(size, kernel_size, stride=1, padding=0, dilation=1):
    """A window that does not fit entirely is dropped: round down, never up. Try size 8, kernel 3, stride 2 by hand."""
    return math.ceil((size + 2 * padding - dilation * (kernel_size - 1) - 1) / stride) + 1


@mistake("conv_output_size")
def pad_once(size, kernel_size, stride=1, padding=0, dilation=1):
    """Padding is added on both sides, so the padded length is size + 2 * padding."""
    return (size + padding - dilation * (kernel_size - 1) - 1) // stride + 1


@mistake("conv_output_size")
def missing_plus_one(size, kernel_size, stride=1, padding=0, dilation=1):
    """Count positions, not gaps: where the kernel just fits there is one position, not zero. You lack the + 1."""
    return (size + 2 * padding - dilation * (kernel_size - 1) - 1) // stride


@mistake("conv_output_size")
def size_over_stride(size, kernel_size, stride=1, padding=0, dilation=1):
    """The kernel size must enter the formula: size / stride is the rule of "same" padding, which this is not."""
    return -(-size // stride)


@mistake("conv_output_size")
def size_over_stride_floored(size, kernel_size, stride=1, padding=0, dilation=1):
    """The kernel size must enter the formula: size // stride is right only for a kernel as long as its stride."""
    return size // stride


@mistake("conv_output_size")
def dilation_times_kernel(size, kernel_size, stride=1, padding=0, dilation=1):
    """Dilation widens the gaps, and k taps have k - 1 gaps: the reach is dilation * (k - 1) + 1, not dilation * k."""
    return (size + 2 * padding - dilation * kernel_size) // stride + 1


@mistake("conv_output_size")
def dilation_ignored(size, kernel_size, stride=1, padding=0, dilation=1):
    """Your result is the same for every `dilation`. A dilated kernel reaches over dilation * (kernel_size - 1) + 1 pixels."""
    return conv_output_size(size, kernel_size, stride, padding)


@mistake("conv_output_size")
def dilation_twice(size, kernel_size, stride=1, padding=0, dilation=1):
    """Dilation counts twice in your result, as if the reach were dilated again: give the reach a name of its own, not kernel_size."""
    kernel_size = dilation * (kernel_size - 1) + 1
    return conv_output_size(size, kernel_size, stride, padding, dilation)


@mistake("conv_output_size")
def floor_to_float(size, kernel_size, stride=1, padding=0, dilation=1):
    """The value is right, but a float: a size is an int, which // between ints gives you (or int(...))."""
    return float(conv_output_size(size, kernel_size, stride, padding, dilation))


@mistake("conv_output_size")
def floor_by_numpy(size, kernel_size, stride=1, padding=0, dilation=1):
    """Your result is a float of numpy, which no layer takes as a size: // between ints rounds down and gives an int."""
    return np.floor((size + 2 * padding - dilation * (kernel_size - 1) - 1) / stride + 1)


@mistake("conv_output_size")
def padding_taken_away(size, kernel_size, stride=1, padding=0, dilation=1):
    """Your result shrinks with the padding, as if it were taken away: the padded length is size + 2 * padding."""
    return (size - 2 * padding - dilation * (kernel_size - 1) - 1) // stride + 1


@mistake("conv_output_size")
def true_divide_to_int(size, kernel_size, stride=1, padding=0, dilation=1):
    """Your result is rounded to the nearest number, as round() does, and sometimes up: a position that does not fit is dropped, so use //."""
    return round((size + 2 * padding - dilation * (kernel_size - 1) - 1) / stride) + 1


@mistake("same_padding")
def half_the_kernel_with_dilation(kernel_size, dilation=1):
    """Half of the kernel is right without dilation. With it, look at the reach: dilation * (kernel_size - 1) // 2."""
    return kernel_size // 2


@mistake("same_padding")
def half_as_float(kernel_size, dilation=1):
    """The value is right, but a float, which no layer takes as padding: divide with //, not with /."""
    return dilation * (kernel_size - 1) / 2


@mistake("same_padding")
def both_sides_together(kernel_size, dilation=1):
    """That is the padding of both sides together: `padding` is added on each side, so take half of it."""
    return dilation * (kernel_size - 1)


@mistake("same_padding")
def dilation_times_half_kernel(kernel_size, dilation=1):
    """Half of dilation * kernel_size is too much: k taps have k - 1 gaps, so it is dilation * (kernel_size - 1) // 2."""
    return dilation * kernel_size // 2


@mistake("conv_parameter_count")
def no_bias(in_channels, out_channels, kernel_size, bias=True, groups=1):
    """Each filter has one bias: add out_channels where `bias` is true."""
    return out_channels * (in_channels // groups) * kernel_size**2


@mistake("conv_parameter_count")
def bias_always(in_channels, out_channels, kernel_size, bias=True, groups=1):
    """Your count is the same with and without `bias`: with bias=False there is none to count."""
    return out_channels * (in_channels // groups) * kernel_size**2 + out_channels


@mistake("conv_parameter_count")
def no_in_channels(in_channels, out_channels, kernel_size, bias=True, groups=1):
    """A filter reaches through every input channel: it holds in_channels * k * k weights. One input channel hides this."""
    return out_channels * kernel_size**2 + (out_channels if bias else 0)


@mistake("conv_parameter_count")
def bias_per_weight_plane(in_channels, out_channels, kernel_size, bias=True, groups=1):
    """There is one bias per filter, shared by all input channels: yours counts one per pair of channels."""
    planes = out_channels * (in_channels // groups)
    return planes * kernel_size**2 + (planes if bias else 0)


@mistake("conv_parameter_count")
def groups_ignored(in_channels, out_channels, kernel_size, bias=True, groups=1):
    """With groups, a filter sees only the channels of its own group: in_channels // groups of them."""
    return out_channels * in_channels * kernel_size**2 + (out_channels if bias else 0)


@mistake("conv_parameter_count")
def bias_per_input_channel(in_channels, out_channels, kernel_size, bias=True, groups=1):
    """Your count holds a bias for each input channel: there is one for each filter, so out_channels of them."""
    return out_channels * (in_channels // groups) * kernel_size**2 + (in_channels if bias else 0)


@mistake("conv_parameter_count")
def kernel_not_squared(in_channels, out_channels, kernel_size, bias=True, groups=1):
    """A square kernel holds kernel_size * kernel_size weights for each input channel: yours counts one side of it."""
    return out_channels * (in_channels // groups) * kernel_size + (out_channels if bias else 0)


@mistake("conv_parameter_count")
def groups_by_true_division(in_channels, out_channels, kernel_size, bias=True, groups=1):
    """The value is right, but a float: a count is an int, so divide with in_channels // groups."""
    return out_channels * (in_channels / groups) * kernel_size**2 + (out_channels if bias else 0)


@mistake("conv_parameter_count")
def count_by_numpy(in_channels, out_channels, kernel_size, bias=True, groups=1):
    """The value is right, but a number of numpy, as np.prod and np.sum give it: convert it with int(...), or multiply with *."""
    return np.int64(conv_parameter_count(in_channels, out_channels, kernel_size, bias, groups))


@mistake("conv_parameter_count")
def no_bias_in_groups(in_channels, out_channels, kernel_size, bias=True, groups=1):
    """With several groups your count lacks the biases: there is still one for each filter, so out_channels of them."""
    with_bias = bias and groups == 1
    return conv_parameter_count(in_channels, out_channels, kernel_size, with_bias, groups)


@mistake("conv_parameter_count")
def groups_on_both_sides(in_channels, out_channels, kernel_size, bias=True, groups=1):
    """Groups divide the input channels of a filter, not the number of filters: there are still out_channels of them."""
    weights = (out_channels // groups) * (in_channels // groups) * kernel_size**2
    return weights + (out_channels if bias else 0)


@mistake("conv_mult_adds")
def counts_parameters(in_channels, out_channels, kernel_size, out_height, out_width, groups=1):
    """These are the weights. The same weights are used again at every position: multiply by out_height * out_width."""
    return out_channels * (in_channels // groups) * kernel_size**2


@mistake("conv_mult_adds")
def square_output(in_channels, out_channels, kernel_size, out_height, out_width, groups=1):
    """Your result is that of an output as wide as it is high: count the positions as out_height * out_width."""
    return out_channels * out_height**2 * (in_channels // groups) * kernel_size**2


@mistake("conv_mult_adds")
def groups_not_counted(in_channels, out_channels, kernel_size, out_height, out_width, groups=1):
    """With groups, each dot product runs over in_channels // groups channels only."""
    return out_channels * out_height * out_width * in_channels * kernel_size**2


@mistake("conv_mult_adds")
def adds_the_bias(in_channels, out_channels, kernel_size, out_height, out_width, groups=1):
    """Yours is one more for each output value, as if the bias counted: it is left out here, as the docstring says."""
    return out_channels * out_height * out_width * ((in_channels // groups) * kernel_size**2 + 1)


@mistake("conv_mult_adds")
def multiplications_and_additions(in_channels, out_channels, kernel_size, out_height, out_width, groups=1):
    """Yours is twice as much, as if multiplications and additions counted apart: one multiply-add is both together."""
    return 2 * out_channels * out_height * out_width * (in_channels // groups) * kernel_size**2


@mistake("conv_mult_adds")
def work_of_one_filter(in_channels, out_channels, kernel_size, out_height, out_width, groups=1):
    """That is the work of one filter. There are out_channels of them."""
    return out_height * out_width * (in_channels // groups) * kernel_size**2


@mistake("conv_mult_adds")
def work_as_float(in_channels, out_channels, kernel_size, out_height, out_width, groups=1):
    """The value is right, but a float: a count is an int, so divide with in_channels // groups."""
    return out_channels * out_height * out_width * (in_channels / groups) * kernel_size**2


@mistake("conv_mult_adds")
def work_by_numpy(in_channels, out_channels, kernel_size, out_height, out_width, groups=1):
    """The value is right, but a number of numpy, as np.prod gives it: convert it with int(...), or multiply with *."""
    return np.int64(conv_mult_adds(in_channels, out_channels, kernel_size, out_height, out_width, groups))


@mistake("receptive_field")
def sum_of_kernels(layers):
    """Two 3 x 3 layers see 5 pixels, not 6: neighboring windows overlap, so each layer adds k - 1 steps."""
    field, step = 0, 1
    for kernel_size, stride in layers:
        field += kernel_size * step
        step *= stride
    return field


@mistake("receptive_field")
def own_stride(layers):
    """A layer's step in the input is the product of the strides BEFORE it; its own stride counts for later layers only."""
    field, step = 1, 1
    for kernel_size, stride in layers:
        step *= stride
        field += (kernel_size - 1) * step
    return field


@mistake("receptive_field")
def previous_stride_only(layers):
    """Strides multiply: after two layers of stride 2, one step is 4 input pixels long, not 2."""
    field, step = 1, 1
    for kernel_size, stride in layers:
        field += (kernel_size - 1) * step
        step = stride
    return field


@mistake("receptive_field")
def largest_stride(layers):
    """Strides multiply: your field is that of steps as long as the largest stride before them, and after 2 and 2 a step is 4 long."""
    field, step = 1, 1
    for kernel_size, stride in layers:
        field += (kernel_size - 1) * step
        step = max(step, stride)
    return field


@mistake("receptive_field")
def adds_strides(layers):
    """Strides multiply, they do not add up: after two layers of stride 2, one step is 4 input pixels long, not 3."""
    field, step = 1, 1
    for kernel_size, stride in layers:
        field += (kernel_size - 1) * step
        step += stride - 1
    return field


@mistake("receptive_field")
def pooling_ignored(layers):
    """Your field is as if layers whose windows do not overlap were left out: pooling widens the field, and lengthens the step, like any other."""
    return receptive_field([(k, s) for k, s in layers if k != s or k == 1])


@mistake("receptive_field")
def pooling_keeps_the_field(layers):
    """Pooling has a window too: (k - 1) * step is added for every layer, also where kernel and stride are equal."""
    field, step = 1, 1
    for kernel_size, stride in layers:
        field += (kernel_size - 1) * step if kernel_size != stride else 0
        step *= stride
    return field


@mistake("receptive_field")
def from_the_last_layer(layers):
    """Your field is that of the layers in reverse order: the step of a layer is the product of the strides BEFORE it."""
    return receptive_field(layers[::-1])


@mistake("receptive_field")
def backwards_without_minus(layers):
    """Your field is that of r * stride + kernel, from the last layer to the first: r pixels come from (r - 1) * stride + kernel."""
    field = 1
    for kernel_size, stride in reversed(layers):
        field = field * stride + kernel_size
    return field


@mistake("receptive_field")
def stride_ignored(layers):
    """After a layer with stride 2, one step of the next layer is 2 input pixels long: carry the product of the strides."""
    return 1 + sum(kernel_size - 1 for kernel_size, _ in layers)


@mistake("receptive_field")
def from_zero(layers):
    """Start from one pixel: a unit with no layer before it sees itself."""
    field, step = 0, 1
    for kernel_size, stride in layers:
        field += (kernel_size - 1) * step
        step *= stride
    return field


@mistake("receptive_field")
def skips_one_by_one(layers):
    """A 1 x 1 layer does not widen the field, but its stride lengthens the step of all layers after it: do not pass over it."""
    return receptive_field([(k, s) for k, s in layers if k != 1])


@mistake("receptive_field")
def field_as_float(layers):
    """The value is right, but a float: a number of pixels is an int, so add and multiply ints, without /."""
    return float(receptive_field(layers))

"""Known mistakes of `convolution`."""

import torch
from reference import conv2d, zero_pad2d

from grader.mistakes import mistake


def _pad_sides(x, top, bottom, left, right):
    """Pad each side by its own width."""
    n, c, h, w = x.shape
    padded = x.new_zeros(n, c, top + h + bottom, left + w + right)
    padded[:, :, top : top + h, left : left + w] = x
    return padded


@mistake("zero_pad2d")
def one_side_only(x, padding):
    """Two of the four sides have a border: zeros belong above and below, left and right, so H grows by 2 * padding."""
    return _pad_sides(x, 0, padding, 0, padding)


@mistake("zero_pad2d")
def no_border(x, padding):
    """With padding 1 your result is as large as x: each side gets a border `padding` wide, not padding // 2."""
    return x.clone()


@mistake("zero_pad2d")
def always_one(x, padding):
    """Your border is one pixel wide, whatever `padding` says: use the argument. Try padding=2."""
    return zero_pad2d(x, 1)


@mistake("zero_pad2d")
def pads_all_axes(x, padding):
    """Your batch and channels grow too: pad height and width only, the last two axes."""
    padded = x.new_zeros([size + 2 * padding for size in x.shape])
    padded[tuple(slice(padding, padding + size) for size in x.shape)] = x
    return padded


@mistake("zero_pad2d")
def pads_width_only(x, padding):
    """Your border is left and right only: rows of zeros are missing above and below."""
    return _pad_sides(x, 0, 0, padding, padding)


@mistake("zero_pad2d")
def pads_height_only(x, padding):
    """Your border is above and below only: columns of zeros are missing left and right."""
    return _pad_sides(x, padding, padding, 0, 0)


@mistake("zero_pad2d")
def slice_to_minus_zero(x, padding):
    """With padding 0 your code fails, as the slice 0:-0 does, which is empty: write padding : padding + H instead of padding : -padding."""
    n, c, h, w = x.shape
    padded = x.new_zeros(n, c, h + 2 * padding, w + 2 * padding)
    padded[:, :, padding:-padding, padding:-padding] = x
    return padded


@mistake("zero_pad2d")
def middle_of_four_axes(x, padding):
    """Axes 1 and 2 are padded, as for images of (N, H, W, C). Here they are (N, C, H, W): pad axes 2 and 3."""
    return zero_pad2d(x.permute(0, 3, 1, 2), padding).permute(0, 2, 3, 1)


@mistake("zero_pad2d")
def image_of_three_axes(x, padding):
    """Your code fails on x of four axes, as code for one image of three does. x is a batch, (N, C, H, W): leave the first two as they are."""
    c, h, w = x.shape
    return zero_pad2d(x.reshape(1, c, h, w), padding)[0]


@mistake("zero_pad2d")
def empty_border(x, padding):
    """Your border is not zero: torch.empty holds whatever was in memory, and ones are no zeros. Start from zeros."""
    inside = zero_pad2d(torch.ones_like(x), padding)
    return zero_pad2d(x, padding) + (1 - inside)


@mistake("zero_pad2d")
def repeats_the_border(x, padding):
    """Your border repeats the outermost pixels. Zero padding writes zeros around the image."""
    rows = torch.arange(-padding, x.shape[2] + padding).clamp(0, x.shape[2] - 1)
    columns = torch.arange(-padding, x.shape[3] + padding).clamp(0, x.shape[3] - 1)
    return x[:, :, rows][:, :, :, columns]


@mistake("zero_pad2d")
def image_in_the_corner(x, padding):
    """The size is right, but the image lies in the top left corner: it starts at row padding and column padding."""
    return _pad_sides(x, 0, 2 * padding, 0, 2 * padding)


@mistake("zero_pad2d")
def padded_float32(x, padding):
    """Your result is float32 whatever x is, as torch.zeros makes it: write x.new_zeros(...), or give it dtype=x.dtype."""
    return zero_pad2d(x, padding).float()


@mistake("zero_pad2d")
def padded_by_numpy(x, padding):
    """Your result is float64 and no gradient passes, as after a way through numpy: make the zeros with x.new_zeros, and stay in torch."""
    return torch.from_numpy(zero_pad2d(x.double(), padding).numpy())


@mistake("zero_pad2d")
def numpy_pad(x, padding):
    """You return a numpy array: stay with torch, x.new_zeros(...) and a slice, so that gradients pass as well."""
    return zero_pad2d(x, padding).numpy()


@mistake("zero_pad2d")
def pad_detached(x, padding):
    """The values are right, but no gradient flows: write x itself into the zeros, not x.data or x.detach()."""
    return zero_pad2d(x.detach(), padding)


@mistake("zero_pad2d")
def pad_returns_none(x, padding):
    """Your function returns None: end it with `return` and the padded image."""
    zero_pad2d(x, padding)


@mistake("conv2d")
def flipped_kernel(x, weight, bias=None, stride=1, padding=0):
    """Your result is that of a flipped filter. That is convolution in mathematics; in deep learning the filter is laid on as it is."""
    return conv2d(x, weight.flip(2, 3), bias, stride, padding)


@mistake("conv2d")
def transposed_kernel(x, weight, bias=None, stride=1, padding=0):
    """Your result is that of a transposed filter: its axis 2 goes down the rows, and its axis 3 along the columns."""
    return conv2d(x, weight.mT, bias, stride, padding)


@mistake("conv2d")
def transposed_map(x, weight, bias=None, stride=1, padding=0):
    """Your maps are transposed: row i of the result comes from rows of the image. Look at the order of your axes."""
    return conv2d(x, weight, bias, stride, padding).mT


@mistake("conv2d")
def stride_not_in_index(x, weight, bias=None, stride=1, padding=0):
    """The size is right, but windows lie one pixel apart: window (i, j) starts at (i * stride, j * stride)."""
    right = conv2d(x, weight, bias, stride, padding)
    return conv2d(x, weight, bias, 1, padding)[:, :, : right.shape[2], : right.shape[3]]


@mistake("conv2d")
def stride_ignored(x, weight, bias=None, stride=1, padding=0):
    """Your result is the same for every `stride`: it enters the size of the result, and the place where each window starts."""
    return conv2d(x, weight, bias, 1, padding)


@mistake("conv2d")
def no_stride_argument(x, weight, bias=None, padding=0):
    """Your function takes no stride: the arguments are x, weight, bias=None, stride=1, padding=0, in this order."""
    return conv2d(x, weight, bias, 1, padding)


@mistake("conv2d")
def padding_before_stride(x, weight, bias=None, padding=0, stride=1):
    """Your last two arguments are in another order: stride comes before padding, as in torch."""
    return conv2d(x, weight, bias, stride, padding)


@mistake("conv2d")
def same_by_default(x, weight, bias=None, stride=1, padding=None):
    """The default padding is 0: yours is half of the kernel where none is asked for."""
    return conv2d(x, weight, bias, stride, weight.shape[2] // 2 if padding is None else padding)


@mistake("conv2d")
def reads_unpadded(x, weight, bias=None, stride=1, padding=0):
    """The size is that of the padded image, but the windows are read from the other one: slide over the padded image."""
    right = conv2d(x, weight, bias, stride, padding)
    k_h, k_w = weight.shape[2:]
    for i in range(right.shape[2]):
        for j in range(right.shape[3]):
            window = x[:, :, i * stride : i * stride + k_h, j * stride : j * stride + k_w]
            # A window that is cut off at the border does not fit the filter.
            right[:, :, i, j] = torch.einsum("ncij,ocij->no", window, weight)
    return right if bias is None else right + bias[:, None, None]


@mistake("conv2d")
def padding_ignored(x, weight, bias=None, stride=1, padding=0):
    """Your result is the same for every `padding`: call your zero_pad2d first, and take the size of the result from the padded image."""
    return conv2d(x, weight, bias, stride)


@mistake("conv2d")
def pads_the_result(x, weight, bias=None, stride=1, padding=0):
    """The border of your result is 0, as if the result was padded, and not the image: pad x first, and slide the filter over that."""
    return zero_pad2d(conv2d(x, weight, bias, stride), padding)


@mistake("conv2d")
def pads_twice_the_width(x, weight, bias=None, stride=1, padding=0):
    """Your result is as large as with a border of 2 * padding on each side. It is `padding` wide, and the size grows by 2 * padding in all."""
    return conv2d(x, weight, bias, stride, 2 * padding)


@mistake("conv2d")
def pads_once(x, weight, bias=None, stride=1, padding=0):
    """Padding counts on both sides: the padded image is H + 2 * padding high, not H + padding."""
    return conv2d(_pad_sides(x, padding, 0, padding, 0), weight, bias, stride)


@mistake("conv2d")
def square_assumed(x, weight, bias=None, stride=1, padding=0):
    """Your maps are as high as they are wide, whatever the image: keep height and width apart. Try an image of 2 x 4."""
    size = (x.shape[2] + 2 * padding - weight.shape[2]) // stride + 1
    padded = zero_pad2d(x, padding)
    result = x.new_zeros(x.shape[0], weight.shape[0], size, size)
    for i in range(size):
        for j in range(size):
            rows = slice(i * stride, i * stride + weight.shape[2])
            columns = slice(j * stride, j * stride + weight.shape[3])
            result[:, :, i, j] = torch.einsum("ncij,ocij->no", padded[:, :, rows, columns], weight)
    return result if bias is None else result + bias[:, None, None]


@mistake("conv2d")
def square_kernel_assumed(x, weight, bias=None, stride=1, padding=0):
    """Your code fails where a filter is not square, as with one number for both sides: its height is weight.shape[2], its width weight.shape[3]."""
    k = weight.shape[2]
    windows = zero_pad2d(x, padding).unfold(2, k, stride).unfold(3, k, stride)
    result = torch.einsum("nchwij,ocij->nohw", windows, weight)
    return result if bias is None else result + bias[:, None, None]


@mistake("conv2d")
def keeps_the_last_channel(x, weight, bias=None, stride=1, padding=0):
    """Your result is that of the last channel, as if each overwrote the one before: add them up, with += on zeros, or one sum over C, K_h and K_w."""
    return conv2d(x[:, -1:], weight[:, -1:], bias, stride, padding)


@mistake("conv2d")
def first_channel_only(x, weight, bias=None, stride=1, padding=0):
    """Your result comes from the first channel of the image alone: a filter reaches through all of them, and adds them up."""
    return conv2d(x[:, :1], weight[:, :1], bias, stride, padding)


@mistake("conv2d")
def sums_the_filter_first(x, weight, bias=None, stride=1, padding=0):
    """Your result is as if the channels were added up before the product: each channel has its own part of the filter. Multiply first."""
    return conv2d(x.sum(1, keepdim=True), weight.sum(1, keepdim=True), bias, stride, padding)


@mistake("conv2d")
def averages(x, weight, bias=None, stride=1, padding=0):
    """That is the mean of the products. A convolution takes their sum: C * K_h * K_w times as much."""
    return conv2d(x, weight / weight[0].numel(), bias, stride, padding)


@mistake("conv2d")
def first_filter_only(x, weight, bias=None, stride=1, padding=0):
    """Your result has one map. There are C_out of them, one for each filter weight[o]."""
    return conv2d(x, weight[:1], None if bias is None else bias[:1], stride, padding)


@mistake("conv2d")
def first_filter_everywhere(x, weight, bias=None, stride=1, padding=0):
    """All your maps are the same: map o comes from filter weight[o]."""
    return conv2d(x, weight[:1].expand(weight.shape), bias, stride, padding)


@mistake("conv2d")
def first_image_only(x, weight, bias=None, stride=1, padding=0):
    """Your result holds the first image only: keep the batch axis, and treat each image of it."""
    return conv2d(x[:1], weight, bias, stride, padding)


@mistake("conv2d", outlier="It raises on every batch, so that no value can be judged.")
def image_without_batch(x, weight, bias=None, stride=1, padding=0):
    """Your code fails on x of four axes, as code for one image of three does. x is a batch of images, (N, C, H, W)."""
    c, h, w = x.shape
    return conv2d(x.reshape(1, c, h, w), weight, bias, stride, padding)[0]


@mistake("conv2d")
def channels_last(x, weight, bias=None, stride=1, padding=0):
    """You return (N, H', W', C_out). torch keeps channels before height and width: (N, C_out, H', W')."""
    return conv2d(x, weight, bias, stride, padding).permute(0, 2, 3, 1)


@mistake("conv2d", outlier="No window is at its place, so that no value is right.")
def reads_channels_last(x, weight, bias=None, stride=1, padding=0):
    """Your result is as if x were (N, H, W, C), and then the filters do not fit. Here x is (N, C, H, W)."""
    return conv2d(x.permute(0, 3, 1, 2), weight, bias, stride, padding)


@mistake("conv2d")
def bias_for_each_channel(x, weight, bias=None, stride=1, padding=0):
    """Your bias counts once for each input channel: add it once, after the sum over the channels."""
    return conv2d(x, weight, None if bias is None else bias * x.shape[1], stride, padding)


@mistake("conv2d")
def bias_ignored(x, weight, bias=None, stride=1, padding=0):
    """Your result is the same with and without `bias`: where it is not None, bias[o] is added to every place of map o."""
    return conv2d(x, weight, None, stride, padding)


@mistake("conv2d")
def bias_along_the_width(x, weight, bias=None, stride=1, padding=0):
    """Your bias runs along the width, the last axis, as `result + bias` does. Give it the shape (C_out, 1, 1) first."""
    result = conv2d(x, weight, None, stride, padding)
    return result if bias is None else result + bias


@mistake("conv2d")
def one_bias_for_all(x, weight, bias=None, stride=1, padding=0):
    """All your maps get the same bias: bias[o] belongs to map o."""
    return conv2d(x, weight, None if bias is None else bias[:1].expand(bias.shape), stride, padding)


@mistake("conv2d")
def bias_subtracted(x, weight, bias=None, stride=1, padding=0):
    """The bias is added, not subtracted."""
    return conv2d(x, weight, None if bias is None else -bias, stride, padding)


@mistake("conv2d")
def bias_is_required(x, weight, bias, stride=1, padding=0):
    """The bias may be left out: give it the default None, and add it only where it is not None."""
    return conv2d(x, weight, bias, stride, padding)


@mistake("conv2d")
def changes_an_argument(x, weight, bias=None, stride=1, padding=0):
    """An argument is changed, which is the caller's: `+=`, x[...] = and methods that end in _ do so. Make a new tensor."""
    result = conv2d(x, weight, None, stride, padding)
    return result if bias is None else result + bias.unsqueeze_(1).unsqueeze_(2)


@mistake("conv2d")
def rejects_what_does_not_divide(x, weight, bias=None, stride=1, padding=0):
    """The size need not come out even: round it down, which drops the rows and columns left over, and refuse nothing."""
    assert (x.shape[2] + 2 * padding - weight.shape[2]) % stride == 0, "height does not fit"
    assert (x.shape[3] + 2 * padding - weight.shape[3]) % stride == 0, "width does not fit"
    return conv2d(x, weight, bias, stride, padding)


@mistake("conv2d")
def keeps_cut_off_windows(x, weight, bias=None, stride=1, padding=0):
    """A window that sticks out is dropped: round the size down. Yours is rounded up."""
    missing = [
        -(side + 2 * padding - k) % stride for side, k in zip(x.shape[2:], weight.shape[2:], strict=True)
    ]
    padded = _pad_sides(x, padding, padding + missing[0], padding, padding + missing[1])
    return conv2d(padded, weight, bias, stride)


@mistake("conv2d", outlier="Where there is one window none is left, so that hardly a value can be judged.")
def missing_plus_one(x, weight, bias=None, stride=1, padding=0):
    """One row and one column of windows is missing: count places, not gaps, (H + 2 * padding - K_h) // stride + 1."""
    return conv2d(x, weight, bias, stride, padding)[:, :, :-1, :-1]


@mistake("conv2d")
def whole_numbers(x, weight, bias=None, stride=1, padding=0):
    """Your result holds whole numbers, the fractions are cut off: make it with the dtype of x, x.new_zeros(...)."""
    return conv2d(x, weight, bias, stride, padding).trunc()


@mistake("conv2d")
def always_float32(x, weight, bias=None, stride=1, padding=0):
    """Your result is float32 whatever x is, as torch.zeros makes it: write x.new_zeros(...), or give it dtype=x.dtype."""
    return conv2d(x, weight, bias, stride, padding).float()


@mistake("conv2d")
def always_float64(x, weight, bias=None, stride=1, padding=0):
    """Your result is float64 whatever comes in: make it with x.new_zeros, or convert it with .to(x.dtype)."""
    return conv2d(x, weight, bias, stride, padding).double()


@mistake("conv2d")
def through_numpy(x, weight, bias=None, stride=1, padding=0):
    """Your result is float64 and no gradient passes, as after a way through numpy: build it in torch, from x.new_zeros."""
    return torch.from_numpy(conv2d(x, weight, bias, stride, padding).double().numpy())


@mistake("conv2d")
def numpy_array(x, weight, bias=None, stride=1, padding=0):
    """You return a numpy array: build the result as a torch.Tensor, so that gradients pass as well."""
    return conv2d(x, weight, bias, stride, padding).numpy()


@mistake("conv2d")
def detached(x, weight, bias=None, stride=1, padding=0):
    """The values are right, but no gradient flows: stay with torch operations, without .data, .item() or .detach()."""
    return conv2d(x.detach(), weight.detach(), None if bias is None else bias.detach(), stride, padding)


@mistake("conv2d")
def weight_detached(x, weight, bias=None, stride=1, padding=0):
    """Gradients reach x but not the filters, which are what is learned: use weight itself, without .data or .detach()."""
    return conv2d(x, weight.detach(), bias, stride, padding)


@mistake("conv2d")
def image_detached(x, weight, bias=None, stride=1, padding=0):
    """Gradients reach the filters but not x, from which earlier layers learn: use x itself, without .data or .detach()."""
    return conv2d(x.detach(), weight, bias, stride, padding)


@mistake("conv2d")
def bias_detached(x, weight, bias=None, stride=1, padding=0):
    """Gradients reach x and the filters but not the bias, which is learned too: use it as it is, without .data or .detach()."""
    return conv2d(x, weight, None if bias is None else bias.detach(), stride, padding)


@mistake("conv2d")
def columns_without_permute(x, weight, bias=None, stride=1, padding=0):
    """The values are right and stand in wrong places, as those of (N, H', W', C_out) that only `reshape` brought into form: permute first."""
    right = conv2d(x, weight, bias, stride, padding)
    return right.permute(0, 2, 3, 1).reshape(right.shape)


@mistake("conv2d")
def with_cache(x, weight, bias=None, stride=1, padding=0):
    """You return (out, cache): return the result alone. torch remembers by itself what the backward pass needs."""
    return conv2d(x, weight, bias, stride, padding), (x, weight, bias, stride, padding)


@mistake("conv2d", outlier="There is no result to judge.")
def returns_none(x, weight, bias=None, stride=1, padding=0):
    """Your function returns None: end it with `return` and the result."""
    conv2d(x, weight, bias, stride, padding)

"""Sizes and counts: how large a convolution's output is, how much it learns, and how far it sees.

Notes: sections 2 and 3. Everything here is integer arithmetic on one axis at a time (height or width); no
tensor is needed. All results are ints, so divide with // and not with /.

Where the notes stop short, and you must not:

- They give no formula for the output size, and their rule of thumb `padding="same"` hides one. It holds at
  stride 1 only: torch refuses padding="same" with any other stride.
- Their filter is K x K x C. That is ONE filter; a layer has one for each output channel, and one bias for each.
- They call an image (H x W x C); PyTorch lays it out as (N, C, H, W).
"""


def conv_output_size(
    size: int, kernel_size: int, stride: int = 1, padding: int = 0, dilation: int = 1
) -> int:
    """Return how many positions a kernel has along one axis: the output's height or width.

    Pad the axis with `padding` zeros on BOTH sides. A kernel with dilation d leaves d - 1 gaps between its
    taps, so kernel_size taps reach over dilation * (kernel_size - 1) + 1 pixels. It starts at the left edge
    and moves `stride` pixels at a time; a position counts only when the whole reach lies inside. A kernel that
    reaches over more than the padded axis has no position: the answer is 0, never a negative number.

    Example, by hand: size 7, kernel 3, stride 2. The kernel starts at 0, 2 and 4; at 6 it would stick out.
    So the answer is 3. With dilation 2 the kernel reaches over 5 pixels, starts at 0 and 2, and the answer is 2.

    Source: Dumoulin & Visin 2016, "A guide to convolution arithmetic for deep learning", section 2.
    """
    raise NotImplementedError


def same_padding(kernel_size: int, dilation: int = 1) -> int:
    """Return the padding that keeps the size at stride 1, for an odd kernel_size.

    Example: a kernel of 5 needs 2, because it looks 2 pixels to either side. With dilation 2 the same kernel
    looks 4 pixels to either side. (An even reach has no middle, and no check asks for one.)
    """
    raise NotImplementedError


def conv_parameter_count(
    in_channels: int, out_channels: int, kernel_size: int, bias: bool = True, groups: int = 1
) -> int:
    """Return how many numbers an nn.Conv2d with a square kernel learns.

    Every output channel owns one filter. A filter reaches through all input channels of its group, which are
    in_channels / groups many. With `bias`, each filter has one more number.

    Example: 3 input channels, 8 filters of 3 x 3, with bias: 8 * (3 * 3 * 3) + 8 = 224. In 8 groups, 8 input
    channels and 8 filters of 3 x 3 have only 8 * (1 * 3 * 3) + 8 = 80.

    Source: torch's documentation of nn.Conv2d, where the shape of `weight` is given.
    """
    raise NotImplementedError


def conv_mult_adds(
    in_channels: int, out_channels: int, kernel_size: int, out_height: int, out_width: int, groups: int = 1
) -> int:
    """Return how many multiply-adds one forward pass of a square convolution takes for one image.

    Every output value (there are out_channels * out_height * out_width) is one dot product over a window of
    its group's input channels. One multiply-add is a multiplication and the addition that follows it, counted
    as one. The bias is not counted.

    Example: 1 -> 20 channels, 5 x 5, output 28 x 28: 20 * 28 * 28 * 25 = 392000.
    """
    raise NotImplementedError


def receptive_field(layers: list[tuple[int, int]]) -> int:
    """Return how many input pixels along one axis one output value can see, for layers [(kernel, stride), ...].

    Start from 1 pixel. A layer with kernel k widens the field by k - 1 of its own steps, and one of its
    steps is as long as the product of the strides of all layers BEFORE it. Pooling layers count like
    convolutions: they have a kernel and a stride too. No layer at all sees 1 pixel.

    Example: two 3 x 3 convolutions with stride 1 see 3, then 3 + 2 = 5 pixels. If the first has stride 2, one
    step of the second is 2 pixels long, and it sees 3 + 2 * 2 = 7.

    Source: Araujo, Norris & Sim 2019, "Computing receptive fields of convolutional neural networks", Distill.
    """
    raise NotImplementedError

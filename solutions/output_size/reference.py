"""Reference of `output_size`: integer arithmetic along one axis.

Why it is written this way:

- All five are one question: where can a window start, and what does it hold? The first start is 0, the last is
  size + 2 * padding - reach, and starts lie `stride` apart. So the answer counts starts, which is gaps + 1.
- A kernel that does not fit has no position. The formula alone would say -1, or less, for some: a count is never negative.
- `//` between ints rounds down and stays an int. A size of 13.0 is refused by every layer and by range().
- `reach` has a name of its own: overwriting kernel_size with it is how a dilation gets counted twice.
- Weights are shared over positions, so an image's size enters the work and never the number of parameters.
- `receptive_field` carries two numbers through the layers: what is seen so far, and how many input pixels one
  step is long. The order of its two lines is the point: a layer's own stride counts only for later layers.
- There is no special case in it: no layers, a 1 x 1 kernel and pooling all follow from the same two lines.
"""


def conv_output_size(
    size: int, kernel_size: int, stride: int = 1, padding: int = 0, dilation: int = 1
) -> int:
    """Return the number of positions of a kernel along one axis (the formula in torch's docs of Conv2d)."""
    reach = dilation * (kernel_size - 1) + 1
    # Count positions, not gaps: where the reach just fits there is one position, hence the + 1. There are never fewer than 0.
    return max((size + 2 * padding - reach) // stride + 1, 0)


def same_padding(kernel_size: int, dilation: int = 1) -> int:
    """Return the padding that keeps the size at stride 1. Raises ValueError where no whole number does."""
    around = dilation * (kernel_size - 1)
    if around % 2:
        raise ValueError("an even reach has no middle: no symmetric padding keeps the size")
    return around // 2


def conv_parameter_count(
    in_channels: int, out_channels: int, kernel_size: int, bias: bool = True, groups: int = 1
) -> int:
    """Return the number of learnable numbers of an nn.Conv2d with a square kernel."""
    weights = out_channels * (in_channels // groups) * kernel_size * kernel_size
    return weights + (out_channels if bias else 0)


def conv_mult_adds(
    in_channels: int, out_channels: int, kernel_size: int, out_height: int, out_width: int, groups: int = 1
) -> int:
    """Return the multiply-adds of one forward pass for one image, without the bias."""
    per_value = (in_channels // groups) * kernel_size * kernel_size
    return out_channels * out_height * out_width * per_value


def receptive_field(layers: list[tuple[int, int]]) -> int:
    """Return how many input pixels along one axis one output value sees."""
    field, step = 1, 1
    for kernel_size, stride in layers:
        field += (kernel_size - 1) * step
        step *= stride  # counts only for the layers after this one
    return field

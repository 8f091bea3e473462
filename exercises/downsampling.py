"""Downsampling: what pooling and strided convolutions have in common, and how one takes the other's place.

Notes: section 8. A network that halves its images can do so by a fixed rule (pooling) or by a learned one (a
convolution with stride 2). The table of the notes says which of them "keeps details". It is not that simple:

- All of them throw positions away: of every 2 x 2 values, one number per channel is left.
- Average pooling IS a strided convolution, with the fixed weights 1/K². You will prove it below. It blurs, and that
  is why it keeps little detail, but shifts well.
- A strided convolution learns what to keep. It also takes more memory and time, and like max pooling it aliases:
  shift the image by one pixel, and quite different values may come out.
- A 1 x 1 convolution with stride 2 reads one pixel in four, and never sees the others. 3 x 3 reads all of them.
- Newer networks mix both: ResNet has strided convolutions in its blocks, and still a max pooling after its first
  layer and a global average pooling before its last.

Source: section 8 of the notes; Springenberg et al. 2014, Striving for Simplicity: The All Convolutional Net;
Zhang 2019, Making Convolutional Networks Shift-Invariant Again; He et al. 2015 (ResNet).
"""

from torch import nn


def avg_pool_as_conv(channels: int, kernel_size: int) -> nn.Conv2d:
    """Return a convolution that does what nn.AvgPool2d(kernel_size) does to images with that many channels.

    x (N, channels, H, W) -> (N, channels, H // kernel_size, W // kernel_size). Rows and columns that are left over
    are dropped. Each channel is averaged by itself, so the convolution has one kernel for each (`groups`), and a
    weight of the shape (channels, 1, kernel_size, kernel_size). It has no bias.

    Pooling learns nothing, so the weight is frozen: no optimizer moves it. Gradients still pass through to x.

    Example: with kernel_size=2 an image of the rows [1 2] and [3 6] becomes the single value 3.
    """
    raise NotImplementedError


def strided_conv_block(in_channels: int, out_channels: int) -> nn.Module:
    """Return a block that halves the image by learned weights: convolution, BatchNorm, ReLU, in this order.

    x (N, in_channels, H, W) -> (N, out_channels, ceil(H / 2), ceil(W / 2)), so 7 x 10 becomes 4 x 5. The convolution
    has kernel 3, stride 2 and padding 1, and no bias: the BatchNorm after it would subtract it again. All else is as
    torch makes it by default. Register the layers in the order in which they run; how they are called is up to you.
    """
    raise NotImplementedError


def replace_pooling(model: nn.Module) -> nn.Module:
    """Replace every nn.MaxPool2d and nn.AvgPool2d in the model by a strided convolution, in place; return the model.

    The new layer is an nn.Conv2d from C channels to C channels, with kernel size, stride and padding of the pooling
    layer, so the image gets the size it had. Its weight mixes channels (no `groups`), and it is trainable. A bias is
    up to you.

    A pooling layer does not know its number of channels C. Take the `out_channels` of the nn.Conv2d that comes last
    before it in the order of `named_modules()`; in the models here that is the order of running. Raise ValueError
    when there is none (no check asks for that).

    Pooling layers may lie at any depth. As they hold no parameters, one and the same layer may stand in two places:
    each place gets a convolution of its own, as the weights and the channels differ. (`named_modules()` shows a
    layer once, unless you ask for remove_duplicate=False.) Everything else stays: other kinds of pooling (adaptive,
    1d), weights, gradients, what is frozen, modes, hooks. No pooling layer here uses ceil_mode, dilation or
    return_indices.
    """
    raise NotImplementedError

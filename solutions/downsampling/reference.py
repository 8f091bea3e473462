"""Reference of `downsampling`."""

from torch import nn


def avg_pool_as_conv(channels: int, kernel_size: int) -> nn.Conv2d:
    """Return average pooling as a frozen convolution with one kernel for each channel."""
    conv = nn.Conv2d(channels, channels, kernel_size, stride=kernel_size, groups=channels, bias=False)
    nn.init.constant_(conv.weight, 1 / kernel_size**2)
    return conv.requires_grad_(False)


def strided_conv_block(in_channels: int, out_channels: int) -> nn.Module:
    """Return convolution, BatchNorm and ReLU; the convolution halves the image, rounding up."""
    return nn.Sequential(
        nn.Conv2d(in_channels, out_channels, 3, stride=2, padding=1, bias=False),
        nn.BatchNorm2d(out_channels),
        nn.ReLU(),
    )


def replace_pooling(model: nn.Module) -> nn.Module:
    """Replace every max and average pooling layer by a strided convolution, in place; return the model."""
    channels = None
    # The list is made before anything is replaced. A pooling layer that stands in two places is in it twice.
    for path, module in list(model.named_modules(remove_duplicate=False)):
        if isinstance(module, nn.Conv2d):
            channels = module.out_channels
        elif isinstance(module, (nn.MaxPool2d, nn.AvgPool2d)):
            if channels is None:
                raise ValueError(f"No convolution comes before {path!r}, so its channels are not known.")
            parent, _, name = path.rpartition(".")
            setattr(model.get_submodule(parent), name, _as_convolution(module, channels))
    return model


def _as_convolution(pool: nn.MaxPool2d | nn.AvgPool2d, channels: int) -> nn.Conv2d:
    kernel_size, stride, padding = pool.kernel_size, pool.stride, pool.padding
    return nn.Conv2d(channels, channels, kernel_size, stride=stride, padding=padding)

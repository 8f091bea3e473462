"""Known mistakes of `downsampling`."""

import copy

import torch
from reference import avg_pool_as_conv as right_average
from reference import replace_pooling as right_replace
from torch import nn

from grader.mistakes import mistake

POOLS = (nn.MaxPool2d, nn.AvgPool2d)

# --- avg_pool_as_conv


def averaging(channels, kernel_size, weight, **options):
    """Return a frozen depthwise convolution of this constant weight; `options` replace those of the reference."""
    options = {"stride": kernel_size, "groups": channels, "bias": False} | options
    conv = nn.Conv2d(channels, channels, kernel_size, **options)
    nn.init.constant_(conv.weight, weight)
    return conv.requires_grad_(False)


@mistake("avg_pool_as_conv")
def divides_by_side(channels, kernel_size):
    """A window holds kernel_size * kernel_size values: each weight is 1 / kernel_size**2, not 1 / kernel_size."""
    return averaging(channels, kernel_size, 1 / kernel_size)


@mistake("avg_pool_as_conv")
def sums(channels, kernel_size):
    """Your result is the sum of the window, as with weights of 1: each weight is 1 / kernel_size**2."""
    return averaging(channels, kernel_size, 1.0)


@mistake("avg_pool_as_conv")
def random_weights(channels, kernel_size):
    """The weights are still random, as nn.Conv2d made them: set each to 1 / kernel_size**2."""
    conv = nn.Conv2d(channels, channels, kernel_size, stride=kernel_size, groups=channels, bias=False)
    return conv.requires_grad_(False)


@mistake("avg_pool_as_conv")
def mixes_channels(channels, kernel_size):
    """Every output adds up all channels, as without groups: groups=channels gives each its own kernel."""
    return averaging(channels, kernel_size, 1 / kernel_size**2, groups=1)


@mistake("avg_pool_as_conv")
def averages_channels_too(channels, kernel_size):
    """Your result is the average over all channels as well: groups=channels keeps them apart."""
    return averaging(channels, kernel_size, 1 / (channels * kernel_size**2), groups=1)


@mistake("avg_pool_as_conv")
def dense_diagonal(channels, kernel_size):
    """The values are right, but most weights are zeros that cost time: groups=channels needs one kernel for each channel."""
    conv = nn.Conv2d(channels, channels, kernel_size, stride=kernel_size, bias=False)
    nn.init.zeros_(conv.weight)
    with torch.no_grad():
        for channel in range(channels):
            conv.weight[channel, channel] = 1 / kernel_size**2
    return conv.requires_grad_(False)


@mistake("avg_pool_as_conv")
def random_bias(channels, kernel_size):
    """nn.Conv2d makes a random bias of its own, which shifts each channel: bias=False."""
    return averaging(channels, kernel_size, 1 / kernel_size**2, bias=True)


@mistake("avg_pool_as_conv")
def zero_bias(channels, kernel_size):
    """A bias of zeros changes nothing, so leave it out: bias=False."""
    conv = averaging(channels, kernel_size, 1 / kernel_size**2, bias=True)
    nn.init.zeros_(conv.bias)
    return conv


@mistake("avg_pool_as_conv")
def stride_one(channels, kernel_size):
    """The windows of AvgPool2d lie side by side: stride=kernel_size. Yours is 1, the default of a convolution."""
    return averaging(channels, kernel_size, 1 / kernel_size**2, stride=1)


@mistake("avg_pool_as_conv")
def stride_two(channels, kernel_size):
    """The stride is always 2 here: it equals kernel_size."""
    return averaging(channels, kernel_size, 1 / kernel_size**2, stride=2)


@mistake("avg_pool_as_conv")
def padded(channels, kernel_size):
    """Your convolution pads, and AvgPool2d(kernel_size) does not: the border would be averaged with zeros."""
    return averaging(channels, kernel_size, 1 / kernel_size**2, padding=kernel_size // 2)


@mistake("avg_pool_as_conv")
def still_trainable(channels, kernel_size):
    """The weight is right, but an optimizer moves it: requires_grad_(False) keeps it an average."""
    return right_average(channels, kernel_size).requires_grad_(True)


@mistake("avg_pool_as_conv")
def returns_the_pooling(channels, kernel_size):
    """That is AvgPool2d itself: build the convolution that gives the same result."""
    return nn.AvgPool2d(kernel_size)


# --- strided_conv_block


def block(in_channels, out_channels, *after, **options):
    """Return a block with these convolution options, and with these layers after it instead of the reference's."""
    options = {"kernel_size": 3, "stride": 2, "padding": 1, "bias": False} | options
    layers = after or (nn.BatchNorm2d(out_channels), nn.ReLU())
    return nn.Sequential(nn.Conv2d(in_channels, out_channels, **options), *layers)


@mistake("strided_conv_block")
def stride_forgotten(in_channels, out_channels):
    """The image keeps its size: the convolution needs stride=2."""
    return block(in_channels, out_channels, stride=1)


@mistake("strided_conv_block")
def no_padding(in_channels, out_channels):
    """Without padding the image loses its border: kernel 3 needs padding=1."""
    return block(in_channels, out_channels, padding=0)


@mistake("strided_conv_block")
def too_much_padding(in_channels, out_channels):
    """With padding 2 the output is one too large: kernel 3 needs padding=1."""
    return block(in_channels, out_channels, padding=2)


@mistake("strided_conv_block")
def kernel_two(in_channels, out_channels):
    """Kernel 2 without padding drops the last row of odd sizes: kernel 3 with padding 1 rounds up."""
    return block(in_channels, out_channels, kernel_size=2, padding=0)


@mistake("strided_conv_block")
def reads_a_quarter(in_channels, out_channels):
    """A 1 x 1 convolution with stride 2 reads one pixel in four: kernel 3 reads all of them."""
    return block(in_channels, out_channels, kernel_size=1, padding=0)


@mistake("strided_conv_block")
def kernel_four(in_channels, out_channels):
    """Kernel 4 rounds odd sizes down: kernel 3 with padding 1 rounds up."""
    return block(in_channels, out_channels, kernel_size=4)


@mistake("strided_conv_block")
def kernel_five(in_channels, out_channels):
    """The sizes fit, but kernel 3 with padding 1 is asked for: yours is 5 with padding 2."""
    return block(in_channels, out_channels, kernel_size=5, padding=2)


@mistake("strided_conv_block")
def halves_twice(in_channels, out_channels):
    """The image is halved twice, as by a pooling layer behind the convolution: the stride takes its place."""
    return block(in_channels, out_channels, nn.BatchNorm2d(out_channels), nn.ReLU(), nn.MaxPool2d(2))


@mistake("strided_conv_block")
def pools_instead(in_channels, out_channels):
    """The image keeps its size until a pooling layer, and odd sizes are rounded down: let the convolution halve, with stride=2."""
    return block(
        in_channels, out_channels, nn.BatchNorm2d(out_channels), nn.ReLU(), nn.MaxPool2d(2), stride=1
    )


@mistake("strided_conv_block")
def no_norm(in_channels, out_channels):
    """BatchNorm is missing: put nn.BatchNorm2d(out_channels) between the convolution and ReLU."""
    return block(in_channels, out_channels, nn.ReLU())


@mistake("strided_conv_block")
def no_activation(in_channels, out_channels):
    """ReLU is missing: the block ends with it, behind BatchNorm."""
    return block(in_channels, out_channels, nn.BatchNorm2d(out_channels))


@mistake("strided_conv_block")
def norm_last(in_channels, out_channels):
    """BatchNorm comes after ReLU: the order is convolution, BatchNorm, ReLU."""
    return block(in_channels, out_channels, nn.ReLU(), nn.BatchNorm2d(out_channels))


@mistake("strided_conv_block")
def norm_first(in_channels, out_channels):
    """BatchNorm comes before the convolution: the order is convolution, BatchNorm, ReLU."""
    conv = nn.Conv2d(in_channels, out_channels, 3, stride=2, padding=1, bias=False)
    return nn.Sequential(nn.BatchNorm2d(in_channels), conv, nn.ReLU())


@mistake("strided_conv_block")
def useless_bias(in_channels, out_channels):
    """The convolution has a bias, which BatchNorm subtracts again: bias=False."""
    return block(in_channels, out_channels, bias=True)


@mistake("strided_conv_block")
def instance_norm(in_channels, out_channels):
    """InstanceNorm looks at each image by itself: BatchNorm2d is asked for."""
    return block(in_channels, out_channels, nn.InstanceNorm2d(out_channels, affine=True), nn.ReLU())


@mistake("strided_conv_block")
def leaky(in_channels, out_channels):
    """Negative values come through, made small: ReLU is asked for, not LeakyReLU."""
    return block(in_channels, out_channels, nn.BatchNorm2d(out_channels), nn.LeakyReLU(0.1))


@mistake("strided_conv_block")
def relu_six(in_channels, out_channels):
    """Values above 6 are cut off, as by ReLU6: ReLU has no upper end."""
    return block(in_channels, out_channels, nn.BatchNorm2d(out_channels), nn.ReLU6())


@mistake("strided_conv_block")
def batchnorm_of_keras(in_channels, out_channels):
    """BatchNorm has other numbers than torch's defaults, as in Keras: leave out eps and momentum."""
    return block(in_channels, out_channels, nn.BatchNorm2d(out_channels, eps=1e-3, momentum=0.01), nn.ReLU())


@mistake("strided_conv_block")
def batchnorm_without_statistics(in_channels, out_channels):
    """BatchNorm keeps no running statistics, and needs them in evaluation: leave track_running_stats as it is."""
    return block(
        in_channels, out_channels, nn.BatchNorm2d(out_channels, track_running_stats=False), nn.ReLU()
    )


@mistake("strided_conv_block")
def reflects_the_border(in_channels, out_channels):
    """The border is that of a mirror image: nn.Conv2d pads with zeros by default."""
    return block(in_channels, out_channels, padding_mode="reflect")


@mistake("strided_conv_block")
def channels_swapped(in_channels, out_channels):
    """Incoming and outgoing channels are swapped: nn.Conv2d takes in_channels first."""
    return block(out_channels, in_channels, nn.BatchNorm2d(in_channels), nn.ReLU())


@mistake("strided_conv_block")
def frozen(in_channels, out_channels):
    """The block is frozen, and is there to learn: leave requires_grad alone."""
    return block(in_channels, out_channels).requires_grad_(False)


# --- replace_pooling


def replacing(model, build, kinds=POOLS, channels_of=lambda conv: conv.out_channels, **options):
    """Replace pooling layers as the reference does, with other parts where they are given."""
    channels = None
    for path, module in list(model.named_modules(**{"remove_duplicate": False} | options)):
        if isinstance(module, nn.Conv2d):
            channels = channels_of(module)
        elif isinstance(module, kinds):
            parent, _, name = path.rpartition(".")
            setattr(model.get_submodule(parent), name, build(module, channels))
    return model


def strided(pool, channels, **options):
    """Return the convolution of the reference, with other options where they are given."""
    options = {"kernel_size": pool.kernel_size, "stride": pool.stride, "padding": pool.padding} | options
    return nn.Conv2d(channels, channels, **options)


@mistake("replace_pooling")
def children_only(model):
    """Pooling layers inside blocks stay, as if direct children alone were looked at: named_modules() reaches them all."""
    channels = None
    for name, module in list(model.named_children()):
        for conv in (part for part in module.modules() if isinstance(part, nn.Conv2d)):
            channels = conv.out_channels
        if isinstance(module, POOLS):
            setattr(model, name, strided(module, channels))
    return model


@mistake("replace_pooling")
def dotted_setattr(model):
    """Inside blocks a name with a dot is no path for setattr: get the parent with get_submodule, and set the last name on it."""
    channels = None
    for path, module in list(model.named_modules(remove_duplicate=False)):
        if isinstance(module, nn.Conv2d):
            channels = module.out_channels
        elif isinstance(module, POOLS):
            setattr(model, path, strided(module, channels))
    return model


@mistake("replace_pooling")
def max_only(model):
    """Average pooling stays: replace nn.AvgPool2d as well as nn.MaxPool2d."""
    return replacing(model, strided, kinds=nn.MaxPool2d)


@mistake("replace_pooling")
def average_only(model):
    """Max pooling stays: replace nn.MaxPool2d as well as nn.AvgPool2d."""
    return replacing(model, strided, kinds=nn.AvgPool2d)


@mistake("replace_pooling")
def adaptive_too(model):
    """Adaptive pooling is replaced too, and the model no longer takes images of any size: leave it."""
    channels = None
    for path, module in list(model.named_modules(remove_duplicate=False)):
        if isinstance(module, nn.Conv2d):
            channels = module.out_channels
        elif isinstance(module, (*POOLS, nn.AdaptiveAvgPool2d)):
            parent, _, name = path.rpartition(".")
            adaptive = isinstance(module, nn.AdaptiveAvgPool2d)
            new = nn.Conv2d(channels, channels, 2, stride=2) if adaptive else strided(module, channels)
            setattr(model.get_submodule(parent), name, new)
    return model


@mistake("replace_pooling")
def shared_once(model):
    """A layer that stands in two places is replaced in one, as named_modules() shows it once: ask for remove_duplicate=False."""
    return replacing(model, strided, remove_duplicate=True)


@mistake("replace_pooling")
def shared_convolution(model):
    """All places of a shared pooling layer hold one and the same convolution: their channels differ, so make one for each."""
    made = {}

    def build(pool, channels):
        return made.setdefault(id(pool), strided(pool, channels))

    return replacing(model, build)


@mistake("replace_pooling")
def shared_where_channels_agree(model):
    """Two places of a shared pooling layer hold one convolution, where the channels agree: each place learns one of its own."""
    made = {}

    def build(pool, channels):
        return made.setdefault((id(pool), channels), strided(pool, channels))

    return replacing(model, build)


@mistake("replace_pooling")
def by_the_name_of_the_class(model):
    """Adaptive and 1d pooling are replaced too, as by a search for "Pool" in names: look for nn.MaxPool2d and nn.AvgPool2d."""
    channels = None
    for path, module in list(model.named_modules(remove_duplicate=False)):
        if isinstance(module, nn.Conv2d):
            channels = module.out_channels
        elif "Pool" in type(module).__name__:
            parent, _, name = path.rpartition(".")
            size, stride, padding = (getattr(module, key, 0) for key in ("kernel_size", "stride", "padding"))
            new = nn.Conv2d(channels, channels, size or 1, stride=stride or 1, padding=padding)
            setattr(model.get_submodule(parent), name, new)
    return model


@mistake("replace_pooling")
def everything_trainable(model):
    """Layers that were frozen are trainable afterward: change nothing but the pooling layers."""
    return right_replace(model).requires_grad_(True)


@mistake("replace_pooling")
def everything_else_frozen(model):
    """The other layers are frozen afterward: change nothing but the pooling layers."""
    kept = list(model.parameters())
    right_replace(model)
    for parameter in kept:
        parameter.requires_grad_(False)
    return model


@mistake("replace_pooling")
def mode_changed(model):
    """The whole model is in training mode afterward: a part that was in evaluation mode stays there."""
    return right_replace(model).train()


@mistake("replace_pooling")
def changed_and_copied(model):
    """The model is changed, but what comes back is a copy of it: return the model itself."""
    return copy.deepcopy(right_replace(model))


@mistake("replace_pooling")
def channels_going_in(model):
    """Your channels are the in_channels of the convolution before: what comes out of it reaches the pooling layer."""
    return replacing(model, strided, channels_of=lambda conv: conv.in_channels)


@mistake("replace_pooling")
def channels_of_the_first(model):
    """Your channels are those of the first convolution everywhere: remember those of the last one before each pooling layer."""
    first = next(module for module in model.modules() if isinstance(module, nn.Conv2d))
    return replacing(model, strided, channels_of=lambda _: first.out_channels)


@mistake("replace_pooling")
def one_channel(model):
    """A pooling layer works with any number of channels, a convolution does not: give it those of what comes before."""
    return replacing(model, lambda pool, _: strided(pool, 1))


@mistake("replace_pooling")
def kernel_three(model):
    """Every new layer has kernel 3 and padding 1: take kernel_size and padding of the pooling layer."""
    return replacing(model, lambda pool, channels: strided(pool, channels, kernel_size=3, padding=1))


@mistake("replace_pooling")
def always_halves(model):
    """Every new layer has kernel 2 and stride 2: take kernel_size, stride and padding of the pooling layer."""
    return replacing(model, lambda _, channels: nn.Conv2d(channels, channels, 2, stride=2))


@mistake("replace_pooling")
def stride_of_the_kernel(model):
    """Your stride is the kernel size, but windows may overlap or leave gaps: use pool.stride."""
    return replacing(model, lambda pool, channels: strided(pool, channels, stride=pool.kernel_size))


@mistake("replace_pooling")
def stride_left_out(model):
    """Every new layer has stride 1, the default of a convolution: give it pool.stride."""
    return replacing(model, lambda pool, channels: strided(pool, channels, stride=1))


@mistake("replace_pooling")
def padding_left_out(model):
    """The padding of the pooling layer is lost: give the convolution pool.padding."""
    return replacing(model, lambda pool, channels: strided(pool, channels, padding=0))


@mistake("replace_pooling")
def depthwise(model):
    """Each channel is by itself in your new layers, as with groups: they should mix channels, as convolutions do by default."""
    return replacing(model, lambda pool, channels: strided(pool, channels, groups=channels))


@mistake("replace_pooling")
def frozen_too(model):
    """The new convolutions are frozen, and are there to learn: leave requires_grad alone."""
    return replacing(model, lambda pool, channels: strided(pool, channels).requires_grad_(False))


@mistake("replace_pooling")
def all_convolutions_anew(model):
    """The other layers have new weights too, and forget what they have learned: make new layers in the place of pooling only."""
    right_replace(model)
    for module in model.modules():
        if isinstance(module, (nn.Conv2d, nn.Linear)):
            module.reset_parameters()
    return model


@mistake("replace_pooling")
def a_copy(model):
    """The model that was given keeps its pooling, as if a copy were changed: change it in place."""
    return right_replace(copy.deepcopy(model))


@mistake("replace_pooling")
def returns_nothing(model):
    """The model is changed, but nothing comes back: the last line must return it."""
    right_replace(model)

"""Hidden suite of `downsampling`. Expected values are torch's, or the reference's with the same weights.

A slip costs the check that is about it: a block with a bias too many is judged without it, new convolutions may have a
bias or none, and where nothing comes back, the model that was given is looked at.
"""

import fixtures
import pytest
import reference
import torch
import torch.nn.functional as F

from grader.suite import assert_matches, assert_shape, layer_by_layer

# --- avg_pool_as_conv


@pytest.mark.points(1)
def test_average_by_hand(student):
    """The mean of a window, worked by hand"""
    x = torch.tensor([[[[1.0, 2.0, 0.0, 8.0], [3.0, 6.0, 4.0, 0.0]]]])
    assert_matches(student.avg_pool_as_conv(1, 2)(x).detach(), torch.tensor([[[[3.0, 3.0]]]]))


@pytest.mark.points(2)
def test_average_of_each_channel(student, rng):
    """Each channel is averaged by itself"""
    x = torch.randn(2, 3, 6, 9, generator=rng) + torch.tensor([0.0, 10.0, -10.0]).view(1, 3, 1, 1)
    assert_matches(student.avg_pool_as_conv(3, 3)(x).detach(), F.avg_pool2d(x, 3), rtol=1e-4, atol=1e-4)


@pytest.mark.points(1)
def test_average_drops_what_does_not_fit(student, rng):
    """Rows and columns that are left over are dropped"""
    x = torch.randn(1, 2, 7, 11, generator=rng)
    for kernel in (1, 2, 4, 5, 7):
        expected = F.avg_pool2d(x, kernel)
        assert_matches(student.avg_pool_as_conv(2, kernel)(x).detach(), expected, rtol=1e-4, atol=1e-5)


@pytest.mark.points(1)
def test_average_has_one_kernel_for_each_channel(student):
    """One kernel for each channel, and nothing else"""
    for channels, kernel in ((6, 3), (1, 2), (16, 5)):
        held = student.fixtures.state(student.avg_pool_as_conv(channels, kernel))
        assert list(held) == ["weight"], (
            f"The convolution should hold a weight and nothing else, and holds {', '.join(held) or 'nothing'}."
        )
        assert_shape(held["weight"], (channels, 1, kernel, kernel), what="the weight")


@pytest.mark.points(1)
def test_average_learns_nothing(student, rng):
    """Training leaves it an average"""
    x = torch.randn(1, 2, 2, 2, generator=rng, requires_grad=True)
    conv = student.avg_pool_as_conv(2, 2)
    before = student.fixtures.state(conv)
    conv(x).sum().backward()
    assert_matches(x.grad, torch.full((1, 2, 2, 2), 0.25), what="the gradient of x", atol=1e-5)
    for name, value in student.fixtures.trained(conv, x.detach()).items():
        assert torch.equal(value, before[name]), (
            f"`{name}` moved in training: average pooling learns nothing."
        )


# --- strided_conv_block

NAMES = ("The weight of the convolution", "weight of BatchNorm", "bias", "mean", "variance", "count")


def shapes_of(tensors):
    return [tuple(value.shape) for value in tensors]


def with_unneeded_bias(shapes):
    """Say whether these are the shapes of the block, and of a bias of the convolution that it does not need."""
    return len(shapes) == 7 and shapes[1] == shapes[2] and len(shapes[0]) == 4


def blocks(student, rng, channels, lift=0.0, stretch=1.0):
    """Return the student's block and the reference, with the same weights and running statistics.

    Where they are to train, `lift` is added to the weight of BatchNorm: near 0 it would stop the gradient. `stretch`
    makes the results larger.
    """
    tested, wanted = student.strided_conv_block(*channels), reference.strided_conv_block(*channels)
    values = [torch.rand(value.shape, generator=rng) - 0.3 for value in wanted.state_dict().values()]
    values[4], values[5] = values[4] + 0.5, torch.tensor(0)  # a variance is positive, a count is whole
    values[1], values[2] = stretch * (values[1] + lift), stretch * values[2]
    shapes = shapes_of(student.fixtures.tensors(tested))
    assert shapes == shapes_of(values) or with_unneeded_bias(shapes), (
        "The weights of the block cannot be set: it should hold a convolution and a BatchNorm layer, in this order."
    )
    student.fixtures.load(tested, values)
    fixtures.load(wanted, values)
    return tested, wanted


def assert_block_shape(block, x, shape):
    """Raise unless the block turns x into this shape; the convolution alone changes it."""
    with layer_by_layer(block, x, [("conv", shape[1:])]):
        assert_shape(block(x), shape)


def layers_of(block, x):
    """Return the layers of a block of the reference, each with its values for x."""
    rows = []
    for name, layer in zip(("conv", "BatchNorm", "ReLU"), block, strict=True):
        x = layer(x).detach()
        rows.append((name, x))
    return rows


@pytest.mark.points(1)
def test_block_halves(student, rng):
    """The block halves height and width"""
    for channels, filters in ((3, 8), (2, 1)):
        x = torch.randn(2, channels, 8, 12, generator=rng)
        assert_block_shape(student.strided_conv_block(channels, filters), x, (2, filters, 4, 6))


@pytest.mark.points(1)
def test_block_rounds_up(student, rng):
    """Odd sizes are rounded up"""
    for height, width in ((7, 10), (5, 1), (9, 3), (2, 2), (31, 17)):
        x = torch.randn(2, 1, height, width, generator=rng)
        wanted = (2, 2, (height + 1) // 2, (width + 1) // 2)
        assert_block_shape(student.strided_conv_block(1, 2), x, wanted)


@pytest.mark.points(1)
def test_block_reads_every_pixel(student, rng):
    """Every pixel changes the output"""
    x = torch.randn(1, 1, 4, 4, generator=rng, requires_grad=True)
    block = student.strided_conv_block(1, 16).eval()
    out = block(x)
    (out * torch.rand(out.shape, generator=rng)).sum().backward()
    unread = (x.grad == 0).all(dim=1).sum().item()
    assert not unread, f"{unread} of 16 pixels change nothing in the output: the convolution skips them."


@pytest.mark.points(1)
def test_block_has_the_parameters(student):
    """A convolution without bias and a BatchNorm layer, in this order"""
    shapes = shapes_of(student.fixtures.tensors(student.strided_conv_block(4, 4)))
    assert shapes == [(4, 4, 3, 3), (4,), (4,), (4,), (4,), ()], (
        "From 4 channels to 4 it should hold a weight of (4, 4, 3, 3) for the convolution, and of BatchNorm a weight, a "
        f"bias, a mean and a variance of (4,) and a count: 6 tensors. It holds {len(shapes)}, of the shapes "
        f"{', '.join(map(str, shapes))}."
    )
    shapes = shapes_of(student.fixtures.tensors(student.strided_conv_block(3, 8)))
    assert shapes == [(8, 3, 3, 3), (8,), (8,), (8,), (8,), ()], (
        "It should hold a weight of (8, 3, 3, 3) for the convolution, and of BatchNorm a weight, a bias, a mean and "
        f"a variance of (8,) and a count: 6 tensors. It holds {len(shapes)}, of the shapes "
        f"{', '.join(map(str, shapes))}."
    )


@pytest.mark.points(2)
def test_block_computes(student, rng):
    """Convolution, BatchNorm and ReLU, in this order, in training and in evaluation"""
    for stretch in (1.0, 20.0):
        tested, wanted = blocks(student, rng, (2, 3), stretch=stretch)
        x = torch.randn(3, 2, 6, 7, generator=rng)
        got, expected = [], []
        for mode in (True, False):
            got.append(tested.train(mode)(x).detach())
            expected.append(layers_of(wanted.train(mode), x))
        for mode, one, rows in zip((True, False), got, expected, strict=True):
            what = f"the result in {'training' if mode else 'evaluation'} mode"
            with layer_by_layer(tested.train(mode), x, rows):
                assert_matches(one, rows[-1][1], rtol=1e-4, atol=1e-4 * stretch, what=what)


@pytest.mark.points(1)
def test_block_learns(student, rng):
    """All of its parameters are trained, from the start"""
    modes = student.fixtures.modes(student.strided_conv_block(2, 3))
    assert all(modes), "The block comes in evaluation mode: leave it in training mode, as torch makes it."
    x = torch.randn(4, 2, 6, 6, generator=rng)
    tested, wanted = blocks(student, rng, (2, 3), lift=1.0)
    before = student.fixtures.tensors(tested)
    student.fixtures.trained(tested.train(), x)
    after = student.fixtures.tensors(tested)
    fixtures.trained(wanted.train(), x)
    if with_unneeded_bias(shapes_of(after)):
        del before[1], after[1]
    still = [name for name, was, now in zip(NAMES, before, after, strict=True) if torch.equal(was, now)]
    assert not still, f"{' and '.join(still)} of the block did not move in training."
    assert_matches(after, fixtures.tensors(wanted), rtol=1e-3, atol=1e-4, what="the tensors after training")


# --- replace_pooling


def replaced(student, model):
    """Return what comes back, or the model itself where nothing does: that costs a check of its own."""
    result = student.replace_pooling(model)
    return model if result is None else result


def assert_replaced(student, name, x):
    """Raise unless the layers that were replaced are those of the reference, and compute what they should."""
    tested = replaced(student, getattr(student.fixtures, name)())
    wanted = reference.replace_pooling(getattr(fixtures, name)())
    kinds, old = fixtures.kinds(wanted), fixtures.kinds(getattr(fixtures, name)())
    assert_matches(student.fixtures.kinds(tested), kinds, what="the layer")
    state = student.fixtures.state(tested)
    # A new convolution may have a bias or none.
    new = [layer for layer, kind in kinds.items() if old[layer] != kind]
    fixtures.leave_out_bias(wanted, [layer for layer in new if f"{layer}.bias" not in state])
    for key, value in wanted.state_dict().items():
        assert key in state, f"The model that comes back lacks `{key}`."
        assert_shape(state[key], tuple(value.shape), what=f"`{key}`")
    extra = [key for key in state if key not in wanted.state_dict()]
    assert not extra, f"The model that comes back holds `{extra[0]}`, which should not be there."
    wanted.load_state_dict(state)
    got = tested.eval()(x)
    assert_shape(got, tuple(wanted.eval()(x).shape))
    assert_matches(
        got.detach(), wanted(x).detach(), rtol=1e-4, atol=1e-4, what="the result with the same weights"
    )


@pytest.mark.points(1)
def test_replaces_both_kinds(student, rng):
    """Max and average pooling are replaced, and the output keeps its shape"""
    assert_replaced(student, "plain", torch.randn(2, 1, 12, 8, generator=rng))


@pytest.mark.points(1)
def test_replaces_in_place(student):
    """The model itself is changed, and returned"""
    model = student.fixtures.plain()
    result = student.replace_pooling(model)
    kinds = student.fixtures.kinds(model)
    left = [name for name, kind in kinds.items() if "Pool" in kind]
    assert result is not None, "Nothing came back. Does the last line return the model?"
    assert not left, f"The model that was given still has its pooling layers: {', '.join(left)}."
    assert student.fixtures.same(result, model), (
        "What comes back is another model: return the one that was given."
    )


@pytest.mark.points(1)
def test_replaces_at_any_depth(student, rng):
    """Pooling inside blocks is replaced, and adaptive pooling stays"""
    assert_replaced(student, "nested", torch.randn(2, 1, 16, 16, generator=rng))


@pytest.mark.points(1)
def test_replaces_any_window(student, rng):
    """Kernel, stride and padding are those of the pooling layer"""
    assert_replaced(student, "overlapping", torch.randn(2, 2, 80, 60, generator=rng))


@pytest.mark.points(1)
def test_replaces_a_shared_layer(student, rng):
    """A pooling layer that stands in several places gets a convolution in each"""
    assert_replaced(student, "shared", torch.randn(2, 1, 16, 16, generator=rng))
    again = student.fixtures.learned_twice(replaced(student, student.fixtures.shared()))
    assert not again, (
        f"`{again[0]}` is one and the same convolution as an earlier layer: each place learns its own."
    )


@pytest.mark.points(1)
def test_the_rest_stays(student):
    """All other layers stay as they were: weights, gradients, what is frozen, modes and hooks"""
    model = student.fixtures.partly_frozen()
    before, settings = student.fixtures.state(model), student.fixtures.settings(model)
    student.replace_pooling(model)
    after = student.fixtures.state(model)
    assert_matches({name: after.get(name) for name in before}, before, what="the state")
    now = student.fixtures.settings(model)
    for name, setting in settings.items():
        assert now.get(name) == setting, f"`{name}` was {setting}, and is {now.get(name, 'gone')}."


@pytest.mark.points(1)
def test_the_new_layers_learn(student, rng):
    """The new convolutions are trained with the rest"""
    tested = replaced(student, student.fixtures.plain())
    before = student.fixtures.state(tested)
    after = student.fixtures.trained(tested, torch.randn(2, 1, 8, 8, generator=rng))
    for name, value in after.items():
        assert not torch.equal(value, before[name]), f"`{name}` stands still in training."

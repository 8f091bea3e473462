"""Hidden suite of `downsampling`. Expected values are torch's, or the reference's with the same weights."""

import fixtures
import pytest
import reference
import torch
import torch.nn.functional as F

from grader.suite import assert_matches, assert_shape

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
@pytest.mark.requires("test_average_of_each_channel")
def test_average_drops_what_does_not_fit(student, rng):
    """Rows and columns that are left over are dropped"""
    x = torch.randn(1, 2, 7, 11, generator=rng)
    for kernel in (1, 2, 4):
        expected = F.avg_pool2d(x, kernel)
        assert_matches(student.avg_pool_as_conv(2, kernel)(x).detach(), expected, rtol=1e-4, atol=1e-5)


@pytest.mark.points(1)
@pytest.mark.requires("test_average_of_each_channel")
def test_average_has_one_kernel_for_each_channel(student):
    """One kernel for each channel, and nothing else"""
    shapes = {name: tuple(value.shape) for name, value in student.avg_pool_as_conv(6, 3).state_dict().items()}
    assert_matches(shapes, {"weight": (6, 1, 3, 3)}, what="the shape of")


@pytest.mark.points(2)
@pytest.mark.requires("test_average_by_hand")
def test_average_learns_nothing(student, rng):
    """Training leaves it an average"""
    x = torch.randn(2, 3, 4, 4, generator=rng)
    conv = student.avg_pool_as_conv(3, 2)
    before = student.fixtures.state(conv)
    for name, value in student.fixtures.trained(conv, x).items():
        assert torch.equal(value, before[name]), (
            f"`{name}` moved in training: average pooling learns nothing."
        )


# --- strided_conv_block

NAMES = ("The weight of the convolution", "weight of BatchNorm", "bias", "mean", "variance", "count")


def shapes_of(tensors):
    return [tuple(value.shape) for value in tensors]


def blocks(student, rng, channels, scale=0.0):
    """Return the student's block and the reference, with the same weights and running statistics.

    Where they are to train, `scale` lifts the weight of BatchNorm: near 0 it would stop the gradient.
    """
    tested, wanted = student.strided_conv_block(*channels), reference.strided_conv_block(*channels)
    values = [torch.rand(value.shape, generator=rng) - 0.3 for value in wanted.state_dict().values()]
    values[4], values[5] = values[4] + 0.5, torch.tensor(0)  # a variance is positive, a count is whole
    values[1] = values[1] + scale
    student.fixtures.load(tested, values)
    fixtures.load(wanted, values)
    return tested, wanted


@pytest.mark.points(1)
def test_block_halves(student, rng):
    """The block halves height and width"""
    assert_shape(student.strided_conv_block(3, 8)(torch.randn(2, 3, 8, 12, generator=rng)), (2, 8, 4, 6))


@pytest.mark.points(2)
@pytest.mark.requires("test_block_halves")
def test_block_rounds_up(student, rng):
    """Odd sizes are rounded up"""
    for height, width in ((7, 10), (5, 1), (9, 3)):
        out = student.strided_conv_block(1, 2)(torch.randn(2, 1, height, width, generator=rng))
        assert_shape(out, (2, 2, (height + 1) // 2, (width + 1) // 2))


@pytest.mark.points(1)
@pytest.mark.requires("test_block_halves")
def test_block_reads_every_pixel(student, rng):
    """Every pixel changes the output"""
    x = torch.randn(1, 2, 6, 8, generator=rng, requires_grad=True)
    block = student.strided_conv_block(2, 16).eval()
    (block(x) * torch.rand(1, 16, 3, 4, generator=rng)).sum().backward()
    unread = (x.grad == 0).all(dim=1).sum().item()
    assert not unread, f"{unread} of 48 pixels change nothing in the output: the convolution skips them."


@pytest.mark.points(2)
@pytest.mark.requires("test_block_halves")
def test_block_has_the_parameters(student):
    """A convolution without bias and a BatchNorm layer, in this order"""
    shapes = shapes_of(student.fixtures.tensors(student.strided_conv_block(3, 8)))
    assert shapes == [(8, 3, 3, 3), (8,), (8,), (8,), (8,), ()], (
        "It should hold a weight of (8, 3, 3, 3) for the convolution, and of BatchNorm a weight, a bias, a mean and "
        f"a variance of (8,) and a count: 6 tensors. It holds {len(shapes)}, of the shapes "
        f"{', '.join(map(str, shapes))}."
    )


@pytest.mark.points(3)
@pytest.mark.requires("test_block_has_the_parameters")
def test_block_computes(student, rng):
    """Convolution, BatchNorm and ReLU, in this order, in training and in evaluation"""
    tested, wanted = blocks(student, rng, (2, 3))
    x = torch.randn(3, 2, 6, 7, generator=rng)
    got, expected = [], []
    for mode in (True, False):
        got.append(tested.train(mode)(x).detach())
        expected.append(wanted.train(mode)(x).detach())
    for mode, one, other in zip(("training", "evaluation"), got, expected, strict=True):
        assert_matches(one, other, rtol=1e-4, atol=1e-4, what=f"the result in {mode} mode")


@pytest.mark.points(1)
@pytest.mark.requires("test_block_computes")
def test_block_learns(student, rng):
    """All of its parameters are trained"""
    x = torch.randn(4, 2, 6, 6, generator=rng)
    tested, wanted = blocks(student, rng, (2, 3), scale=1.0)
    before = student.fixtures.tensors(tested)
    student.fixtures.trained(tested.train(), x)
    after = student.fixtures.tensors(tested)
    fixtures.trained(wanted.train(), x)
    still = [name for name, was, now in zip(NAMES, before, after, strict=True) if torch.equal(was, now)]
    assert not still, f"{' and '.join(still)} of the block did not move in training."
    assert_matches(after, fixtures.tensors(wanted), rtol=1e-3, atol=1e-4, what="the tensors after training")


# --- replace_pooling


def assert_replaced(student, name, x):
    """Raise unless the layers that were replaced are those of the reference, and compute what they should."""
    tested = student.replace_pooling(getattr(student.fixtures, name)())
    wanted = reference.replace_pooling(getattr(fixtures, name)())
    assert tested is not None, "Nothing came back. Does the last line return the model?"
    assert_matches(student.fixtures.kinds(tested), fixtures.kinds(wanted), what="the layer")
    state = student.fixtures.state(tested)
    expected = {key: tuple(value.shape) for key, value in wanted.state_dict().items()}
    assert_matches({key: tuple(value.shape) for key, value in state.items()}, expected, what="the shape of")
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
    assert_matches(student.fixtures.kinds(result), kinds, what="the layer")


@pytest.mark.points(2)
@pytest.mark.requires("test_replaces_both_kinds")
def test_replaces_at_any_depth(student, rng):
    """Pooling inside blocks is replaced, and adaptive pooling stays"""
    assert_replaced(student, "nested", torch.randn(2, 1, 16, 16, generator=rng))


@pytest.mark.points(2)
@pytest.mark.requires("test_replaces_both_kinds")
def test_replaces_any_window(student, rng):
    """Kernel, stride and padding are those of the pooling layer"""
    assert_replaced(student, "overlapping", torch.randn(2, 2, 19, 11, generator=rng))


@pytest.mark.points(2)
@pytest.mark.requires("test_replaces_both_kinds")
def test_replaces_a_shared_layer(student, rng):
    """A pooling layer that stands in two places gets two convolutions"""
    assert_replaced(student, "shared", torch.randn(2, 1, 8, 8, generator=rng))


@pytest.mark.points(1)
@pytest.mark.requires("test_replaces_both_kinds")
def test_the_rest_stays(student):
    """All other weights stay as they were"""
    model = student.fixtures.nested()
    before = student.fixtures.state(model)
    student.replace_pooling(model)
    after = student.fixtures.state(model)
    assert_matches({name: after.get(name) for name in before}, before, what="the state")


@pytest.mark.points(1)
@pytest.mark.requires("test_replaces_both_kinds")
def test_the_new_layers_learn(student, rng):
    """The new convolutions are trained with the rest"""
    tested = student.replace_pooling(student.fixtures.plain())
    before = student.fixtures.state(tested)
    after = student.fixtures.trained(tested, torch.randn(2, 1, 8, 8, generator=rng))
    for name, value in after.items():
        assert not torch.equal(value, before[name]), f"`{name}` stands still in training."

"""Hidden suite of `convolution`. Expected values are worked by hand, or torch's own functions on the trusted side.

Every filter but those of the orientation check is symmetric under a turn by 180 degrees: whoever flips the kernel, as
mathematicians do, loses that one check and no other.
"""

import pytest
import torch
import torch.nn.functional as F

from grader.suite import assert_matches, assert_shape, call, small_inputs


@small_inputs("zero_pad2d")
def small_pads():
    from hypothesis import strategies as st

    from grader.feedback.strategies import images

    return st.builds(call, images(max_side=3), st.integers(0, 2))


@small_inputs("conv2d")
def small_convolutions():
    from hypothesis import strategies as st

    from grader.feedback.strategies import images

    def joined(x, c_out, k_h, k_w, options, fill, biased):
        count = c_out * x.shape[1] * k_h * k_w
        weight = torch.ones(count) if fill == "ones" else torch.arange(1.0, count + 1)
        weight = weight.reshape(c_out, x.shape[1], k_h, k_w)
        return call(x, weight, *([torch.arange(1.0, c_out + 1)] if biased else []), **options)

    options = st.sampled_from([{}, {"padding": 1}, {"stride": 2}, {"padding": 2, "stride": 2}])
    side = st.integers(1, 2)
    fill = st.sampled_from(["ones", "counting"])
    drawn = st.builds(joined, images(max_side=4), side, side, side, options, fill, st.booleans())
    return drawn.filter(lambda c: all(k <= n for k, n in zip(c[0][1].shape[2:], c[0][0].shape[2:], strict=True)))


def filters(rng, *shape):
    """Return drawn filters (C_out, C, K_h, K_w) that stay the same when they are turned by 180 degrees."""
    weight = torch.randn(shape, generator=rng)
    return weight + weight.flip(2, 3)


@pytest.mark.points(1)
def test_pad_shape(student, rng):
    """Padding adds to height and width alone"""
    assert_shape(student.zero_pad2d(torch.randn(2, 3, 4, 5, generator=rng), 1), (2, 3, 6, 7))


@pytest.mark.points(1)
@pytest.mark.requires("test_pad_shape")
def test_pad_by_hand(student):
    """Zeros surround the image, worked by hand"""
    expected = torch.tensor([[[[0.0, 0, 0, 0], [0, 7, 8, 0], [0, 0, 0, 0]]]])
    assert_matches(student.zero_pad2d(torch.tensor([[[[7.0, 8.0]]]]), 1), expected, check_dtype=False)


@pytest.mark.points(1)
@pytest.mark.requires("test_pad_shape")
def test_pad_by_two(student, rng):
    """The border is as wide as asked"""
    x = torch.randn(2, 2, 1, 3, generator=rng)
    assert_matches(student.zero_pad2d(x, 2), F.pad(x, (2, 2, 2, 2)), check_dtype=False)


@pytest.mark.points(1)
@pytest.mark.requires("test_pad_shape")
def test_pad_by_nothing(student, rng):
    """A padding of 0 leaves the image as it is"""
    x = torch.randn(1, 2, 3, 2, generator=rng)
    assert_matches(student.zero_pad2d(x, 0), x, check_dtype=False)


@pytest.mark.points(1)
@pytest.mark.requires("test_pad_by_hand")
def test_pad_gradient_and_dtype(student):
    """Padding keeps the dtype, and lets gradients through"""
    x = torch.ones(1, 1, 1, 2, dtype=torch.float64, requires_grad=True)
    y = student.zero_pad2d(x, 1)
    assert_matches(y, F.pad(x, (1, 1, 1, 1)))
    (y * torch.arange(12.0, dtype=torch.float64).reshape(1, 1, 3, 4)).sum().backward()
    expected = torch.tensor([[[[5.0, 6.0]]]], dtype=torch.float64)
    assert_matches(x.grad, expected, what="the gradient of zero_pad2d")


@pytest.mark.points(1)
def test_conv_shape(student, rng):
    """Each filter gives one map, and the windows that fit its size"""
    y = student.conv2d(torch.randn(2, 3, 5, 5, generator=rng), filters(rng, 4, 3, 3, 3))
    assert_shape(y, (2, 4, 3, 3))


@pytest.mark.points(2)
@pytest.mark.requires("test_conv_shape")
def test_conv_by_hand(student):
    """Sums over windows of two by two, worked by hand"""
    x = torch.arange(9.0).reshape(1, 1, 3, 3)  # window sums: 0+1+3+4 = 8, 1+2+4+5 = 12, 20, 24
    y = student.conv2d(x, torch.ones(1, 1, 2, 2))
    assert_matches(y, torch.tensor([[[[8.0, 12.0], [20.0, 24.0]]]]), check_dtype=False)


@pytest.mark.points(2)
@pytest.mark.requires("test_conv_by_hand")
def test_conv_does_not_flip(student):
    """The filter is laid on as it is, neither flipped nor transposed"""
    x = torch.tensor([[[[0.0, 1.0, 0.0], [2.0, 3.0, 5.0]]]])
    weight = torch.tensor([[[[1.0, 2.0], [3.0, 4.0]]]])
    # 0*1 + 1*2 + 2*3 + 3*4 = 20, and 1*1 + 0*2 + 3*3 + 5*4 = 30
    assert_matches(student.conv2d(x, weight), torch.tensor([[[[20.0, 30.0]]]]), check_dtype=False)


@pytest.mark.points(2)
@pytest.mark.requires("test_conv_shape")
def test_conv_sums_over_channels(student, rng):
    """A filter reaches through all input channels"""
    ones = torch.ones(1, 3, 3, 3)
    assert_matches(student.conv2d(ones, ones), torch.tensor([[[[27.0]]]]), check_dtype=False)
    x, weight = torch.randn(1, 3, 4, 4, generator=rng), filters(rng, 1, 3, 3, 3)
    assert_matches(student.conv2d(x, weight), F.conv2d(x, weight), check_dtype=False)


@pytest.mark.points(1)
@pytest.mark.requires("test_conv_by_hand")
def test_conv_with_several_filters(student, rng):
    """Each filter writes its own map, for each image of the batch"""
    x, weight = torch.randn(3, 2, 4, 4, generator=rng), filters(rng, 4, 2, 3, 3)
    assert_matches(student.conv2d(x, weight), F.conv2d(x, weight), check_dtype=False)


@pytest.mark.points(1)
@pytest.mark.requires("test_conv_by_hand")
def test_conv_bias(student):
    """Each filter adds its own bias, once"""
    x, weight = torch.ones(1, 3, 1, 2), torch.ones(2, 3, 1, 1)
    expected = torch.tensor([[[[4.0, 4.0]], [[-7.0, -7.0]]]])
    assert_matches(student.conv2d(x, weight, torch.tensor([1.0, -10.0])), expected, check_dtype=False)


@pytest.mark.points(2)
@pytest.mark.requires("test_conv_by_hand")
def test_conv_stride(student, rng):
    """The filter moves by the stride"""
    x = torch.arange(16.0).reshape(1, 1, 4, 4)
    y = student.conv2d(x, torch.ones(1, 1, 2, 2), None, 2)
    assert_matches(y, torch.tensor([[[[10.0, 18.0], [42.0, 50.0]]]]), check_dtype=False)
    x, weight = torch.randn(1, 1, 7, 7, generator=rng), filters(rng, 1, 1, 1, 1)
    assert_matches(student.conv2d(x, weight, stride=3), F.conv2d(x, weight, stride=3), check_dtype=False)


@pytest.mark.points(1)
@pytest.mark.requires("test_conv_by_hand")
def test_conv_padding(student, rng):
    """The filter starts on the padded border"""
    x, weight = torch.randn(1, 2, 4, 4, generator=rng), filters(rng, 1, 2, 3, 3)
    for padding in (1, 2):
        y = student.conv2d(x, weight, padding=padding)
        assert_matches(y, F.conv2d(x, weight, padding=padding), check_dtype=False)


@pytest.mark.points(1)
@pytest.mark.requires("test_conv_stride")
def test_conv_drops_what_does_not_fit(student, rng):
    """A window that sticks out is dropped"""
    x, weight = torch.randn(1, 1, 8, 8, generator=rng), filters(rng, 1, 1, 3, 3)
    assert_matches(student.conv2d(x, weight, stride=2), F.conv2d(x, weight, stride=2), check_dtype=False)


@pytest.mark.points(1)
@pytest.mark.requires("test_conv_by_hand")
def test_conv_of_an_image_that_is_not_square(student, rng):
    """Height and width are kept apart"""
    weight = filters(rng, 1, 2, 2, 2)
    for shape in ((1, 2, 2, 5), (1, 2, 5, 2)):
        x = torch.randn(shape, generator=rng)
        assert_matches(student.conv2d(x, weight), F.conv2d(x, weight), check_dtype=False)


@pytest.mark.points(1)
@pytest.mark.requires("test_conv_of_an_image_that_is_not_square")
def test_conv_with_a_filter_that_is_not_square(student, rng):
    """The filter's height and width are kept apart too"""
    x = torch.randn(2, 1, 4, 5, generator=rng)
    for k_h, k_w in ((1, 3), (3, 2)):
        weight = filters(rng, 2, 1, k_h, k_w)
        assert_matches(student.conv2d(x, weight, None, 1, 1), F.conv2d(x, weight, None, 1, 1), check_dtype=False)


@pytest.mark.points(2)
@pytest.mark.requires("test_conv_with_several_filters", "test_conv_bias")
def test_conv_gradients(student, rng):
    """Gradients reach image, filters and bias"""
    values = (torch.randn(2, 2, 4, 3, generator=rng), filters(rng, 3, 2, 2, 2), torch.randn(3, generator=rng))
    theirs = [value.double().requires_grad_() for value in values]
    ours = [value.double().requires_grad_() for value in values]
    y, expected = student.conv2d(*theirs), F.conv2d(*ours)
    assert_matches(y, expected, check_dtype=False)
    slopes = torch.randn(expected.shape, generator=rng).double()
    (y * slopes).sum().backward()
    (expected * slopes).sum().backward()
    for name, one, other in zip(("x", "weight", "bias"), theirs, ours, strict=True):
        assert_matches(one.grad, other.grad, check_dtype=False, what=f"the gradient of {name}")


@pytest.mark.points(1)
@pytest.mark.requires("test_conv_by_hand")
def test_conv_keeps_the_dtype(student, rng):
    """The result has the dtype of the image"""
    for dtype in (torch.float32, torch.float64):
        x, weight = torch.randn(1, 1, 3, 3, generator=rng).to(dtype), filters(rng, 1, 1, 2, 2).to(dtype)
        assert_matches(student.conv2d(x, weight), F.conv2d(x, weight))


@pytest.mark.points(1)
@pytest.mark.requires("test_pad_shape", "test_conv_bias")
def test_inputs_are_left_alone(student, rng):
    """Neither function changes what it was given"""
    x, weight, bias = torch.randn(1, 2, 3, 3, generator=rng), filters(rng, 2, 2, 2, 2), torch.ones(2)
    for name, call_it in (
        ("zero_pad2d", lambda: student.zero_pad2d(x, 1)),
        ("zero_pad2d", lambda: student.zero_pad2d(x, 0)),
        ("conv2d", lambda: student.conv2d(x, weight, bias, padding=1)),
    ):
        call_it()
        assert not student.changed_inputs(), f"`{name}` changed a tensor it was given. Return a new one."

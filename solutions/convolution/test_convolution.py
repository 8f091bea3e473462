"""Hidden suite of `convolution`. Expected values are worked by hand, or torch's own functions on the trusted side.

Another convention costs the check that is about it, and no other:

- Every filter but that of the orientation check is the same when turned by 180 degrees, so that a flip costs that check only.
- A dtype is compared in the checks of dtype alone.
- Images and filters are square but in the checks that are about it, stride and padding are left out likewise, and
  strides leave no row over but where that is asked.
- No check calls both functions: one mistake made twice would hide its own diagnosis.
- torch's own padding costs the two checks marked `by_hand`, which look at no value; all others let it work.
"""

import pytest
import torch
import torch.nn.functional as F

from grader.suite import assert_matches, assert_shape, call, small_inputs


@small_inputs("zero_pad2d")
def small_pads():
    from hypothesis import strategies as st

    from grader.suite.strategies import images

    return st.builds(call, images(max_side=3), st.integers(0, 2))


@small_inputs("conv2d")
def small_convolutions():
    from hypothesis import strategies as st

    from grader.suite.strategies import images

    def joined(x, c_out, k_h, k_w, fill, biased, options):
        count = c_out * x.shape[1] * k_h * k_w
        weight = torch.ones(count) if fill == "ones" else torch.arange(1.0, count + 1)
        weight = weight.reshape(c_out, x.shape[1], k_h, k_w)
        return call(x, weight, *([torch.arange(1.0, c_out + 1)] if biased else []), **options)

    options = st.sampled_from([{}, {"padding": 1}, {"stride": 2}, {"padding": 2, "stride": 2}])
    side, fill = st.integers(1, 2), st.sampled_from(["ones", "counting"])
    drawn = st.builds(joined, images(max_side=4), side, side, side, fill, st.booleans(), options)
    # The filter fits into the image, so that no example has an empty result.
    return drawn.filter(
        lambda c: all(k <= n for k, n in zip(c[0][1].shape[2:], c[0][0].shape[2:], strict=True))
    )


def symmetric(rng, *shape):
    """Draw filters, or images, that stay the same when their last two axes are turned by 180 degrees."""
    drawn = torch.randn(shape, generator=rng)
    return drawn + drawn.flip(2, 3)


def assert_varied(result):
    """Refuse a result that is the same everywhere: the right shape is worth nothing when it is filled with zeros."""
    assert result.min() < result.max(), "Every value of the result is the same, whatever the image holds."


@pytest.mark.points(1)
def test_pad_shape(student, rng):
    """Padding adds to height and width alone"""
    y = student.zero_pad2d(torch.randn(2, 3, 4, 5, generator=rng), 1)
    assert_shape(y, (2, 3, 6, 7))
    assert_varied(y)


@pytest.mark.points(1)
@pytest.mark.requires("test_pad_shape")
def test_pad_by_hand(student):
    """Zeros surround the image, worked by hand"""
    expected = torch.tensor([[[[0.0, 0, 0, 0], [0, 7, 8, 0], [0, 0, 0, 0]]]])
    assert_matches(student.zero_pad2d(torch.tensor([[[[7.0, 8.0]]]]), 1), expected, check_dtype=False)


@pytest.mark.points(1)
@pytest.mark.requires("test_pad_shape")
def test_pad_by_two(student, rng):
    """The border is as wide as asked, and a padding of 0 adds none"""
    x = torch.randn(2, 2, 1, 3, generator=rng)
    assert_matches(student.zero_pad2d(x, 2), F.pad(x, (2, 2, 2, 2)), check_dtype=False)
    assert_matches(student.zero_pad2d(x, 0), x, check_dtype=False)


@pytest.mark.points(1)
@pytest.mark.requires("test_pad_shape")
@pytest.mark.by_hand
def test_pad_is_made_by_hand(student):
    """`zero_pad2d` writes its zeros itself"""
    student.zero_pad2d(torch.ones(1, 1, 2, 2), 1)


@pytest.mark.points(1)
@pytest.mark.requires("test_pad_by_hand")
def test_pad_gradient(student):
    """The gradient of the middle flows back to the image"""
    x = torch.ones(1, 1, 1, 2, dtype=torch.float64, requires_grad=True)
    y = student.zero_pad2d(x, 1)
    (y * torch.arange(12.0).reshape(1, 1, 3, 4)).sum().backward()
    expected = torch.tensor([[[[5.0, 6.0]]]], dtype=torch.float64)
    assert_matches(x.grad, expected, check_dtype=False, what="the gradient of x")


@pytest.mark.points(1)
@pytest.mark.requires("test_pad_by_hand")
def test_pad_keeps_dtype_and_image(student, rng):
    """The padded image is a new tensor of the same dtype"""
    for dtype in (torch.float32, torch.float64):
        x = torch.randn(1, 2, 2, 3, generator=rng).to(dtype)
        y = student.zero_pad2d(x, 1)
        assert not student.changed_inputs(), "`zero_pad2d` changed the tensor it was given. Return a new one."
        assert_matches(y, F.pad(x, (1, 1, 1, 1)))


@pytest.mark.points(1)
def test_conv_shape(student, rng):
    """Each filter gives one map, as large as windows fit"""
    y = student.conv2d(torch.randn(2, 3, 6, 6, generator=rng), symmetric(rng, 4, 3, 5, 5))
    assert_shape(y, (2, 4, 2, 2))
    assert_varied(y)


@pytest.mark.points(1)
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
    x = torch.tensor([[[[0.0, 1.0, 0.0], [2.0, 3.0, 5.0], [0.0, 0.0, 1.0]]]])
    weight = torch.tensor([[[[1.0, 2.0], [3.0, 4.0]]]])
    # 0*1 + 1*2 + 2*3 + 3*4 = 20, 1*1 + 0*2 + 3*3 + 5*4 = 30, 2*1 + 3*2 + 0 + 0 = 8, 3*1 + 5*2 + 0 + 1*4 = 17
    expected = torch.tensor([[[[20.0, 30.0], [8.0, 17.0]]]])
    assert_matches(student.conv2d(x, weight), expected, check_dtype=False)


@pytest.mark.points(2)
@pytest.mark.requires("test_conv_shape")
def test_conv_sums_over_channels(student, rng):
    """A filter reaches through all input channels"""
    ones = torch.ones(1, 3, 3, 3)  # 3 channels of 9 products
    assert_matches(student.conv2d(ones, ones), torch.tensor([[[[27.0]]]]), check_dtype=False)
    x, weight = torch.randn(1, 3, 4, 4, generator=rng), symmetric(rng, 1, 3, 3, 3)
    assert_matches(student.conv2d(x, weight), F.conv2d(x, weight), check_dtype=False)


@pytest.mark.points(1)
@pytest.mark.requires("test_conv_by_hand")
def test_conv_with_several_filters(student, rng):
    """Each filter writes its own map, for each image of the batch"""
    x, weight = torch.randn(3, 1, 4, 4, generator=rng), symmetric(rng, 4, 1, 3, 3)
    assert_matches(student.conv2d(x, weight), F.conv2d(x, weight), check_dtype=False)


@pytest.mark.points(1)
@pytest.mark.requires("test_conv_by_hand")
def test_conv_bias(student):
    """Each filter adds its own bias, once"""
    # Three channels of ones sum to 3. Maps are as wide as there are filters: a bias may land on a column unnoticed.
    x, weight, bias = torch.ones(1, 3, 2, 2), torch.ones(2, 3, 1, 1), torch.tensor([1.0, -10.0])
    expected = torch.tensor([[[[4.0, 4.0], [4.0, 4.0]], [[-7.0, -7.0], [-7.0, -7.0]]]])
    assert_matches(student.conv2d(x, weight, bias), expected, check_dtype=False)


@pytest.mark.points(2)
@pytest.mark.requires("test_conv_by_hand")
def test_conv_stride(student, rng):
    """The filter moves by the stride"""
    x = torch.arange(16.0).reshape(1, 1, 4, 4)  # 0+1+4+5 = 10, 2+3+6+7 = 18, 42, 50
    y = student.conv2d(x, torch.ones(1, 1, 2, 2), stride=2)
    assert_matches(y, torch.tensor([[[[10.0, 18.0], [42.0, 50.0]]]]), check_dtype=False)
    x, weight = torch.randn(1, 1, 7, 7, generator=rng), symmetric(rng, 1, 1, 1, 1)
    assert_matches(student.conv2d(x, weight, stride=3), F.conv2d(x, weight, stride=3), check_dtype=False)


@pytest.mark.points(1)
@pytest.mark.requires("test_conv_stride")
def test_conv_drops_what_does_not_fit(student, rng):
    """A window that sticks out is dropped"""
    x, weight = torch.randn(1, 1, 8, 8, generator=rng), symmetric(rng, 1, 1, 3, 3)
    # By position, as torch takes it: code with padding before stride is right in all checks but this.
    assert_matches(student.conv2d(x, weight, None, 2), F.conv2d(x, weight, None, 2), check_dtype=False)


@pytest.mark.points(1)
@pytest.mark.requires("test_conv_by_hand")
def test_conv_padding(student, rng):
    """The filter starts on the padded border"""
    x, weight = torch.randn(1, 1, 4, 4, generator=rng), symmetric(rng, 1, 1, 3, 3)
    for padding in (1, 2):
        y = student.conv2d(x, weight, padding=padding)
        assert_matches(y, F.conv2d(x, weight, padding=padding), check_dtype=False)


@pytest.mark.points(1)
@pytest.mark.requires("test_conv_shape")
@pytest.mark.by_hand
def test_conv_pads_by_hand(student):
    """`conv2d` pads without torch's own padding"""
    student.conv2d(torch.ones(1, 1, 3, 3), torch.ones(1, 1, 3, 3), padding=1)


@pytest.mark.points(1)
@pytest.mark.requires("test_conv_by_hand")
def test_conv_of_an_image_that_is_not_square(student, rng):
    """The image's height and width are kept apart"""
    weight = symmetric(rng, 1, 1, 2, 2)
    for shape in ((1, 1, 2, 5), (1, 1, 5, 2)):
        x = torch.randn(shape, generator=rng)
        assert_matches(student.conv2d(x, weight), F.conv2d(x, weight), check_dtype=False)


@pytest.mark.points(1)
@pytest.mark.requires("test_conv_by_hand")
def test_conv_with_a_filter_that_is_not_square(student, rng):
    """The filter's height and width are kept apart too"""
    # Results are square, 3 x 3 and 2 x 2: code that takes the height of an image twice is not tested here.
    for x_shape, w_shape in (((2, 1, 3, 5), (2, 1, 1, 3)), ((1, 1, 4, 3), (1, 1, 3, 2))):
        x, weight = torch.randn(x_shape, generator=rng), symmetric(rng, *w_shape)
        assert_matches(student.conv2d(x, weight), F.conv2d(x, weight), check_dtype=False)


@pytest.mark.points(2)
@pytest.mark.requires("test_conv_with_several_filters", "test_conv_sums_over_channels", "test_conv_bias")
def test_conv_gradients(student, rng):
    """Gradients reach image, filters and bias"""
    # Where image and slopes are symmetric too, so is the gradient of a filter, flipped or not.
    image, weight = symmetric(rng, 2, 2, 3, 3), symmetric(rng, 2, 2, 2, 2)
    bias = torch.randn(2, generator=rng)
    tested = [value.double().requires_grad_() for value in (image, weight, bias)]
    wanted = [value.double().requires_grad_() for value in (image, weight, bias)]
    slopes = symmetric(rng, 2, 2, 2, 2)
    (student.conv2d(*tested) * slopes).sum().backward()
    (F.conv2d(*wanted) * slopes).sum().backward()
    for name, got, expected in zip(("x", "weight", "bias"), tested, wanted, strict=True):
        what = f"the gradient of {name}"
        assert_matches(got.grad, expected.grad, rtol=1e-4, atol=1e-5, check_dtype=False, what=what)


@pytest.mark.points(1)
@pytest.mark.requires("test_conv_by_hand")
def test_conv_keeps_the_dtype(student, rng):
    """The result has the dtype of the image"""
    for dtype in (torch.float32, torch.float64):
        x, weight = torch.randn(1, 1, 3, 3, generator=rng).to(dtype), symmetric(rng, 1, 1, 2, 2).to(dtype)
        assert_matches(student.conv2d(x, weight), F.conv2d(x, weight))


@pytest.mark.points(1)
@pytest.mark.requires("test_conv_bias")
def test_conv_leaves_its_arguments_alone(student, rng):
    """Image, filters and bias are left as they were"""
    x, weight, bias = torch.randn(1, 2, 3, 3, generator=rng), symmetric(rng, 2, 2, 2, 2), torch.ones(2)
    student.conv2d(x, weight, bias)
    changed = " and ".join(f"`{name}`" for name in student.changed_inputs())
    assert not changed, f"`conv2d` changed {changed}, which it was given. Work on a new tensor."

"""Hidden suite of `convolution`. Expected values are worked by hand, or torch's own functions on the trusted side.

Another convention costs the check that is about it, and no other:

- Images and filters that are square are the same when turned or transposed, but where that is asked, so that a flip costs
  that check only. They have one channel, and there is one filter, but where that is asked.
- Filters have one pixel in the checks of other things than sums, bias and padding are given where they are not asked about,
  and strides leave no row over but where that is asked.
- Numbers are whole, so that a buffer of integers costs the check of the dtype; and a dtype is compared there alone.
- A tuple, an array of numpy, a missing axis or channels at the end cost the check of the shape: the others go on with what is
  there.
- No check calls both functions: one mistake made twice would hide its own diagnosis.
- torch's own padding works in all checks but those marked `by_hand`: those of `zero_pad2d`, which it would solve, and one of
  `conv2d`, which looks at no value.
"""

import pytest
import torch
import torch.nn.functional as F

from grader.suite import assert_matches, assert_shape, call, small_inputs, usable

NAN, INF = float("nan"), float("inf")


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


def whole(rng, *shape):
    """Draw whole numbers from -3 to 3."""
    return torch.randint(-3, 4, shape, generator=rng).float()


def symmetric(rng, *shape):
    """Draw filters, or images, that stay the same when turned by 180 degrees, and when transposed if they are square."""
    drawn = whole(rng, *shape)
    drawn = drawn + drawn.mT if shape[-1] == shape[-2] else drawn
    return drawn + drawn.flip(2, 3)


def assert_varied(result):
    """Refuse a result that is the same everywhere: the right shape is worth nothing when it is filled with zeros."""
    assert result.min() < result.max(), "Every value of the result is the same, whatever the image holds."


def laid_out(got, shape):
    """Return the values of a result as (N, C_out, H', W') where the shape differs in form alone."""
    got = usable(got)
    if isinstance(got, torch.Tensor) and got.shape != shape:
        if got.dim() == 4 and got.permute(0, 3, 1, 2).shape == shape:
            return got.permute(0, 3, 1, 2)
        if got.dim() != 4 and got.numel() == shape.numel():
            return got.reshape(shape)
    return got


def assert_values(got, expected):
    """Compare values, which are whole numbers: results by Fourier transforms are off by their rounding."""
    assert_matches(laid_out(got, expected.shape), expected, atol=1e-3, check_dtype=False)


@pytest.mark.points(1)
@pytest.mark.by_hand
def test_pad_shape(student, rng):
    """Padding adds to height and width alone"""
    y = student.zero_pad2d(torch.randn(2, 3, 4, 5, generator=rng), 1)
    assert_shape(y, (2, 3, 6, 7))
    assert_varied(y)


@pytest.mark.points(1)
@pytest.mark.by_hand
def test_pad_by_hand(student):
    """Zeros surround the image, worked by hand"""
    expected = torch.tensor([[[[0.0, 0, 0, 0], [0, 7, 8, 0], [0, 0, 0, 0]]]])
    assert_matches(usable(student.zero_pad2d(torch.tensor([[[[7.0, 8.0]]]]), 1)), expected, check_dtype=False)


@pytest.mark.points(1)
@pytest.mark.by_hand
def test_pad_by_two(student, rng):
    """The border is as wide as asked, and a padding of 0 adds none"""
    for padding, shape in ((5, (2, 2, 1, 3)), (0, (1, 2, 3, 2))):
        x = 1000 * torch.randn(shape, generator=rng)
        assert_matches(usable(student.zero_pad2d(x, padding)), F.pad(x, 4 * (padding,)), check_dtype=False)
    x = torch.randn(2, 3, 4, 5, generator=rng)[:, :, 1:, 1:]  # a part of an image
    assert_matches(usable(student.zero_pad2d(x, padding=1)), F.pad(x, (1, 1, 1, 1)), check_dtype=False)


@pytest.mark.points(1)
@pytest.mark.by_hand
def test_pad_gradient(student, rng):
    """The gradient of the middle flows back to the image"""
    x = torch.ones(1, 1, 1, 2, dtype=torch.float64, requires_grad=True)
    y = student.zero_pad2d(x, 1)
    (y * torch.arange(12.0).reshape(1, 1, 3, 4)).sum().backward()
    expected = torch.tensor([[[[5.0, 6.0]]]], dtype=torch.float64)
    assert_matches(x.grad, expected, check_dtype=False, what="the gradient of x")
    x, slopes = (
        torch.randn(2, 3, 2, 1, generator=rng, requires_grad=True),
        torch.randn(2, 3, 6, 5, generator=rng),
    )
    y = student.zero_pad2d(x, 2)
    if y.shape == slopes.shape:  # how wide the border is, another check asks
        (y * slopes).sum().backward()
        assert_matches(x.grad, slopes[:, :, 2:4, 2:3], check_dtype=False, what="the gradient of x")


@pytest.mark.points(1)
@pytest.mark.by_hand
def test_pad_keeps_dtype_and_image(student, rng):
    """The padded image is a new tensor of the same dtype, with all that the image holds"""
    for dtype in (torch.float32, torch.float64, torch.float16, torch.bfloat16):
        special = torch.tensor([NAN, INF, -INF], dtype=dtype).expand(1, 2, 1, 3)
        x = torch.cat([torch.randn(1, 2, 2, 3, generator=rng, dtype=torch.float64).to(dtype), special], dim=2)
        y = student.zero_pad2d(x, 1)
        assert not student.changed_inputs(), "`zero_pad2d` changed the tensor it was given. Return a new one."
        assert_matches(y, F.pad(x, (1, 1, 1, 1)), rtol=0, atol=0)


@pytest.mark.points(1)
def test_conv_shape(student, rng):
    """Each filter gives one map, as large as windows fit"""
    y = student.conv2d(torch.randn(2, 3, 6, 6, generator=rng), symmetric(rng, 4, 3, 5, 5))
    assert_shape(y, (2, 4, 2, 2))
    ones = torch.ones(1, 1, 2, 2)
    assert_shape(student.conv2d(ones, ones), (1, 1, 1, 1))
    assert_varied(y)


@pytest.mark.points(1)
def test_conv_by_hand(student):
    """Sums over windows of two by two, worked by hand"""
    x = torch.tensor(
        [[[[0.0, 1.0, 2.0], [1.0, 3.0, 4.0], [2.0, 4.0, 5.0]]]]
    )  # 0+1+1+3 = 5, 1+2+3+4 = 10, 10, 16
    assert_values(student.conv2d(x, torch.ones(1, 1, 2, 2)), torch.tensor([[[[5.0, 10.0], [10.0, 16.0]]]]))
    nothing = torch.full((1, 1, 1, 1), NAN)
    assert_values(student.conv2d(nothing, nothing), nothing)


@pytest.mark.points(1)
def test_conv_does_not_flip(student):
    """The filter is laid on as it is, neither flipped nor transposed"""
    x = torch.tensor([[[[0.0, 1.0, 0.0], [2.0, 3.0, 5.0], [0.0, 0.0, 1.0]]]])
    weight = torch.tensor([[[[1.0, 2.0], [3.0, 4.0]]]])
    # 0*1 + 1*2 + 2*3 + 3*4 = 20, 1*1 + 0*2 + 3*3 + 5*4 = 30, 2*1 + 3*2 + 0 + 0 = 8, 3*1 + 5*2 + 0 + 1*4 = 17
    expected = torch.tensor([[[[20.0, 30.0], [8.0, 17.0]]]])
    assert_values(student.conv2d(x, weight, None, padding=0), expected)


@pytest.mark.points(1)
def test_conv_sums_over_channels(student, rng):
    """A filter reaches through all input channels"""
    ones = torch.ones(1, 17, 11, 11)  # 17 channels of 121 products
    assert_values(student.conv2d(ones, ones, None, padding=0), torch.tensor([[[[2057.0]]]]))
    x, weight = symmetric(rng, 1, 3, 4, 4), symmetric(rng, 1, 3, 3, 3)
    assert_values(student.conv2d(x, weight, None, padding=0), F.conv2d(x, weight))


@pytest.mark.points(1)
def test_conv_with_several_filters(student, rng):
    """Each filter writes its own map, for each image of the batch"""
    for x_shape, filters in (((3, 1, 2, 2), 4), ((1, 1, 3, 3), 9)):
        x, weight = symmetric(rng, *x_shape), whole(rng, filters, 1, 1, 1)
        weight[0] = 150
        assert_values(student.conv2d(x, weight, None), F.conv2d(x, weight))


@pytest.mark.points(1)
def test_conv_bias(student):
    """Each filter adds its own bias, once"""
    # Three channels of zeros. Maps are as wide as there are filters: a bias may land on a column unnoticed.
    x, weight, bias = torch.zeros(1, 3, 2, 2), torch.ones(2, 3, 1, 1), torch.tensor([1.0, -10.0])
    expected = torch.tensor([[[[1.0, 1.0], [1.0, 1.0]], [[-10.0, -10.0], [-10.0, -10.0]]]])
    assert_values(student.conv2d(x, weight, bias), expected)
    # One filter, as wide as the image, and a border that the bias reaches too.
    x, weight, bias = torch.ones(1, 1, 1, 1), torch.ones(1, 1, 1, 1), torch.tensor([0.5])
    expected = torch.tensor([[[[0.5, 0.5, 0.5], [0.5, 1.5, 0.5], [0.5, 0.5, 0.5]]]])
    got = laid_out(student.conv2d(x, weight, bias, padding=1), expected.shape)
    if got.shape == expected.shape:  # how wide the border is, another check asks
        assert_values(got, expected)


@pytest.mark.points(1)
def test_conv_stride(student, rng):
    """The filter moves by the stride"""
    for stride, side in ((2, 5), (3, 7), (12, 13)):
        x, weight = symmetric(rng, 1, 1, side, side), torch.full((1, 1, 1, 1), 2.0)
        x[:, :, side // 2, side // 2] = x[:, :, 0, 0] = x[:, :, -1, -1] = 500
        assert_values(student.conv2d(x, weight, None, stride=stride), 2 * x[:, :, ::stride, ::stride])


@pytest.mark.points(1)
def test_conv_drops_what_does_not_fit(student, rng):
    """A window that sticks out is dropped"""
    for side, k, stride in ((8, 3, 2), (9, 2, 5)):
        x, weight = symmetric(rng, 1, 1, side, side), symmetric(rng, 1, 1, k, k)
        # By position, as torch takes it: code with padding before stride is right in all checks but this.
        assert_values(student.conv2d(x, weight, None, stride, padding=0), F.conv2d(x, weight, None, stride))


@pytest.mark.points(1)
def test_conv_padding(student, rng):
    """The filter starts on the padded border"""
    for padding in (1, 6):
        x, weight = symmetric(rng, 1, 1, 3, 3), torch.full((1, 1, 1, 1), 2.0)
        y = student.conv2d(x, weight, None, padding=padding)
        assert_values(y, F.conv2d(x, weight, padding=padding))


@pytest.mark.points(1)
def test_conv_of_what_is_not_square(student, rng):
    """Height and width are kept apart, of the image and of the filter"""
    for height, width, k_h, k_w in ((2, 5, 2, 2), (5, 2, 2, 2), (3, 5, 1, 3)):
        x, weight = symmetric(rng, 1, 1, height, width), symmetric(rng, 1, 1, k_h, k_w)
        assert_values(student.conv2d(x, weight, None, padding=0), F.conv2d(x, weight))


@pytest.mark.points(1)
def test_conv_all_at_once(student, rng):
    """Stride, padding and bias go together, on a part of a larger image"""
    for stride, padding, height, width in ((2, 1, 7, 8), (3, 2, 2, 4)):
        x = whole(rng, 2, 3, height + 1, width + 2)[:, :, 1:, 2:]
        weight, bias = symmetric(rng, 4, 3, 2, 3).mT, torch.tensor([1.0, -2.0, 0.0, 5.0])
        options = {"stride": stride, "padding": padding}
        assert_values(student.conv2d(x, weight, bias, **options), F.conv2d(x, weight, bias, **options))


@pytest.mark.points(1)
def test_conv_gradients(student, rng):
    """Gradients reach image, filters and bias"""
    for side, options in ((2, {"padding": 0}), (3, {"stride": 2, "padding": 1})):
        # Where image and slopes are symmetric too, so is the gradient of a filter, flipped or not.
        image, weight = symmetric(rng, 2, 2, 3, 3), symmetric(rng, 2, 2, side, side)
        bias = torch.randn(2, generator=rng)
        tested = [value.double().requires_grad_() for value in (image, weight, bias)]
        wanted = [value.double().requires_grad_() for value in (image, weight, bias)]
        slopes = symmetric(rng, 2, 2, 2, 2)
        right = F.conv2d(*wanted, **options)
        got = laid_out(student.conv2d(*tested, **options), right.shape)
        if "stride" in options and not (got.shape == right.shape and torch.allclose(got, right)):
            return  # what stride and padding do, other checks ask
        assert got.requires_grad, "No gradient flows back from the result: build it with torch functions."
        (got * slopes).sum().backward()
        (right * slopes).sum().backward()
        for name, leaf, expected in zip(("x", "weight", "bias"), tested, wanted, strict=True):
            what = f"the gradient of {name}"
            assert_matches(leaf.grad, expected.grad, rtol=1e-4, atol=1e-5, check_dtype=False, what=what)


@pytest.mark.points(1)
@pytest.mark.by_hand
def test_conv_pads_by_hand(student):
    """`conv2d` pads without torch's own padding"""
    y = student.conv2d(torch.ones(1, 1, 3, 3), torch.ones(1, 1, 3, 3), padding=1)
    assert y is not None, "`conv2d` returned None."


@pytest.mark.points(1)
def test_conv_keeps_the_dtype(student, rng):
    """The result has the dtype of the image"""
    for dtype, padding in ((torch.float32, 0), (torch.float64, 1)):
        drawn = torch.randn(3, 1, 1, 1, generator=rng, dtype=torch.float64).to(dtype)
        x, weight = drawn[:1], drawn[1:]
        bias = torch.tensor([0.5, -0.25], dtype=dtype)
        y = student.conv2d(x, weight, bias, padding=padding) if padding else student.conv2d(x, weight, bias)
        right = F.conv2d(x, weight, bias, padding=padding)
        got = laid_out(y, right.shape)
        if got.shape == right.shape and got.dtype == dtype:
            exact = 1e-9 if dtype is torch.float64 else None
            assert_matches(got, right, rtol=exact, atol=exact)
        assert_matches(torch.zeros((), dtype=got.dtype), torch.zeros((), dtype=dtype))


@pytest.mark.points(1)
def test_conv_leaves_its_arguments_alone(student, rng):
    """Image, filters and bias are left as they were"""
    x, weight, bias = whole(rng, 1, 2, 3, 3), symmetric(rng, 2, 2, 2, 2), torch.ones(2)
    for padding in (0, 1):
        student.conv2d(x, weight, bias, padding=padding)
        changed = " and ".join(f"`{name}`" for name in student.changed_inputs())
        assert not changed, f"`conv2d` changed {changed}, which it was given. Work on a new tensor."

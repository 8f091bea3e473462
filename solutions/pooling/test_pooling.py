"""Hidden suite of `pooling`. Expected values are worked by hand, or torch's own functions on the trusted side.

One slip costs the checks that are about it, and few others:

- Images are the same when transposed, but where that is asked; most have one channel. With padding they have several.
- Where strides are not asked about, one window is all there is, or the stride is 1.
- Numbers are whole and positive, but where dtypes and signs are asked about.
- A tuple, an array of numpy, or an axis that is missing costs the check of the shape: the others go on with what is there.
"""

import pytest
import torch
import torch.nn.functional as F

from grader.suite import assert_matches, assert_shape, call, small_inputs, usable


def _small_pools():
    from hypothesis import strategies as st

    from grader.suite.strategies import images

    padding = st.sampled_from([{}, {"padding": 1}])
    stride = st.sampled_from([{}, {"stride": 1}, {"stride": 3}])
    drawn = st.builds(lambda x, k, s, p: call(x, k, **s, **p), images(), st.integers(1, 3), stride, padding)
    # torch allows a padding of at most half the kernel, and windows must fit.
    return drawn.filter(lambda c: 2 * c[1].get("padding", 0) <= c[0][1] <= min(c[0][0].shape[2:]))


@small_inputs("max_pool2d")
def small_max_pools():
    return _small_pools()


@small_inputs("avg_pool2d")
def small_avg_pools():
    return _small_pools()


@small_inputs("global_avg_pool2d")
def small_images():
    from grader.suite.strategies import images

    return images(max_side=3).map(call)


NAN, INF = float("nan"), float("inf")
FLOATS = (torch.float32, torch.float64, torch.float16, torch.bfloat16)
ROWS = torch.tensor(
    [[[[1.0, 5.0, 2.0, 0.0], [5.0, 4.0, 6.0, 8.0], [2.0, 6.0, 1.0, 1.0], [0.0, 8.0, 1.0, 3.0]]]]
)


def whole(rng, *shape):
    """Draw whole numbers above 0: buffers of integers, or of zeros, cost the checks that are about them."""
    return torch.randint(1, 20, shape, generator=rng).float()


def square(rng, side):
    """Draw an image of one channel that is the same when it is transposed."""
    drawn = whole(rng, 1, 1, side, side)
    return drawn + drawn.mT


def window(*values, dtype=torch.float32):
    """Return an image of 2 x 2 pixels."""
    return torch.tensor(values, dtype=dtype).reshape(1, 1, 2, 2)


def assert_values(got, expected, **options):
    """Compare values. A tuple, an array, a dtype and an axis of size 1 cost the checks that are about them."""
    got = usable(got)
    if isinstance(got, torch.Tensor) and got.dim() != expected.dim() and got.numel() == expected.numel():
        got = got.reshape(expected.shape)
    assert_matches(got, expected, check_dtype=False, **options)


def assert_dtype(got, dtype):
    """Compare the dtype alone."""
    assert_matches(torch.zeros((), dtype=usable(got).dtype), torch.zeros((), dtype=dtype))


@pytest.mark.points(1)
def test_max_returns_a_tensor_of_the_right_shape(student, rng):
    """Max pooling halves height and width, keeps the rest, and returns the values alone"""
    assert_shape(student.max_pool2d(torch.randn(2, 3, 4, 6, generator=rng), 2, 2), (2, 3, 2, 3))
    assert_shape(student.max_pool2d(window(1.0, 2.0, 3.0, 4.0), 2, 2), (1, 1, 1, 1))


@pytest.mark.points(1)
def test_max_by_hand(student):
    """The largest value of each window, worked by hand"""
    assert_values(student.max_pool2d(ROWS, 2, 2), torch.tensor([[[[5.0, 8.0], [8.0, 3.0]]]]))


@pytest.mark.points(1)
def test_max_stride_left_out(student):
    """A stride that is left out equals the kernel size"""
    assert_values(student.max_pool2d(ROWS, 2), torch.tensor([[[[5.0, 8.0], [8.0, 3.0]]]]))
    assert_values(student.max_pool2d(ROWS, 2, None), torch.tensor([[[[5.0, 8.0], [8.0, 3.0]]]]))


@pytest.mark.points(1)
def test_max_of_negative_values(student):
    """The maximum of negative values is negative, however low they are"""
    assert_values(student.max_pool2d(window(-3.0, -1.0, -1.0, -2.0), 2, 2), torch.tensor([[[[-1.0]]]]))
    x = torch.full((1, 1, 2, 2), -1e300, dtype=torch.float64)
    assert_values(student.max_pool2d(x, 2, 2), x[:, :, :1, :1])
    assert_values(student.max_pool2d(window(-INF, -INF, -INF, -INF), 2, 2), torch.tensor([[[[-INF]]]]))


@pytest.mark.points(1)
def test_max_of_an_image_that_is_not_square(student, rng):
    """Height and width are kept apart, of a part of a larger image too"""
    for height, width, kernel, stride in ((4, 10, 2, 2), (6, 4, 2, 2), (8, 5, 2, 3), (4, 6, 2, 1)):
        x = whole(rng, 1, 1, height + 1, width + 1)[:, :, 1:, 1:]
        assert_values(student.max_pool2d(x, kernel, stride), F.max_pool2d(x, kernel, stride))


@pytest.mark.points(1)
def test_max_of_each_channel(student, rng):
    """Each channel of each image is pooled on its own"""
    x = whole(rng, 3, 2, 2, 2)
    assert_values(student.max_pool2d(x, 2, 2), x.amax(dim=(2, 3), keepdim=True))


@pytest.mark.points(1)
def test_max_drops_what_does_not_fit(student, rng):
    """A window that sticks out is dropped"""
    for side, kernel, stride in ((5, 2, 2), (9, 2, 5)):
        x = square(rng, side)
        assert_values(student.max_pool2d(x, kernel, stride), F.max_pool2d(x, kernel, stride))


@pytest.mark.points(1)
def test_max_with_any_stride(student, rng):
    """Windows may overlap, or leave gaps"""
    expected = torch.tensor([[[[5.0, 6.0, 8.0], [6.0, 6.0, 8.0], [8.0, 8.0, 3.0]]]])
    assert_values(student.max_pool2d(ROWS, 2, stride=1), expected)
    for side, kernel, stride in ((8, 2, 3), (13, 1, 12), (13, 3, 5), (13, 11, 2)):
        x = square(rng, side)
        assert_values(student.max_pool2d(x, kernel, stride), F.max_pool2d(x, kernel, stride))


@pytest.mark.points(1)
def test_max_padding_never_wins(student, rng):
    """Padding never wins, not even against the lowest numbers"""
    for shape, kernel, padding in (
        ((1, 1, 3, 3), 3, 1),
        ((2, 3, 3, 5), 2, 1),
        ((3, 2, 4, 2), 7, 3),
        ((1, 2, 1, 2), 12, 6),
    ):
        x = -whole(rng, *shape)
        assert_values(student.max_pool2d(x, kernel, 1, padding), F.max_pool2d(x, kernel, 1, padding))
    for value, dtype in ((-INF, torch.float32), (torch.finfo(torch.float64).min, torch.float64)):
        x = torch.full((1, 1, 2, 2), value, dtype=dtype)
        assert_values(student.max_pool2d(x, 3, 1, 1), x)
    # With None for the stride too: the one window holds all four pixels.
    assert_values(student.max_pool2d(window(-4.0, -2.0, -2.0, -3.0), 4, None, 1), torch.tensor([[[[-2.0]]]]))


@pytest.mark.points(1)
def test_max_keeps_nan(student):
    """A window that holds NaN gives NaN, so that errors stay visible"""
    for values in ((NAN, 1.0, 2.0, 3.0), (3.0, 2.0, 1.0, NAN)):
        for kernel, padding in ((2, 0), (4, 1)):
            y = student.max_pool2d(window(*values), kernel, kernel, padding)
            assert_values(y, torch.tensor([[[[NAN]]]]))


@pytest.mark.points(1)
def test_max_keeps_the_dtype(student):
    """The result has the dtype of the input"""
    for dtype in FLOATS:
        x = window(0.5, 1.0, 2.0, 3.25).to(dtype)
        y = student.max_pool2d(x, 2, 2)
        assert_dtype(y, dtype)
        assert_values(y, x[:, :, 1:, 1:])
        assert_dtype(student.max_pool2d(x, 2, 2, 1), dtype)


@pytest.mark.points(1)
def test_max_gradient(student):
    """The gradient goes to where the maximum was"""
    image = torch.tensor([[[[1.0, 8.0, 2.0], [3.0, 4.0, 9.0], [7.0, 5.0, 6.0]]]])
    expected = torch.tensor(
        [[[[0.0, 1, 0], [0, 0, 6], [3, 0, 0]]]]
    )  # two of the four windows share the 9: 2 + 4
    for kernel, stride, padding in ((2, 1, 0), (3, 2, 1)):
        x = image.clone().requires_grad_()
        y = usable(student.max_pool2d(x, kernel, stride, padding))
        assert y.requires_grad, "No gradient flows back from the result: build it with torch functions."
        (y * torch.tensor([[[[1.0, 2.0], [3.0, 4.0]]]])).sum().backward()
        assert_values(x.grad, expected, what="the gradient of max_pool2d")


@pytest.mark.points(1)
def test_avg_by_hand(student):
    """The mean of each window, worked by hand, zeros included"""
    assert_values(student.avg_pool2d(ROWS, 2, 2), torch.tensor([[[[3.75, 4.0], [4.0, 1.5]]]]))
    y = student.avg_pool2d(window(4.0, 0.0, 0.0, 0.0), 2, 2)
    assert_shape(y, (1, 1, 1, 1))
    assert_values(y, torch.tensor([[[[1.0]]]]))
    # NaN spoils the windows that hold it, and no others.
    x = torch.where(ROWS == 4.0, NAN, ROWS)
    assert_values(student.avg_pool2d(x, 2, 2), torch.tensor([[[[NAN, 4.0], [4.0, 1.5]]]]))


@pytest.mark.points(1)
def test_avg_with_any_stride_and_odd_sizes(student, rng):
    """Average windows overlap, leave gaps, and drop the rest"""
    small, large = (
        1000 + torch.randn(2, 3, 7, 5, generator=rng),
        torch.randn(1, 1, 13, 9, generator=rng)[:, :, :, 1:],
    )
    # The kernel, and the stride unless it is left out.
    for sizes in ((3,), (2, None), (3, 1), (2, 3)):
        assert_values(student.avg_pool2d(small, *sizes), F.avg_pool2d(small, *sizes))
    for sizes in ((3, 5), (1, 12)):
        assert_values(student.avg_pool2d(large, *sizes), F.avg_pool2d(large, *sizes))


@pytest.mark.points(1)
def test_avg_padding_counts_as_zeros(student, rng):
    """Padded zeros count in the divisor"""
    expected = torch.tensor([[[[0.25, 1.75, 0.0], [1.75, 4.25, 2.25], [0.0, 2.25, 0.75]]]])
    assert_values(student.avg_pool2d(ROWS, 2, 2, 1), expected)
    for shape, kernel, stride, padding in (
        ((2, 3, 3, 5), 3, 1, 1),
        ((3, 2, 4, 2), 7, 2, 3),
        ((1, 2, 5, 6), 12, 3, 6),
    ):
        x = whole(rng, *shape)
        expected = F.avg_pool2d(x, kernel, stride, padding)
        assert_values(student.avg_pool2d(x, kernel, stride, padding), expected)
    # With None for the stride too: the one window holds all four pixels, and twelve zeros.
    for first, mean in ((4.0, 2.0), (NAN, NAN)):
        y = student.avg_pool2d(window(first, 6.0, 6.0, 16.0), 4, None, 1)
        assert_values(y, torch.tensor([[[[mean]]]]))


@pytest.mark.points(1)
def test_avg_gradient(student):
    """The gradient is shared by the window"""
    x = torch.ones(1, 1, 2, 2, dtype=torch.float64, requires_grad=True)
    (8 * student.avg_pool2d(x, 2, 2)).sum().backward()
    assert_values(x.grad, torch.full((1, 1, 2, 2), 2.0), what="the gradient of avg_pool2d")
    x = torch.ones(1, 1, 3, 3, requires_grad=True)
    (4 * student.avg_pool2d(x, 2, 1)).sum().backward()
    expected = torch.tensor([[[[1.0, 2.0, 1.0], [2.0, 4.0, 2.0], [1.0, 2.0, 1.0]]]])
    assert_values(x.grad, expected, what="the gradient of avg_pool2d")
    x = torch.ones(1, 1, 2, 2, requires_grad=True)
    student.avg_pool2d(x, 2, 2, 1).sum().backward()  # how much arrives is for the check of padding
    assert (x.grad > 0).all(), "With padding no gradient reaches the image: pad with torch functions."


@pytest.mark.points(1)
def test_avg_keeps_the_dtype(student):
    """The mean has the dtype of the input"""
    for dtype in FLOATS:
        x = window(0.5, 1.0, 2.0, 2.5).to(dtype)
        y = student.avg_pool2d(x, 2, 2)
        assert_dtype(y, dtype)
        assert_values(y, torch.full((1, 1, 1, 1), 1.5, dtype=dtype))
        assert_dtype(student.avg_pool2d(x, 2, 2, 1), dtype)
    thirds = window(1.0, 1.0, 1.0, 1.0).double() / 3  # which float32 does not hold
    assert_values(student.avg_pool2d(thirds, 2, 2), thirds[:, :, :1, :1], rtol=1e-10, atol=0)


@pytest.mark.points(1)
def test_global_shape(student, rng):
    """Global pooling leaves one value per channel, of the dtype of the input"""
    assert_shape(student.global_avg_pool2d(torch.randn(2, 3, 4, 5, generator=rng)), (2, 3, 1, 1))
    for dtype in FLOATS:
        x = window(0.5, 1.0, 2.0, 2.5).to(dtype)
        assert_matches(student.global_avg_pool2d(x), torch.full((1, 1, 1, 1), 1.5, dtype=dtype))
    thirds = window(1.0, 1.0, 1.0, 1.0).double() / 3  # which float32 does not hold
    assert_matches(student.global_avg_pool2d(thirds), thirds[:, :, :1, :1], rtol=1e-10, atol=0)


@pytest.mark.points(1)
def test_global_values(student, rng):
    """Each channel of each image has its own mean, and every pixel its share of the gradient"""
    x = torch.tensor([[[[1.0, 2.0, 3.0]], [[-1.0, 0.0, 4.0]]], [[[0.0, 0.0, 6.0]], [[5.0, 5.0, 5.0]]]])
    x.requires_grad_()
    y = student.global_avg_pool2d(x)
    assert_values(y, torch.tensor([[2.0, 1.0], [2.0, 5.0]])[:, :, None, None])
    (y.flatten(1) * torch.tensor([[3.0, 6.0], [-3.0, 0.0]])).sum().backward()
    expected = torch.tensor([[1.0, 2.0], [-1.0, 0.0]])[:, :, None, None].expand(x.shape)
    assert_values(x.grad, expected, what="the gradient of global_avg_pool2d")
    x = 1000 + torch.randn(2, 3, 5, 4, generator=rng).mT
    assert_values(student.global_avg_pool2d(x), x.sum(dim=(2, 3), keepdim=True) / 20)
    x = torch.tensor(
        [[[[NAN, 1.0]], [[2.0, 4.0]], [[5.0, 7.0]]]]
    )  # one image, whose other channels are whole
    assert_values(student.global_avg_pool2d(x), torch.tensor([[[[NAN]], [[3.0]], [[6.0]]]]))


@pytest.mark.points(1)
def test_inputs_are_left_alone(student, rng):
    """None of the three changes the image it was given"""
    x = torch.randn(1, 2, 4, 5, generator=rng)
    for name, call_it in (
        ("max_pool2d", lambda: student.max_pool2d(x, 2, 2)),
        ("avg_pool2d", lambda: student.avg_pool2d(x, 2, 2)),
        ("global_avg_pool2d", lambda: student.global_avg_pool2d(x)),
    ):
        call_it()
        assert not student.changed_inputs(), f"`{name}` changed the tensor it was given. Return a new one."

"""Hidden suite of `pooling`. Expected values are worked by hand, or torch's own functions on the trusted side."""

import pytest
import torch
import torch.nn.functional as F

from grader.suite import assert_matches, assert_shape, call, small_inputs


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


ROWS = torch.tensor(
    [[[[1.0, 5.0, 2.0, 0.0], [3.0, 4.0, 9.0, 6.0], [7.0, 8.0, 1.0, 1.0], [2.0, 0.0, 3.0, 2.5]]]]
)


@pytest.mark.points(1)
def test_max_returns_a_tensor_of_the_right_shape(student, rng):
    """Max pooling halves height and width, and keeps the rest"""
    assert_shape(student.max_pool2d(torch.randn(2, 3, 4, 6, generator=rng), 2, 2), (2, 3, 2, 3))


@pytest.mark.points(1)
@pytest.mark.requires("test_max_returns_a_tensor_of_the_right_shape")
def test_max_by_hand(student):
    """The largest value of each window, worked by hand"""
    assert_matches(
        student.max_pool2d(ROWS, 2, 2), torch.tensor([[[[5.0, 9.0], [8.0, 3.0]]]]), check_dtype=False
    )


@pytest.mark.points(1)
@pytest.mark.requires("test_max_returns_a_tensor_of_the_right_shape")
def test_max_stride_left_out(student):
    """A stride that is left out equals the kernel size"""
    assert_matches(student.max_pool2d(ROWS, 2), torch.tensor([[[[5.0, 9.0], [8.0, 3.0]]]]), check_dtype=False)


@pytest.mark.points(2)
@pytest.mark.requires("test_max_returns_a_tensor_of_the_right_shape")
def test_max_of_negative_values(student, rng):
    """The maximum of negative values is negative"""
    x = -1 - torch.rand(2, 2, 4, 4, generator=rng)
    assert_matches(student.max_pool2d(x, 2, 2), F.max_pool2d(x, 2), check_dtype=False)


@pytest.mark.points(1)
@pytest.mark.requires("test_max_returns_a_tensor_of_the_right_shape")
def test_max_of_an_image_that_is_not_square(student, rng):
    """Height and width are kept apart"""
    x = torch.randn(1, 2, 4, 10, generator=rng)
    assert_matches(student.max_pool2d(x, 2, 2), F.max_pool2d(x, 2), check_dtype=False)


@pytest.mark.points(2)
@pytest.mark.requires("test_max_returns_a_tensor_of_the_right_shape")
def test_max_drops_what_does_not_fit(student, rng):
    """A window that sticks out is dropped"""
    x = torch.randn(2, 1, 5, 7, generator=rng)
    assert_matches(student.max_pool2d(x, 2, 2), F.max_pool2d(x, 2), check_dtype=False)
    assert_matches(student.max_pool2d(x, 3, 2), F.max_pool2d(x, 3, 2), check_dtype=False)


@pytest.mark.points(1)
@pytest.mark.requires("test_max_returns_a_tensor_of_the_right_shape")
def test_max_windows_may_overlap(student):
    """Windows may overlap"""
    expected = torch.tensor([[[[5.0, 9.0, 9.0], [8.0, 9.0, 9.0], [8.0, 8.0, 3.0]]]])
    assert_matches(student.max_pool2d(ROWS, 2, stride=1), expected, check_dtype=False)


@pytest.mark.points(1)
@pytest.mark.requires("test_max_returns_a_tensor_of_the_right_shape")
def test_max_windows_may_leave_gaps(student, rng):
    """The stride may be larger than the kernel"""
    x = torch.randn(1, 2, 8, 7, generator=rng)
    assert_matches(student.max_pool2d(x, 2, 3), F.max_pool2d(x, 2, 3), check_dtype=False)


@pytest.mark.points(2)
@pytest.mark.requires("test_max_of_negative_values")
def test_max_padding_never_wins(student, rng):
    """Padding never wins against negative values"""
    x = -1 - torch.rand(2, 1, 4, 5, generator=rng)
    assert_matches(student.max_pool2d(x, 3, 2, 1), F.max_pool2d(x, 3, 2, 1), check_dtype=False)


@pytest.mark.points(1)
@pytest.mark.requires("test_max_returns_a_tensor_of_the_right_shape")
def test_max_keeps_the_dtype(student, rng):
    """The result has the dtype of the input"""
    for dtype in (torch.float32, torch.float64):
        x = torch.randn(1, 1, 2, 2, generator=rng).to(dtype)
        assert_matches(student.max_pool2d(x, 2, 2), F.max_pool2d(x, 2))


@pytest.mark.points(2)
@pytest.mark.requires("test_max_by_hand")
def test_max_gradient(student):
    """The gradient goes to where the maximum was"""
    x = ROWS.clone().requires_grad_()
    (student.max_pool2d(x, 2, 2) * torch.tensor([[[[1.0, 2.0], [3.0, 4.0]]]])).sum().backward()
    expected = torch.tensor([[[[0.0, 1, 0, 0], [0, 0, 2, 0], [0, 3, 0, 0], [0, 0, 4, 0]]]])
    assert_matches(x.grad, expected, what="the gradient of max_pool2d")


@pytest.mark.points(1)
def test_avg_by_hand(student):
    """The mean of each window, worked by hand"""
    assert_matches(
        student.avg_pool2d(ROWS, 2, 2), torch.tensor([[[[3.25, 4.25], [4.25, 1.875]]]]), check_dtype=False
    )


@pytest.mark.points(1)
@pytest.mark.requires("test_avg_by_hand")
def test_avg_of_zeros(student):
    """Zeros count in the mean"""
    x = torch.tensor([[[[4.0, 0.0], [0.0, 0.0]]]])
    assert_matches(student.avg_pool2d(x, 2, 2), torch.tensor([[[[1.0]]]]), check_dtype=False)


@pytest.mark.points(2)
@pytest.mark.requires("test_avg_by_hand")
def test_avg_with_any_stride_and_odd_sizes(student, rng):
    """Average windows overlap, leave gaps, and drop the rest"""
    x = torch.randn(2, 3, 7, 5, generator=rng)
    for window in ((3,), (2, None), (3, 1), (2, 3)):  # the kernel, and the stride unless it is left out
        assert_matches(student.avg_pool2d(x, *window), F.avg_pool2d(x, *window), check_dtype=False)


@pytest.mark.points(1)
@pytest.mark.requires("test_avg_by_hand")
def test_avg_padding_counts_as_zeros(student):
    """Padded zeros count in the divisor"""
    expected = torch.tensor([[[[0.25, 1.75, 0.0], [2.5, 5.5, 1.75], [0.5, 0.75, 0.625]]]])
    assert_matches(student.avg_pool2d(ROWS, 2, 2, 1), expected, check_dtype=False)


@pytest.mark.points(1)
@pytest.mark.requires("test_avg_by_hand")
def test_avg_gradient(student):
    """The gradient is shared by the window"""
    x = torch.ones(1, 1, 2, 2, dtype=torch.float64, requires_grad=True)
    (8 * student.avg_pool2d(x, 2, 2)).sum().backward()
    assert_matches(
        x.grad, torch.full((1, 1, 2, 2), 2.0, dtype=torch.float64), what="the gradient of avg_pool2d"
    )


@pytest.mark.points(1)
@pytest.mark.requires("test_avg_by_hand")
def test_avg_keeps_the_dtype(student, rng):
    """The mean has the dtype of the input"""
    for dtype in (torch.float32, torch.float64):
        x = torch.randn(1, 2, 4, 3, generator=rng, dtype=torch.float64).to(dtype)
        assert_matches(student.avg_pool2d(x, 2, 2), F.avg_pool2d(x, 2))


@pytest.mark.points(1)
def test_global_shape(student, rng):
    """Global pooling leaves one value per channel"""
    assert_shape(student.global_avg_pool2d(torch.randn(2, 3, 4, 5, generator=rng)), (2, 3, 1, 1))


@pytest.mark.points(1)
@pytest.mark.requires("test_global_shape")
def test_global_values(student):
    """Each channel of each image has its own mean"""
    x = torch.tensor([[[[1.0, 2.0, 3.0]], [[-1.0, 0.0, 4.0]]], [[[0.0, 0.0, 6.0]], [[5.0, 5.0, 5.0]]]])
    assert_matches(
        student.global_avg_pool2d(x).flatten(1), torch.tensor([[2.0, 1.0], [2.0, 5.0]]), check_dtype=False
    )


@pytest.mark.points(1)
@pytest.mark.requires("test_max_returns_a_tensor_of_the_right_shape", "test_avg_by_hand", "test_global_shape")
def test_inputs_are_left_alone(student, rng):
    """None of the three changes the image it was given"""
    x = torch.randn(1, 2, 4, 5, generator=rng)
    for name, call_it in (
        ("max_pool2d", lambda: student.max_pool2d(x, 2, 2, padding=1)),
        ("avg_pool2d", lambda: student.avg_pool2d(x, 2, 2, padding=1)),
        ("global_avg_pool2d", lambda: student.global_avg_pool2d(x)),
    ):
        call_it()
        assert not student.changed_inputs(), f"`{name}` changed the tensor it was given. Return a new one."

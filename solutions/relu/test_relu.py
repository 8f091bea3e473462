"""Hidden suite of `relu`. Expected values are worked by hand, or torch's own functions on the trusted side."""

import pytest
import torch
import torch.nn.functional as F

from grader.suite import assert_matches, call, small_inputs


@small_inputs("relu")
def small_vectors():
    from grader.feedback.strategies import vectors

    return vectors().map(call)


@small_inputs("relu_backward")
def small_gradients():
    from hypothesis import strategies as st

    values = st.integers(-2, 2).map(float)
    pairs = st.lists(st.tuples(values, values), min_size=1, max_size=3)
    return pairs.map(lambda drawn: call(*(torch.tensor(column) for column in zip(*drawn, strict=True))))


@small_inputs("leaky_relu")
def small_slopes():
    from hypothesis import strategies as st

    from grader.feedback.strategies import vectors

    slopes = st.sampled_from([0.5, 0.1, 2.0])
    return st.builds(call, vectors()) | st.builds(call, vectors(), slopes)


@small_inputs("elu")
def small_alphas():
    from hypothesis import strategies as st

    from grader.feedback.strategies import vectors

    large = st.just(torch.tensor([1000.0]))
    return st.builds(call, vectors() | large) | st.builds(call, vectors(), st.sampled_from([0.5, 2.0]))


@small_inputs("gelu")
def small_values():
    from grader.feedback.strategies import vectors

    return vectors().map(call)


@small_inputs("dead_fraction")
def small_batches():
    from grader.feedback.strategies import images

    return (
        images(max_side=2, max_channels=3) | images(max_side=1, max_channels=3).map(lambda x: x[:, :, 0, 0])
    ).map(call)


def assert_untouched(student, name):
    """Raise AssertionError if the last call changed an argument."""
    assert not student.changed_inputs(), f"`{name}` changed the tensor it was given. Return a new one."


@pytest.mark.points(1)
def test_relu_values(student):
    """Negative values become zero, positive ones pass"""
    assert_matches(
        student.relu(torch.tensor([[-2.0, 0.0, 3.0], [0.5, -0.1, -7.0]])),
        torch.tensor([[0.0, 0, 3], [0.5, 0, 0]]),
        check_dtype=False,
    )


@pytest.mark.points(1)
@pytest.mark.requires("test_relu_values")
def test_relu_keeps_shape_and_dtype(student, rng):
    """The result has the shape and dtype of the input"""
    for shape in ((3,), (2, 3, 4, 5), (1, 1)):
        for dtype in (torch.float32, torch.float64):
            x = torch.randn(shape, generator=rng, dtype=dtype)
            assert_matches(student.relu(x), F.relu(x))


@pytest.mark.points(1)
@pytest.mark.requires("test_relu_values")
def test_relu_leaves_its_input_alone(student):
    """Relu does not change its argument"""
    student.relu(torch.tensor([-1.0, 2.0]))
    assert_untouched(student, "relu")


@pytest.mark.points(1)
@pytest.mark.requires("test_relu_values")
def test_relu_keeps_nan(student):
    """NaN stays NaN, so that trouble stays visible"""
    y = student.relu(torch.tensor([float("nan"), -1.0]))
    assert_matches(y, torch.tensor([float("nan"), 0.0]), check_dtype=False)


@pytest.mark.points(1)
@pytest.mark.requires("test_relu_values")
def test_relu_has_a_gradient(student):
    """Gradients flow through relu where it is open"""
    x = torch.tensor([-1.0, 2.0, 3.0], requires_grad=True)
    (student.relu(x) * torch.tensor([5.0, 7.0, -1.0])).sum().backward()
    assert_matches(x.grad, torch.tensor([0.0, 7.0, -1.0]), what="the gradient of relu")


@pytest.mark.points(2)
def test_backward_is_the_chain_rule(student):
    """The gradient passes where the input was positive"""
    grad, x = torch.tensor([5.0, -3.0, 2.0, 4.0]), torch.tensor([-1.0, 2.0, 0.5, -0.5])
    expected = torch.tensor([0.0, -3.0, 2.0, 0.0])
    assert_matches(student.relu_backward(grad, x), expected, check_dtype=False)


@pytest.mark.points(1)
@pytest.mark.requires("test_backward_is_the_chain_rule")
def test_backward_at_zero(student):
    """No gradient passes at exactly zero"""
    got = student.relu_backward(torch.tensor([5.0, 5.0]), torch.tensor([0.0, 1.0]))
    assert_matches(got, torch.tensor([0.0, 5.0]), check_dtype=False)


@pytest.mark.points(1)
@pytest.mark.requires("test_backward_is_the_chain_rule")
def test_backward_leaves_its_inputs_alone(student, rng):
    """relu_backward keeps the dtype, and changes no argument"""
    for dtype in (torch.float64, torch.float32):
        grad, x = (torch.randn(2, 3, generator=rng, dtype=dtype) for _ in range(2))
        assert_matches(student.relu_backward(grad, x), grad * (x > 0))
        assert_untouched(student, "relu_backward")


@pytest.mark.points(1)
def test_leaky_relu_uses_its_slope(student):
    """Leaky ReLU uses the slope it is given, backwards too"""
    x = torch.tensor([-2.0, 0.0, 3.0], requires_grad=True)
    y = student.leaky_relu(x, 0.25)
    assert_matches(y, torch.tensor([-0.5, 0.0, 3.0]), check_dtype=False)
    (y * torch.tensor([4.0, 0.0, 5.0])).sum().backward()
    assert_matches(x.grad, torch.tensor([1.0, 0.0, 5.0]), what="the gradient of leaky_relu")


@pytest.mark.points(1)
def test_leaky_relu_default(student):
    """The slope is one hundredth when none is given"""
    got = student.leaky_relu(torch.tensor([-100.0, 0.0, 2.0]))
    assert_matches(got, torch.tensor([-1.0, 0.0, 2.0]), check_dtype=False)


@pytest.mark.points(1)
@pytest.mark.requires("test_leaky_relu_uses_its_slope")
def test_leaky_relu_leaves_its_input_alone(student, rng):
    """Leaky ReLU keeps the dtype, and does not change its argument"""
    for dtype in (torch.float64, torch.float32):
        x = torch.randn(2, 3, generator=rng, dtype=dtype)
        assert_matches(student.leaky_relu(x, 0.125), F.leaky_relu(x, 0.125))
        assert_untouched(student, "leaky_relu")


@pytest.mark.points(2)
@pytest.mark.requires("test_leaky_relu_uses_its_slope")
def test_leaky_relu_with_a_steep_slope(student):
    """Slopes above one and below zero work too"""
    x = torch.tensor([-2.0, 3.0])
    for slope, expected in ((1.5, [-3.0, 3.0]), (-1.0, [2.0, 3.0])):
        got = student.leaky_relu(x, negative_slope=slope)
        assert_matches(got, torch.tensor(expected), check_dtype=False)


@pytest.mark.points(1)
def test_elu_values(student):
    """ELU bends smoothly through zero"""
    expected = torch.tensor([-0.8646647, 0.0, 0.5, 3.0])  # exp(-2) - 1 = -0.8646647
    assert_matches(student.elu(torch.tensor([-2.0, 0.0, 0.5, 3.0])), expected, check_dtype=False)
    assert_matches(student.elu(torch.tensor([-0.5])), torch.tensor([-0.3934693]), check_dtype=False)


@pytest.mark.points(1)
@pytest.mark.requires("test_elu_values")
def test_elu_alpha(student, rng):
    """Alpha scales the negatives, in a new tensor of the same dtype"""
    for dtype in (torch.float64, torch.float32):
        x = torch.randn(3, 4, generator=rng, dtype=dtype)
        assert_matches(student.elu(x, 0.5), F.elu(x, 0.5))
        assert_untouched(student, "elu")


@pytest.mark.points(2)
@pytest.mark.requires("test_elu_values")
def test_elu_of_large_numbers(student):
    """ELU of 1000 is 1000"""
    got = student.elu(torch.tensor([1000.0, -1000.0]))
    assert_matches(got, torch.tensor([1000.0, -1.0]), check_dtype=False)


@pytest.mark.points(2)
@pytest.mark.requires("test_elu_of_large_numbers")
def test_elu_gradient_of_large_numbers(student):
    """The gradient of ELU at 1000 is 1"""
    x = torch.tensor([1000.0, -1.0], requires_grad=True)
    student.elu(x).sum().backward()
    assert_matches(x.grad, torch.tensor([1.0, 0.3678794]), what="the gradient of elu")


ROUGHLY = 0.05  # lets the forms with tanh and sigmoid pass, up to 0.02 off, and their slopes, up to 0.03 off


@pytest.mark.points(1)
def test_gelu_values(student):
    """GELU and its gradient are right to within 0.05"""
    x = torch.tensor([-1.0, 0.0, 2.0, 0.5, -3.0], requires_grad=True)
    y = student.gelu(x)
    expected = torch.tensor([-0.158655, 0.0, 1.954500, 0.345731, -0.004050])
    assert_matches(y, expected, rtol=0, atol=ROUGHLY, check_dtype=False)
    assert_untouched(student, "gelu")
    y.sum().backward()
    expected = torch.tensor([-0.083315, 0.5, 1.085231, 0.867495, -0.011946])
    assert_matches(x.grad, expected, rtol=0, atol=ROUGHLY, what="the gradient of gelu")


@pytest.mark.points(1)
@pytest.mark.requires("test_gelu_values")
def test_gelu_is_exact(student, rng):
    """GELU is exact to the digits of its input's dtype"""
    for dtype, atol in ((torch.float64, 1e-10), (torch.float32, 1e-6)):
        x = 3 * torch.randn(2, 3, 4, generator=rng, dtype=dtype)
        theirs, ours = x.clone().requires_grad_(), x.clone().requires_grad_()
        y, expected = student.gelu(theirs), F.gelu(ours)
        assert_matches(y, expected, rtol=1e-9, atol=atol)  # float32 inside would show in float64
        y.sum().backward()
        expected.sum().backward()
        assert_matches(theirs.grad, ours.grad, rtol=1e-9, atol=10 * atol, what="the gradient of gelu")


@pytest.mark.points(1)
def test_dead_units_of_a_layer(student):
    """A unit is dead if it never fires in the batch"""
    # Units 1 and 3 fire once each; the values of unit 1 sum to a positive number, those of unit 3 do not.
    x = torch.tensor([[-1.0, 2.0, 0.0, -1.0], [-3.0, -1.0, 0.0, 0.5], [-2.0, -0.5, 0.0, -4.0]])
    assert_matches(student.dead_fraction(x), 0.5)


@pytest.mark.points(2)
def test_dead_channels_of_an_image_batch(student):
    """A channel is one unit, over all positions and images"""
    x = -torch.ones(2, 4, 2, 3)
    x[1, 2, 0, 1] = 0.5  # one position of one image keeps channel 2 alive
    x[0, 3] = 0.0
    assert_matches(student.dead_fraction(x), 0.75)
    assert_untouched(student, "dead_fraction")
    assert_matches(student.dead_fraction(torch.ones(1, 2, 1, 1)), 0.0)

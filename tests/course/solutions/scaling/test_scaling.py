"""Hidden suite of the miniature exercise."""

import pytest
import torch
from grader.suite import assert_matches, call, small_inputs


@small_inputs("double")
def small_vectors():
    from grader.suite.strategies import vectors

    return vectors().map(call)


@pytest.mark.points(1)
def test_shape(student, rng):
    """The result of double has the shape of its input"""
    assert_matches(student.double(torch.randn(2, 3, generator=rng)).shape, torch.Size([2, 3]))


@pytest.mark.points(3)
@pytest.mark.requires("test_shape")
def test_values(student):
    """Every value is doubled"""
    x = torch.tensor([[1.0, -2.0], [0.5, 4.0]])
    assert_matches(student.double(x), torch.tensor([[2.0, -4.0], [1.0, 8.0]]))
    for x in UNUSUAL + OTHER_DTYPES:
        assert_matches(student.double(x), x + x)


@pytest.mark.points(1)
@pytest.mark.requires("test_shape")
def test_input_kept(student):
    """The input is left as it was"""
    student.double(torch.tensor([1.0, -2.0]))
    assert not student.changed_inputs(), "`double` changed its argument in place."


@pytest.mark.points(1)
@pytest.mark.requires("test_values")
def test_gradient(student):
    """The gradient of double is two"""
    x = torch.tensor([1.0, 5.0], requires_grad=True)
    student.double(x).sum().backward()
    assert_matches(x.grad, torch.tensor([2.0, 2.0]))


@pytest.mark.points(2)
def test_total(student):
    """The sum starts at the given number"""
    assert_matches(student.total(student.fixtures.ones(3)), 3.0)
    assert_matches(student.total(torch.ones(2), start=1.5), 3.5)


@pytest.mark.points(1)
def test_module(student):
    """Scale multiplies by three"""
    assert_matches(student.Scale()(torch.tensor([1.0, 2.0])), torch.tensor([3.0, 6.0]))


@pytest.mark.points(2)
@pytest.mark.requires("test_module")
def test_learns(student):
    """The factor of Scale gets a gradient"""
    model = student.Scale()
    model(torch.tensor([1.0, 2.0])).sum().backward()
    assert_matches(model.gradients(), {"factor": torch.tensor(3.0)})


@pytest.mark.points(2)
@pytest.mark.requires("test_module")
def test_counts(student):
    """Calls are counted in training mode only"""
    model = student.Scale()
    student.fixtures.run_twice(model, torch.ones(1))
    model.eval()
    student.fixtures.run_twice(model, torch.ones(1))
    assert_matches(model.state_dict()["calls"], torch.tensor(2))
    model.load_state_dict({"factor": torch.tensor(5.0), "calls": torch.tensor(0)})
    for training in (True, False):
        for x in UNUSUAL:
            assert_matches(model.train(training)(x.clone().requires_grad_()), 5 * x)
    assert student.fixtures.keeps_buffers(model.train(), torch.ones(1)), (
        "`calls` is another tensor after a call."
    )


# NaN and axes of size 1; a tensor without axes, far from zero; a view that is not contiguous.
UNUSUAL = [
    torch.tensor([[[2.0], [float("nan")]]]),
    torch.tensor(-300.0),
    torch.tensor([[1.0, 2.0], [3.0, 4.0]]).mT,
]
OTHER_DTYPES = [torch.tensor([1e300], dtype=torch.float64), torch.tensor([1.5], dtype=torch.float16)]

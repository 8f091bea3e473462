"""Hidden suite: CANARY-OF-THE-COURSE."""

import pytest
import torch
from grader.suite import assert_matches


@pytest.mark.points(1)
def test_shape(student, rng):
    """The result has the shape of its input"""
    assert_matches(student.halve(torch.randn(2, 3, generator=rng)).shape, torch.Size([2, 3]))


@pytest.mark.points(3)
def test_values(student, rng):
    """Every value is halved"""
    x = torch.randn(3, 4, generator=rng)
    assert_matches(student.halve(x), x / 2)


@pytest.mark.points(2)
def test_again(student):
    """The same input gives the same result"""
    x = torch.tensor([1.0, -3.0])
    assert_matches(student.halve(x), torch.tensor([0.5, -1.5]))
    assert_matches(student.halve(x), torch.tensor([0.5, -1.5]))


@pytest.mark.points(4)
def test_largest(student):
    """The largest element is found"""
    assert_matches(student.largest(torch.tensor([1.0, 7.0, -9.0])), 7.0)

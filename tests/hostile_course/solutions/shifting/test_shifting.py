"""Hidden suite: CANARY-OF-THE-COURSE."""

import pytest
import torch
from grader.suite import assert_matches


@pytest.mark.points(2)
def test_one(student):
    """One is added by default"""
    assert_matches(student.shift(torch.tensor([1.0, -2.0])), torch.tensor([2.0, -1.0]))


@pytest.mark.points(3)
def test_any(student, rng):
    """Any number can be added"""
    x = torch.randn(5, generator=rng)
    assert_matches(student.shift(x, by=2.5), x + 2.5)

"""The price of torch's operations: the same each time, more for more work, and nothing for a view."""

import subprocess
import sys

import pytest
import torch
import torch.nn.functional as F

from grader.grading.engine.feedback.operation_cost import PER_OPERATION, OperationCost


def cost(work):
    with OperationCost() as counted:
        work()
    return counted.total


def convolution(channels: int, *, backward: bool = False):
    x, weight = torch.ones(2, channels, 20, 20, requires_grad=backward), torch.ones(channels, channels, 3, 3)

    def work():
        result = F.conv2d(x, weight, padding=1)
        if backward:
            result.sum().backward()

    return work


def test_the_same_work_costs_the_same():
    assert cost(convolution(4)) == cost(convolution(4))


@pytest.mark.parametrize(
    ("less", "more"),
    [
        (lambda: None, lambda: torch.ones(2) + 1),
        (lambda: torch.ones(10) + 1, lambda: torch.ones(100_000) + 1),
        (convolution(8), convolution(64)),
        (convolution(64), convolution(64, backward=True)),
        (lambda: torch.ones(64, 64) @ torch.ones(64, 1), lambda: torch.ones(64, 64) @ torch.ones(64, 512)),
        (lambda: F.linear(torch.ones(1, 9), torch.ones(9, 9), torch.ones(9)), lambda: F.linear(torch.ones(1, 900), torch.ones(900, 900), torch.ones(900))),
        (lambda: torch.bmm(torch.ones(2, 9, 9), torch.ones(2, 9, 9)), lambda: torch.bmm(torch.ones(2, 99, 99), torch.ones(2, 99, 99))),
    ],
)  # fmt: skip
def test_more_work_costs_more(less, more):
    assert cost(less) < cost(more)


def test_a_view_costs_no_more_where_its_tensor_is_large():
    large = torch.ones(1_000_000)
    assert cost(lambda: large.view(1000, 1000)) == pytest.approx(PER_OPERATION)
    assert cost(large.clone) > 10 * PER_OPERATION


def test_results_are_those_without_counting():
    x = torch.randn(2, 3, requires_grad=True)
    with OperationCost():
        counted = torch.autograd.grad((x.exp() @ x.t()).sum(), x)
    assert type(counted[0]) is torch.Tensor
    assert torch.equal(counted[0], *torch.autograd.grad((x.exp() @ x.t()).sum(), x))


def test_counting_does_not_import_the_compiler():
    code = f"""
import sys, torch
from {OperationCost.__module__} import OperationCost
with OperationCost() as counted:
    torch.ones(2) + 1
assert counted.total > 0
assert "torch._dynamo" not in sys.modules
"""
    subprocess.run([sys.executable, "-c", code], check=True)

"""Operators switched off: in every way a student may reach them, and with a sentence instead of a crash."""

import json
import os

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from grader.service.failures import OPERATOR_BANNED
from grader.worker import operators

X = torch.randn(1, 1, 4, 4)
WAYS = {
    "function": lambda: F.max_pool2d(X, 2),
    "module": lambda: nn.MaxPool2d(2)(X),
    "with a gradient": lambda: F.max_pool2d(X.clone().requires_grad_(), 2),
    "float64": lambda: F.max_pool2d(X.double(), 2),
    "torch.ops": lambda: torch.ops.aten.max_pool2d(X, [2, 2]),
    "inference mode": torch.inference_mode()(lambda: F.max_pool2d(X, 2)),
    "method": X.relu,
    "method in place": X.clone().relu_,
}


def in_a_child(action) -> list[str]:
    """Run `action` in a forked child, where a ban hurts nobody, and return what it returns."""
    reading, writing = os.pipe()
    if os.fork() == 0:
        os.write(writing, json.dumps(action()).encode())
        os._exit(0)
    os.close(writing)
    with os.fdopen(reading) as pipe:
        answer = pipe.read()
    os.wait()
    return json.loads(answer)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="forks")
def test_a_banned_operator_is_refused_by_every_way_and_others_work():
    torch.set_num_threads(1)

    def action() -> list[str]:
        operators.ban(["max_pool2d", "max_pool2d_with_indices", "relu", "relu_"])
        refused = []
        for way, call in WAYS.items():
            try:
                call()
            except RuntimeError as error:
                if str(error).startswith(OPERATOR_BANNED):
                    refused.append(way)
        F.avg_pool2d(X, 2), X.clamp(min=0), X.amax(dim=-1), F.pad(X, (1, 1))
        return refused

    assert in_a_child(action) == list(WAYS)


def test_an_operator_that_does_not_exist_is_an_error_of_the_course():
    with pytest.raises(ValueError, match="aten has no operator 'max_pol2d'"):
        operators.ban(["max_pol2d"])


def test_every_ban_of_the_course_names_an_operator():
    from grader import catalog

    for exercise in catalog.load(catalog.find_root()).exercises:
        for name in exercise.banned_operators:
            assert hasattr(torch.ops.aten, name), f"{exercise.id}: {name}"

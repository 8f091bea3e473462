"""Operators switched off: in every way a student may reach them, and with a sentence instead of a crash."""

import json
import os
import warnings
from concurrent.futures import ThreadPoolExecutor

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from grader.sandbox.worker import operators
from grader.sandbox.worker.service.exceptions import OPERATOR_BANNED

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
    """Run `action` in a forked child, as a ban cannot be undone, and return what it returns."""
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
    from grader.course import catalog

    for exercise in catalog.load(catalog.find_root()).exercises:
        for name in exercise.banned_operators:
            assert name in operators.CONCEPTS or hasattr(torch.ops.aten, name), f"{exercise.id}: {name}"


CONCEPT_WAYS = {
    "pools": {
        "with indices": lambda: F.max_pool2d_with_indices(X, 2),
        "average": lambda: nn.AvgPool2d(2)(X),
        "adaptive": lambda: nn.AdaptiveAvgPool2d(1)(X),
        "adaptive maximum": lambda: F.adaptive_max_pool2d(X, 2),
        "one axis": lambda: F.max_pool1d(X[0], 2),
        "fractional": lambda: F.fractional_max_pool2d(X, 2, output_size=2),
        "power mean": lambda: F.lp_pool2d(X, 2.0, 2),
        "private": lambda: torch._C._nn.avg_pool2d(X, 2),
        "mapped": lambda: torch.vmap(lambda x: F.max_pool2d(x, 2))(X),
        "script": lambda: SCRIPT(X),
        "another thread": lambda: in_a_thread(lambda: F.max_pool2d(X, 2)),
        "another layout": lambda: F.max_pool2d(X.to_mkldnn(), 2).to_dense(),
    },
    "convolutions": {
        "function": lambda: F.conv2d(X, X),
        "module": lambda: nn.Conv2d(1, 1, 3)(X),
        "transposed": lambda: F.conv_transpose2d(X, X),
        "one axis": lambda: F.conv1d(X[0], X[0]),
        "three axes": lambda: F.conv3d(X, X[None]),
        "private": lambda: torch._C._nn.slow_conv3d(X[None], X[None], (1, 4, 4)),
        "torch.ops": lambda: torch.ops.aten.convolution(X, X, None, [1], [0], [1], False, [0], 1),
        "pointwise": lambda: torch.ops.mkldnn._convolution_pointwise(
            X, X, None, [0, 0], [1, 1], [1, 1], 1, "none", [], ""
        ),
    },
    "paddings": {
        "function": lambda: F.pad(X, (1, 1)),
        "module": lambda: nn.ZeroPad2d(1)(X),
        "constant": lambda: torch.constant_pad_nd(X, (1, 1)),
        "with a gradient": lambda: F.pad(X.clone().requires_grad_(), (1, 1)),
        "reflected": lambda: F.pad(X, (1, 1), mode="reflect"),
        "replicated": lambda: nn.ReplicationPad2d(1)(X),
        "circular": lambda: F.pad(X, (1, 1), mode="circular"),
        "private": lambda: torch._C._nn.reflection_pad2d(X, (1, 1, 1, 1)),
        "torch.ops": lambda: torch.ops.aten._pad_enum(X, [1, 1], 0),
    },
    "normalizations": {
        "function": lambda: F.batch_norm(X, torch.zeros(1), torch.ones(1)),
        "training": lambda: nn.BatchNorm2d(1)(X),
        "instance": lambda: F.instance_norm(X),
        "layer": lambda: F.layer_norm(X, [4]),
        "group": lambda: F.group_norm(X, 1),
        "root mean square": lambda: F.rms_norm(X, [4]),
    },
    "activations": {
        "relu6": lambda: F.relu6(X),
        "threshold": lambda: F.threshold(X, 0.0, 0.0),
        "hardtanh": lambda: F.hardtanh(X, 0.0, 1e9),
        "leaky": lambda: F.leaky_relu(X, 0.0),
        "parametric": lambda: F.prelu(X, torch.zeros(1)),
        "elu": lambda: F.elu(X, 0.0),
        "gelu": lambda: nn.GELU()(X),
        "silu": lambda: nn.SiLU()(X),
        "softplus": lambda: F.softplus(X),
        "fused": lambda: torch._VF._add_relu(X, X),
        "backward": lambda: torch.ops.aten.threshold_backward(X, X, 0.0),
        "pointwise": lambda: torch.ops.mkldnn._linear_pointwise(X, torch.eye(4), None, "relu", [], ""),
    },
}
with warnings.catch_warnings(action="ignore"):
    SCRIPT = torch.jit.script(nn.MaxPool2d(2))


def in_a_thread(action) -> None:
    """Run `action` in a thread, and raise what it raised."""
    with ThreadPoolExecutor(1) as pool:
        pool.submit(action).result()


@pytest.mark.skipif(not hasattr(os, "fork"), reason="forks")
@pytest.mark.parametrize("concept", CONCEPT_WAYS)
def test_a_concept_names_all_its_siblings(concept):
    torch.set_num_threads(1)

    def action() -> list[str]:
        operators.ban([concept])
        computed = []
        for way, call in CONCEPT_WAYS[concept].items():
            try:
                call()
                computed.append(way)
            except RuntimeError as error:
                if OPERATOR_BANNED not in str(error):
                    computed.append(f"{way}: {error}")
        (
            X if concept == "paddings" else F.pad(X, (1, 1)),
            X.new_zeros(6, 6)[1:5].narrow(1, 1, 4).copy_(X[0, 0]),
            X.clone().requires_grad_().unfold(2, 2, 1).sum().backward(),
            F.unfold(X, 2),
            F.unfold(X, 2, padding=1),
            X.clamp(min=0),
            X.amax(-1),
            X.var((0, 2, 3)),
            X @ X,
            X.erf(),
            X.sigmoid(),
        )
        return computed

    assert in_a_child(action) == []

"""Operators switched off: in every way a student may reach them, and with a sentence instead of a crash."""

import contextlib
import gc
import json
import os
import re
import warnings
import weakref
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
        "quantized": lambda: F.max_pool2d(torch.quantize_per_tensor(X, 0.1, 0, torch.quint8), 2),
        "quantized's own": lambda: torch.ops.quantized.max_pool2d(QX, [2, 2], [2, 2], [0, 0], [1, 1], False),
        "backward": lambda: torch.ops.aten.avg_pool3d_backward(
            X, X, [1, 1, 1], [1, 1, 1], [0] * 3, False, True, None
        ),
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
        "quantized": lambda: torch.ops.onednn.qconv2d_pointwise(
            *(
                QX,
                0.1,
                0,
                X.char(),
                torch.ones(1),
                torch.zeros(1, dtype=torch.int),
                None,
                [1, 1],
                [0, 0],
                [1, 1],
                1,
            ),
            *(0.1, 0, torch.float32, "none", [], ""),
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
        "nested": lambda: torch.nested.to_padded_tensor(nested(X), 0.0),
        "jagged": lambda: jagged(X).to_padded_tensor(0.0),
        "sequences": lambda: nn.utils.rnn.pad_sequence([X[0, 0], X[0, 0, 1:]]),
    },
    "normalizations": {
        "function": lambda: F.batch_norm(X, torch.zeros(1), torch.ones(1)),
        "training": lambda: nn.BatchNorm2d(1)(X),
        "instance": lambda: F.instance_norm(X),
        "layer": lambda: F.layer_norm(X, [4]),
        "group": lambda: F.group_norm(X, 1),
        "root mean square": lambda: F.rms_norm(X, [4]),
        "nested": lambda: F.layer_norm(nested(X), (4,), torch.ones(4), torch.zeros(4)),
        "nested, by its module": lambda: nn.LayerNorm(4)(nested(X)),
        "nested, by group": lambda: torch.group_norm(nested(X), 1),
        "nested, by instance": lambda: torch.instance_norm(nested(X), *[None] * 4, True, 0.1, 1e-5, False),
        "jagged": lambda: F.layer_norm(jagged(X), (4,)),
        "sparse": lambda: F.layer_norm(X.to_sparse(), (4,)),
        "statistics": lambda: torch.batch_norm_update_stats(X, None, None, 0.1),
        "quantized": lambda: torch.quantized_batch_norm(QX, None, None, X[0, 0, 0], X[0, 0, 0], 1e-5, 1.0, 0),
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
        "nested": lambda: F.relu(nested(X)),
        "jagged": lambda: jagged(X).relu(),
        "sparse": lambda: X.to_sparse().relu(),
        "compressed": lambda: torch.relu(CSR),
        "quantized": lambda: F.relu(QX),
        "shrunk softly": lambda: F.softshrink(X, 0.0),
        "shrunk hard": lambda: F.hardshrink(X, 0.0),
        "logarithm of the logistic": lambda: F.logsigmoid(X),
        "gated": lambda: F.glu(X),
        "gated module": lambda: nn.GLU()(X),
        "loss": lambda: F.binary_cross_entropy_with_logits(X, X * 0, reduction="none"),
        "backward": lambda: torch.ops.aten.threshold_backward(X, X, 0.0),
        "pointwise": lambda: torch.ops.mkldnn._linear_pointwise(X, torch.eye(4), None, "relu", [], ""),
    },
}
with warnings.catch_warnings(action="ignore"):
    SCRIPT = torch.jit.script(nn.MaxPool2d(2))
    QX = torch.quantize_per_tensor(X, 0.1, 0, torch.quint8)
    CSR = X[0, 0].to_sparse_csr()


def nested(x: torch.Tensor) -> torch.Tensor:
    """Return the planes of `x` as a nested tensor of the first kind."""
    with warnings.catch_warnings(action="ignore"):
        return torch.nested.nested_tensor(list(x[0]))


def jagged(x: torch.Tensor) -> torch.Tensor:
    """Return the planes of `x` as a nested tensor of the second kind, which is a subclass."""
    return torch.nested.nested_tensor(list(x[0]), layout=torch.jagged)


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


# --- the operators of this torch, by family: one that a later version adds must be put into a group, or excused here

FAMILIES = {
    "pools": "pool",
    "convolutions": "conv",
    "paddings": "pad|reflection|replication|circular",
    "normalizations": "norm|standard",
    "activations": "relu|elu|gelu|silu|swish|mish|softplus|threshold|hardtanh|shrink|log_sigmoid|glu|hardsigmoid|pointwise",
}
OTHERS = {  # by pattern: why an operator of a family is not banned with it
    r"(cudnn|miopen|mps|_mps)_|_mps_": "has no kernel on the CPU",
    r"_copy$|_copy_|_convert_|convert_element_type|fft|_conj|reorder": "changes the form of numbers, or is no convolution",
    r"^quantized::conv\w+padding$": "a number of a packed convolution",
    r"^inductor::_alloc_from_pool$": "allocates",
    r"^static_runtime::": "runs in compiled graphs only",
    r"^prims::": "of torch.compile, and runs other operators",
    r"_nested_from_padded|_padded_dense_to_jagged|_pack_padded_sequence": "takes a padding away",
    r"^aten::(sspaddmm|_sspaddmm)$": "multiplies matrices",
    r"normal|_standard_gamma|_philox": "draws random numbers",
    r"^aten::(linalg_|native_|_foreach_|frobenius_|nuclear_)?(\w+_)?norm$|norm_except_dim": "the length of a vector",
    r"embedding_renorm|^aten::renorm_?$|_weight_norm": "scales weights by their length",
    r"^aten::linalg_": "the length of a vector",
}


OLDER = tuple(map(int, torch.__version__.split(".")[:2])) < (2, 13)


@pytest.mark.skipif(OLDER, reason="the groups are complete for the pinned torch")
def test_every_operator_of_a_family_is_banned_with_it_or_excused():
    registered = {name.partition(".")[0] for name in torch._C._dispatch_get_all_op_names()}
    missing = []
    for concept, pattern in FAMILIES.items():
        listed = {name if "::" in name else f"aten::{name}" for name in operators._expanded([concept])}
        family = {name for name in registered if re.search(pattern, name.partition("::")[2])}
        others = family - listed
        missing += [name for name in sorted(others) if not any(re.search(why, name) for why in OTHERS)]
    assert missing == []


@pytest.mark.skipif(OLDER, reason="operators that an older torch lacks are left out")
def test_every_name_of_a_group_is_an_operator_of_the_pinned_torch():
    for concept, names in operators.CONCEPTS.items():
        assert [name for name in names.split() if not operators._exists(name)] == [], concept


@pytest.mark.skipif(not hasattr(os, "fork"), reason="forks")
def test_no_object_leads_to_a_ban():
    torch.set_num_threads(1)

    def action() -> list[str]:
        operators.ban(["pools"])
        kinds = (type(torch._C._dispatch_library("FRAGMENT", "aten", "")), torch.library.Library)
        destroyed = 0
        for thing in [*gc.get_objects(), *weakref.finalize._registry.values()]:
            for part in [thing, *gc.get_referents(thing)]:
                if type(part) in kinds:
                    getattr(part, "_destroy", getattr(part, "reset", None))()
                    destroyed += 1
        assert destroyed  # torch's own
        with contextlib.suppress(RuntimeError):
            return [str(F.max_pool2d(X, 2))]
        return []

    assert in_a_child(action) == []

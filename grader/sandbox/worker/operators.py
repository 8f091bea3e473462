"""Bans torch operators in this process: an exercise about pooling must not be solved by torch's pooling.

A banned operator raises a plain sentence in functions, modules, methods, scripts and threads alike, because the kernels
themselves are replaced. Code that computes the same by other means is flagged for review
(`grader.grading.engine.source_flags`).
"""

import inspect
import warnings
from collections.abc import Callable, Iterable, Iterator
from typing import Any, NoReturn

import torch

from grader.sandbox.worker.service.exceptions import OPERATOR_BANNED

# Groups that an exercise.yaml may name instead of operators: every operator for one idea, so that none is forgotten.
# Not here: what a solution by hand is made of (unfold, clamp, amax, mean, var, erf, matmul, ...).
CONCEPTS = {
    "pools": """
        max_pool1d max_pool2d max_pool3d
        max_pool1d_with_indices max_pool2d_with_indices max_pool3d_with_indices
        avg_pool1d avg_pool2d avg_pool3d adaptive_max_pool1d adaptive_max_pool2d adaptive_max_pool3d
        adaptive_avg_pool1d adaptive_avg_pool2d adaptive_avg_pool3d _adaptive_avg_pool2d _adaptive_avg_pool3d
        fractional_max_pool2d fractional_max_pool3d max_unpool2d max_unpool3d
        max_pool2d_with_indices_backward avg_pool2d_backward _adaptive_avg_pool2d_backward
        quantized_max_pool1d quantized_max_pool2d quantized_max_pool3d
        mkldnn_max_pool2d mkldnn_max_pool3d mkldnn_adaptive_avg_pool2d
    """,
    "convolutions": """
        conv1d conv2d conv3d conv_transpose1d conv_transpose2d conv_transpose3d conv_tbc
        convolution convolution_overrideable _convolution _convolution_mode _convolution_double_backward
        convolution_backward thnn_conv2d _slow_conv2d_forward slow_conv3d slow_conv3d_forward
        slow_conv_dilated2d slow_conv_dilated3d slow_conv_transpose2d slow_conv_transpose3d
        _conv_depthwise2d conv_depthwise3d _nnpack_spatial_convolution mkldnn_convolution
        mkldnn::_convolution_pointwise mkldnn::_convolution_pointwise_ mkldnn::_convolution_transpose_pointwise
    """,
    "paddings": """
        pad constant_pad_nd _pad_enum _pad_circular
        reflection_pad1d reflection_pad2d reflection_pad3d
        replication_pad1d replication_pad2d replication_pad3d
    """,
    "normalizations": """
        batch_norm native_batch_norm native_batch_norm_backward _batch_norm_impl_index
        _native_batch_norm_legit _native_batch_norm_legit_no_training _native_batch_norm_legit_functional
        _batch_norm_with_update _batch_norm_with_update_functional _batch_norm_no_update batch_norm_backward
        instance_norm layer_norm native_layer_norm native_layer_norm_backward
        group_norm native_group_norm native_group_norm_backward rms_norm _fused_rms_norm
    """,
    "activations": """
        relu relu_ relu6 relu6_ threshold threshold_ threshold_backward hardtanh hardtanh_ hardtanh_backward
        leaky_relu leaky_relu_ leaky_relu_backward prelu _prelu_kernel _prelu_kernel_backward
        rrelu rrelu_ rrelu_with_noise rrelu_with_noise_ elu elu_ elu_backward celu celu_ selu selu_
        gelu gelu_ gelu_backward silu silu_ silu_backward mish mish_ mish_backward softplus softplus_backward
        hardswish hardswish_ hardswish_backward hardsigmoid hardsigmoid_ hardsigmoid_backward
        _add_relu _add_relu_ _addmm_activation rnn_relu rnn_relu_cell mkldnn::_linear_pointwise
    """,
}
_ALWAYS = ("to_mkldnn",)  # a second set of kernels behind a conversion
_KEYS = ("CPU", "AutogradCPU")  # dispatch keys; functions, modules and methods reach the second first
# Newer torch replaces a kernel only with this argument; older torch does not have it.
_OVERRIDE = (
    {"allow_override": True}
    if "allow_override" in inspect.signature(torch.library.Library.impl).parameters
    else {}
)
_kept: list[torch.library.Library] = []  # a registration lasts as long as its Library object


def ban(names: Iterable[str]) -> None:
    """Replace the kernels of these operators, all overloads. A name is that of an aten operator or of a group.

    Raises ValueError for a name that is neither. Operators of a group that this torch lacks are left out.
    """
    libraries: dict[str, Any] = {}
    for name in dict.fromkeys(_expanded(names)):
        space, plain = _split(name)
        if space not in libraries:
            libraries[space] = torch.library.Library(space, "IMPL")  # type: ignore[no-untyped-call]
        refusal = _refusal(name)
        for overload in getattr(getattr(torch.ops, space), plain).overloads():
            full = plain if overload == "default" else f"{plain}.{overload}"
            for key in _KEYS:
                with warnings.catch_warnings(action="ignore"):  # it warns that a kernel is replaced
                    libraries[space].impl(full, refusal, key, **_OVERRIDE)
    _kept.extend(libraries.values())


def _expanded(names: Iterable[str]) -> Iterator[str]:
    for name in names:
        yield from filter(_exists, _ALWAYS)
        if name in CONCEPTS:
            yield from filter(_exists, CONCEPTS[name].split())
        elif _exists(name):
            yield name
        else:
            raise ValueError(f"aten has no operator {name!r}, and it is none of {', '.join(CONCEPTS)}")


def _exists(name: str) -> bool:
    space, plain = _split(name)
    return hasattr(getattr(torch.ops, space), plain)


def _split(name: str) -> tuple[str, str]:
    space, _, plain = name.rpartition("::")
    return space or "aten", plain


def _refusal(name: str) -> Callable[..., NoReturn]:
    def refuse(*_: object, **__: object) -> NoReturn:
        raise RuntimeError(
            f"{OPERATOR_BANNED}torch's own `{name}` is switched off in this exercise, "
            "which is about writing it by hand. Build it from simpler operations."
        )

    return refuse

"""Bans torch operators in this process: an exercise about pooling must not be solved by torch's pooling.

A banned operator raises a plain sentence in functions, modules, methods, scripts and threads alike, because the kernels
themselves are replaced, for every kind of tensor. Code that computes the same by other means is flagged for review
(`grader.grading.engine.source_flags`).
"""

import ctypes
import re
import sys
import threading
import warnings
from collections.abc import Callable, Iterable, Iterator
from typing import Any, NoReturn

import torch
import torch.autograd.graph

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
        max_pool2d_backward max_pool2d_with_indices_backward max_pool3d_with_indices_backward
        avg_pool2d_backward avg_pool3d_backward _adaptive_avg_pool2d_backward _adaptive_avg_pool3d_backward
        adaptive_avg_pool3d_backward adaptive_max_pool2d_backward adaptive_max_pool3d_backward
        fractional_max_pool2d_backward fractional_max_pool3d_backward
        quantized_max_pool1d quantized_max_pool2d quantized_max_pool3d
        mkldnn_max_pool2d mkldnn_max_pool3d mkldnn_adaptive_avg_pool2d
        mkldnn_max_pool2d_backward mkldnn_max_pool3d_backward mkldnn_adaptive_avg_pool2d_backward
    """,
    "convolutions": """
        conv1d conv2d conv3d conv_transpose1d conv_transpose2d conv_transpose3d conv_tbc
        convolution convolution_overrideable _convolution _convolution_mode _convolution_double_backward
        convolution_backward convolution_backward_overrideable conv_tbc_backward
        thnn_conv2d _slow_conv2d_forward _slow_conv2d_backward slow_conv3d slow_conv3d_forward
        slow_conv_dilated2d slow_conv_dilated3d slow_conv_transpose2d slow_conv_transpose3d
        _conv_depthwise2d conv_depthwise3d _nnpack_spatial_convolution mkldnn_convolution
    """,
    "paddings": """
        pad constant_pad_nd _pad_enum _pad_circular
        reflection_pad1d reflection_pad2d reflection_pad3d
        reflection_pad1d_backward reflection_pad2d_backward reflection_pad3d_backward
        replication_pad1d replication_pad2d replication_pad3d
        replication_pad1d_backward replication_pad2d_backward replication_pad3d_backward
        pad_sequence _pad_packed_sequence nested_to_padded_tensor to_padded_tensor _jagged_to_padded_dense_forward
    """,
    "normalizations": """
        batch_norm native_batch_norm native_batch_norm_backward
        _batch_norm_impl_index _batch_norm_impl_index_backward batch_norm_update_stats batch_norm_stats batch_norm_elemt
        batch_norm_gather_stats batch_norm_gather_stats_with_counts batch_norm_backward_elemt batch_norm_backward_reduce
        quantized_batch_norm
        _native_batch_norm_legit _native_batch_norm_legit_no_training _native_batch_norm_legit_functional
        _batch_norm_with_update _batch_norm_with_update_functional _batch_norm_no_update batch_norm_backward
        instance_norm layer_norm native_layer_norm native_layer_norm_backward
        group_norm native_group_norm native_group_norm_backward rms_norm _fused_rms_norm _fused_rms_norm_backward
    """,
    "activations": """
        relu relu_ relu6 relu6_ threshold threshold_ threshold_backward hardtanh hardtanh_ hardtanh_backward
        leaky_relu leaky_relu_ leaky_relu_backward prelu _prelu_kernel _prelu_kernel_backward
        rrelu rrelu_ rrelu_with_noise rrelu_with_noise_ rrelu_with_noise_functional
        rrelu_with_noise_backward elu elu_ elu_backward celu celu_ selu selu_
        gelu gelu_ gelu_backward infinitely_differentiable_gelu_backward
        silu silu_ silu_backward mish mish_ mish_backward softplus softplus_backward
        hardswish hardswish_ hardswish_backward hardsigmoid hardsigmoid_ hardsigmoid_backward
        log_sigmoid log_sigmoid_forward log_sigmoid_backward glu glu_backward glu_jvp glu_backward_jvp
        softshrink softshrink_backward hardshrink hardshrink_backward
        _add_relu _add_relu_ _addmm_activation rnn_relu rnn_relu_cell quantized_rnn_relu_cell
    """,
}
# Outside of aten are fused and quantized kernels. What has one of these words in its name belongs to the group too.
_FUSED_SPACES = ("quantized", "_quantized", "onednn", "mkldnn", "mkldnn_prepacked", "sparse", "_test")
_FUSED = {
    "pools": "pool",
    "convolutions": "conv",
    "normalizations": "norm",
    "activations": "relu|elu|gelu|silu|swish|mish|threshold|hardtanh|pointwise",
}
_ALWAYS = ("to_mkldnn",)  # a second set of kernels behind a conversion
# The dispatch keys of every kind of tensor on the CPU, of their gradients, and of vmap.
_KEYS = (
    "CPU", "AutogradCPU", "AutogradOther", "NestedTensorCPU", "AutogradNestedTensor", "QuantizedCPU", "MkldnnCPU",
    "SparseCPU", "SparseCsrCPU", "FuncTorchBatched", "FuncTorchBatchedDecomposition",
)  # fmt: skip


def ban(names: Iterable[str]) -> None:
    """Replace the kernels of these operators, all overloads. A name is that of an aten operator or of a group.

    Raises ValueError for a name that is neither. Operators of a group that this torch lacks are left out.
    """
    registrations: dict[str, Any] = {}
    with warnings.catch_warnings(action="ignore"):  # torch warns that a kernel is replaced
        for name in dict.fromkeys(_expanded(names)):
            space, plain = _split(name)
            if space not in registrations:
                registrations[space] = _kept_registration(space)
            refusal = _padded_or_refused if name == _INNER_PADDING else _refusal(name)
            for overload in getattr(getattr(torch.ops, space), plain).overloads():
                full = plain if overload == "default" else f"{plain}.{overload}"
                for key in _KEYS:
                    registrations[space].impl(full, key, refusal, False)
            if name == _INNER_PADDING:
                _let_transforms_pad(registrations[space])


# --- what runs inside an allowed operator

_INNER_PADDING = "constant_pad_nd"
_TRANSFORMS = [f"{kind}{axes}" for kind in ("fft_fft", "fft_ifft", "fft_rfft", "fft_irfft", "fft_hfft", "fft_ihfft")
               for axes in ("", "2", "n")]  # fmt: skip
_BACKWARD = torch.autograd.graph._engine_run_backward.__code__  # noqa: SLF001 - it alone runs the engine
_inside = threading.local()  # `transforms`: how many of them run in this thread


def _let_transforms_pad(registration: Any) -> None:
    """Have Fourier transforms, which are allowed, pad their input inside, as n= and s= ask for."""
    for name in _TRANSFORMS:
        transform = getattr(torch.ops.aten, name).default
        for key in ("CPU", "AutogradCPU"):
            registration.impl(name, key, _padding_inside(transform), False)


def _padding_inside(transform: Any) -> Callable[..., object]:
    def run(*args: object, **kwargs: object) -> object:
        _inside.transforms = getattr(_inside, "transforms", 0) + 1
        try:
            return transform.decompose(*args, **kwargs)
        finally:
            _inside.transforms -= 1

    return run


def _padded_or_refused(x: torch.Tensor, pad: list[int], value: float = 0) -> torch.Tensor:
    """Pad inside a Fourier transform, or its backward pass; refuse every other call."""
    if not getattr(_inside, "transforms", 0) and sys._getframe(1).f_code is not _BACKWARD:  # noqa: SLF001
        _refusal(_INNER_PADDING)()
    pairs = [(0, 0)] * (x.dim() - len(pad) // 2) + list(zip(pad[-2::-2], pad[::-2], strict=True))
    shape = [size + before + after for size, (before, after) in zip(x.shape, pairs, strict=True)]
    padded = x.new_full(shape, value)
    inner = padded
    source = x
    for axis, (before, after) in enumerate(pairs):
        source = source.narrow(axis, max(-before, 0), x.shape[axis] + min(before, 0) + min(after, 0))
        inner = inner.narrow(axis, max(before, 0), source.shape[axis])
    inner.copy_(source)
    return padded


# --- names


def _kept_registration(space: str) -> Any:
    """Return what registers kernels in a namespace, as long as this process runs.

    A kernel is registered as long as this object lives; a torch.library.Library, which wraps one, could be found by
    code that looks for it, and destroyed. This one gets a reference that no Python object holds, and once `ban` has
    returned no Python object leads to it: the garbage collector does not list it either.
    """
    registration = torch._C._dispatch_library("IMPL", space, "")  # noqa: SLF001 - see above
    ctypes.pythonapi.Py_IncRef(ctypes.py_object(registration))
    return registration


def _expanded(names: Iterable[str]) -> Iterator[str]:
    for name in names:
        yield from filter(_exists, _ALWAYS)
        if name in CONCEPTS:
            yield from filter(_exists, CONCEPTS[name].split())
            yield from _fused(name)
        elif _exists(name):
            yield name
        else:
            raise ValueError(f"aten has no operator {name!r}, and it is none of {', '.join(CONCEPTS)}")


def _fused(concept: str) -> Iterator[str]:
    """Yield the operators of a group that are in other namespaces than aten."""
    words = _FUSED.get(concept, "")
    for full in torch._C._dispatch_get_all_op_names() if words else ():  # noqa: SLF001 - there is no public list
        name = full.partition(".")[0]
        space, plain = _split(name)
        if space in _FUSED_SPACES and re.search(words, plain):
            yield name


def _exists(name: str) -> bool:
    space, plain = _split(name)
    return hasattr(getattr(torch.ops, space), plain)


def _split(name: str) -> tuple[str, str]:
    space, _, plain = name.rpartition("::")
    return space or "aten", plain


def _refusal(name: str) -> Callable[..., NoReturn]:
    def refuse(*_: object, **__: object) -> NoReturn:
        raise RuntimeError(f"{OPERATOR_BANNED}{name}")

    return refuse

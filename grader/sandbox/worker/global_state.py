"""Puts back what a student's code changed for the whole process: torch's defaults and modes, numpy's, warnings.

Otherwise one call would change the next, and a default device or dtype how a value is described. This runs after the
import and after every call, before its result is described. Random numbers are seeded by `service` instead.
"""

# ruff: noqa: SLF001 - several settings have no public reader, and the public writers import sympy

import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch.nn.modules import module as torch_module
from torch.utils import _device

from grader.sandbox.protocol.messages import Setting

_C = torch._C
_PRINTING = torch._tensor_str.PRINT_OPTS
_HOOKS = [
    hooks
    for name, hooks in vars(torch_module).items()
    if name.startswith("_global_") and isinstance(hooks, dict)
]


@dataclass(frozen=True, slots=True)
class _Setting:
    """One setting of the process: how it is read and written, and its name where a change of it is reported."""

    read: Callable[[], Any]
    write: Callable[[Any], object]
    name: Setting | None = None


def _end_modes(_: object) -> None:
    """End every mode that was not left. The default device is one: entering it is `set_default_device`."""
    while _C._len_torch_function_stack():
        _C._pop_torch_function_stack()
    while _C._len_torch_dispatch_stack():
        _C._pop_torch_dispatch_stack(None)
    _device.CURRENT_DEVICE = None
    torch._GLOBAL_DEVICE_CONTEXT.device_context = None  # leaving it fails where it is not the only mode


def _saved_tensors_hooks() -> object:
    """Return the hooks that were entered last; None where there are none, and with a torch before 2.8."""
    top = getattr(_C._autograd, "_top_saved_tensors_default_hooks", None)
    return top and top(True)


def _end_hooks(_: object) -> None:
    while _saved_tensors_hooks():
        _C._autograd._pop_saved_tensors_default_hooks()
    for hooks in _HOOKS:
        hooks.clear()


def _set_deterministic(wanted: tuple[bool, bool]) -> None:
    _C._set_deterministic_algorithms(wanted[0], warn_only=wanted[1])


def _set_autocast(wanted: tuple[bool, torch.dtype, bool]) -> None:
    torch.set_autocast_enabled("cpu", wanted[0])
    torch.set_autocast_dtype("cpu", wanted[1])
    torch.set_autocast_cache_enabled(wanted[2])
    torch.clear_autocast_cache()


def _set_filters(wanted: list[Any]) -> None:
    warnings.filters[:] = wanted  # type: ignore[index]
    warnings._filters_mutated()  # type: ignore[attr-defined]  # as the module itself does


_SETTINGS = (
    _Setting(
        lambda: (_C._len_torch_function_stack(), _C._len_torch_dispatch_stack(), _device.CURRENT_DEVICE),
        _end_modes,
    ),
    _Setting(lambda: (_saved_tensors_hooks(), sum(map(len, _HOOKS))), _end_hooks),
    _Setting(torch.get_default_dtype, torch.set_default_dtype, "default dtype"),
    _Setting(torch.is_grad_enabled, torch.set_grad_enabled, "gradients"),
    _Setting(
        lambda: (_C._get_deterministic_algorithms(), _C._get_deterministic_algorithms_warn_only()),
        _set_deterministic,
    ),
    _Setting(
        _C._get_deterministic_fill_uninitialized_memory, _C._set_deterministic_fill_uninitialized_memory
    ),
    _Setting(
        lambda: (
            torch.is_autocast_enabled("cpu"),
            torch.get_autocast_dtype("cpu"),
            torch.is_autocast_cache_enabled(),
        ),
        _set_autocast,
    ),
    _Setting(torch.is_anomaly_enabled, torch.set_anomaly_enabled),
    _Setting(torch.is_warn_always_enabled, torch.set_warn_always),
    _Setting(torch.get_float32_matmul_precision, torch.set_float32_matmul_precision),
    _Setting(torch.get_num_threads, torch.set_num_threads),
    _Setting(_C._is_multithreading_enabled, _C._set_multithreading_enabled),
    _Setting(_C._get_mkldnn_enabled, _C._set_mkldnn_enabled),
    _Setting(_C._get_nnpack_enabled, _C._set_nnpack_enabled),
    _Setting(lambda: dict(vars(_PRINTING)), lambda wanted: vars(_PRINTING).update(wanted)),
    _Setting(lambda: list(warnings.filters), _set_filters),
    _Setting(np.geterr, lambda wanted: np.seterr(**wanted)),
    _Setting(np.get_printoptions, lambda wanted: np.set_printoptions(**wanted)),
)


class GlobalState:
    """The settings of this process as they are now."""

    def __init__(self) -> None:
        self._wanted = [(setting, setting.read()) for setting in _SETTINGS]

    def put_back(self) -> tuple[Setting, ...]:
        """Restore every setting that has changed since; return those that have a name."""
        named: list[Setting] = []
        for setting, wanted in self._wanted:
            if setting.read() != wanted:
                setting.write(wanted)
                named += [setting.name] if setting.name else []
        torch.set_flush_denormal(False)  # it cannot be read, and takes no time
        return tuple(named)


def default_device() -> str:
    """Return the type of the default device, which need not exist here; "cpu" if none was chosen."""
    return "cpu" if _device.CURRENT_DEVICE is None else str(_device.CURRENT_DEVICE.type)

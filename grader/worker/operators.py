"""Switches torch operators off in this process: an exercise about pooling must not be solved by torch's pooling.

Advisory against the determined, a plain sentence for everybody else: it holds for functions, modules, methods
and threads alike, because the kernel itself is replaced.
"""

import inspect
import warnings
from collections.abc import Callable, Iterable
from typing import Any, NoReturn

import torch

from grader.service.failures import OPERATOR_BANNED

_KEYS = ("CPU", "AutogradCPU")
_kept: list[torch.library.Library] = []  # a registration lasts as long as its Library object


def ban(names: Iterable[str]) -> None:
    """Replace the kernels of these aten operators, all overloads. Raises ValueError for a name aten has not."""
    wanted = list(names)
    if not wanted:
        return
    library: Any = torch.library.Library("aten", "IMPL")  # type: ignore[no-untyped-call]
    # Newer torch asks for this word before it replaces a kernel; older torch does not know it.
    known = inspect.signature(library.impl).parameters
    override = {"allow_override": True} if "allow_override" in known else {}
    for name in wanted:
        packet = getattr(torch.ops.aten, name, None)
        if packet is None:
            raise ValueError(f"aten has no operator {name!r}")
        for overload in packet.overloads():
            full = name if overload == "default" else f"{name}.{overload}"
            for key in _KEYS:
                with warnings.catch_warnings(action="ignore"):  # it warns of just what is wanted here
                    library.impl(full, _refusal(name), key, **override)
    _kept.append(library)


def _refusal(name: str) -> Callable[..., NoReturn]:
    def refuse(*_: object, **__: object) -> NoReturn:
        raise RuntimeError(
            f"{OPERATOR_BANNED}torch's own `{name}` is switched off in this exercise, "
            "which is about writing it by hand. Build it from simpler operations."
        )

    return refuse

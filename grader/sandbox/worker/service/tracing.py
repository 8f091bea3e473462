"""Follows an input through a module and notes the shape after every step, modules and plain functions alike."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

import torch
from torch.overrides import TorchFunctionMode

from grader.sandbox.protocol.messages import name_from

MAX_STEPS = 200

Step = tuple[str, tuple[int, ...] | None]


def shape_trace(model: torch.nn.Module, x: torch.Tensor) -> list[Step]:
    """Return (label, shape) of every step of `model` on `x`, up to one that raises, whose shape is None.

    A step inside a module without children is called by the module's name, any other by its function's.
    """
    trace = _Trace(x)
    with trace.following(model), torch.no_grad(), trace, suppress(Exception):
        model(x)
    return trace.steps


class _Trace(TorchFunctionMode):
    """Notes what torch's functions return, as long as it comes from the input."""

    def __init__(self, x: torch.Tensor) -> None:
        super().__init__()
        self.steps: list[Step] = []
        self._flow = [x]
        self._inside: list[tuple[str, int]] = []

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        label = self._inside[-1][0] if self._inside else f"{func.__name__}()"
        on_the_way = any(value is tensor for value in args for tensor in self._flow)
        try:
            result = func(*args, **(kwargs or {}))
        except Exception:
            if on_the_way:
                self._note(label, None)
            raise
        if on_the_way and type(result) is torch.Tensor:
            self._flow.append(result)
            self._note(label, tuple(result.shape))
        return result

    def _note(self, label: str, shape: tuple[int, ...] | None) -> None:
        if len(self.steps) < MAX_STEPS:
            self.steps.append((name_from(label), shape))

    @contextmanager
    def following(self, model: torch.nn.Module) -> Iterator[None]:
        """Know at every moment which of the modules without children is at work."""
        leaves = [(name, m) for name, m in model.named_modules() if name and not any(m.children())]
        hooks = []
        for name, module in leaves:
            # The name alone says little where it is the number of a place in a Sequential.
            numbered = name.rpartition(".")[2].isdigit()
            label = f"{name} ({type(module).__name__})" if numbered else name
            hooks.append(module.register_forward_pre_hook(self._enter(label)))
            hooks.append(module.register_forward_hook(self._leave))
        try:
            yield
        finally:
            for hook in hooks:
                hook.remove()

    def _enter(self, label: str) -> Callable[..., None]:
        def hook(_module: torch.nn.Module, _inputs: object) -> None:
            self._inside.append((label, len(self.steps)))

        return hook

    def _leave(self, _module: torch.nn.Module, _inputs: object, _output: object) -> None:
        _, start = self._inside.pop()
        del self.steps[start:-1]  # a layer may take several steps: what comes out of it counts

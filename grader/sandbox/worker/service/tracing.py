"""Records the shape after every step of an input through a module: of its layers and of torch's functions."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

import torch
from torch.overrides import TorchFunctionMode

from grader.sandbox.protocol.messages import MAX_AXES, name_from

MAX_STEPS = 200

Step = tuple[str, tuple[int, ...] | None]


def shape_trace(model: torch.nn.Module, x: torch.Tensor) -> list[Step]:
    """Return (label, shape) of every step of `model` on `x`, up to one that raises, whose shape is None.

    A step inside a module without children has the module's name, any other that of torch's function. At most
    MAX_STEPS are recorded.
    """
    trace = _Trace(x)
    with trace.following(model), torch.no_grad(), trace, suppress(Exception):
        model(x)
    return trace.steps


class _Trace(TorchFunctionMode):
    """Records the results of torch's functions that are computed from the input."""

    def __init__(self, x: torch.Tensor) -> None:
        super().__init__()
        self.steps: list[Step] = []
        self._flow = [x]
        self._inside: list[tuple[str, int]] = []

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        label = self._inside[-1][0] if self._inside else f"{func.__name__}()"
        from_input = any(value is tensor for value in args for tensor in self._flow)
        try:
            result = func(*args, **(kwargs or {}))
        except Exception:
            if from_input:
                self._record(label, None)
            raise
        if from_input and type(result) is torch.Tensor and result.dim() <= MAX_AXES:
            self._flow.append(result)
            self._record(label, tuple(result.shape))
        return result

    def _record(self, label: str, shape: tuple[int, ...] | None) -> None:
        if len(self.steps) < MAX_STEPS:
            self.steps.append((name_from(label), shape))

    @contextmanager
    def following(self, model: torch.nn.Module) -> Iterator[None]:
        """Keep `_inside` up to date: the modules without children whose forward is running."""
        leaves = [(name, m) for name, m in model.named_modules() if name and not any(m.children())]
        hooks = []
        for name, module in leaves:
            # In a Sequential the name is only a number.
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
        del self.steps[start:-1]  # of the functions that a layer calls only the last counts: its output

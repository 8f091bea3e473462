"""Records the steps of an input through a module, of its layers and of torch's functions: shapes, or values."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any, Generic, TypeVar

import torch
from torch.overrides import TorchFunctionMode

from grader.sandbox.protocol.messages import MAX_AXES, name_from

MAX_STEPS = 200
MAX_NUMBERS = 2**20  # of all values of a trace: what a student reads of them is a few words

Step = tuple[str, tuple[int, ...] | None]
ValueStep = tuple[str, torch.Tensor | None]
Shown = TypeVar("Shown")


def shape_trace(model: torch.nn.Module, x: torch.Tensor) -> list[Step]:
    """Return (label, shape) of every step of `model` on `x`, up to one that raises, whose shape is None.

    A step inside a module without children has the module's name, any other that of torch's function. At most
    MAX_STEPS are recorded.
    """
    return _traced(model, x, lambda result: tuple(result.shape))


def value_trace(model: torch.nn.Module, x: torch.Tensor, sample: int) -> list[ValueStep]:
    """Return the same steps as (label, values), cut to one sample of the batch; a result without a batch axis is whole.

    The whole batch runs: in training mode the samples of a batch depend on each other. Returns nothing where the values
    are more than MAX_NUMBERS together.
    """

    def values(result: torch.Tensor) -> torch.Tensor:
        cut = result[sample] if result.shape[:1] == x.shape[:1] else result
        return cut.detach().clone()  # the next step may change it in place

    steps = _traced(model, x, values)
    numbers = sum(value.numel() for _, value in steps if value is not None)
    return steps if numbers <= MAX_NUMBERS else []


def _traced(
    model: torch.nn.Module, x: torch.Tensor, shown: Callable[[torch.Tensor], Shown]
) -> list[tuple[str, Shown | None]]:
    trace = _Trace(x, shown)
    with trace.following(model), torch.no_grad(), trace, suppress(Exception):
        model(x)
    return trace.steps


class _Trace(TorchFunctionMode, Generic[Shown]):
    """Records what is shown of the results of torch's functions that are computed from the input."""

    def __init__(self, x: torch.Tensor, shown: Callable[[torch.Tensor], Shown]) -> None:
        super().__init__()
        self.steps: list[tuple[str, Shown | None]] = []
        self._shown = shown
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
            self._record(label, self._shown(result))
        return result

    def _record(self, label: str, shown: Shown | None) -> None:
        if len(self.steps) < MAX_STEPS:
            self.steps.append((name_from(label), shown))

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

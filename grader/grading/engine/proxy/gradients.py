"""Gradients across processes: a remote call is one node of the autograd graph of this process."""

from collections.abc import Callable, Iterator
from typing import Any, Protocol

import torch


class Backwarder(Protocol):
    """Sends gradients back through the graph of an earlier call."""

    def backward(self, call: int, gradients: list[torch.Tensor | None]) -> list[torch.Tensor | None]:
        """Return the gradients of the call's tensor arguments that required grad."""


class _Attached(torch.autograd.Function):
    """Joins the results of a remote call to the graph of this process; its backward is a second message."""

    @staticmethod
    def forward(
        ctx: Any, remote: Backwarder, call: int, inputs: int, *tensors: torch.Tensor
    ) -> tuple[torch.Tensor, ...]:
        ctx.remote, ctx.call, ctx.inputs = remote, call, inputs
        ctx.requiring = [n for n, tensor in enumerate(tensors[:inputs]) if tensor.requires_grad]
        ctx.set_materialize_grads(False)
        results = tuple(tensor.clone() for tensor in tensors[inputs:])
        ctx.results = len(results)
        ctx.mark_non_differentiable(*(r for r in results if not r.is_floating_point()))
        return results

    @staticmethod
    def backward(ctx: Any, *gradients: torch.Tensor | None) -> tuple[torch.Tensor | None, ...]:
        received = ctx.remote.backward(ctx.call, list(gradients))
        of_inputs: list[torch.Tensor | None] = [None] * ctx.inputs
        wanted = [n for n in ctx.requiring if n < ctx.inputs - 1]  # the last input is the anchor
        for n, gradient in zip(wanted, received, strict=True):
            of_inputs[n] = gradient
        return (None, None, None, *of_inputs, *([None] * ctx.results))


def attach(remote: Backwarder, call: int, inputs: list[torch.Tensor], result: object) -> object:
    """Return `result` with its tensors joined to the graph of `inputs`.

    An anchor that requires grad joins them even when no input does: a module's parameters are in another process.
    """
    found: list[torch.Tensor] = []
    _walk(result, found.append)
    if not any(tensor.is_floating_point() for tensor in found):
        return result
    anchor = torch.zeros((), requires_grad=True)
    attached = iter(_Attached.apply(remote, call, len(inputs) + 1, *inputs, anchor, *found))  # type: ignore[no-untyped-call]
    return _rebuild(result, attached)


def _walk(value: object, visit: Callable[[torch.Tensor], object]) -> None:
    if type(value) is torch.Tensor:
        visit(value)
    elif isinstance(value, (list, tuple)):
        for item in value:
            _walk(item, visit)
    elif isinstance(value, dict):
        for item in value.values():
            _walk(item, visit)


def _rebuild(value: object, tensors: Iterator[torch.Tensor]) -> object:
    if type(value) is torch.Tensor:
        return next(tensors)
    if isinstance(value, (list, tuple)):
        return type(value)(_rebuild(item, tensors) for item in value)
    if isinstance(value, dict):
        return {key: _rebuild(item, tensors) for key, item in value.items()}
    return value

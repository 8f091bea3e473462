"""What a suite sends: of each parameter of what students write, how many calls had which kind of value.

Read from the recorded exchanges of one grading, so it costs no call. What a fixture calls is not seen: it runs in the
worker.
"""

import inspect
from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import dataclass, field
from types import ModuleType
from typing import Any

import torch

from grader.grading.engine.proxy import Exchange
from grader.sandbox.protocol.messages import Call, HandleValue, Returned
from grader.sandbox.protocol.values import Unpacker, gradient_flags

FAR = 100  # a tensor with a number beyond it is far from zero
FEW = 3  # a whole number beyond it is large
_COUNTED = ("no items", "one item", "two items")
_HALF = (torch.float16, torch.bfloat16)

Kinds = dict[str, set[str]]  # by parameter


@dataclass(slots=True)
class _Made:
    """A module that a check made: its class, what it was made with, and its mode."""

    name: str
    given: Kinds
    training: bool = True


@dataclass(slots=True)
class SentValues:
    """Counts calls by row (`conv2d.stride`, `BatchNorm2d.eps in training mode`) and kind of value."""

    reference: ModuleType
    names: Collection[str]
    counts: defaultdict[str, Counter[str]] = field(default_factory=lambda: defaultdict(Counter))

    def add(self, exchanges: Iterable[Exchange]) -> None:
        """Count the calls of one check."""
        made: dict[int, _Made] = {}
        for exchange in exchanges:
            request = exchange.request
            if not isinstance(request, Call):
                continue
            if request.owner == "student" and request.name in self.names:
                self._add_call(exchange, request, made)
            elif request.owner == "handle" and request.handle in made:
                self._add_method(exchange, request, made[request.handle])

    def _add_call(self, exchange: Exchange, request: Call, made: dict[int, _Made]) -> None:
        function = getattr(self.reference, request.name, None)
        given = _kinds(function, *_arguments(exchange, request)) if callable(function) else {}
        self._count(request.name, given)
        value = exchange.reply.value if isinstance(exchange.reply, Returned) else None
        if isinstance(function, type) and isinstance(value, HandleValue):
            made[value.handle] = _Made(request.name, given)

    def _add_method(self, exchange: Exchange, request: Call, module: _Made) -> None:
        args, kwargs = _arguments(exchange, request)
        if request.name in ("train", "eval"):
            module.training = request.name == "train" and list(args[:1]) != [False]
        elif request.name in ("__call__", "forward"):
            forward = getattr(getattr(self.reference, module.name), "forward", None)
            given = _kinds(forward, [None, *args], kwargs) if callable(forward) else {}
            mode = "training mode" if module.training else "evaluation mode"
            for kinds, name in ((given, f"{module.name}.forward"), (module.given, module.name)):
                self._count(name, kinds, mode)
            self._count(f"{module.name}.forward", given)

    def _count(self, name: str, given: Kinds, mode: str = "") -> None:
        for parameter, kinds in given.items():
            self.counts[f"{name}.{parameter}" + (f" in {mode}" if mode else "")].update(kinds)


def _arguments(exchange: Exchange, request: Call) -> tuple[list[Any], dict[str, Any]]:
    unpacker = Unpacker(bytearray(exchange.payload), lambda value: value)
    args: Any = unpacker.unpack(request.args)
    kwargs: Any = unpacker.unpack(request.kwargs)
    for tensor, learns in zip(unpacker.tensors, gradient_flags((request.args, request.kwargs)), strict=True):
        tensor.requires_grad_(learns)
    return list(args), kwargs


def _kinds(function: Callable[..., object], args: list[Any], kwargs: dict[str, Any]) -> Kinds:
    """Return the kinds of value of each parameter in one call; none where the call does not fit the function."""
    signature = inspect.signature(function)
    try:
        call = signature.bind(*args, **kwargs)
    except TypeError:
        return {}
    call.apply_defaults()
    return {
        name: set(kinds_of(call.arguments[name], parameter.default))
        for name, parameter in signature.parameters.items()
    }


def kinds_of(value: object, default: object = inspect.Parameter.empty) -> Iterator[str]:
    """Yield the kinds of a value that was sent for a parameter with this default."""
    if value is None:
        yield "None"
        return
    yield "given"
    match value:
        case bool():
            yield f"is {value}".lower()
        case int():
            yield _kind_of_int(value)
        case float():
            found = {"zero": value == 0, "default": value == default}
            yield from (kind for kind, holds in found.items() if holds)
            yield from ("other",) if not any(found.values()) else ()
        case list() | tuple():
            yield _COUNTED[len(value)] if len(value) < len(_COUNTED) else "more items"
        case torch.Tensor():
            yield from _kinds_of_tensor(value)


def _kind_of_int(value: int) -> str:
    if value < 0:
        return "negative"
    return ("zero", "one", "two or three", "two or three")[value] if value <= FEW else "larger"


def _kinds_of_tensor(tensor: torch.Tensor) -> Iterator[str]:
    yield "half" if tensor.dtype in _HALF else str(tensor.dtype).removeprefix("torch.")
    shape = tuple(tensor.shape)
    looks = {
        "gradient": tensor.requires_grad,
        "not contiguous": not tensor.is_contiguous(),
        "no axes": not shape,
        "batch of one": shape[:1] == (1,),
        "axis of one": 1 in shape[1:],
        "not square": len(shape) > 1 and shape[-1] != shape[-2],
    }
    yield from (kind for kind, holds in looks.items() if holds)
    if tensor.is_floating_point() and tensor.numel():
        yield from _kinds_of_numbers(tensor.detach())


def _kinds_of_numbers(numbers: torch.Tensor) -> Iterator[str]:
    if not numbers.isfinite().all():
        yield "not finite"
    if (numbers.nan_to_num(0.0, 0.0, 0.0).abs() > FAR).any():
        yield "far from zero"

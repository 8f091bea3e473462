"""Answers requests on a namespace: calls its functions, keeps its modules and graphs, packs what they return.

The worker runs it on the student's module. The trusted side runs the same code on the reference and on
known mistakes, so that a replay does exactly what the recorded calls did.
"""

import inspect
import random
from collections.abc import Callable, Mapping, Sequence
from difflib import get_close_matches
from typing import Any

import numpy as np
import torch

from grader.sandbox.protocol.messages import (
    MAX_MESSAGE_CHARS,
    MAX_NAMES,
    Backward,
    Call,
    Cause,
    ForeignValue,
    HandleValue,
    Question,
    Raised,
    Reply,
    Reset,
    Returned,
    Setting,
    Value,
    name_from,
    text_from,
    type_name,
)
from grader.sandbox.protocol.values import Packer, Unpacker, foreign, gradient_flags, tensor_bytes
from grader.sandbox.worker.service.exceptions import raised
from grader.sandbox.worker.service.tracing import shape_trace, value_trace

_SEED = 0  # before every call: a submission's own random numbers must not change its result


class Service:
    """Executes the calls of one check after another on one namespace."""

    def __init__(
        self,
        namespace: Mapping[str, object],
        fixtures: Mapping[str, object] | None = None,
        *,
        own_files: frozenset[str] = frozenset(),
        seed: int = _SEED,
        settle: Callable[[], tuple[Setting, ...]] = tuple,
    ) -> None:
        """Serve `namespace`; `fixtures` are the functions of the course that run beside it.

        `own_files` are the paths whose lines a traceback shows. Every call starts from `seed`: a replay with another
        one shows which results depend on random numbers. `settle` is called after each call, before its result is
        described: it puts back what the call changed for the whole process, and returns what of that is reported.
        """
        self._settle = settle
        self._seed = seed
        self._namespace = namespace
        self._fixtures = fixtures or {}
        self._own_files = own_files
        self._objects: list[object] = []
        self._graphs: dict[int, tuple[list[torch.Tensor], list[torch.Tensor]]] = {}

    def answer(self, request: Question, payload: bytearray) -> tuple[Reply, bytes]:
        """Answer one request: return the reply and its payload. What the namespace's code raises becomes Raised."""
        try:
            match request:
                case Call():
                    return self._call(request, payload)
                case Backward():
                    with torch.enable_grad():  # a replay may run inside a backward pass, where it is off
                        return self._backward(request, payload)
                case Reset():
                    self._objects.clear()
                    self._graphs.clear()
                    return Returned(number=request.number, value=None), b""
        except _Unanswerable as refusal:
            return Raised(
                number=request.number,
                cause=refusal.cause,
                type_name=refusal.type_name,
                message=text_from(str(refusal), MAX_MESSAGE_CHARS),
            ), b""

    # --- calls

    def _call(self, request: Call, payload: bytearray) -> tuple[Reply, bytes]:
        target = self._target(request)
        unpacker = Unpacker(payload, self._resolve)
        args: Any = unpacker.unpack(request.args)
        kwargs: Any = unpacker.unpack(request.kwargs)
        unpacker.finish()
        before = [tensor_bytes(tensor) for tensor in unpacker.tensors]
        shapes = [tensor.shape for tensor in unpacker.tensors]
        leaves = _mark_leaves((args, kwargs), (request.args, request.kwargs)) if request.record else []
        seed_everything(self._seed)
        try:
            try:
                result = target(*args, **kwargs)
            finally:
                settings = self._settle()
            packer = Packer(self._keep)
            value = packer.pack(result)
        except BaseException as error:  # noqa: BLE001 - the student's code may raise anything at all
            return raised(request.number, error, self._own_files, target, args, kwargs), b""
        if request.record:
            self._graphs[request.number] = (leaves, packer.tensors)
        changed = [
            tensor.shape != shape or tensor_bytes(tensor) != data
            for tensor, shape, data in zip(unpacker.tensors, shapes, before, strict=True)
        ]
        names = _changed_names(args, kwargs, unpacker.tensors, changed, target)
        return Returned(number=request.number, value=value, changed=names, settings=settings), packer.payload

    def _target(self, request: Call) -> Callable[..., object]:
        if request.owner == "handle":
            owner = self._object(request.handle)
            found = owner if request.name == "__call__" else getattr(owner, request.name, None)
            return _method(owner, request.name, found)
        namespace = self._namespace if request.owner == "student" else self._fixtures
        if request.name not in namespace:
            raise _Unanswerable("missing", _missing(request.name, namespace), "AttributeError")
        found = namespace[request.name]
        if not callable(found):
            kind = "None" if found is None else f"of type {type_name(found)}"
            sentence = f"`{request.name}` is not a function: it is {kind}."
            raise _Unanswerable("missing", sentence, "TypeError")
        return found

    def _object(self, handle: int) -> object:
        if not 0 <= handle < len(self._objects):
            raise _Unanswerable("missing", f"There is no object {handle}.", "LookupError")
        return self._objects[handle]

    def _resolve(self, value: HandleValue | ForeignValue, _array: object = None) -> object:
        if isinstance(value, ForeignValue):
            raise _Unanswerable("missing", f"A {value.type_name} cannot be sent.", "TypeError")
        return self._object(value.handle)

    def _keep(self, thing: object) -> HandleValue | ForeignValue:
        is_module = isinstance(thing, torch.nn.Module)
        # Compared by name, so that torch.optim is not imported for exercises that never use it.
        is_optimizer = any(base.__name__ == "Optimizer" for base in type(thing).__mro__)
        if not (is_module or is_optimizer):
            if isinstance(thing, (np.integer, np.floating)):
                return _foreign_number(thing)
            return foreign(thing, _foreign_detail(thing))
        known = [handle for handle, kept in enumerate(self._objects) if kept is thing]
        handle = known[0] if known else len(self._objects)
        if not known:
            self._objects.append(thing)
        return HandleValue(handle=handle, type_name=type_name(thing), is_module=is_module)

    # --- gradients

    def _backward(self, request: Backward, payload: bytearray) -> tuple[Reply, bytes]:
        if request.call not in self._graphs:
            raise _Unanswerable(
                "detached", "This result has no graph any more: one backward per call.", "RuntimeError"
            )
        leaves, results = self._graphs.pop(request.call)
        unpacker = Unpacker(payload, self._resolve)
        gradients = unpacker.unpack(request.gradients)
        unpacker.finish()
        if not isinstance(gradients, (list, tuple)) or len(gradients) != len(results):
            raise _Unanswerable("detached", "There must be one gradient for each result.", "RuntimeError")
        pairs = [(r, g) for r, g in zip(results, gradients, strict=True) if g is not None and r.requires_grad]
        if not pairs:
            sentence = "The result is cut off from the graph, so no gradient reaches the input."
            raise _Unanswerable("detached", sentence, "RuntimeError")
        try:
            # This sum has the same gradients. Passing them to torch.autograd.backward imports sympy: half a second.
            torch.stack([(result * gradient).sum().double() for result, gradient in pairs]).sum().backward()  # type: ignore[no-untyped-call]
            self._settle()
        except BaseException as error:  # noqa: BLE001 - a custom backward of the student's may raise anything
            return raised(request.number, error, self._own_files), b""
        packer = Packer(self._keep)
        value = packer.pack([leaf.grad for leaf in leaves])
        return Returned(number=request.number, value=value), packer.payload


class _Unanswerable(Exception):
    """A request that cannot be answered."""

    def __init__(self, cause: Cause, message: str, type_name: str) -> None:
        super().__init__(message)
        self.cause: Cause = cause
        self.type_name = type_name


def seed_everything(seed: int = _SEED) -> None:
    """Seed the generators of random, numpy and torch."""
    random.seed(seed)
    np.random.seed(seed % 2**32)
    # torch.manual_seed would also queue a call for every kind of GPU, with a formatted stack, which takes 1 ms.
    torch.default_generator.manual_seed(seed)


def _method(owner: object, name: str, found: object) -> Callable[..., object]:
    """Return the method `name` of a module or an optimizer. `found` is its own; those the grader defines come first."""
    if isinstance(owner, torch.nn.Module):
        defined: dict[str, Callable[..., object]] = {
            "gradients": lambda: {name: p.grad for name, p in owner.named_parameters()},
            "requires_grad": lambda: {name: p.requires_grad for name, p in owner.named_parameters()},
            "parameters_by_name": lambda: {name: p.detach() for name, p in owner.named_parameters()},
            "state_dict": lambda: {name: value.detach() for name, value in owner.state_dict().items()},
            "load_state_dict": lambda state: owner.load_state_dict(state) and None,
            "train": lambda mode=True: owner.train(mode) and None,
            "eval": lambda: owner.eval() and None,
            "is_training": lambda: bool(owner.training),
            "shape_trace": lambda x: shape_trace(owner, x),
            "value_trace": lambda x, sample: value_trace(owner, x, sample),
        }
        if name in defined:
            return defined[name]
    if not callable(found):
        sentence = f"The {type_name(owner)} has no method `{name}`."
        raise _Unanswerable("missing", sentence, "AttributeError")
    return found


def _mark_leaves(values: Sequence[object], described: Sequence[Value]) -> list[torch.Tensor]:
    """Let the tensors that require grad in the suite require it here; return these leaves in the frame's order."""
    tensors = Packer(foreign)
    for value in values:
        tensors.pack(value)
    wanted = gradient_flags(tuple(described))
    leaves = [tensor for tensor, wants in zip(tensors.tensors, wanted, strict=True) if wants]
    for leaf in leaves:
        leaf.requires_grad_()
    return leaves


def _changed_names(
    args: Any, kwargs: Any, tensors: list[torch.Tensor], changed: list[bool], target: Any
) -> tuple[str, ...]:
    """Name the arguments that hold a changed tensor: by parameter, or by position where there is no signature."""
    if not any(changed):
        return ()
    touched = {id(tensor) for tensor, was_changed in zip(tensors, changed, strict=True) if was_changed}
    try:
        bound = inspect.signature(target).bind(*args, **kwargs).arguments
    except (TypeError, ValueError):
        bound = {f"argument {n}": a for n, a in enumerate(args, start=1)} | kwargs
    return tuple(name_from(name) for name, value in bound.items() if _holds(value, touched))[:MAX_NAMES]


def _holds(value: object, identities: set[int]) -> bool:
    if isinstance(value, (list, tuple)):
        return any(_holds(item, identities) for item in value)
    if isinstance(value, dict):
        return any(_holds(item, identities) for item in value.values())
    return id(value) in identities


def _foreign_number(thing: "np.integer[Any] | np.floating[Any]") -> ForeignValue:
    """Describe one of numpy's numbers, with its value where that fits into a frame."""
    number = int(thing) if isinstance(thing, np.integer) else float(thing)
    fits = isinstance(number, float) or -(2**63) <= number < 2**63
    return ForeignValue(type_name=type_name(thing), number=number if fits else None)


def _foreign_detail(thing: object) -> str:
    if isinstance(thing, np.ndarray):
        return f"of shape {thing.shape} and dtype {thing.dtype}"
    if isinstance(thing, torch.nn.Parameter):
        return "which is a parameter of a module, not a result"
    if isinstance(thing, torch.Tensor):
        return "which is a subclass of torch.Tensor"
    return ""


def _missing(name: str, namespace: Mapping[str, object]) -> str:
    defined = [other for other in namespace if isinstance(other, str) and not other.startswith("_")]
    near = get_close_matches(name, defined, n=1)
    hint = f" Did you rename it? There is `{near[0]}`." if near else ""
    return f"`{name}` is not defined in this module.{hint}"

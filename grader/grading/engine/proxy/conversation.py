"""The calls of one check to the student's code: sends them, validates the replies, and records both."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Literal, Protocol

import torch

from grader.core.errors import ProtocolError
from grader.core.model import Outcome
from grader.grading.engine.proxy.call_failure import CallFailed, failure, sentence_of
from grader.grading.engine.proxy.foreign import ForeignResult, foreign_number, plain_numbers
from grader.grading.engine.proxy.gradients import attach
from grader.sandbox.protocol.messages import (
    Backward,
    Call,
    ForeignValue,
    HandleValue,
    Question,
    Raised,
    Reply,
    Returned,
    Setting,
)
from grader.sandbox.protocol.values import Incoming, Packer, foreign, unpack_all
from grader.sandbox.supervisor import LoadFailed, WorkerLost

MAX_RECORDED_BYTES = 32 * 2**20


class Backend(Protocol):
    """Where calls go: a sandboxed worker, or a service in this process."""

    def ask(
        self, request: Question, payload: bytes, *, what: str, deadline: float
    ) -> tuple[Reply, bytearray]:
        """Send one request and return the reply."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Exchange:
    """One request and its reply, as they were sent and received."""

    name: str
    request: Question
    payload: bytes
    reply: Reply
    data: bytes


@dataclass(slots=True, kw_only=True)
class CallRecord:
    """One call, with Python values. `result` is `...` when there was none.

    `root` is the student's function or class that runs: `BatchNorm2d` for `BatchNorm2d.state_dict`. `maker` is the call
    that made the object, and `method` what is called on it, where `name` begins with the object. `evaluating` says that
    the check has put the object into evaluation mode.
    """

    name: str
    root: str
    args: tuple[object, ...]
    kwargs: dict[str, object]
    result: object = ...
    maker: "CallRecord | None" = None
    method: str = ""
    evaluating: bool = False


@dataclass(slots=True)
class Conversation:
    """All exchanges between one check and the student's code.

    `deadline` is the check's, on the clock of `time.monotonic`. `complete` is False once a reply is missing, malformed,
    or left out of the record for its size: such a record explains nothing.
    """

    backend: Backend
    deadline: float = float("inf")
    lost: dict[str, WorkerLost] = field(default_factory=dict)
    exchanges: list[Exchange] = field(default_factory=list)
    calls: list[CallRecord] = field(default_factory=list)
    changed: tuple[str, ...] = ()
    settings: set[tuple[str, Setting]] = field(default_factory=set)  # what the student's code left changed
    complete: bool = True
    unanswered: tuple[Question, bytes] | None = None  # the request at which the worker was lost
    _recorded_bytes: int = 0

    def call(
        self,
        owner: Literal["student", "fixtures", "handle"],
        name: str,
        args: tuple[object, ...],
        kwargs: dict[str, object],
        *,
        on: "RemoteObject | None" = None,
    ) -> object:
        """Call on the other side and return the checked result; raise CallFailed for every other ending."""
        handle = on._value if on else None  # noqa: SLF001 - a class of this module
        root = name if on is None else on.origin
        method = "forward" if name == "__call__" else name
        label = _label(owner, name, args) if on is None else f"{on.label}.{method}"
        record = CallRecord(name=label, root=root, args=args, kwargs=kwargs)
        if on is not None:
            record.maker, record.method, record.evaluating = on.maker, method, on.evaluating
        run = _run_by_fixture(args) if owner == "fixtures" else None
        if run is not None:
            record, label = run, run.name
        if owner != "fixtures" or run is not None:
            self.calls.append(record)
        packer = Packer(_handle_of, turns=True)
        packed_args, packed_kwargs = (packer.pack(plain_numbers(given)) for given in (args, kwargs))
        tracks = torch.is_grad_enabled() and (
            any(tensor.requires_grad for tensor in packer.tensors)
            or (handle is not None and handle.is_module and name in ("__call__", "forward"))
        )
        request = Call(
            number=len(self.exchanges),
            owner=owner,
            name=name,
            handle=handle.handle if handle else 0,
            args=packed_args,
            kwargs=packed_kwargs,
            record=tracks,
        )
        key = label if run is not None else name if on is None else f"{root}(...).{method}"
        reply, data = self._exchange(label, request, packer.payload, key=key)
        self.changed = reply.changed
        if owner != "fixtures":
            self.settings.update((root, setting) for setting in reply.settings)
        is_own = owner == "student"
        maker, made = (record if is_own else None), (f"{root}(...)" if is_own else _label_of_fixture(root))
        (result,) = self._unpack(
            reply,
            data,
            lambda *value: self._stand_in(
                *value,
                label=label,
                origin=root,
                made=made,
                maker=maker,
                fixture=record if owner == "fixtures" else None,
            ),
        )
        if tracks:
            result = attach(self, request.number, packer.tensors, result)
        record.result = result
        return result

    def backward(self, call: int, gradients: list[torch.Tensor | None]) -> list[torch.Tensor | None]:
        """Send gradients back through the graph of call number `call`; return those of its tensor arguments."""
        packer = Packer(foreign)
        value = packer.pack(gradients)
        label = self.exchanges[call].name
        request = Backward(number=len(self.exchanges), call=call, gradients=value)
        reply, data = self._exchange(label, request, packer.payload)
        (result,) = self._unpack(reply, data, lambda *other: self._stand_in(*other, label=label))
        for item in result if isinstance(result, list) else []:
            if (
                isinstance(item, ForeignResult) and item.type_name == "Tensor"
            ):  # a sparse one, as of an embedding
                raise CallFailed(Outcome.FAILED, f"A gradient of `{label}` is {item.described}.")
        if not isinstance(result, list) or not all(g is None or type(g) is torch.Tensor for g in result):
            raise CallFailed(
                Outcome.TAMPERING, f"`{label}` answered a backward pass with something other than gradients."
            )
        return result

    def _exchange(
        self, label: str, request: Call | Backward, payload: bytes, *, key: str = ""
    ) -> tuple[Returned, bytearray]:
        """Send a request and return its reply. `key` is the name by which a lost worker is remembered, else `label`."""
        key = key or label
        if key in self.lost:
            earlier = self.lost[key]
            raise CallFailed(earlier.outcome, f"Not called again: in an earlier check, {earlier.message}.")
        what = f"`{label}`"
        try:
            reply, data = self.backend.ask(request, payload, what=what, deadline=self.deadline)
        except WorkerLost as lost:
            self.complete = False
            self.unanswered = (request, payload)
            self.lost[key] = lost
            raise CallFailed(lost.outcome, sentence_of(lost.message)) from None
        except LoadFailed as failed:
            self.complete = False
            raise failure(label, failed.reply) from None
        self._record(label, request, payload, reply, data)
        if isinstance(reply, Raised):
            raise failure(label, reply)
        assert isinstance(reply, Returned)
        return reply, data

    def _record(self, label: str, request: Question, payload: bytes, reply: Reply, data: bytearray) -> None:
        self._recorded_bytes += len(payload) + len(data)
        if self._recorded_bytes > MAX_RECORDED_BYTES:
            self.complete = False
            payload, data = b"", bytearray()
        self.exchanges.append(
            Exchange(name=label, request=request, payload=payload, reply=reply, data=bytes(data))
        )

    def _unpack(self, reply: Returned, data: bytearray, other: Incoming) -> list[object]:
        try:
            return unpack_all([reply.value], data, other)
        except ProtocolError as error:
            self.complete = False  # a reply that cannot be read cannot be explained
            raise CallFailed(Outcome.TAMPERING, sentence_of(f"the reply was malformed: {error}")) from None

    def _stand_in(
        self,
        value: HandleValue | ForeignValue,
        array: torch.Tensor | None = None,
        *,
        label: str,
        origin: str = "",
        made: str = "",
        maker: CallRecord | None = None,
        fixture: CallRecord | None = None,
    ) -> object:
        if isinstance(value, ForeignValue):
            if value.number is not None:
                return foreign_number(value.number, value.type_name)
            return ForeignResult(label, value, array)
        kind = RemoteModule if value.is_module else RemoteObject
        return kind(self, value, origin, label=made, maker=maker, fixture=fixture)


class RemoteObject:
    """Stands for an object that stays with the student's code: it can be passed back as an argument."""

    def __init__(
        self,
        conversation: Conversation,
        value: HandleValue,
        origin: str,
        *,
        label: str = "",
        maker: CallRecord | None = None,
        fixture: CallRecord | None = None,
    ) -> None:
        """`origin` is the name whose call made it, `label` its name.

        `maker` is that call where it was the student's, `fixture` where it was that of a fixture.
        """
        self._conversation = conversation
        self._value = value
        self.origin = origin
        self.label = label or f"{origin}(...)"
        self.maker = maker
        self.evaluating = False
        self.fixture = fixture

    def _call(self, name: str, *args: object, **kwargs: object) -> object:
        return self._conversation.call("handle", name, args, kwargs, on=self)

    def __repr__(self) -> str:
        return f"<{self._value.type_name}>"


class RemoteModule(RemoteObject):
    """Stands for an `nn.Module` that stays with the student's code. Parameters and buffers arrive as copies."""

    def __call__(self, *args: object, **kwargs: object) -> object:
        """Run the module forward. A result is joined to the graph, so that `backward` reaches its parameters."""
        return self._call("__call__", *args, **kwargs)

    forward = __call__

    def state_dict(self) -> dict[str, torch.Tensor]:
        """Return copies of all parameters and buffers by name."""
        return self._tensors("state_dict")

    def load_state_dict(self, state: dict[str, torch.Tensor]) -> None:
        """Overwrite parameters and buffers; names and shapes must be the module's own."""
        self._call("load_state_dict", state)

    def named_parameters(self) -> Iterator[tuple[str, torch.Tensor]]:
        """Yield the name and a copy of each parameter."""
        yield from self._tensors("parameters_by_name").items()

    def parameters(self) -> Iterator[torch.Tensor]:
        """Yield a copy of each parameter."""
        yield from self._tensors("parameters_by_name").values()

    def gradients(self) -> dict[str, torch.Tensor | None]:
        """Return copies of the parameters' gradients by name; None where no backward pass has reached one."""
        return self._mapping("gradients", (torch.Tensor, type(None)))  # type: ignore[return-value]

    def requires_grad(self) -> dict[str, bool]:
        """Return what the parameters report about themselves. Not trusted: compare the state after a step."""
        return self._mapping("requires_grad", (bool,))  # type: ignore[return-value]

    def zero_grad(self) -> None:
        """Reset all gradients."""
        self._call("zero_grad")

    def train(self, mode: bool = True) -> "RemoteModule":
        """Switch to training mode, or to evaluation mode with False."""
        self._call("train", mode)
        self.evaluating = not mode
        return self

    def eval(self) -> "RemoteModule":
        """Switch to evaluation mode."""
        self._call("eval")
        self.evaluating = True
        return self

    @property
    def training(self) -> bool:
        """Whether the module reports that it is in training mode."""
        return self._call("is_training") is True

    def shape_trace(self, x: torch.Tensor) -> list[tuple[str, tuple[int, ...] | None]]:
        """Return the steps that the module reports for `x`: a label, and a shape, or None where it raised.

        Called after a failure, to explain it. It is left out of the record: how code is cut into steps is no result.
        """
        return self._trace(_is_shape, "shape_trace", x)  # type: ignore[return-value]

    def value_trace(self, x: torch.Tensor, sample: int) -> list[tuple[str, torch.Tensor | None]]:
        """Return the same steps with the reported values of one sample of `x`; none where those are too many."""
        return self._trace(_is_tensor, "value_trace", x, sample)  # type: ignore[return-value]

    def _trace(
        self, is_shown: Callable[[object], bool], method: str, *args: object
    ) -> list[tuple[str, object]]:
        exchanges, calls = len(self._conversation.exchanges), len(self._conversation.calls)
        try:
            steps = self._call(method, *args)
        finally:
            del self._conversation.exchanges[exchanges:], self._conversation.calls[calls:]
        if not isinstance(steps, list) or not all(_is_step(step, is_shown) for step in steps):
            raise CallFailed(Outcome.TAMPERING, f"`{method}` answered with something other than steps.")
        return steps

    def _tensors(self, method: str) -> dict[str, torch.Tensor]:
        return self._mapping(method, (torch.Tensor,))  # type: ignore[return-value]

    def _mapping(self, method: str, kinds: tuple[type, ...]) -> dict[str, object]:
        result = self._call(method)
        if not isinstance(result, dict) or not all(isinstance(item, kinds) for item in result.values()):
            label = f"{self._value.type_name}.{method}"
            raise CallFailed(Outcome.FAILED, f"`{label}` returned something other than named tensors.")
        return result


def _label(owner: str, name: str, args: tuple[object, ...]) -> str:
    """Return what students read of a call that is made on no object. A fixture runs what it is given."""
    if owner == "student":
        return name
    given = next((thing for thing in args if isinstance(thing, RemoteObject)), None)
    return given.label if given is not None else _label_of_fixture(name)


def _run_by_fixture(args: tuple[object, ...]) -> CallRecord | None:
    """Return the call that a fixture makes: one that is given a student's module and a tensor runs the module on it."""
    match args:
        case (RemoteModule(maker=CallRecord()) as module, torch.Tensor() as x, *_):
            return CallRecord(
                name=f"{module.label}.forward",
                root=module.origin,
                args=(x,),
                kwargs={},
                maker=module.maker,
                method="forward",
                evaluating=module.evaluating,
            )
    return None


def _label_of_fixture(name: str) -> str:
    """Return what students read of what a fixture makes: its name only where it is that of a model they know."""
    return f"{name}(...)" if name[:1].isupper() else "model"


def _handle_of(thing: object) -> HandleValue | ForeignValue:
    if isinstance(thing, RemoteObject):
        return thing._value  # noqa: SLF001 - a class of this module
    raise TypeError(f"A suite cannot send a {type(thing).__name__} to a student's function.")


def _is_step(step: object, is_shown: Callable[[object], bool]) -> bool:
    match step:
        case (str(), shown):
            return shown is None or is_shown(shown)
    return False


def _is_shape(shown: object) -> bool:
    return isinstance(shown, tuple) and all(type(size) is int for size in shown)


def _is_tensor(shown: object) -> bool:
    return type(shown) is torch.Tensor

"""Writes a failing case as Python that students run themselves: the calls, the result, the expected result.

Of what is hidden it holds no more than the report shows: of a large expected result one number, that of the first
wrong place. Where no faithful case can be written, the reason is given instead.
"""

import inspect
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch

from grader.core.model import Outcome, Snippet
from grader.grading.engine.feedback.assertion_code import assertion_lines, origin
from grader.grading.engine.feedback.literals import Named, Unwritable, literal
from grader.grading.engine.feedback.replay import involves_objects
from grader.grading.engine.proxy import CallFailed, Conversation
from grader.grading.engine.suite.comparison import Mismatch
from grader.sandbox.protocol.messages import (
    Backward,
    Call,
    EntriesValue,
    ForeignValue,
    HandleValue,
    ItemsValue,
    Returned,
    Value,
)
from grader.sandbox.protocol.values import Unpacker, gradient_flags

SEED = "torch.manual_seed(0)  # as before every call while grading"
_BREAK = "# Put `breakpoint()` here, or into your function, to look around."
_LOST = (Outcome.TIME_LIMIT, Outcome.CRASHED, Outcome.MEMORY_LIMIT, Outcome.OUTPUT_LIMIT)
_WITHOUT_RESULT = ("load_state_dict", "train", "eval", "zero_grad")
_GRADER_METHODS = {
    "gradients": "{{name: p.grad for name, p in {owner}.named_parameters()}}",
    "requires_grad": "{{name: p.requires_grad for name, p in {owner}.named_parameters()}}",
    "parameters_by_name": "{{name: p.detach() for name, p in {owner}.named_parameters()}}",
    "is_training": "{owner}.training",
}


def of_call(
    module: str,
    name: str,
    args: Sequence[object],
    kwargs: Mapping[str, object],
    wrong: Mismatch,
    reference: object,
) -> Snippet:
    """Write one call of a function, and the expected result. Raises Unwritable where it cannot be done."""
    code = _Code(module)
    result = code.call(f"{module}.{name}", args, kwargs, _parameters(reference))
    if isinstance(wrong.got, CallFailed):
        _refuse(wrong.got)
        return Snippet(code=code.text([f'print("got", {result}, sep="\\n")']), entry=name)
    assertion = assertion_lines(result, wrong, in_full=True)
    if assertion is None:
        raise Unwritable("its result cannot be compared outside the grader")
    return Snippet(code=code.text(assertion), entry=name)


def of_check(
    module: str, conversation: Conversation, error: BaseException, reference: Mapping[str, object]
) -> Snippet:
    """Write what a check asked before it failed. Raises Unwritable where it cannot be done."""
    steps = [_Step(e.request, e.payload, e.reply, e.data) for e in conversation.exchanges]
    if isinstance(error, CallFailed):
        return _of_failure(module, conversation, error, steps, reference)
    if not steps:
        raise Unwritable("the check called none of your functions")
    if not isinstance(error, Mismatch):
        return _calls_only(module, steps, reference)
    found = origin([(getattr(s.reply, "value", None), s.data) for s in steps], error.got)
    if found is None:
        return _calls_only(module, steps, reference)
    number, written = found
    code, result, entry = _code_of(module, steps[: number + 1], reference)
    assertion = assertion_lines(written(result), error)
    if assertion is None:
        return _calls_only(module, steps, reference)
    return Snippet(code=code.text(assertion), entry=entry)


def _calls_only(module: str, steps: Sequence["_Step"], reference: Mapping[str, object]) -> Snippet:
    code, result, entry = _code_of(module, steps, reference)
    return Snippet(code=code.text([f'print("result", {result}, sep="\\n")']), entry=entry, judges=False)


def _of_failure(
    module: str,
    conversation: Conversation,
    error: CallFailed,
    steps: list["_Step"],
    reference: Mapping[str, object],
) -> Snippet:
    """Write the calls up to the one that ended otherwise than with a value."""
    if conversation.unanswered is not None:
        steps = [*steps, _Step(*conversation.unanswered, None, b"")]
    _refuse(error)
    last = steps[-1] if steps else None
    if last is None or (error.outcome in _LOST and conversation.unanswered is None):
        raise Unwritable("the call was not repeated after it had failed in an earlier check")
    if isinstance(last.reply, Returned):  # and what it returned could not be used
        return _calls_only(module, steps, reference)
    code, result, entry = _code_of(module, steps, reference)
    return Snippet(code=code.text([f'print("got", {result}, sep="\\n")']), entry=entry)


def _refuse(error: CallFailed) -> None:
    """Raise Unwritable for an ending that cannot be replayed."""
    if error.outcome is Outcome.TAMPERING:
        raise Unwritable("your code did what graded code may not do, and its reply is not a value to look at")
    if error.outcome is Outcome.NOT_ATTEMPTED:
        raise Unwritable("the function it calls is not written yet")
    if error.cause in ("banned", "refused"):
        raise Unwritable(
            "the call uses what is switched off while grading, and would work outside the grader"
        )


# --- from what was recorded to code


@dataclass(frozen=True, slots=True)
class _Step:
    """One request and its reply; None where there was none."""

    request: Any
    payload: bytes
    reply: Any
    data: bytes

    def objects(self) -> bool:
        """Return whether it makes, takes or is made on an object that stays with the student's code."""
        return not isinstance(self.request, Backward) and involves_objects(self.request, self.reply)


def _code_of(
    module: str, steps: Sequence[_Step], reference: Mapping[str, object]
) -> tuple["_Code", str, str]:
    """Write the steps that the last one needs; return the code, the name of its result, and what it calls."""
    last = steps[-1].request
    called = (
        next(s for s in steps if s.request.number == last.call) if isinstance(last, Backward) else steps[-1]
    )
    code = _Code(module)
    result = ""
    for step in steps:
        needed = step is called or step is steps[-1] or (called.objects() and _belongs(step, steps))
        if needed:
            result = code.step(step, reference)
    return code, result, code.entry


def _belongs(step: _Step, steps: Sequence[_Step]) -> bool:
    """Return whether a step involves objects, or is the backward pass of one that does."""
    if isinstance(step.request, Backward):
        return next(s for s in steps if s.request.number == step.request.call).objects()
    return step.objects()


def _parameters(function: object) -> list[str]:
    if not callable(function):
        return []
    kinds = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    return [
        p.name
        for p in inspect.signature(function).parameters.values()
        if p.kind in kinds and p.name != "self"
    ]


@dataclass(slots=True)
class _Code:
    """Code that is being written: its lines, and the names that it has assigned."""

    module: str
    lines: list[str] = field(default_factory=list)
    entry: str = ""
    _taken: set[str] = field(default_factory=lambda: {"torch", "sys", "base64", "Path", "got", "expected"})
    _objects: dict[int, str] = field(default_factory=dict)
    _origins: dict[int, str] = field(default_factory=dict)
    _results: dict[int, tuple[str, list[str], int]] = field(default_factory=dict)
    _last_call: int = 0

    def __post_init__(self) -> None:
        """Reserve the module's own name."""
        self._taken.add(self.module)

    def text(self, end: Sequence[str]) -> str:
        """Return all lines, with a comment before the last call that suggests a breakpoint."""
        lines = [*self.lines[: self._last_call], _BREAK, *self.lines[self._last_call :]]
        return "\n".join([*lines, "", *end])

    def name(self, wanted: str) -> str:
        """Return a name that is free."""
        names = (wanted if n == 1 else f"{wanted}_{n}" for n in range(1, 10_000))
        found = next(name for name in names if name not in self._taken)
        self._taken.add(found)
        return found

    def call(
        self,
        target: str,
        args: Sequence[object],
        kwargs: Mapping[str, object],
        parameters: Sequence[str],
        result: str = "result",
    ) -> str:
        """Write one call, its larger arguments by name before it; return the name of its result."""
        names = [*parameters[: len(args)], *(f"argument_{n + 1}" for n in range(len(parameters), len(args)))]
        given = [self._argument(name, value) for name, value in zip(names, args, strict=True)]
        given += [f"{key}={self._argument(key, value)}" for key, value in kwargs.items()]
        name = self.name(result)
        self.lines += [SEED, f"{name} = {target}({', '.join(given)})"]
        self._last_call = len(self.lines) - 1
        return name

    def _argument(self, name: str, value: object) -> str:
        text = literal(value, turns=True)
        if len(text) <= 40 and not isinstance(value, torch.Tensor):
            return text
        variable = self.name(name if name.isidentifier() else "argument")
        self.lines.append(f"{variable} = {text}")
        return variable

    def step(self, step: _Step, reference: Mapping[str, object]) -> str:
        """Write one step; return the name of its result."""
        if isinstance(step.request, Backward):
            return self._backward(step)
        request: Call = step.request
        if request.owner == "fixtures":
            raise Unwritable(
                f"the check prepares it with `{request.name}` of its own, which runs only in the grader"
            )
        unpacker = Unpacker(bytearray(step.payload), self._object)
        args: Any = unpacker.unpack(request.args)
        kwargs: Any = unpacker.unpack(request.kwargs)
        for tensor, requires_grad in zip(
            unpacker.tensors, gradient_flags((request.args, request.kwargs)), strict=True
        ):
            tensor.requires_grad_(requires_grad and request.record)
        first = len(self.lines)
        if request.owner == "student":
            self.entry = request.name
            found = reference.get(request.name)
            wanted = _variable(request.name) if _makes_object(step) else "result"
            result = self.call(f"{self.module}.{request.name}", args, kwargs, _parameters(found), wanted)
        else:
            result = self._method(request, args, kwargs, reference)
        leaves = [line.split(" = ")[0] for line in self.lines[first:] if line.endswith(".requires_grad_()")]
        if request.record:
            self._results[request.number] = (result, leaves, sum(t.requires_grad for t in unpacker.tensors))
        if isinstance(step.reply, Returned):
            self._keep(step.reply.value, result)
        return result

    def _method(
        self,
        request: Call,
        args: Sequence[object],
        kwargs: Mapping[str, object],
        reference: Mapping[str, object],
    ) -> str:
        owner = self._objects[request.handle]
        if request.name in _GRADER_METHODS:
            result = self.name(request.name)
            self.lines.append(f"{result} = {_GRADER_METHODS[request.name].format(owner=owner)}")
            return result
        if request.name in ("__call__", "forward"):
            kind = self._origins[request.handle]
            self.entry = f"{kind}.forward"
            forward = getattr(reference.get(kind), "forward", None)
            return self.call(owner, args, kwargs, _parameters(forward))
        given = [self._argument("state", value) for value in args]
        given += [f"{key}={self._argument(key, value)}" for key, value in kwargs.items()]
        called = f"{owner}.{request.name}({', '.join(given)})"
        if request.name in _WITHOUT_RESULT:
            self.lines.append(called)
            return owner
        result = self.name("state" if request.name == "state_dict" else "done")
        self.lines.append(f"{result} = {called}")
        return result

    def _backward(self, step: _Step) -> str:
        result, leaves, wanted = self._results[step.request.call]
        gradients: Any = Unpacker(bytearray(step.payload), self._object).unpack(step.request.gradients)
        if len(gradients) != 1 or gradients[0] is None:
            raise Unwritable("its backward pass begins at several results")
        upstream = self._argument("upstream", gradients[0])
        self.lines.append(f"{result}.backward({upstream})")
        if len(leaves) != wanted:
            raise Unwritable("its gradients are of tensors inside other arguments")
        if not leaves:
            return result
        name = self.name("gradients")
        self.lines.append(f"{name} = [{', '.join(f'{leaf}.grad' for leaf in leaves)}]")
        return name

    def _object(self, value: HandleValue | ForeignValue, _array: object = None) -> Named:
        if isinstance(value, ForeignValue) or value.handle not in self._objects:
            raise Unwritable("it needs an object that only the grader holds")
        return Named(self._objects[value.handle])

    def _keep(self, value: Value, expression: str) -> None:
        """Remember by which expression each object of a result is reached."""
        if isinstance(value, HandleValue):
            self._objects.setdefault(value.handle, expression)
            self._origins.setdefault(value.handle, self.entry)
        elif isinstance(value, ItemsValue):
            for n, item in enumerate(value.items):
                self._keep(item, f"{expression}[{n}]")
        elif isinstance(value, EntriesValue):
            for key, item in value.entries:
                self._keep(item, f"{expression}[{key!a}]")


def _makes_object(step: _Step) -> bool:
    return isinstance(step.reply, Returned) and isinstance(step.reply.value, HandleValue)


def _variable(name: str) -> str:
    return "model" if name[:1].isupper() else re.sub(r"\W", "_", name)

"""Lists a module that a fixture built for a check: what the name in `freeze(module)` stands for.

The module itself is beside the student's code. What is listed is built here, by the same call of the fixture: so it is
as the check gave it, whatever the student's code made of it, and no text of a student is in it.
"""

import contextlib
from collections.abc import Mapping

import torch
from torch import nn

from grader.core.safetext import one_line
from grader.grading.engine.proxy import CallRecord, RemoteObject

MAX_CHILDREN = 12
_MAX_LINE_CHARACTERS = 68
_MAX_NAME_CHARACTERS = 16
_MAX_DEPTH = 8  # of fixtures that are given what other fixtures made


def listing(thing: RemoteObject, fixtures: Mapping[str, object]) -> str:
    """Return the class of a module that fixtures built from plain values, and its children; "" for anything else."""
    if thing.fixture is None:
        return ""
    with contextlib.suppress(Exception), torch.random.fork_rng(devices=[]), torch.no_grad():
        built = _built(thing.fixture, fixtures)
        return _text(built) if isinstance(built, nn.Module) else ""
    return ""  # it cannot be built here, and is only named


def _built(call: CallRecord, fixtures: Mapping[str, object], depth: int = 0) -> object:
    """Repeat the call of a fixture. Raises an exception, of any kind, where that cannot be done."""
    fixture = fixtures[call.root]
    args = [_given(value, fixtures, depth) for value in call.args]
    kwargs = {name: _given(value, fixtures, depth) for name, value in call.kwargs.items()}
    if not callable(fixture):
        raise TypeError(f"{call.root} is no function")
    return fixture(*args, **kwargs)


def _given(value: object, fixtures: Mapping[str, object], depth: int) -> object:
    if isinstance(value, RemoteObject) and value.fixture is not None and depth < _MAX_DEPTH:
        return _built(value.fixture, fixtures, depth + 1)
    if value is None or type(value) in (bool, int, float, str):
        return value
    raise TypeError("what a fixture makes of tensors, or of the student's objects, is not repeated")


def _text(module: nn.Module) -> str:
    children = list(module.named_children())
    if not children:
        return _cut(f"module {_described(module)}")
    width = min(max(len(name) for name, _ in children), _MAX_NAME_CHARACTERS)
    lines = [
        f"  {one_line(name).ljust(width)}  {_described(child)}" for name, child in children[:MAX_CHILDREN]
    ]
    more = [f"  and {len(children) - MAX_CHILDREN} more"] if len(children) > MAX_CHILDREN else []
    return "\n".join(map(_cut, [f"module {type(module).__name__}, its children:", *lines, *more]))


def _described(module: nn.Module) -> str:
    """Return the class of a module, with its settings or the classes of its children."""
    name = type(module).__name__
    inside = [type(child).__name__ for child in module.children()]
    return f"{name} of {', '.join(inside)}" if inside else f"{name}({one_line(module.extra_repr())})"


def _cut(line: str) -> str:
    """Return a line in its bounds. Spaces at its start are kept: they set children off."""
    return line if len(line) <= _MAX_LINE_CHARACTERS else f"{line[: _MAX_LINE_CHARACTERS - 3]}..."

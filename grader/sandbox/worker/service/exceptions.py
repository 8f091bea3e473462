"""Describes an exception of a namespace's code: its cause, its message, and its traceback in that code."""

import builtins
import inspect
import re
import traceback
from typing import Any

from grader.sandbox.protocol.messages import (
    MAX_DETAIL_CHARS,
    MAX_MESSAGE_CHARS,
    MAX_TRACEBACK_LINES,
    Cause,
    Raised,
    TracebackLine,
    name_from,
)

OPERATOR_BANNED = "Operator switched off: "


def raised(
    number: int,
    error: BaseException,
    own_files: frozenset[str],
    target: object = None,
    args: object = (),
    kwargs: object = None,
) -> Raised:
    """Describe an exception of the student's code. `target`, `args` and `kwargs` are the call, if it was one."""
    if isinstance(error, SyntaxError) and error.filename in own_files:
        lines: tuple[TracebackLine, ...] = (_line(error.filename, error.lineno, "", error.text),)
        cause: Cause = "syntax"
        message = error.msg
    else:
        lines = _own_lines(error, own_files)
        cause, message = _classify(error, target, args, kwargs or {}, bool(lines))
    return Raised(
        number=number,
        cause=cause,
        type_name=name_from(type(error).__name__),
        message=message[:MAX_MESSAGE_CHARS],
        traceback=lines,
    )


def _own_lines(error: BaseException, own_files: frozenset[str]) -> tuple[TracebackLine, ...]:
    """Return the innermost frames of a traceback that are in `own_files`, outermost first."""
    frames = traceback.extract_tb(error.__traceback__)
    own = [_line(f.filename, f.lineno, f.name, f.line) for f in frames if f.filename in own_files]
    return tuple(own[-MAX_TRACEBACK_LINES:])


def _line(path: str, line: int | None, function: str, text: str | None) -> TracebackLine:
    shown = (text or "").rstrip()[:MAX_DETAIL_CHARS]
    return TracebackLine(
        path=path[:MAX_DETAIL_CHARS], line=line or 0, function=name_from(function), text=shown
    )


def _classify(
    error: BaseException, target: Any, args: Any, kwargs: Any, in_own_code: bool
) -> tuple[Cause, str]:
    """Return the cause and the message of what the student's code raised."""
    message = _message(error)
    if isinstance(error, TypeError) and (sentence := _signature_sentence(target, args, kwargs)):
        return "signature", sentence
    if message.startswith(OPERATOR_BANNED):
        return "banned", message.removeprefix(OPERATOR_BANNED)
    if isinstance(error, NotImplementedError) and in_own_code and "aten::" not in message:
        return "not_implemented", message
    if isinstance(error, MemoryError) or "DefaultCPUAllocator" in message:
        return "memory", message
    if isinstance(error, SystemExit):
        return "exit", f"sys.exit({message})"
    if isinstance(error, PermissionError):
        return "refused", message
    return "raised", message


def _message(error: BaseException) -> str:
    try:
        return builtins.str(error)
    except BaseException:  # noqa: BLE001 - a student's __str__ may raise anything
        return "(its message cannot be shown)"


def _signature_sentence(target: Any, args: Any, kwargs: Any) -> str:
    """Return a sentence if the arguments do not fit the signature, else ""."""
    try:
        signature = inspect.signature(target)
    except (TypeError, ValueError):
        return ""
    try:
        signature.bind(*args, **kwargs)
    except TypeError as error:
        name = getattr(target, "__name__", type(target).__name__)
        return f"`{name}{signature}` cannot be called like this: {error}.{_signature_advice(str(error))}"
    return ""


def _signature_advice(problem: str) -> str:
    """Return what to change in the signature of a function that its arguments do not fit."""
    parameter = re.search(r"'(\w+)'$", problem)
    if parameter and "unexpected keyword" in problem:
        return f" Give it a parameter `{parameter[1]}`, as the stub has it."
    if parameter and "missing a required" in problem:
        return f" Give `{parameter[1]}` the default it has in the stub."
    return " Take the parameters of the stub, with their defaults." if "too many" in problem else ""

"""Describes an exception of a namespace's code: its cause, its message, and its traceback in that code."""

import ast
import builtins
import inspect
import linecache
import re
import traceback
from itertools import islice
from types import TracebackType
from typing import Any

from grader.sandbox.protocol.messages import (
    MAX_DETAIL_CHARS,
    MAX_MESSAGE_CHARS,
    MAX_TRACEBACK_LINES,
    Cause,
    Raised,
    TracebackLine,
    line_from,
    name_from,
    text_from,
    type_name,
)
from grader.sandbox.worker.service.plain_sentences import plain_sentence, unreadable_line

OPERATOR_BANNED = "Operator switched off: "  # then comes the operator's name
_SWITCHED_OFF = (
    "switched off in this exercise, which is about writing it by hand. Build it from simpler operations."
)
_UNREADABLE = "(its message cannot be shown)"


def raised(
    number: int,
    error: BaseException,
    own_files: frozenset[str],
    target: object = None,
    args: object = (),
    kwargs: object = None,
) -> Raised:
    """Describe an exception of the student's code. `target`, `args` and `kwargs` are the call, if it was one.

    Its attributes may hold anything, and raise when they are read: what cannot be described is left out.
    """
    try:
        cause, message, lines = _described(error, own_files, target, args, kwargs or {})
    except BaseException:  # noqa: BLE001 - a false __class__, a loader that is asked for a line, ...
        cause, message, lines = "raised", _UNREADABLE, ()
    return Raised(
        number=number,
        cause=cause,
        type_name=type_name(error),
        message=text_from(message, MAX_MESSAGE_CHARS),
        traceback=lines,
    )


def _described(
    error: BaseException, own_files: frozenset[str], target: object, args: object, kwargs: object
) -> tuple[Cause, str, tuple[TracebackLine, ...]]:
    if isinstance(error, SyntaxError) and isinstance(error.filename, str) and error.filename in own_files:
        line = linecache.getline(error.filename, error.lineno or 0) or error.text or ""
        found = unreadable_line(line, linecache.getlines(error.filename))
        lines: tuple[TracebackLine, ...] = (_line(error.filename, error.lineno, "", line),)
        return ("explained", found, lines) if found else ("syntax", error.msg, lines)
    lines = _own_lines(error, own_files)
    if found := plain_sentence(error):
        return "explained", found, lines
    cause, message = _classify(error, target, args, kwargs, bool(lines))
    if cause == "banned":
        message = _refused(message, _callee(error.__traceback__, own_files))
    return cause, message, lines


def _own_lines(error: BaseException, own_files: frozenset[str]) -> tuple[TracebackLine, ...]:
    """Return the innermost frames of a traceback that are in `own_files`, outermost first."""
    frames = traceback.extract_tb(error.__traceback__)
    own = [_line(f.filename, f.lineno, f.name, f.line) for f in frames if f.filename in own_files]
    return tuple(own[-MAX_TRACEBACK_LINES:])


def _line(path: str, line: object, function: str, text: object) -> TracebackLine:
    return TracebackLine(
        path=text_from(path, MAX_DETAIL_CHARS),
        line=line_from(line),
        function=name_from(function),
        text=text_from(text, MAX_DETAIL_CHARS).rstrip(),
    )


def _refused(operator: str, callee: str) -> str:
    """Return the sentence on an operator that is switched off. It names what the student wrote, where that is known."""
    if callee and callee.rpartition(".")[2].rstrip("_") != operator.rpartition("::")[2].rstrip("_"):
        return f"`{callee}` runs torch's own `{operator}`, and that is {_SWITCHED_OFF}"
    return f"torch's own `{callee or operator}` is {_SWITCHED_OFF}"


def _callee(trace: TracebackType | None, own_files: frozenset[str]) -> str:
    """Return what the innermost line of `own_files` calls, as it is written there: `F.pad`; "" if unknown."""
    own = None
    while trace is not None:
        own = trace if trace.tb_frame.f_code.co_filename in own_files else own
        trace = trace.tb_next
    if own is None:
        return ""
    code = own.tb_frame.f_code
    place = next(islice(code.co_positions(), own.tb_lasti // 2, None), (None,) * 4)
    first, last, start, end = place
    if first is None or last is None or start is None or end is None:
        return ""
    lines = [line.encode() for line in linecache.getlines(code.co_filename)[first - 1 : last]]
    if not lines:
        return ""
    lines[-1] = lines[-1][:end]
    lines[0] = lines[0][start:]
    try:
        written = ast.parse(b"(" + b"".join(lines) + b")", mode="eval").body
    except (SyntaxError, ValueError):
        return ""
    called: ast.expr | None = written.func if isinstance(written, ast.Call) else None
    if isinstance(called, ast.Call):  # nn.ZeroPad2d(1)(x)
        called = called.func
    return name_from(ast.unparse(called)) if isinstance(called, (ast.Name, ast.Attribute)) else ""


def _classify(
    error: BaseException, target: Any, args: Any, kwargs: Any, in_own_code: bool
) -> tuple[Cause, str]:
    """Return the cause and the message of what the student's code raised."""
    message = _message(error)
    if isinstance(error, TypeError) and (sentence := _signature_sentence(target, args, kwargs)):
        return "signature", sentence
    if message.startswith(OPERATOR_BANNED) and (sentence := message.removeprefix(OPERATOR_BANNED).strip()):
        return "banned", sentence
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
        return _UNREADABLE


def _signature_sentence(target: Any, args: Any, kwargs: Any) -> str:
    """Return a sentence if the arguments do not fit the signature, else ""."""
    try:
        signature = inspect.signature(target)
    except Exception:  # noqa: BLE001 - a student's __signature__ may raise anything
        return ""
    try:
        signature.bind(*args, **kwargs)
    except TypeError as error:
        name = name_from(getattr(target, "__name__", type_name(target)))
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

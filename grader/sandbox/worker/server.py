"""The worker's loop: one Load, then calls, until the grader closes the connection."""

import builtins
import contextlib
import sys
from types import ModuleType
from typing import NoReturn

import torch

from grader.sandbox.protocol.frames import Channel, Closed
from grader.sandbox.protocol.messages import (
    MAX_NAMES,
    Cause,
    Load,
    Loaded,
    Question,
    Raised,
    Reply,
    decode_request,
    encode,
    name_from,
    with_sources,
)
from grader.sandbox.worker.global_state import GlobalState, default_device
from grader.sandbox.worker.importer import MemoryFinder
from grader.sandbox.worker.service import Service, seed_everything
from grader.sandbox.worker.service.exceptions import raised

_FIXTURES = "fixtures.py"


def prepare() -> None:
    """Replace functions that no worker may have; before workers are forked.

    Setting an attribute of nn.Module changes the pages of all its subclasses, which a fork would have to copy.
    """
    builtins.input = _no_input
    _leave_uncompiled()


def serve(channel: Channel) -> None:
    """Send a first frame, then answer requests until the channel is closed.

    The first frame is sent before any student code is loaded: a failure before it is an error in the grader.
    """
    channel.send(encode(Loaded(names=())))
    service = Service({})
    with contextlib.suppress(Closed):
        while True:
            header, payload = channel.receive()
            request = decode_request(header)
            if isinstance(request, Load):
                torch.set_num_threads(request.threads)
                service, reply = load(with_sources(request, payload), GlobalState())
                channel.send(encode(reply))
            else:
                channel.send(*_answer(service, request, payload))


def _answer(service: Service, request: Question, payload: bytearray) -> tuple[bytes, bytes]:
    """Return the frame that answers a request, even if the student's objects raise while they are described."""
    try:
        with torch.inference_mode(
            False
        ):  # which a module may have switched on, and nothing else switches off
            reply, data = service.answer(request, payload)
        header = encode(reply)
    except MemoryError:
        data, header = b"", _failed(request, "memory", "MemoryError")
    except BaseException:  # noqa: BLE001 - an object with a forged __class__ or the like may raise anything
        data, header = b"", _failed(request, "raised", "an exception")
    _flush()
    return header, data


def _failed(request: Question, cause: Cause, type_name: str) -> bytes:
    message = "what was returned or raised cannot be described"
    return encode(Raised(number=request.number, cause=cause, type_name=type_name, message=message))


def load(request: Load, state: GlobalState) -> tuple[Service, Reply]:
    """Import the student's module and the fixtures; return the service on them and the reply."""
    finder = MemoryFinder(request.sources, request.root)
    finder.install()
    fixtures: dict[str, object] = {}
    _hide_host(f"{request.root}{request.module}.py")
    seed_everything()
    try:
        if request.fixtures:
            exec(compile(request.fixtures, _FIXTURES, "exec", dont_inherit=True), fixtures)  # noqa: S102 - the course's own
        module = finder.load(request.module)
        if default_device() != "cpu":
            return Service({}), _without_device()
        state.put_back()
        namespace = vars(module)  # which the module may have replaced, with code that raises
        names = tuple(name_from(n) for n in list(namespace) if type(n) is str and not n.startswith("_"))
    except BaseException as error:  # noqa: BLE001 - the student's module may raise anything at all
        return Service({}), _without_device() if default_device() != "cpu" else raised(0, error, finder.files)
    service = Service(namespace, fixtures, own_files=finder.files, settle=state.put_back)
    return service, Loaded(names=names[:MAX_NAMES])


def _hide_host(path: str) -> None:
    """Make this process look as if Python had been started with the student's file, and as nothing else."""
    sys.argv[:] = [path]
    sys.orig_argv[:] = ["python", path]
    main = ModuleType("__main__")
    main.__file__ = path
    sys.modules["__main__"] = main


def _leave_uncompiled() -> None:
    """Have torch.compile return what it is given: its compiler starts programs, and gives the same results later."""

    def compile(model: object = None, **_: object) -> object:  # noqa: A001 - torch's own name
        return (lambda given: given) if model is None else model

    torch.compile = compile  # type: ignore[assignment]
    torch.nn.Module.compile = lambda *_, **__: None  # type: ignore[method-assign]


def _without_device() -> Raised:
    """Say what to write instead of a default device that is not here."""
    device = default_device()
    test = {"mps": "torch.backends.mps"}.get(device, f"torch.{device}")
    advice = "leave it at the CPU"
    if device not in ("meta", "cpu"):
        advice = f'there is none here: write device = "{device}" if {test}.is_available() else "cpu"'
    message = f"Your file makes {device} the default device; {advice}."
    return Raised(number=0, cause="device", type_name="RuntimeError", message=message)


def _no_input(_prompt: object = "", /) -> NoReturn:
    """Replace input(): there is no terminal to read from."""
    raise RuntimeError(
        "input() was called, but there is no keyboard to read from while your code is graded. Remove it."
    )


def _flush() -> None:
    for name in ("stdout", "stderr"):
        # The student's code may have closed, replaced or deleted the stream: what it buffered is lost.
        with contextlib.suppress(BaseException):
            getattr(sys, name).flush()

"""The worker's loop: one Load, then calls, until the grader closes the connection."""

import builtins
import contextlib
import sys
from typing import NoReturn

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
from grader.sandbox.worker.importer import MemoryFinder
from grader.sandbox.worker.service import Service, seed_everything
from grader.sandbox.worker.service.exceptions import raised

_FIXTURES = "fixtures.py"


def serve(channel: Channel) -> None:
    """Send a first frame, then answer requests until the channel is closed.

    The first frame is sent before any student code is loaded: a failure before it is an error in the grader.
    """
    channel.send(encode(Loaded(names=())))
    builtins.input = _no_input
    service = Service({})
    with contextlib.suppress(Closed):
        while True:
            header, payload = channel.receive()
            request = decode_request(header)
            if isinstance(request, Load):
                service, reply = load(with_sources(request, payload))
                channel.send(encode(reply))
            else:
                channel.send(*_answer(service, request, payload))


def _answer(service: Service, request: Question, payload: bytearray) -> tuple[bytes, bytes]:
    """Return the frame that answers a request, even if the student's objects raise while they are described."""
    try:
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


def load(request: Load) -> tuple[Service, Reply]:
    """Import the student's module and the fixtures; return the service on them and the reply."""
    finder = MemoryFinder(request.sources, request.root)
    sys.meta_path.append(finder)
    fixtures: dict[str, object] = {}
    seed_everything()
    try:
        if request.fixtures:
            exec(compile(request.fixtures, _FIXTURES, "exec", dont_inherit=True), fixtures)  # noqa: S102 - the course's own
        module = finder.load(request.module)
    except BaseException as error:  # noqa: BLE001 - the student's module may raise anything at all
        return Service({}), raised(0, error, finder.files)
    names = tuple(name_from(n) for n in vars(module) if isinstance(n, str) and not n.startswith("_"))
    return Service(vars(module), fixtures, own_files=finder.files), Loaded(names=names[:MAX_NAMES])


def _no_input(_prompt: object = "", /) -> NoReturn:
    """Replace input(): there is no terminal to read from."""
    raise RuntimeError(
        "input() was called, but there is no keyboard to read from while your code is graded. Remove it."
    )


def _flush() -> None:
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except (OSError, ValueError, AttributeError):
            continue  # the student's code closed or replaced the stream: what it buffered is lost

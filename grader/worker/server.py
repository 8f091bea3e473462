"""The worker's loop: one Load, then calls, until the grader closes the connection."""

import builtins
import sys
from typing import NoReturn

from grader.service import Service, seed_everything
from grader.service.failures import raised
from grader.wire.frames import Channel, Closed
from grader.wire.messages import Load, Loaded, Reply, decode_request, encode
from grader.worker.importer import MemoryFinder

_FIXTURES = "fixtures.py"


def serve(channel: Channel) -> None:
    """Say that the worker is up, and answer requests until the channel closes.

    The first frame goes out before anything of the student's is loaded: what fails before it is our own fault.
    """
    channel.send(encode(Loaded(names=())))
    builtins.input = _no_input
    service = Service({})
    while True:
        try:
            header, payload = channel.receive()
        except Closed:
            return
        request = decode_request(header)
        if isinstance(request, Load):
            service, reply = load(request)
            data = b""
        else:
            reply, data = service.answer(request, payload)
        _flush()
        channel.send(encode(reply), data)


def load(request: Load) -> tuple[Service, Reply]:
    """Import the student's module and the fixtures; return the service on them and what to tell the grader."""
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
    names = tuple(name for name in vars(module) if not name.startswith("_"))
    return Service(vars(module), fixtures, own_files=finder.files), Loaded(names=names[:1000])


def _no_input(_prompt: object = "", /) -> NoReturn:
    """Stand in for input(): nobody is there to answer."""
    raise RuntimeError(
        "input() was called, but nobody is there to answer while your code is graded. Remove it."
    )


def _flush() -> None:
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except (OSError, ValueError, AttributeError):
            continue  # the student closed or replaced it: what they printed is theirs to lose

"""A command's side: finds the standby process of this installation, or starts it, and connects to it."""

import contextlib
import fcntl
import os
import socket
import sys
from collections.abc import Iterator
from pathlib import Path

import msgspec

from grader.grading import free_memory
from grader.grading.standby.messages import MAX_BYTES, Reply, Request, is_same_user
from grader.grading.standby.place import SUFFIX, folder, name
from grader.grading.starters import ForkingStarter
from grader.sandbox.protocol.orders import Ready
from grader.sandbox.spawned import clean_environment

_START_LIMIT_S = 120.0
_ANSWER_S = 5.0  # in which a process that runs answers what is not a request to grade
_LOCK = "starting"


class StandbyStarter(ForkingStarter):
    """Has grading processes forked from a warm process that stays behind when this command ends.

    As long as the connection is open, that process does not end by itself.
    """

    def __init__(self, connection: socket.socket, reply: Reply, control: socket.socket, errors: int) -> None:
        super().__init__(control, errors)
        self._connection, self._reply = connection, reply

    def ready(self) -> Ready:
        """Return what was reported when it was warm."""
        return self._reply.ready

    def stop(self) -> None:
        """Leave it; what it still grades for this command ends, as its channel closes."""
        if self._control.fileno() >= 0:
            self._control.close()
            os.close(self._errors)
            self._connection.close()


def connect(max_level: int) -> StandbyStarter | None:
    """Connect to the standby process of this installation, which is started where there is none.

    Returns None where there can be none, for any reason: the caller then starts a warm process of its own.
    """
    place = folder()
    if place is None:
        return None
    path = place / name(max_level)
    with contextlib.suppress(OSError, ValueError, msgspec.MsgspecError):
        connection = _reached(path) or _started(path, max_level)
        return _asked(connection) if connection is not None else None
    return None


def _reached(path: Path) -> socket.socket | None:
    """Return a connection to a process that runs; None where there is none."""
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    try:
        connection.connect(str(path))
        if is_same_user(connection):
            return connection
    except OSError:
        pass  # no file, or none that listens
    connection.close()
    return None


def _started(path: Path, max_level: int) -> socket.socket | None:
    """Start a standby process and return a connection to it; of two commands that try, one starts it."""
    if free_memory.is_short():
        return None
    with _locked(path.with_name(_LOCK)):
        if (connection := _reached(path)) is not None:
            return connection
        path.unlink(missing_ok=True)
        with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as listener:
            listener.bind(str(path))
            listener.listen(16)
            descriptor = listener.fileno()
            os.set_inheritable(descriptor, True)
            null = os.open(os.devnull, os.O_RDWR)
            module = "grader.grading.standby"
            try:
                # Not by subprocess, which would wait for it, or warn that nothing did.
                os.posix_spawn(
                    sys.executable,
                    [sys.executable, "-P", "-m", module, str(path), str(descriptor), str(max_level)],
                    clean_environment(),
                    file_actions=[(os.POSIX_SPAWN_DUP2, null, number) for number in (0, 1, 2)],
                    setsid=True,  # so that neither Ctrl-C nor a closed terminal ends it
                )
            finally:
                os.close(null)
            return _reached(path)  # it listens already, and answers when it is warm


@contextlib.contextmanager
def _locked(path: Path) -> Iterator[None]:
    """Hold a lock that ends with this process."""
    descriptor = os.open(path, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _asked(connection: socket.socket) -> StandbyStarter | None:
    """Ask to grade; return None where the process ended before it was warm."""
    connection.settimeout(_START_LIMIT_S)
    try:
        connection.send(_encoded("grade"))
        data, descriptors, _, _ = socket.recv_fds(connection, MAX_BYTES, 2)
    except OSError:
        connection.close()
        return None
    if len(descriptors) != 2:
        for descriptor in descriptors:
            os.close(descriptor)
        connection.close()
        return None
    control = socket.socket(fileno=descriptors[0])
    reply = msgspec.msgpack.decode(data, type=Reply)
    return StandbyStarter(connection, reply, control, descriptors[1])


def _encoded(request: Request) -> bytes:
    return request.encode()


def listed() -> list[tuple[Path, Reply]]:
    """Return the standby processes of this user that answer, of all installations, each with its socket."""
    found = []
    for path in _sockets():
        if (reply := _answer(path, "state")) is not None:
            found.append((path, reply))
    return found


def end() -> int:
    """End the standby processes of this user; return how many there were. A grading that uses one is not finished."""
    return sum(_answer(path, "end") is not None for path in _sockets())


def _sockets() -> list[Path]:
    place = folder()
    return sorted(place.glob(f"*{SUFFIX}")) if place is not None else []


def _answer(path: Path, request: Request) -> Reply | None:
    connection = _reached(path)
    if connection is None:
        return None
    with connection, contextlib.suppress(OSError, msgspec.MsgspecError):
        connection.settimeout(_ANSWER_S)
        connection.send(_encoded(request))
        return msgspec.msgpack.decode(connection.recv(MAX_BYTES), type=Reply)
    return None

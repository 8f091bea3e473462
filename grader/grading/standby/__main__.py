"""Entry of a standby process: `python -P -m grader.grading.standby PATH LISTENER MAX_LEVEL`.

It imports no torch itself. It starts a warm process, and gives every command of its user the socket to that.
"""

import contextlib
import os
import select
import socket
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path

import msgspec

from grader.core.errors import InternalError
from grader.grading import free_memory
from grader.grading.standby.messages import MAX_BYTES, Reply, is_same_user
from grader.grading.standby.place import IDLE_S
from grader.grading.starters import ZygoteStarter
from grader.sandbox.protocol.orders import Ready
from grader.sandbox.worker.linux import name_process

LOOK_S = 5.0  # how often it looks whether it should end
REQUEST_S = 2.0  # in which a command that has connected sends its request


@dataclass(slots=True)
class _StandbyService:
    """Serves commands until it is idle for too long, asked to end, or of no use."""

    path: Path
    listener: socket.socket
    starter: ZygoteStarter
    ready: Ready
    idle_s: float
    _clients: dict[int, socket.socket] = field(default_factory=dict)
    _poller: select.poll = field(default_factory=select.poll)
    _last_use: float = field(default_factory=time.monotonic)
    _commands: int = 0

    def run(self) -> None:
        """Serve commands until it is time to end."""
        self._poller.register(self.listener, select.POLLIN)
        while self._is_wanted():
            for descriptor, _ in self._poller.poll(1000 * min(LOOK_S, self.idle_s)):
                if descriptor == self.listener.fileno():
                    if not self._accept():
                        return
                else:
                    self._drop(descriptor)  # a command sends nothing after its request: it has ended

    def _is_wanted(self) -> bool:
        if not self.starter.is_alive() or not self._is_found():
            return bool(self._clients)
        if self._clients:
            return True
        return time.monotonic() - self._last_use < self.idle_s and not free_memory.is_short()

    def _is_found(self) -> bool:
        """Tell whether the path still leads to this process."""
        with contextlib.suppress(OSError):
            return self.path.is_socket()
        return False

    def _accept(self) -> bool:
        """Serve the request of a command; return False where it is to end."""
        connection, _ = self.listener.accept()
        with contextlib.ExitStack() as closing:
            closing.callback(connection.close)
            if not is_same_user(connection):
                return True
            connection.settimeout(REQUEST_S)
            try:
                request = connection.recv(MAX_BYTES).decode("ascii", "replace")
                descriptors = self.starter.descriptors() if request == "grade" else []
                reply = Reply(
                    ready=self.ready,
                    process=os.getpid(),
                    idle_s=0.0 if self._clients else time.monotonic() - self._last_use,
                    commands=self._commands,
                )
                socket.send_fds(connection, [msgspec.msgpack.encode(reply)], descriptors)
            except OSError:
                return True  # it has ended
            if request == "grade":
                self._commands += 1
                closing.pop_all()
                self._clients[connection.fileno()] = connection
                self._poller.register(connection, select.POLLIN)
            return request != "end"

    def _drop(self, descriptor: int) -> None:
        self._poller.unregister(descriptor)
        self._clients.pop(descriptor).close()
        self._last_use = time.monotonic()


def main(path: Path, listener: socket.socket, max_level: int, idle_s: float) -> None:
    """Start a warm process, and serve. Commands that connect meanwhile wait."""
    name_process("grade standby")
    os.chdir("/")
    with contextlib.suppress(InternalError), contextlib.closing(listener):
        starter = ZygoteStarter(max_level, many=False)
        try:
            _StandbyService(path, listener, starter, starter.ready(), idle_s).run()
        finally:
            starter.stop()
            with contextlib.suppress(OSError):
                path.unlink()


if __name__ == "__main__":
    main(
        Path(sys.argv[1]),
        socket.socket(fileno=int(sys.argv[2])),
        int(sys.argv[3]),
        float(sys.argv[4]) if len(sys.argv) > 4 else IDLE_S,
    )

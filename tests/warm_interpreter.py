"""Grading processes of level 0 forked from one interpreter that has imported torch and the engine already.

At level 0 the dispatcher spawns an interpreter for the trusted side of each exercise, and that spawns one for the student's
code. Only the second must be fresh: no student code runs on the trusted side. Sharing the first halves the time of a case.
"""

import os
import signal
import socket
import subprocess
import sys
from typing import Self

from grader.grading.messages import Job
from grader.sandbox.protocol.frames import Channel, SocketChannel
from grader.sandbox.supervisor import clean_environment


class WarmInterpreter:
    """The warm interpreter. Leaving the context ends it."""

    def __enter__(self) -> Self:
        self._control, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            self._process = subprocess.Popen(
                [sys.executable, "-P", __file__, str(theirs.fileno())],
                stdin=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                cwd="/",
                env=clean_environment(),
                pass_fds=[theirs.fileno()],
            )
        assert self._control.recv(1) == b"R"
        return self

    def __exit__(self, *error: object) -> None:
        self._control.close()
        self._process.wait()

    def open(self, job: Job, slot: int) -> Channel:
        """Fork a grading process and return the channel to it: what the dispatcher calls to start one."""
        del job, slot
        ours, theirs = socket.socketpair()
        with theirs:
            socket.send_fds(self._control, [b"J"], [theirs.fileno()])
        return SocketChannel(ours)


def main() -> None:
    """Fork a grading process for each connection that arrives, until the control socket is closed."""
    from grader.grading.engine.grading_process import run_spawned

    control = socket.socket(fileno=int(sys.argv[1]))
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # the kernel reaps the grading processes
    control.send(b"R")
    while True:
        data, descriptors, _, _ = socket.recv_fds(control, 1, 1)
        if not data:
            return
        if os.fork() == 0:
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)  # it waits for its workers
            control.close()
            channel = SocketChannel(socket.socket(fileno=descriptors[0]))
            run_spawned(channel, channel.receive()[1])
            os._exit(0)
        os.close(descriptors[0])


if __name__ == "__main__":
    main()

"""Processes of level 0 forked from interpreters that have imported torch already.

At level 0 the dispatcher spawns an interpreter for the trusted side of each exercise, and that spawns one for the student's
code. Importing torch is most of the time of both. Here both are forked: the first from an interpreter with the engine, the
second from one that has imported what a worker imports and nothing of a course, as a fresh one would.
"""

import os
import select
import signal
import socket
import subprocess
import sys
import traceback
from typing import NoReturn, Self

from grader.grading.messages import Job
from grader.sandbox.protocol.frames import Channel, SocketChannel
from grader.sandbox.spawned import clean_environment


class WarmInterpreter:
    """The two warm interpreters. Leaving the context ends them."""

    def __init__(self, *, warm_workers: bool) -> None:
        """Fork workers too only with `warm_workers`; else the grading processes spawn theirs as they always do."""
        self._warm_workers = warm_workers

    def __enter__(self) -> Self:
        self._workers, to_workers = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._control, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with to_workers, theirs:
            self._processes = [_start("grading", theirs, *[to_workers][: self._warm_workers])]
            if self._warm_workers:
                self._processes.append(_start("workers", self._workers))
        self._workers.close()
        assert self._control.recv(1) == b"R"
        return self

    def __exit__(self, *error: object) -> None:
        self._control.close()
        for process in self._processes:  # the second ends when the first has closed its end
            process.wait()

    def open(self, job: Job, slot: int) -> Channel:
        """Fork a grading process and return the channel to it: what the dispatcher calls to start one."""
        del job, slot
        ours, theirs = socket.socketpair()
        with theirs:
            socket.send_fds(self._control, [b"J"], [theirs.fileno()])
        return SocketChannel(ours)


def _start(what: str, *ends: socket.socket) -> "subprocess.Popen[bytes]":
    descriptors = [end.fileno() for end in ends]
    return subprocess.Popen(
        [sys.executable, "-P", __file__, what, *map(str, descriptors)],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        cwd="/",
        env=clean_environment(),
        pass_fds=descriptors,
    )


# --- the trusted side


def fork_grading_processes(control: socket.socket, workers: socket.socket | None) -> None:
    """Fork a grading process for each connection that arrives, until the control socket is closed."""
    from grader.grading.engine.grading_process import run_spawned
    from grader.sandbox import spawned

    if workers:
        spawned.spawn = lambda _, stderr: _ForkedWorker(workers, stderr)
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
            run_spawned(channel, channel.receive()[1], [])
            os._exit(0)
        os.close(descriptors[0])


class _ForkedWorker:
    """A worker with what the supervisor uses of subprocess.Popen: its child tells how it ended through a socket."""

    def __init__(self, workers: socket.socket, stderr: int) -> None:
        assert stderr == subprocess.PIPE
        reading, stdin = os.pipe()
        stdout, writing = os.pipe()
        printed, printing = os.pipe()
        self._status, theirs = socket.socketpair()
        with theirs:
            socket.send_fds(workers, [b"W"], [reading, writing, printing, theirs.fileno()])
        for descriptor in (reading, writing, printing):
            os.close(descriptor)
        self.stdin = os.fdopen(stdin, "wb", buffering=0)
        self.stdout, self.stderr = (os.fdopen(end, "rb", buffering=0) for end in (stdout, printed))
        self.pid = int.from_bytes(self._status.recv(4), "big")
        self.returncode: int | None = None

    def poll(self) -> int | None:
        if self.returncode is None and select.select([self._status], [], [], 0)[0]:
            self.wait()
        return self.returncode

    def wait(self, timeout: float | None = None) -> int:
        if self.returncode is None:
            if not select.select([self._status], [], [], timeout)[0]:
                raise subprocess.TimeoutExpired("worker", timeout or 0)
            self.returncode = int.from_bytes(self._status.recv(4), "big", signed=True)
        return self.returncode

    def kill(self) -> None:
        if self.poll() is None:
            os.kill(self.pid, signal.SIGKILL)


# --- the side of the workers


def fork_workers(control: socket.socket) -> None:
    """Fork a process for each order that arrives; it starts the worker, and reports its process id and its end."""
    import grader.sandbox.worker.__main__ as entry
    import grader.sandbox.worker.server  # noqa: F401 - what the entry imports once it runs, with torch

    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # the kernel reaps what it forks
    while True:
        data, descriptors, _, _ = socket.recv_fds(control, 1, 4)
        if not data:
            return
        if os.fork() == 0:
            control.close()
            _watch_a_worker(descriptors[:3], socket.socket(fileno=descriptors[3]), entry.main)
        for descriptor in descriptors:
            os.close(descriptor)


def _watch_a_worker(streams: list[int], status: socket.socket, main) -> NoReturn:
    """Fork a worker, and send how it ended; end it when the grading process has ended."""
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    if (child := os.fork()) == 0:
        status.close()
        _become_worker(streams, main)
    for descriptor in streams:
        os.close(descriptor)
    status.send(child.to_bytes(4, "big"))
    poller = select.poll()
    poller.register(status, 0)  # POLLHUP is always reported
    poller.register(pidfd := os.pidfd_open(child), select.POLLIN)
    if pidfd not in dict(poller.poll()):
        os.kill(child, signal.SIGKILL)
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    try:
        status.send(code.to_bytes(4, "big", signed=True))
    finally:
        os._exit(0)


def _become_worker(streams: list[int], main) -> NoReturn:
    """Serve calls as `python -m grader.sandbox.worker` does."""
    code = 1
    try:
        os.setsid()
        for target, descriptor in enumerate(streams):
            os.dup2(descriptor, target)
        os.closerange(3, 256)
        main()
        sys.stdout.flush()
        code = 0
    except BaseException:  # noqa: BLE001 - a child must never return into its parent's loop
        traceback.print_exc()
    finally:
        sys.stderr.flush()
        os._exit(code)


if __name__ == "__main__":
    ends = [socket.socket(fileno=int(descriptor)) for descriptor in sys.argv[2:]]
    if sys.argv[1] == "workers":
        fork_workers(ends[0])
    else:
        fork_grading_processes(ends[0], *ends[1:] or [None])

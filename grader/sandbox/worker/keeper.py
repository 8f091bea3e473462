"""The keeper: forks a worker for every order, watches all of them, and reports how each ended.

There is one process for each set of banned operators, as long as the zygote runs. Operators are banned before the first
fork: banning them in each worker would be a fifth of its time. For the same reason it watches its workers itself rather
than through a process for each. It has no course content in memory and runs no student code.
"""

import os
import select
import signal
import socket
import traceback
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal

import msgspec

from grader.sandbox.protocol.orders import (
    KEPT_OUTPUT_BYTES,
    MAX_ORDER_BYTES,
    ORDER_DESCRIPTORS,
    Ending,
    ForkOrder,
    WorkerOrder,
)
from grader.sandbox.worker import linux, lockdown
from grader.sandbox.worker.process import become_worker

_orders = msgspec.msgpack.Decoder(ForkOrder)


def keep_workers(orders: socket.socket, banned: tuple[str, ...], confinement: lockdown.Confinement) -> None:
    """Carry out orders in a child of this process, the first of a PID namespace; return when it has ended.

    `banned` are the operators that are already banned in this process.
    """
    lockdown.enter_namespaces(confinement)
    child = os.fork()
    if child:
        orders.close()  # close our end, so that senders get EPIPE once the child has ended
        os.waitpid(child, 0)
        return
    linux.name_process("grade keeper")
    linux.die_with_parent()
    _Keeper(orders, banned, confinement).run()


@dataclass(slots=True, kw_only=True)
class _Worker:
    """A running worker. `pidfd`, `output_pipe` and `control` are descriptors; `process` is its process id."""

    order: WorkerOrder
    process: int
    pidfd: int
    output_pipe: int
    control: int
    output: bytearray = field(default_factory=bytearray)
    printed_bytes: int = 0
    killed_for: Literal["grader", "output_limit"] | None = None

    def kill(self, cause: Literal["grader", "output_limit"]) -> None:
        """Send it SIGKILL; the first cause is the one that is reported."""
        self.killed_for = self.killed_for or cause
        os.kill(self.process, signal.SIGKILL)

    def read(self) -> bool:
        """Read what it has printed so far; kill it beyond the output limit. Return whether there can be more."""
        while data := _read_some(self.output_pipe):
            self.printed_bytes += len(data)
            self.output += data[: max(0, KEPT_OUTPUT_BYTES - len(self.output))]
            if self.printed_bytes > self.order.output_limit_kib * 1024:
                self.kill("output_limit")
                return False
        return data is None

    def reap(self) -> Ending:
        """Wait for the process, which has ended, and return how it ended."""
        _, status, used = os.wait4(self.process, 0)
        cpu_s = used.ru_utime + used.ru_stime
        return Ending(
            cause=_cause(status, self.killed_for, out_of_time=cpu_s >= self.order.cpu_limit_s),
            exit_status=os.WEXITSTATUS(status) if os.WIFEXITED(status) else 0,
            signal=os.WTERMSIG(status) if os.WIFSIGNALED(status) else 0,
            output=bytes(self.output),
            printed_bytes=self.printed_bytes,
            cpu_s=cpu_s,
        )


class _Keeper:
    """One loop over orders and workers. `_events` maps each polled descriptor to its handler."""

    def __init__(
        self, orders: socket.socket, banned: tuple[str, ...], confinement: lockdown.Confinement
    ) -> None:
        self._orders, self._banned, self._confinement = orders, banned, confinement
        self._own_pidfd = os.pidfd_open(os.getpid())
        self._cores = sorted(os.sched_getaffinity(0))
        self._poller = select.poll()
        self._events: dict[int, Callable[[], None]] = {}

    def run(self) -> None:
        """Return when the control socket is closed and the last worker has ended."""
        signal.signal(
            signal.SIGCHLD, signal.SIG_DFL
        )  # with SIG_IGN the kernel would reap workers before wait4
        self._on(self._orders.fileno(), self._take_order)
        while self._events:
            for descriptor, _ in self._poller.poll():
                if event := self._events.get(
                    descriptor
                ):  # an earlier handler of this poll may have removed it
                    event()

    def _on(self, descriptor: int, event: Callable[[], None]) -> None:
        self._events[descriptor] = event
        self._poller.register(descriptor, select.POLLIN)

    def _off(self, descriptor: int) -> None:
        if self._events.pop(descriptor, None):
            self._poller.unregister(descriptor)

    def _take_order(self) -> None:
        data, descriptors, _, _ = socket.recv_fds(self._orders, MAX_ORDER_BYTES, ORDER_DESCRIPTORS)
        if not data:
            self._off(self._orders.fileno())
            return
        call, control = descriptors
        try:
            self._start(_orders.decode(data), call, control)
        except OSError:  # fork failed: the grader's end of this worker is closed, and the other workers go on
            traceback.print_exc()
            os.close(control)
        finally:
            os.close(call)

    def _start(self, order: ForkOrder, call: int, control: int) -> None:
        reading, writing = os.pipe()
        try:
            process = lockdown.fork_isolated(self._own_pidfd, self._confinement)
            if process == 0:
                self._become_worker(order, call, writing)
        except OSError:
            os.close(reading)
            raise
        finally:
            os.close(writing)
        os.set_blocking(reading, False)
        worker = _Worker(
            order=order.worker,
            process=process,
            pidfd=os.pidfd_open(process),
            output_pipe=reading,
            control=control,
        )
        self._on(worker.pidfd, lambda: self._finish(worker))
        self._on(worker.output_pipe, lambda: self._read(worker))
        self._on(worker.control, lambda: self._disconnected(worker))

    def _become_worker(self, order: ForkOrder, call: int, writing: int) -> None:
        worker = order.worker
        if self._banned == worker.banned_operators:
            worker = msgspec.structs.replace(worker, banned_operators=())
        core = self._cores[order.slot % len(self._cores)]
        become_worker(worker, call, writing, core, self._confinement)

    def _read(self, worker: _Worker) -> None:
        if not worker.read():
            self._off(worker.output_pipe)  # it was killed, or closed its output, which it may

    def _disconnected(self, worker: _Worker) -> None:
        self._off(worker.control)
        worker.kill("grader")

    def _finish(self, worker: _Worker) -> None:
        if worker.killed_for != "output_limit":
            worker.read()
        for descriptor in (worker.pidfd, worker.output_pipe, worker.control):
            self._off(descriptor)
        _report(worker.control, worker.reap())
        for descriptor in (worker.pidfd, worker.output_pipe, worker.control):
            os.close(descriptor)


def _report(control: int, ending: Ending) -> None:
    """Send the grader how a worker ended. The socket is unused so far, so the message fits into its buffer."""
    os.set_blocking(control, False)
    try:
        os.write(control, msgspec.msgpack.encode(ending))
    except BrokenPipeError:
        return  # the grading process has ended


def _cause(
    status: int, killed_for: Literal["grader", "output_limit"] | None, *, out_of_time: bool
) -> Literal["itself", "grader", "output_limit", "cpu_limit", "outside"]:
    """Return the cause of a worker's end. Under seccomp a worker cannot send itself SIGKILL."""
    if not (os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL):
        return "output_limit" if killed_for == "output_limit" else "itself"
    if killed_for:
        return killed_for
    return "cpu_limit" if out_of_time else "outside"


def _read_some(descriptor: int) -> bytes | None:
    """Return what can be read without blocking: b"" at the end of the file, None when there is nothing yet."""
    try:
        return os.read(descriptor, 65536)
    except BlockingIOError:
        return None

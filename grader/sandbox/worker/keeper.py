"""Keeps workers: forks one for every order, watches all of them, and tells how each ended.

One process for each set of banned operators, for as long as the warm process lives. It bans them before the first fork,
since banning them anew would take a fifth of a worker's time; for the same reason it watches its workers itself rather
than through a process for each. It holds nothing of a course and runs nothing of a submission.
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

from grader.sandbox.protocol.orders import DESCRIPTORS, MAX_ORDER_BYTES, Ending, ForkOrder, WorkerOrder
from grader.sandbox.worker import linux, lockdown
from grader.sandbox.worker.process import become_worker

KEPT_OUTPUT_BYTES = 64 * 1024

_orders = msgspec.msgpack.Decoder(ForkOrder)


def keep_workers(orders: socket.socket, banned: tuple[str, ...], confinement: lockdown.Confinement) -> None:
    """Carry out orders in a child of this process, the first of a process space; return when it has ended.

    `banned` are the operators that are banned in this process already.
    """
    lockdown.enter_namespaces(confinement)
    child = os.fork()
    if child:
        orders.close()  # whoever sends us orders shall see that nobody is left to take them
        os.waitpid(child, 0)
        return
    linux.name_process("grade keeper")
    linux.die_with_parent()
    _Keeper(orders, banned, confinement).run()


@dataclass(slots=True, kw_only=True)
class _Worker:
    """A worker that runs, and what is known of it. `ended`, `printed_by` and `control` are descriptors."""

    order: WorkerOrder
    process: int
    ended: int
    printed_by: int
    control: int
    output: bytearray = field(default_factory=bytearray)
    printed_bytes: int = 0
    killed_for: Literal["grader", "output_limit"] | None = None

    def kill(self, cause: Literal["grader", "output_limit"]) -> None:
        """Kill it; the first cause is what is told."""
        self.killed_for = self.killed_for or cause
        os.kill(self.process, signal.SIGKILL)

    def read(self) -> bool:
        """Read what it has printed so far, and kill it where that floods. Tell whether there can be more."""
        while data := _read_some(self.printed_by):
            self.printed_bytes += len(data)
            self.output += data[: max(0, KEPT_OUTPUT_BYTES - len(self.output))]
            if self.printed_bytes > self.order.output_limit_kib * 1024:
                self.kill("output_limit")
                return False
        return data is None

    def bury(self) -> Ending:
        """Let the process go, which has ended, and tell how."""
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
    """One loop over orders and workers. What happens on each descriptor is looked up in `_events`."""

    def __init__(
        self, orders: socket.socket, banned: tuple[str, ...], confinement: lockdown.Confinement
    ) -> None:
        self._orders, self._banned, self._confinement = orders, banned, confinement
        self._home = os.pidfd_open(os.getpid())
        self._cores = sorted(os.sched_getaffinity(0))
        self._poller = select.poll()
        self._events: dict[int, Callable[[], None]] = {}

    def run(self) -> None:
        """Return when nobody is left who could send an order, and the last worker has ended."""
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)  # workers are waited for
        self._on(self._orders.fileno(), self._take_order)
        while self._events:
            for descriptor, _ in self._poller.poll():
                if event := self._events.get(descriptor):  # else it was let go a moment ago
                    event()

    def _on(self, descriptor: int, event: Callable[[], None]) -> None:
        self._events[descriptor] = event
        self._poller.register(descriptor, select.POLLIN)

    def _off(self, descriptor: int) -> None:
        if self._events.pop(descriptor, None):
            self._poller.unregister(descriptor)

    def _take_order(self) -> None:
        data, descriptors, _, _ = socket.recv_fds(self._orders, MAX_ORDER_BYTES, DESCRIPTORS)
        if not data:
            self._off(self._orders.fileno())
            return
        call, control = descriptors
        try:
            self._start(_orders.decode(data), call, control)
        except OSError:  # no process to be had: the grader sees its connections close, and the others go on
            traceback.print_exc()
            os.close(control)
        finally:
            os.close(call)

    def _start(self, order: ForkOrder, call: int, control: int) -> None:
        reading, writing = os.pipe()
        try:
            process = lockdown.fork_alone(self._home, self._confinement)
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
            ended=os.pidfd_open(process),
            printed_by=reading,
            control=control,
        )
        self._on(worker.ended, lambda: self._finish(worker))
        self._on(worker.printed_by, lambda: self._read(worker))
        self._on(worker.control, lambda: self._hang_up(worker))

    def _become_worker(self, order: ForkOrder, call: int, writing: int) -> None:
        worker = order.worker
        if self._banned == worker.banned_operators:
            worker = msgspec.structs.replace(worker, banned_operators=())
        core = self._cores[order.slot % len(self._cores)]
        become_worker(worker, call, writing, core, self._confinement)

    def _read(self, worker: _Worker) -> None:
        if not worker.read():
            self._off(worker.printed_by)  # it is being killed, or closed its output, which it may

    def _hang_up(self, worker: _Worker) -> None:
        self._off(worker.control)
        worker.kill("grader")

    def _finish(self, worker: _Worker) -> None:
        if worker.killed_for != "output_limit":
            worker.read()
        for descriptor in (worker.ended, worker.printed_by, worker.control):
            self._off(descriptor)
        _tell(worker.control, worker.bury())
        for descriptor in (worker.ended, worker.printed_by, worker.control):
            os.close(descriptor)


def _tell(control: int, ending: Ending) -> None:
    """Tell the grader, if it is still there. The one message that is sent here fits into the connection's buffer."""
    os.set_blocking(control, False)
    try:
        os.write(control, msgspec.msgpack.encode(ending))
    except BrokenPipeError:
        return  # it is gone; so is everybody who could read this


def _cause(
    status: int, killed_for: Literal["grader", "output_limit"] | None, *, out_of_time: bool
) -> Literal["itself", "grader", "output_limit", "cpu_limit", "outside"]:
    """Tell by whom a worker ended. A worker cannot send itself SIGKILL where seccomp holds."""
    if not (os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL):
        return "output_limit" if killed_for == "output_limit" else "itself"
    if killed_for:
        return killed_for
    return "cpu_limit" if out_of_time else "outside"


def _read_some(descriptor: int) -> bytes | None:
    """Return what can be read at once: b"" at the end, None when there is nothing yet."""
    try:
        return os.read(descriptor, 65536)
    except BlockingIOError:
        return None

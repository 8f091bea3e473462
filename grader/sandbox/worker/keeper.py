"""The keeper: forks a worker for every order, watches all of them, and reports how each ended.

There is one process for each set of banned operators, as long as the zygote runs. Operators are banned before the first
fork: banning them in each worker would be a fifth of its time. For the same reason it watches its workers itself rather
than through a process for each. It has no course content in memory and runs no student code.
"""

import contextlib
import os
import select
import signal
import socket
import time
import traceback
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Literal

import msgspec

from grader.sandbox.protocol.orders import (
    KEPT_OUTPUT_BYTES,
    Cause,
    Ending,
    ForkOrder,
    WorkerOrder,
    close_all,
    receive_order,
)
from grader.sandbox.worker import cgroup, linux, lockdown
from grader.sandbox.worker.process import become_worker

_NAME = "grade keeper"
_Killed = Literal["grader", "output_limit", "thread_limit"]
_LOOK_MS = 20  # between two looks: at the threads of workers, and at orders that wait for a process to end
# More threads than torch and numpy start: one for each core, in a pool or two.
_MOST_THREADS = 64
# A worker that was killed from outside is the reason itself if it grew by this share of what it may use: less where the
# kernel says that memory ran out meanwhile.
_NEAR_ITS_LIMIT, _NEAR_WHERE_MEMORY_RAN_OUT = 0.8, 0.25


def keep_workers(orders: socket.socket, banned: tuple[str, ...], confinement: lockdown.Confinement) -> int:
    """Carry out orders in a child of this process, the first of a PID namespace; return its status when it has ended.

    `banned` are the operators that are already banned in this process. The status is that of `waitpid`.
    """
    # With another handler the kernel, or the handler, would reap workers and the child before they are waited for.
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    linux.wait_for_room()  # the kernel gives a new PID namespace up where its first process cannot be forked
    lockdown.enter_namespaces(confinement)
    child = os.fork()
    if child:
        orders.close()  # close our end, so that senders get EPIPE once the child has ended
        return os.waitpid(child, 0)[1]
    linux.name_process(_NAME)
    linux.die_with_parent()
    _Keeper(orders, banned, confinement).run()
    return 0


@dataclass(slots=True, kw_only=True, eq=False)
class _Worker:
    """A running worker. `process` is its process id; `pidfd`, `output_pipe`, `control` and `threads` are descriptors.

    `resident_bytes` is its memory when it was forked, `oom_kills` is what `cgroup.oom_kills` said then.
    """

    order: WorkerOrder
    process: int
    pidfd: int
    output_pipe: int
    control: int
    output: bytearray = field(default_factory=bytearray)
    printed_bytes: int = 0
    killed_for: _Killed | None = None
    threads: int = -1
    resident_bytes: int = 0
    oom_kills: int = 0

    def kill(self, cause: _Killed) -> None:
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
            cause=_cause(
                status,
                self.killed_for,
                out_of_time=cpu_s >= self.order.cpu_limit_s,
                out_of_memory=lambda: self._out_of_memory(used.ru_maxrss * 1024),
            ),
            exit_status=os.WEXITSTATUS(status) if os.WIFEXITED(status) else 0,
            signal=os.WTERMSIG(status) if os.WIFSIGNALED(status) else 0,
            output=bytes(self.output),
            printed_bytes=self.printed_bytes,
            cpu_s=cpu_s,
        )

    def _out_of_memory(self, peak_bytes: int) -> bool:
        """Return whether this worker used so much memory that it is the likely reason for its SIGKILL."""
        limits = [self.order.memory_limit_mib * 2**20, cgroup.memory_limit_bytes()]
        may_use = min(limit for limit in limits if limit is not None)
        share = _NEAR_WHERE_MEMORY_RAN_OUT if cgroup.oom_kills() > self.oom_kills else _NEAR_ITS_LIMIT
        return peak_bytes - self.resident_bytes >= share * may_use


@dataclass(frozen=True, slots=True, kw_only=True)
class _Waiting:
    """An order that is carried out once its worker can be forked. `until` is a time of time.monotonic()."""

    order: ForkOrder
    calls: tuple[int, int]
    control: int
    until: float


class _Keeper:
    """One loop over orders and workers. `_events` maps each polled descriptor to its handler.

    An error of the system that one worker meets ends that worker only, never this process.
    """

    def __init__(
        self, orders: socket.socket, banned: tuple[str, ...], confinement: lockdown.Confinement
    ) -> None:
        self._orders, self._banned, self._confinement = orders, banned, confinement
        self._own_pidfd = linux.pidfd_open(os.getpid())
        self._cores = sorted(os.sched_getaffinity(0))
        self._poller = select.poll()
        self._events: dict[int, Callable[[], None]] = {}
        self._waiting: deque[_Waiting] = deque()
        self._workers: list[_Worker] = []
        self._most_threads = _thread_limit(len(self._cores), cgroup.process_limit())
        self._resident_bytes = linux.resident_bytes()
        self._next_look = 0.0

    def run(self) -> None:
        """Return when the control socket is closed and the last worker has ended."""
        self._on(self._orders.fileno(), self._take_order)
        while self._events or self._waiting:
            for descriptor, event in self._poll():
                # An earlier event of this round may have closed the descriptor, and its number may be another's now.
                if self._events.get(descriptor) is event:
                    event()
            self._look()

    def _poll(self) -> list[tuple[int, Callable[[], None]]]:
        """Wait for events; return each descriptor with the handler that it has now."""
        patience = _LOOK_MS if self._workers or self._waiting else None
        return [(descriptor, self._events[descriptor]) for descriptor, _ in self._poller.poll(patience)]

    def _look(self) -> None:
        """At most every _LOOK_MS, kill workers with too many threads, and try the orders that wait."""
        now = time.monotonic()
        if now < self._next_look:
            return
        self._next_look = now + _LOOK_MS / 1000
        for worker in list(self._workers):
            self._guard(worker, self._limit_threads)
        for _ in range(len(self._waiting)):
            self._carry_out(self._waiting.popleft())

    def _limit_threads(self, worker: _Worker) -> None:
        if linux.count_threads(worker.threads) > self._most_threads:
            worker.kill("thread_limit")

    def _on(self, descriptor: int, event: Callable[[], None]) -> None:
        self._events[descriptor] = event
        self._poller.register(descriptor, select.POLLIN)

    def _off(self, descriptor: int) -> None:
        if self._events.pop(descriptor, None):
            self._poller.unregister(descriptor)

    def _take_order(self) -> None:
        try:
            order, descriptors = receive_order(self._orders)
        except OSError as error:  # the grader sees that the descriptors of this order are closed
            _note(str(error))
            return
        if not isinstance(order, ForkOrder):
            self._off(self._orders.fileno())
            return
        reading, writing, control = descriptors
        until = time.monotonic() + linux.PATIENCE_S
        self._carry_out(_Waiting(order=order, calls=(reading, writing), control=control, until=until))

    def _carry_out(self, waiting: _Waiting) -> None:
        """Start a worker; where a limit is reached, have it wait until others have ended; else report why not."""
        try:
            self._start(waiting)
        except OSError as error:
            if linux.is_scarce(error) and time.monotonic() < waiting.until:
                self._waiting.append(waiting)
                return
            traceback.print_exc()
            _note(str(error))
            report(waiting.control, Ending(cause="lost", output=str(error).encode()))
            close_all((*waiting.calls, waiting.control))

    def _start(self, waiting: _Waiting) -> None:
        """Fork a worker and watch it. Raises OSError where that fails, and then leaves no process."""
        oom_kills = cgroup.oom_kills()
        reading, writing = os.pipe()
        try:
            os.set_blocking(reading, False)
            process = lockdown.fork_isolated(self._own_pidfd, self._confinement)
            if process == 0:
                self._become_worker(waiting.order, waiting.calls, writing)
            pidfd = _watched(process)
        except OSError:
            os.close(reading)
            raise
        finally:
            os.close(writing)
        close_all(waiting.calls)
        worker = _Worker(
            order=waiting.order.worker,
            process=process,
            pidfd=pidfd,
            output_pipe=reading,
            control=waiting.control,
            threads=linux.threads_folder(pidfd),
            resident_bytes=self._resident_bytes,
            oom_kills=oom_kills,
        )
        self._workers.append(worker)
        self._on(worker.pidfd, partial(self._guard, worker, self._finish))
        self._on(worker.output_pipe, partial(self._guard, worker, self._read))
        self._on(worker.control, partial(self._guard, worker, self._disconnected))

    def _become_worker(self, order: ForkOrder, calls: tuple[int, int], writing: int) -> None:
        worker = order.worker
        if self._banned == worker.banned_operators:
            worker = msgspec.structs.replace(worker, banned_operators=())
        core = self._cores[order.slot % len(self._cores)]
        become_worker(worker, calls, writing, core, self._confinement)

    def _guard(self, worker: _Worker, event: Callable[[_Worker], None]) -> None:
        """Handle an event of a worker; where that fails, end this worker."""
        try:
            event(worker)
        except OSError as error:
            traceback.print_exc()
            _note(str(error))
            _end(worker.process)
            self._forget(worker, Ending(cause="lost", output=str(error).encode()))

    def _read(self, worker: _Worker) -> None:
        if not worker.read():
            self._off(worker.output_pipe)  # it was killed, or closed its output, which it may

    def _disconnected(self, worker: _Worker) -> None:
        self._off(worker.control)
        worker.kill("grader")

    def _finish(self, worker: _Worker) -> None:
        if worker.killed_for != "output_limit":
            worker.read()
        self._forget(worker, worker.reap())

    def _forget(self, worker: _Worker, ending: Ending) -> None:
        """Report how a worker ended, and close its descriptors."""
        descriptors = (worker.pidfd, worker.output_pipe, worker.control, worker.threads)
        for descriptor in descriptors:
            self._off(descriptor)
        self._workers.remove(worker)
        report(worker.control, ending)
        close_all(descriptors)


def _watched(process: int) -> int:
    """Return a pidfd of a child that was just forked. Raises OSError where there is none, and then ends the child."""
    try:
        return linux.pidfd_open(process)
    except OSError:
        _end(process)
        raise


def _end(process: int) -> None:
    """Kill a child, and wait for it."""
    with contextlib.suppress(ProcessLookupError, ChildProcessError):  # it was waited for already
        os.kill(process, signal.SIGKILL)
        os.waitpid(process, 0)


def report(control: int, ending: Ending) -> None:
    """Send the grader how a worker ended: without what it printed, where that does not fit into the socket's buffer."""
    os.set_blocking(control, False)
    for message in (ending, msgspec.structs.replace(ending, output=b"")):
        try:
            os.write(control, msgspec.msgpack.encode(message))
        except BrokenPipeError:
            return  # the grading process has ended
        except OSError as error:
            _note(f"cannot report how a worker ended: {error}")
        else:
            return


def _note(what: str) -> None:
    """Write a line to stderr, where the grading process looks for the reason when this process has died."""
    with contextlib.suppress(OSError):  # the disk is full: the reason is lost, and nothing else
        os.write(2, f"{_NAME}: {what}\n".encode("utf-8", "backslashreplace"))


def _thread_limit(cores: int, process_limit: int | None) -> int:
    """Return how many threads a worker may have. With a worker on each core, half of a cgroup's processes stay free."""
    most = _MOST_THREADS + 2 * cores
    return most if process_limit is None else min(most, max(1, process_limit // (2 * cores)))


def _cause(
    status: int, killed_for: _Killed | None, *, out_of_time: bool, out_of_memory: Callable[[], bool]
) -> Cause:
    """Return the cause of a worker's end. Under seccomp a worker cannot send itself SIGKILL."""
    if not (os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL):
        return "output_limit" if killed_for == "output_limit" else "itself"
    if killed_for:
        return killed_for
    if out_of_time:
        return "cpu_limit"
    return "memory_limit" if out_of_memory() else "outside"


def _read_some(descriptor: int) -> bytes | None:
    """Return what can be read without blocking: b"" at the end of the file, None when there is nothing yet."""
    try:
        return os.read(descriptor, 65536)
    except BlockingIOError:
        return None

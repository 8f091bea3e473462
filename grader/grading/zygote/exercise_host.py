"""The host of an exercise, and the grading processes forked from it."""

import contextlib
import os
import select
import signal
import socket
import time
from dataclasses import dataclass, field
from pathlib import Path

from grader.grading import messages
from grader.grading.engine import grading_process, preparation
from grader.grading.messages import NotGraded
from grader.grading.zygote.forking import (
    end_with_peer,
    fork_child,
    freeze_heap,
    note,
    outlive_peer,
    thread_count,
    wait_for_children,
)
from grader.sandbox.protocol.frames import Closed, Overdue, SocketChannel
from grader.sandbox.protocol.orders import GradeOrder, Order, close_all, receive_order, send_order
from grader.sandbox.worker import linux

MOST_ORDERS = 100  # of one grading process: what accumulates in it ends with it
_ANSWER_S = 5.0  # in which the command takes the sentence that no process could be forked
MOST_GROWN_BYTES = 32 * 2**20  # by which a process that takes another order may have grown since it began


def run_exercise_host(control: socket.socket, *, order: GradeOrder, many: bool) -> None:
    """Import an exercise, then fork grading processes for all orders that come through `control`."""
    signal.alarm(order.wall_limit_s)  # also for a reference whose import never ends
    prepared = _unless_threads(order.suite, preparation.prepare_or_explain(Path(order.suite)))
    signal.alarm(0)
    freeze_heap()
    processes = _GradingProcesses(control, prepared, MOST_ORDERS if many else 1)
    if many and isinstance(prepared, preparation.Prepared):
        if not processes.step():
            return
        signal.alarm(order.wall_limit_s)
        # After the first order, which so does not wait; every process forked later starts with this work done.
        preparation.rehearse(prepared)
        processes.prepared = _unless_threads(order.suite, prepared)
        signal.alarm(0)
        linux.give_back_memory()
        freeze_heap()
    while processes.step():
        pass


def _unless_threads(
    path: str, prepared: preparation.Prepared | NotGraded
) -> preparation.Prepared | NotGraded:
    if thread_count() == 1:
        return prepared
    return NotGraded(
        reason=f"{path} or what it imports starts threads; no process with threads can be forked safely"
    )


def refuse(channel: int, error: OSError) -> None:
    """Answer the job that comes through a channel: no process could be started for it, and why."""
    reason = f"no process could be started: {error.strerror or error}. Are processes or memory limited here?"
    with (
        socket.socket(fileno=os.dup(channel)) as connection,
        contextlib.suppress(Closed, Overdue),  # the command has ended
    ):
        answer = messages.encode(NotGraded(reason=reason))
        SocketChannel(connection).send(answer, deadline=time.monotonic() + _ANSWER_S)


@dataclass(slots=True)
class _GradingProcesses:
    """The grading processes of one exercise. An order goes to the one that is idle, if any, else to a new one."""

    orders: socket.socket
    prepared: preparation.Prepared | NotGraded
    most_orders: int
    _running: dict[int, socket.socket] = field(default_factory=dict)
    _idle: socket.socket | None = None
    _poller: select.poll = field(default_factory=select.poll)

    def __post_init__(self) -> None:
        self._poller.register(self.orders, select.POLLIN)

    def step(self) -> bool:
        """Read what the processes report, and carry out an order.

        False when the zygote has closed the connection and all that was forked has ended.
        """
        ready = [descriptor for descriptor, _ in self._poller.poll()]
        for descriptor in ready:
            if descriptor != self.orders.fileno():
                self._read_status(self._running[descriptor])
        return self.orders.fileno() not in ready or self._take_order()

    def _read_status(self, process: socket.socket) -> None:
        """Read that a process is idle, or has ended. One idle process is enough: it costs some MB, used or not."""
        try:
            is_idle = bool(process.recv(1))
        except OSError:  # it was killed before it read its order
            is_idle = False
        if is_idle and self._idle is None:
            self._idle = process
        else:
            self._close(process)

    def _take_order(self) -> bool:
        try:
            order, descriptors = receive_order(self.orders)
        except OSError as error:  # its descriptors are lost, so the command sees the channel close
            note("grade host", str(error))
            return True
        if order is None:
            self._end()
            return False
        if not self._send_to_idle(order, descriptors):
            try:
                self._fork(order, descriptors)
            except OSError as error:
                refuse(descriptors[0], error)
        close_all(descriptors)
        return True

    def _send_to_idle(self, order: Order, descriptors: list[int]) -> bool:
        """Send an order to the idle process; return whether there was one."""
        process, self._idle = self._idle, None
        if process is None:
            return False
        try:
            send_order(order, descriptors, process)
        except OSError:
            return False  # it was killed while it was idle
        return True

    def _fork(self, order: Order, descriptors: list[int]) -> None:
        own_end, child_end = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)

        def run() -> None:
            for connection in (self.orders, own_end, *self._running.values()):
                connection.close()
            _GradingProcess(child_end, self.prepared, self.most_orders).run(order, descriptors)

        with child_end:
            try:
                fork_child("grade suite", run)
            except OSError:
                own_end.close()
                raise
        self._running[own_end.fileno()] = own_end
        self._poller.register(own_end, select.POLLIN)

    def _close(self, process: socket.socket) -> None:
        """Close the connection to a process, which ends it once it has carried out its order."""
        if process is self._idle:
            self._idle = None
        self._poller.unregister(process)
        del self._running[process.fileno()]
        process.close()

    def _end(self) -> None:
        """Close all connections, and wait until all processes have ended: they are killed when this one ends."""
        for process in list(self._running.values()):
            self._close(process)
        wait_for_children()


@dataclass(slots=True)
class _GradingProcess:
    """A grading process. It grades submission after submission while they pass; the first that fails is its last.

    A submission that passes leaves no new state: nothing failed that would have been explained, no mistake was
    imported, no worker lost, and the suite ran on the reference before this process was forked.
    """

    host: socket.socket
    prepared: preparation.Prepared | NotGraded
    orders_left: int
    at_first_bytes: int = field(default_factory=linux.own_memory_bytes)
    is_idle: bool = False

    def run(self, order: Order | None, descriptors: list[int]) -> None:
        """Carry out an order, and those that the host sends while this process is idle."""
        while order is not None:
            assert isinstance(order, GradeOrder)
            self.is_idle = False
            self.orders_left -= 1
            # SIGALRM ends even a suite that hangs inside C; the command then sees the channel close.
            signal.alarm(order.wall_limit_s)
            self._grade(order.slot, *descriptors)
            signal.alarm(0)
            if isinstance(self.prepared, preparation.Prepared):
                self.prepared.state.put_back()
            order, descriptors = receive_order(self.host) if self.is_idle else (None, [])

    def _grade(self, slot: int, call: int, control: int) -> None:
        with socket.socket(fileno=call) as channel, socket.socket(fileno=control) as zygote:
            end_with_peer(channel)
            grading_process.run_forked(SocketChannel(channel), zygote, slot, self.prepared, self._offer)

    def _offer(self) -> None:
        """Report that this process takes another order, before the command has the result and sends one."""
        grown = linux.own_memory_bytes() - self.at_first_bytes
        if self.orders_left and grown <= MOST_GROWN_BYTES:
            outlive_peer()  # before the command has the result, and closes its end
            with contextlib.suppress(OSError):  # the host has closed the connection: no order will come
                self.host.send(b"w")
                self.is_idle = True

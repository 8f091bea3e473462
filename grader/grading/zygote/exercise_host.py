"""The host of an exercise, and its grading processes."""

import contextlib
import os
import select
import signal
import socket
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from grader.grading.engine import grading_process
from grader.grading.messages import NotGraded
from grader.grading.zygote.forking import become, pass_on, receive, settle, threads
from grader.sandbox.protocol.frames import SocketChannel
from grader.sandbox.protocol.orders import GradeOrder, Order
from grader.sandbox.worker import linux

MOST_ORDERS = 100  # of one grading process: whatever may pile up in it ends with it
MOST_GROWN_BYTES = 32 * 2**20  # what one that waits may hold beyond what it began with


def hold_exercise(control: socket.socket, *, order: GradeOrder, many: bool) -> None:
    """Import an exercise, and grade by every order."""
    signal.alarm(order.wall_limit_s)  # even a reference that never ends being imported
    prepared = _unless_threads(order.suite, grading_process.prepare_or_explain(Path(order.suite)))
    signal.alarm(0)
    settle()
    graders = _Graders(control, prepared, MOST_ORDERS if many else 1)
    if many and isinstance(prepared, grading_process.Prepared):
        if not graders.go_on():
            return
        signal.alarm(order.wall_limit_s)
        # What is forked from now on is cheaper for it, and the first grading does not wait.
        grading_process.rehearse(prepared)
        graders.prepared = _unless_threads(order.suite, prepared)
        signal.alarm(0)
        linux.give_back_memory()
        settle()
    while graders.go_on():
        pass


def _unless_threads(
    path: str, prepared: grading_process.Prepared | NotGraded
) -> grading_process.Prepared | NotGraded:
    if threads() == 1:
        return prepared
    return NotGraded(
        reason=f"{path} or what it imports starts threads; no process with threads can be forked safely"
    )


@dataclass(slots=True)
class _Graders:
    """The grading processes of one exercise. An order goes to the one that waits, if any, else to a new one."""

    orders: socket.socket
    prepared: grading_process.Prepared | NotGraded
    most_orders: int
    _running: dict[int, socket.socket] = field(default_factory=dict)
    _waiting: socket.socket | None = None
    _poller: select.poll = field(default_factory=select.poll)

    def __post_init__(self) -> None:
        self._poller.register(self.orders, select.POLLIN)

    def go_on(self) -> bool:
        """Hear who waits, and carry out an order. False where the zygote let go, and all that was forked has ended."""
        ready = [descriptor for descriptor, _ in self._poller.poll()]
        for descriptor in ready:
            if descriptor != self.orders.fileno():
                self._hear(self._running[descriptor])
        return self.orders.fileno() not in ready or self._take_order()

    def _hear(self, process: socket.socket) -> None:
        """Take in that a process waits, or has ended. One that waits is enough: it costs some MB, used or not."""
        try:
            lives = bool(process.recv(1))
        except OSError:  # it was killed with an order that it had not read
            lives = False
        if lives and self._waiting is None:
            self._waiting = process
        else:
            self._let_go(process)

    def _take_order(self) -> bool:
        order, descriptors = receive(self.orders)
        if order is None:
            self._end()
            return False
        if not self._hand_out(order, descriptors):
            self._fork(order, descriptors)
        for descriptor in descriptors:
            os.close(descriptor)
        return True

    def _hand_out(self, order: Order, descriptors: list[int]) -> bool:
        """Give an order to a process that waits; tell whether there was one."""
        process, self._waiting = self._waiting, None
        if process is None:
            return False
        try:
            pass_on(order, descriptors, process)
        except OSError:
            return False  # it was killed while it waited
        return True

    def _fork(self, order: Order, descriptors: list[int]) -> None:
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        here = os.getpid()
        if os.fork() == 0:
            for connection in (self.orders, ours, *self._running.values()):
                connection.close()
            grader = _Grader(theirs, self.prepared, self.most_orders)
            become("grade suite", partial(grader.run, order, descriptors), parent=here)
        theirs.close()
        self._running[ours.fileno()] = ours
        self._poller.register(ours, select.POLLIN)

    def _let_go(self, process: socket.socket) -> None:
        if process is self._waiting:
            self._waiting = None
        self._poller.unregister(process)
        del self._running[process.fileno()]
        process.close()

    def _end(self) -> None:
        """Let those that wait end, and wait until all have: what is being graded would die with us."""
        for process in list(self._running.values()):
            self._let_go(process)
        with contextlib.suppress(ChildProcessError):
            os.wait()


@dataclass(slots=True)
class _Grader:
    """A grading process. It grades a submission after the other while they pass; the first that does not is its last.

    One that passed leaves behind what the reference leaves, on which the suite ran before this process was forked:
    nothing failed that would have been explained, no mistake was imported, no worker lost.
    """

    host: socket.socket
    prepared: grading_process.Prepared | NotGraded
    orders_left: int
    at_first_bytes: int = field(default_factory=linux.own_memory_bytes)
    waits: bool = False

    def run(self, order: Order | None, descriptors: list[int]) -> None:
        """Grade by an order, and by those that the host sends while this process waits."""
        while order is not None:
            assert isinstance(order, GradeOrder)
            self.waits = False
            self.orders_left -= 1
            # Even a suite that hangs inside C ends here; the command sees the channel close.
            signal.alarm(order.wall_limit_s)
            self._grade(order.slot, *descriptors)
            signal.alarm(0)
            if isinstance(self.prepared, grading_process.Prepared):
                self.prepared.state.put_back()
            order, descriptors = receive(self.host) if self.waits else (None, [])

    def _grade(self, slot: int, call: int, control: int) -> None:
        with socket.socket(fileno=call) as channel, socket.socket(fileno=control) as zygote:
            grading_process.run_forked(SocketChannel(channel), zygote, slot, self.prepared, self._wait)

    def _wait(self) -> None:
        """Tell the host that the next order may come here; before the command can know, who sends it."""
        grown = linux.own_memory_bytes() - self.at_first_bytes
        if self.orders_left and grown <= MOST_GROWN_BYTES:
            with contextlib.suppress(OSError):  # else the host has let go: no order will come
                self.host.send(b"w")
                self.waits = True

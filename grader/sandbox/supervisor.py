"""The trusted side of one exercise's workers: starts them, sends requests with deadlines, and ends them."""

import contextlib
import math
import os
import select
import signal
import socket
import time
from dataclasses import dataclass, field
from typing import Protocol

import msgspec

from grader.core.errors import InternalError, ProtocolError
from grader.core.model import Limits, Outcome
from grader.core.safetext import one_line, printable
from grader.sandbox.last_words import last_words
from grader.sandbox.protocol.frames import Channel, Closed, Overdue, PolledChannel
from grader.sandbox.protocol.messages import (
    Load,
    Loaded,
    Question,
    Raised,
    Reply,
    Reset,
    decode_reply,
    encode,
    encode_load,
)
from grader.sandbox.protocol.orders import (
    Ending,
    ForkOrder,
    WorkerOrder,
    close_all,
    send_order,
)

_ENDING_WAIT_S = 60.0  # for the keeper's message after a kill, which frees the memory of the worker first
_EXIT_WAIT_S = 2.0  # between the end of the connection and that of the process: exit closes descriptors first
AGAIN = "Please grade again; no points were taken."
_START_WAIT_S = 60.0
_SHOWN_OUTPUT_CHARS = 500
_MAX_ENDING_BYTES = 2**20  # the message holds at most KEPT_OUTPUT_BYTES of output


class WorkerLost(Exception):
    """The worker ended, or had to be killed. `message` is one student-safe sentence without a subject."""

    def __init__(self, outcome: Outcome, message: str) -> None:
        super().__init__(message)
        self.outcome = outcome
        self.message = message


class LoadFailed(Exception):
    """The student's module could not be imported: it raised."""

    def __init__(self, reply: Raised) -> None:
        super().__init__(reply.message)
        self.reply = reply


class WorkerProcess(Protocol):
    """A started worker: a channel to it, and a way to end it."""

    channel: Channel

    def disconnect(self) -> None:
        """Close the channel, so that the worker ends; do not wait for it."""

    def end(self, patience_s: float = 0.0) -> Ending:
        """Kill the worker if it still runs after `patience_s`; return how it ended."""


class Launcher(Protocol):
    """Starts workers."""

    def start(self, cpu_limit_s: int) -> WorkerProcess:
        """Start one fresh worker. `cpu_limit_s` is the processor time of all its threads together."""


@dataclass(slots=True)
class Sandbox:
    """Runs one exercise of one submission in a worker, and in a fresh one after each that is lost.

    `output` is what they printed, the first KEPT_OUTPUT_BYTES of each. Their processor time counts together.
    """

    launcher: Launcher
    load: Load
    limits: Limits
    output: bytearray = field(default_factory=bytearray)
    _worker: WorkerProcess | None = None
    _deadline: float = float("inf")
    _loading: bool = False
    _cpu_used_s: float = 0.0

    def open(self, seconds: float) -> None:
        """Set the deadline of the whole exercise, in seconds from now."""
        self._deadline = time.monotonic() + seconds

    def start(self) -> None:
        """Start a worker and send it the submission, without waiting for the import."""
        allowed = self.limits.exercise_limit_s + self.limits.import_limit_s
        self._worker = self.launcher.start(max(1, math.ceil(allowed - self._cpu_used_s)))
        self._loading = True
        with contextlib.suppress(Closed):  # a worker that has already ended is noticed by the next receive
            self._worker.channel.send(*encode_load(self.load))

    def ensure_loaded(self) -> None:
        """Wait until the submission is imported in a worker. Raises LoadFailed or WorkerLost."""
        if self._worker is None:
            self.start()
        if not self._loading:
            return
        self._loading = False
        self._await_ready()
        deadline = min(time.monotonic() + self.limits.import_limit_s, self._deadline)
        reply, _ = self._receive(deadline, self.limits.import_limit_s, "importing your file")
        if isinstance(reply, Raised):
            self.close()
            raise LoadFailed(reply)
        if not isinstance(reply, Loaded):
            raise self._lost(Outcome.TAMPERING, "the reply to an import was of another kind")

    def _await_ready(self) -> None:
        """Wait for the worker's first frame. No student code has run yet: a failure is an error in the grader."""
        assert self._worker is not None
        try:
            self._worker.channel.receive(time.monotonic() + _START_WAIT_S)
        except (Closed, Overdue):
            self.close()
            printed = self.output.decode("utf-8", "replace")[-_SHOWN_OUTPUT_CHARS:] or "it printed nothing"
            raise InternalError(f"A worker could not be started: {printable(printed)}") from None

    def ask(
        self, request: Question, payload: bytes, *, what: str, deadline: float
    ) -> tuple[Reply, bytearray]:
        """Send one request and return the reply and its payload. Raises LoadFailed or WorkerLost.

        `what` is the subject of messages: "`relu`". `deadline` is the check's, in seconds of time.monotonic(); the
        limit of the call and the deadline of the exercise apply too, and the earliest counts.
        """
        self.ensure_loaded()
        seconds = min(self.limits.call_limit_s, deadline - time.monotonic())
        reply, data = self._exchange(request, payload, seconds, what)
        if isinstance(reply, Loaded) or reply.number != request.number:
            raise self._lost(Outcome.TAMPERING, "a reply did not belong to its request")
        return reply, data

    def reset(self, number: int) -> None:
        """Have the worker delete the objects of a check that has ended, if there is a worker.

        One that is lost now has answered every request: this costs no points, and the next check gets a fresh one.
        """
        if self._worker is not None:
            with contextlib.suppress(WorkerLost):
                self._exchange(Reset(number=number), b"", self.limits.call_limit_s, "cleaning up")

    def _exchange(
        self, request: Question, payload: bytes, seconds: float, what: str
    ) -> tuple[Reply, bytearray]:
        assert self._worker is not None
        deadline = min(time.monotonic() + max(seconds, 0.0), self._deadline)
        return self._receive(deadline, seconds, what, frame=(encode(request), payload))

    def _receive(
        self, deadline: float, seconds: float, what: str, frame: tuple[bytes, bytes] | None = None
    ) -> tuple[Reply, bytearray]:
        """Send a frame, if there is one, and return the next reply. Any failure ends the worker."""
        assert self._worker is not None
        try:
            if frame:
                with contextlib.suppress(Closed):  # it may have replied before it ended
                    self._worker.channel.send(*frame, deadline)
            header, data = self._worker.channel.receive(deadline)
            return decode_reply(header), data
        except Overdue:
            limit = f"{seconds:.0f} s" if seconds >= 1 else "its time"
            raise self._lost(Outcome.TIME_LIMIT, f"{what} did not end within {limit}") from None
        except ProtocolError as error:
            raise self._lost(
                Outcome.TAMPERING, f"{what} wrote into the grader's own connection ({error})"
            ) from None
        except Closed:
            raise self._lost(Outcome.CRASHED, what) from None

    def _lost(self, outcome: Outcome, message: str) -> WorkerLost:
        """End the worker; return the exception for it, with the outcome of a limit that it reached, if it did."""
        ending = self.close(_EXIT_WAIT_S if outcome is Outcome.CRASHED else 0.0)
        if ending.cause == "output_limit":
            return WorkerLost(Outcome.OUTPUT_LIMIT, f"printed more than {self.limits.output_limit_kib} KiB")
        if ending.cause == "cpu_limit":
            return WorkerLost(Outcome.TIME_LIMIT, f"{message} used up the processor time of this exercise")
        if ending.cause == "thread_limit":
            return WorkerLost(Outcome.TIME_LIMIT, "started more threads than it may have")
        if ending.cause == "memory_limit":
            return WorkerLost(Outcome.MEMORY_LIMIT, "used more memory than this machine has for it")
        if ending.cause == "outside":
            raise InternalError("A worker was killed from outside. Is this machine out of memory?")
        return WorkerLost(outcome, message + (_crash(ending) if outcome is Outcome.CRASHED else ""))

    def disconnect(self) -> None:
        """Have the worker end, if there is one, without waiting for it; `close` waits."""
        if self._worker is not None:
            self._worker.disconnect()

    def close(self, patience_s: float = 0.0) -> Ending:
        """End the worker, if there is one; kill it if it still runs after `patience_s`. Keep what it printed."""
        if self._worker is None:
            return Ending()
        worker, self._worker, self._loading = self._worker, None, False
        ending = worker.end(patience_s)
        self.output += ending.output
        self._cpu_used_s += ending.cpu_s
        return ending


def _crash(ending: Ending) -> str:
    """Return the end of a sentence on a worker that ended during a call."""
    if ending.cause == "grader":
        return " closed the connection to the grader"
    if ending.signal:
        return f" ended the process with signal {ending.signal} ({_signal_name(ending.signal)})"
    return f" ended the process with exit status {ending.exit_status}"


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return "unknown"


# --- workers forked from the zygote's keepers: Linux


@dataclass(slots=True)
class ForkLauncher:
    """Orders workers from the zygote. `slot` chooses their core. Linux only.

    `stderr` is the descriptor of the file that is the stderr of every process forked from the zygote.
    """

    zygote: socket.socket
    order: WorkerOrder
    slot: int
    stderr: int = 2

    def start(self, cpu_limit_s: int) -> WorkerProcess:
        """Fork one fresh worker. Raises InternalError where it cannot be ordered."""
        worker = msgspec.structs.replace(self.order, cpu_limit_s=cpu_limit_s)
        try:
            started, ends = forked_worker(self.stderr)
            try:
                send_order(ForkOrder(worker=worker, slot=self.slot), ends, self.zygote)
            except OSError:
                started.close()
                raise
            finally:
                close_all(ends)
        except OSError as error:
            raise InternalError(f"A worker could not be ordered: {error}.") from error
        return started


def forked_worker(stderr: int) -> tuple["ForkedWorker", list[int]]:
    """Return the grader's side of a worker that is still to be forked, and the descriptors that its order carries."""
    # Pipes, since by a socket a worker could ask for facts about the network and about the process at its other end.
    ends: list[int] = []
    try:
        for _ in range(2):
            ends += os.pipe()
        control, keeper_control = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    except OSError:
        close_all(ends)
        raise
    replies, worker_writing, worker_reading, calls = ends
    worker = ForkedWorker(PolledChannel(replies, calls), control, stderr)
    return worker, [worker_reading, worker_writing, keeper_control.detach()]


@dataclass(slots=True)
class ForkedWorker:
    """A worker that a keeper forked, seen from the process that ordered it."""

    channel: Channel
    control: socket.socket
    stderr: int

    def close(self) -> None:
        """Close every connection: for a worker that was not ordered."""
        self.channel.close()
        self.control.close()

    def disconnect(self) -> None:
        """Shut the control socket down for writing, at which the keeper kills the worker."""
        self.channel.close()
        with contextlib.suppress(OSError):  # the keeper has ended; `end` reports it
            self.control.shutdown(socket.SHUT_WR)

    def end(self, patience_s: float = 0.0) -> Ending:
        """Wait for the worker, have it killed, and return the keeper's message on how it ended.

        Raises InternalError where there is none, with what the keeper wrote last, and for a worker that it lost.
        """
        self.channel.close()
        if patience_s:
            poller = select.poll()
            poller.register(self.control, select.POLLIN)
            poller.poll(patience_s * 1000)
        self.disconnect()
        with self.control:
            self.control.settimeout(_ENDING_WAIT_S)
            try:
                data = self.control.recv(_MAX_ENDING_BYTES)
            except TimeoutError:
                raise InternalError(
                    f"The keeper of a worker did not report its end within {_ENDING_WAIT_S:.0f} s. {AGAIN}"
                ) from None
            except OSError:
                data = b""
        if not data:
            why = last_words(self.stderr, "grade keeper", "grade bans", "grade zygote")
            raise InternalError(f"The keeper of a worker died{why}. {AGAIN}")
        ending = msgspec.msgpack.decode(data, type=Ending)
        if ending.cause == "lost":
            why = one_line(ending.output.decode("utf-8", "replace"), limit=_SHOWN_OUTPUT_CHARS)
            raise InternalError(f"A worker could not be started or watched: {why}. {AGAIN}")
        return ending

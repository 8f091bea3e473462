"""The trusted side of one exercise's workers: start, ask with a deadline, kill, tell how they ended."""

import contextlib
import math
import os
import select
import signal
import socket
import subprocess
import sys
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

import msgspec

from grader.core.errors import InternalError, ProtocolError
from grader.core.model import Limits, Outcome
from grader.sandbox.protocol.frames import Channel, Closed, Overdue, PipeChannel, SocketChannel
from grader.sandbox.protocol.messages import (
    Load,
    Loaded,
    Question,
    Raised,
    Reply,
    Reset,
    decode_reply,
    encode,
)
from grader.sandbox.protocol.orders import Ending, ForkOrder, WorkerOrder

KEPT_OUTPUT_BYTES = 64 * 1024
_ENDING_WAIT_S = 5.0
_DYING_WAIT_S = 2.0  # a process that ends closes its connection before it is gone
_START_WAIT_S = 60.0


class WorkerLost(Exception):
    """The worker is gone, or had to be killed. `message` is one student-safe sentence without a subject."""

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

    def hang_up(self) -> None:
        """Have the worker end, without waiting for it."""

    def end(self, patience_s: float = 0.0) -> Ending:
        """Kill the worker if it still runs after `patience_s`, and tell how it ended."""


class Launcher(Protocol):
    """Starts workers."""

    def start(self, cpu_limit_s: int) -> WorkerProcess:
        """Start one fresh worker, which may use so much processor time, all threads together."""


@dataclass(slots=True)
class Sandbox:
    """Runs one exercise of one submission in workers, one after another where one is lost."""

    launcher: Launcher
    load: Load
    limits: Limits
    output: bytearray = field(default_factory=bytearray)
    _worker: WorkerProcess | None = None
    _deadline: float = float("inf")
    _loading: bool = False
    _cpu_used_s: float = 0.0

    def open(self, seconds: float) -> None:
        """Start the time of the whole exercise."""
        self._deadline = time.monotonic() + seconds

    def start(self) -> None:
        """Start a worker and have it import the submission, without waiting for it."""
        allowed = self.limits.exercise_limit_s + self.limits.import_limit_s
        self._worker = self.launcher.start(max(1, math.ceil(allowed - self._cpu_used_s)))
        self._loading = True
        with contextlib.suppress(Closed):  # a worker that is already gone is noticed when we wait for it
            self._worker.channel.send(encode(self.load))

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
            raise self._lost(Outcome.TAMPERING, "the answer to an import was something else")

    def _await_ready(self) -> None:
        """Wait for the worker's first frame. Nothing of the student's has run before it: a failure here is ours."""
        assert self._worker is not None
        try:
            self._worker.channel.receive(time.monotonic() + _START_WAIT_S)
        except (Closed, Overdue):
            self.close()
            said = self.output.decode("utf-8", "replace")[-500:] or "it said nothing"
            raise InternalError(f"A worker could not be started: {said}") from None

    def ask(
        self, request: Question, payload: bytes, *, what: str, deadline: float
    ) -> tuple[Reply, bytearray]:
        """Send one request and return the reply. `deadline` is the check's; the call's own limit comes on top."""
        self.ensure_loaded()
        seconds = min(self.limits.call_limit_s, deadline - time.monotonic())
        reply, data = self._exchange(request, payload, seconds, what)
        if isinstance(reply, Loaded) or reply.number != request.number:
            raise self._lost(Outcome.TAMPERING, "an answer did not belong to its question")
        return reply, data

    def reset(self, number: int) -> None:
        """Make the worker forget the objects of a check that has ended, if there is a worker.

        One that ends now has answered every question: it costs nothing, and the next check gets a fresh one.
        """
        if self._worker is not None:
            with contextlib.suppress(WorkerLost):
                self._exchange(Reset(number=number), b"", self.limits.call_limit_s, "cleaning up")

    def _exchange(
        self, request: Question, payload: bytes, seconds: float, what: str
    ) -> tuple[Reply, bytearray]:
        assert self._worker is not None
        deadline = min(time.monotonic() + max(seconds, 0.0), self._deadline)
        return self._receive(deadline, seconds, what, question=(encode(request), payload))

    def _receive(
        self, deadline: float, seconds: float, what: str, question: tuple[bytes, bytes] | None = None
    ) -> tuple[Reply, bytearray]:
        assert self._worker is not None
        try:
            if question:
                with contextlib.suppress(Closed):  # it may have answered before it ended
                    self._worker.channel.send(*question, deadline)
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
        ending = self.close(_DYING_WAIT_S if outcome is Outcome.CRASHED else 0.0)
        if ending.cause == "output_limit":
            return WorkerLost(Outcome.OUTPUT_LIMIT, f"printed more than {self.limits.output_limit_kib} KiB")
        if ending.cause == "cpu_limit":
            return WorkerLost(Outcome.TIME_LIMIT, f"{message} used up the processor time of this exercise")
        if ending.cause == "outside":
            raise InternalError("A worker was killed from outside. Is this machine out of memory?")
        if outcome is Outcome.CRASHED:
            if ending.cause == "grader":
                message = f"{message} closed the connection to the grader"
            elif ending.signal:
                message = (
                    f"{message} ended the process with signal {ending.signal} ({_signal_name(ending.signal)})"
                )
            else:
                message = f"{message} ended the process with exit status {ending.exit_status}"
        return WorkerLost(outcome, message)

    def hang_up(self) -> None:
        """Have the worker end, if there is one, while we do something else; `close` waits for it."""
        if self._worker is not None:
            self._worker.hang_up()

    def close(self, patience_s: float = 0.0) -> Ending:
        """End the worker, if there is one and it does not end by itself in time; keep what it printed."""
        if self._worker is None:
            return Ending()
        worker, self._worker, self._loading = self._worker, None, False
        ending = worker.end(patience_s)
        self.output += ending.output
        self._cpu_used_s += ending.cpu_s
        return ending


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return "unknown"


# --- the warm way: a fork of the zygote


@dataclass(slots=True)
class ForkLauncher:
    """Asks the zygote for workers. Linux only."""

    zygote: socket.socket
    order: WorkerOrder
    slot: int

    def start(self, cpu_limit_s: int) -> WorkerProcess:
        """Fork one fresh worker."""
        call, worker_call = socket.socketpair()
        control, keeper_control = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with worker_call, keeper_control:
            worker = msgspec.structs.replace(self.order, cpu_limit_s=cpu_limit_s)
            order = msgspec.msgpack.encode(ForkOrder(worker=worker, slot=self.slot))
            socket.send_fds(self.zygote, [order], [worker_call.fileno(), keeper_control.fileno()])
        return _ForkedWorker(SocketChannel(call), control)


@dataclass(slots=True)
class _ForkedWorker:
    channel: Channel
    control: socket.socket

    def hang_up(self) -> None:
        """Hang up on the keeper, which kills the worker."""
        self.channel.close()
        with contextlib.suppress(OSError):  # the keeper is gone; `end` tells
            self.control.shutdown(socket.SHUT_WR)

    def end(self, patience_s: float = 0.0) -> Ending:
        """Hang up, and have the keeper tell how the worker ended."""
        self.channel.close()
        if patience_s:
            select.select([self.control], [], [], patience_s)
        self.hang_up()
        with self.control, contextlib.suppress(OSError):
            self.control.settimeout(_ENDING_WAIT_S)
            if data := self.control.recv(2**20):
                return msgspec.msgpack.decode(data, type=Ending)
        raise InternalError("The keeper of a worker died. Please grade again; no points were taken.")


# --- the way that works everywhere: a process of its own


@dataclass(slots=True)
class SpawnLauncher:
    """Starts each worker as a fresh interpreter: slower, and without the layers that only Linux has."""

    order: WorkerOrder

    def start(self, cpu_limit_s: int) -> WorkerProcess:
        """Start one fresh interpreter."""
        order = msgspec.structs.replace(self.order, cpu_limit_s=cpu_limit_s)
        arguments = [sys.executable, "-P", "-m", "grader.sandbox.worker", msgspec.json.encode(order).decode()]
        process = subprocess.Popen(
            arguments,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            bufsize=0,
            cwd=Path(sys.executable).anchor,
            env=clean_environment(),
        )
        return _SpawnedWorker(process, self.order.output_limit_kib * 1024)


class _SpawnedWorker:
    """A spawned worker. Its calls go through stdin and stdout, what it prints through stderr."""

    def __init__(self, process: "subprocess.Popen[bytes]", output_limit: int) -> None:
        assert process.stdin is not None
        assert process.stdout is not None
        self._process = process
        self._output_limit = output_limit
        self._output, self._printed = bytearray(), 0
        self.channel: Channel = PipeChannel(process.stdout, process.stdin)
        self._drain = threading.Thread(target=self._read_output, daemon=True)
        self._drain.start()

    def _read_output(self) -> None:
        assert self._process.stderr is not None
        with self._process.stderr as printed:
            while data := printed.read(65536):
                self._printed += len(data)
                self._output += data[: max(0, KEPT_OUTPUT_BYTES - len(self._output))]
                if self._printed > self._output_limit:
                    self._process.kill()

    def hang_up(self) -> None:
        """Close its input, by which it ends."""
        self.channel.close()

    def end(self, patience_s: float = 0.0) -> Ending:
        """Close its input, wait a moment, kill it, and tell how it ended."""
        self.hang_up()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(timeout=max(patience_s, 0.1))
        killed = self._process.poll() is None
        self._process.kill()
        code = self._process.wait()
        self._drain.join(timeout=_ENDING_WAIT_S)
        flooded = self._printed > self._output_limit
        return Ending(
            cause="output_limit" if flooded else "grader" if killed else "itself",
            exit_status=max(code, 0),
            signal=9 if killed else max(-code, 0),
            output=bytes(self._output),
            printed_bytes=self._printed,
        )


def clean_environment() -> dict[str, str]:
    """Return the environment of every process we start: one thread, no secrets, the same hashes every time."""
    one_thread = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
    # Who asks for more threads all the same has them wait, not spin, for the one core they share.
    one_thread["OMP_WAIT_POLICY"] = "PASSIVE"
    kept = {name: os.environ[name] for name in ("SYSTEMROOT", "TMPDIR", "TEMP") if name in os.environ}
    # torch.optim makes this folder when it is first imported; one that exists needs no writing.
    cache = {"TORCHINDUCTOR_CACHE_DIR": Path(sys.executable).anchor}
    return {"PATH": os.defpath, "LANG": "C.UTF-8", "PYTHONHASHSEED": "0", **one_thread, **cache, **kept}

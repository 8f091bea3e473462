"""Processes spawned as fresh interpreters, and the workers among them: every platform, isolation level 0.

Each belongs to the process that started it, ends with it, and can be killed with what it started.
"""

import contextlib
import os
import signal
import subprocess
import sys
import threading
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

import msgspec

from grader.core.errors import InternalError
from grader.sandbox.protocol.frames import Channel, Closed, PipeChannel
from grader.sandbox.protocol.orders import KEPT_OUTPUT_BYTES, Ending, WorkerOrder
from grader.sandbox.supervisor import AGAIN, WorkerProcess

Process = subprocess.Popen[bytes]
_GRACE_S = 0.1  # in which a process whose connection is closed ends by itself
_DRAIN_WAIT_S = 5.0  # for what a worker printed
_KILLED = 9  # the signal that is reported, on Windows too
_running: set[Process] = set()  # the workers of this process that have not been waited for


def spawn(module: str, *arguments: str, stderr: int | IO[bytes]) -> Process:
    """Start a fresh interpreter on a module of the grader, with pipes for its stdin and stdout. Raises OSError.

    Ctrl-C and signals to its process group reach no other process, and the group can be killed with all that it
    started. On Windows it has no window, also where this process has none.
    """
    flags = 0
    if sys.platform == "win32":
        flags = subprocess.CREATE_NEW_PROCESS_GROUP | subprocess.CREATE_NO_WINDOW
    return subprocess.Popen(
        [sys.executable, "-P", "-m", module, *arguments],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=stderr,
        bufsize=0,
        cwd=Path(sys.executable).anchor,
        env=clean_environment(),
        start_new_session=True,
        creationflags=flags,
    )


def clean_environment() -> dict[str, str]:
    """Return the environment of every process of the grader: one thread, no secrets, fixed string hashes."""
    one_thread = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
    # Code that asks for more threads anyway: they sleep, not spin, while they wait for the one core.
    one_thread["OMP_WAIT_POLICY"] = "PASSIVE"
    kept = {name: os.environ[name] for name in ("SYSTEMROOT", "TMPDIR", "TEMP") if name in os.environ}
    # torch.optim creates this folder when it is first imported, which fails in a worker unless it exists.
    cache = {"TORCHINDUCTOR_CACHE_DIR": Path(sys.executable).anchor}
    return {"PATH": os.defpath, "LANG": "C.UTF-8", "PYTHONHASHSEED": "0", **one_thread, **cache, **kept}


def end(process: Process, patience_s: float = _GRACE_S) -> bool:
    """Wait until a process has ended, and kill it after `patience_s`; return whether that was needed.

    What it started is killed in any case, as far as the system can name it: its process group, which may outlive it;
    on Windows, which has none, the processes below one that still runs.
    """
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(timeout=patience_s)
    is_late = process.poll() is None
    kill(process)
    process.wait()
    return is_late


def discard(process: Process, patience_s: float = _GRACE_S) -> None:
    """End a process that was never used: no channel reads its pipes, or closes them."""
    if process.stdin is not None:
        process.stdin.close()
    end(process, patience_s)
    for pipe in (process.stdout, process.stderr):
        if pipe is not None:
            pipe.close()


def kill(process: Process) -> None:
    """Kill a process and what it started, without waiting for it."""
    if sys.platform == "win32":
        if process.poll() is None:
            _kill_below(process.pid)
        process.kill()
        return
    process.kill()
    # There is no process left in the group, or, as macOS says with EPERM, only ones that have ended.
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)


def _kill_below(process: int) -> None:
    """Kill a process of Windows with all below it, by the system's own program for that."""
    program = Path(os.environ.get("SYSTEMROOT", r"C:\Windows"), "System32", "taskkill.exe")
    with contextlib.suppress(
        OSError, subprocess.TimeoutExpired
    ):  # without it, only the process itself is killed
        subprocess.run(
            [str(program), "/F", "/T", "/PID", str(process)],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            timeout=_DRAIN_WAIT_S,
            check=False,
        )


# --- workers


def spawn_worker() -> Process:
    """Start a worker that imports torch, and then waits for its order. Raises OSError."""
    process = spawn("grader.sandbox.worker", stderr=subprocess.PIPE)
    _running.add(process)
    return process


def kill_workers() -> None:
    """Kill all workers of this process, which is about to end: one may be in code that keeps it from ending itself."""
    for process in list(_running):
        kill(process)


@dataclass(slots=True)
class SpawnLauncher:
    """Starts each worker as a fresh interpreter: slower, and without the layers that only Linux has.

    `spares` were started before they were needed. Each is used once, like any other.
    """

    order: WorkerOrder
    spares: list[Process] = field(default_factory=list)

    def start(self, cpu_limit_s: int) -> WorkerProcess:
        """Start one worker. Raises InternalError where this machine has no memory or process left."""
        order = msgspec.structs.replace(self.order, cpu_limit_s=cpu_limit_s)
        try:
            process = self._spare() or spawn_worker()
        except OSError as error:
            raise InternalError(f"A worker could not be started: {error}. {AGAIN}") from error
        worker = _SpawnedWorker(process, self.order.output_limit_kib * 1024)
        with contextlib.suppress(Closed):  # one that has already ended is noticed by the next receive
            worker.channel.send(msgspec.json.encode(order))
        return worker

    def _spare(self) -> Process | None:
        """Return a spare that still waits; None where there is none."""
        while self.spares:
            process = self.spares.pop(0)
            if process.poll() is None:
                return process
            discard(process)
            _running.discard(process)
        return None


class _SpawnedWorker:
    """A spawned worker. Frames go through its stdin and stdout, what it prints through its stderr."""

    def __init__(self, process: Process, output_limit_bytes: int) -> None:
        assert process.stdin is not None
        assert process.stdout is not None
        self._process = process
        self._output_limit_bytes = output_limit_bytes
        self._output, self._printed_bytes = bytearray(), 0
        self.channel: Channel = PipeChannel(process.stdout, process.stdin)
        self._drain = threading.Thread(target=self._read_output, daemon=True)
        self._drain.start()

    def _read_output(self) -> None:
        assert self._process.stderr is not None
        with self._process.stderr as printed:
            while data := printed.read(65536):
                self._printed_bytes += len(data)
                self._output += data[: max(0, KEPT_OUTPUT_BYTES - len(self._output))]
                if self._printed_bytes > self._output_limit_bytes:
                    kill(self._process)

    def disconnect(self) -> None:
        """Close its stdin, at which it ends."""
        self.channel.close()

    def end(self, patience_s: float = 0.0) -> Ending:
        """Close its stdin, wait, kill it and what it started, and return how it ended."""
        self.disconnect()
        killed = end(self._process, max(patience_s, _GRACE_S))
        _running.discard(self._process)
        code = self._process.wait()
        self._drain.join(timeout=_DRAIN_WAIT_S)
        over = self._printed_bytes > self._output_limit_bytes
        return Ending(
            cause="output_limit" if over else "grader" if killed else "itself",
            exit_status=max(code, 0),
            signal=_KILLED if killed else max(-code, 0),
            output=bytes(self._output),
            printed_bytes=self._printed_bytes,
        )

"""Grading processes started as fresh interpreters: isolation level 0.

An interpreter needs seconds to import torch. So one that has imported it waits for the next job, with workers of its
own that have too. It is made ready while nothing is graded, and grades one job, as any other.
"""

import contextlib
import queue
import sys
import threading
import time
from collections.abc import Callable
from typing import IO

from grader.grading import free_memory
from grader.grading.messages import Job
from grader.sandbox.last_words import error_file, last_words
from grader.sandbox.protocol.frames import Channel, PipeChannel
from grader.sandbox.protocol.orders import LAYERS, Missing, Ready, WorkerOrder
from grader.sandbox.spawned import Process, SpawnLauncher, discard, end, spawn
from grader.sandbox.supervisor import Launcher

MOST_WORKERS = 2  # of one that waits: for the checks, and for the search after one has failed
PROCESS_MIB = 256  # what a process with torch takes
_LOOK_S = 5.0  # how often it is seen whether memory is short
_PAUSE_S = 0.1  # after a result: it is printed first
_PATIENCE_S = 0.5  # in which a grading process whose connection is closed ends by itself


class SpawnStarter:
    """Starts grading processes as fresh interpreters, where a warm one cannot or must not be forked."""

    def __init__(self, reason: str, code: str = "", *, many: bool = False) -> None:
        """`reason` is why there is no higher level than 0, `code` the name of the kernel's error, if there is one.

        The first process is started here, so that it imports torch while the command reads the course. Where `many`
        submissions are expected, another is made ready whenever nothing is graded.
        """
        self._missing = tuple(Missing(layer=layer, reason=reason, code=code) for layer in LAYERS)
        self._many = many
        self._lock = threading.Lock()
        self._stopped = False
        self._in_use: set[_SpawnedGrading] = set()
        self._spare: _SpawnedGrading | None = None
        with contextlib.suppress(OSError):  # it is said when one is needed
            self._spare = _started(workers=1)
        self._left: queue.SimpleQueue[_SpawnedGrading | None] = queue.SimpleQueue()
        self._keeper = threading.Thread(target=self._look_after, daemon=True)
        self._keeper.start()

    def ready(self) -> Ready:
        """Return what level 0 offers: a process of its own, deadlines and limits."""
        from importlib.metadata import version  # noqa: PLC0415 - only here

        return Ready(
            level=0,
            layers=("process", "limits"),
            missing=self._missing,
            torch_version=version("torch"),
            python_version=".".join(map(str, sys.version_info[:3])),
        )

    def open(self, job: Job, slot: int) -> Channel:
        """Start a grading process, or take the one that waits; the job follows through the channel."""
        del job, slot
        with self._lock:
            spare, self._spare = self._spare, None
            if spare is not None and not spare.is_running():
                spare.discard()
                spare = None
            process = spare or _started(workers=1)
            self._in_use.add(process)
        return _GradingChannel(process, self._ended)

    def launcher(self, order: WorkerOrder) -> Launcher:
        """Return what spawns workers."""
        return SpawnLauncher(order)

    def is_alive(self) -> bool:
        """Return True: a fresh interpreter can always be started."""
        return True

    def why_one_died(self, channel: Channel | None) -> str:
        """Return what the grading process at the other end wrote last."""
        return last_words(channel.process.errors.fileno()) if isinstance(channel, _GradingChannel) else ""

    def stop(self) -> None:
        """End every grading process, and with it its workers."""
        with self._lock:
            self._stopped = True
            used, self._in_use = self._in_use, set()
            spare, self._spare = self._spare, None
        for process in used:
            process.disconnect()
        for process in used:
            process.end()
        if spare is not None:
            spare.discard()
        self._left.put(None)
        self._keeper.join()

    def _ended(self, process: "_SpawnedGrading") -> None:
        with self._lock:
            is_ours = process in self._in_use
            self._in_use.discard(process)
        if is_ours:  # else it was stopped
            self._left.put(process)

    def _look_after(self) -> None:
        """End the processes that have given their result or are overdue, and have one wait where that is wanted."""
        while True:
            with contextlib.suppress(queue.Empty):
                process = self._left.get(timeout=_LOOK_S)
                if process is None:
                    return
                process.end()
                time.sleep(_PAUSE_S)
            if self._many:
                self._make_ready()

    def _make_ready(self) -> None:
        """Have a process wait if nothing is graded and memory is not short; end the one that waits if it is."""
        workers = min(MOST_WORKERS, free_memory.to_spare_mib() // PROCESS_MIB - 1)
        given_back = None
        with self._lock:
            if self._spare is not None and (free_memory.is_short() or not self._spare.is_running()):
                given_back, self._spare = self._spare, None
            elif self._spare is None and workers > 0 and not self._in_use and not self._stopped:
                with contextlib.suppress(OSError):  # there is none, until it is tried again
                    self._spare = _started(workers=workers, is_spare=True)
        if given_back is not None:
            given_back.discard()


class _SpawnedGrading:
    """A grading process, and the file that is its stderr."""

    def __init__(self, process: Process, errors: IO[bytes]) -> None:
        self.process, self.errors = process, errors

    def is_running(self) -> bool:
        """Tell whether it has not ended."""
        return self.process.poll() is None

    def disconnect(self) -> None:
        """Close its stdin, at which it kills its workers and ends."""
        assert self.process.stdin is not None
        with contextlib.suppress(OSError):
            self.process.stdin.close()

    def end(self) -> None:
        """Have it end; kill it where it does not."""
        self.disconnect()
        end(self.process, _PATIENCE_S)
        self.errors.close()

    def discard(self) -> None:
        """End one that was never used."""
        discard(self.process, _PATIENCE_S)
        self.errors.close()


def _started(*, workers: int, is_spare: bool = False) -> _SpawnedGrading:
    """Start a grading process with so many workers. Raises OSError where there can be none."""
    errors = error_file()
    try:
        return _SpawnedGrading(
            spawn("grader.grading.engine", str(workers), str(int(is_spare)), stderr=errors), errors
        )
    except OSError:
        errors.close()
        raise


class _GradingChannel(PipeChannel):
    """The channel to a grading process, which ends when it is closed."""

    def __init__(self, process: _SpawnedGrading, on_close: Callable[[_SpawnedGrading], None]) -> None:
        assert process.process.stdout is not None
        assert process.process.stdin is not None
        super().__init__(process.process.stdout, process.process.stdin)
        self.process, self._on_close = process, on_close

    def close(self) -> None:
        """Close this end, and have the process end."""
        super().close()
        self._on_close(self.process)

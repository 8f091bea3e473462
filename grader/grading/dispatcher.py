"""The command's side of grading: starts the warm process, sends every exercise to a grading process, collects results.

It imports no torch, so the command can read course and submission while the zygote imports it.
"""

import contextlib
import os
import queue
import select
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Protocol, Self

import msgspec

from grader.core.errors import InternalError, UsageError
from grader.core.model import CheckResult, Isolation
from grader.grading import messages
from grader.grading.messages import CheckEnded, Graded, Job, NotGraded
from grader.sandbox.protocol.frames import Channel, Closed, Overdue, PipeChannel, SocketChannel
from grader.sandbox.protocol.orders import LAYERS, GradeOrder, Missing, Ready, WorkerOrder
from grader.sandbox.supervisor import ForkLauncher, Launcher, SpawnLauncher, clean_environment

MAX_LEVEL_VARIABLE = "CONVGRADER_MAX_ISOLATION"
START_LIMIT_S = 120.0
SUBMISSION_MEMORY_MIB = 2048
_OWN_SLACK_S = 60  # beyond the student's own limits: the grader's imports, diagnosis, counterexample

Watch = Callable[[str, CheckResult], None]


def ignore(_exercise: str, _check: CheckResult) -> None:
    """Ignore each check that ends: the default of `watch`."""


class _Starter(Protocol):
    """Starts grading processes."""

    def ready(self) -> Ready:
        """Wait until grading processes can be started; return what isolation there is."""

    def open(self, job: Job, slot: int) -> Channel:
        """Start the grading process of one job and return the channel to it."""

    def launcher(self, order: WorkerOrder) -> Launcher:
        """Return what starts workers without a grading process: for measurements and tests."""

    def is_alive(self) -> bool:
        """Return whether grading processes can still be started."""

    def stop(self) -> None:
        """End everything that was started."""


class Dispatcher:
    """Grades jobs, a few at a time. Use it as a context manager: leaving it ends every process."""

    def __init__(self, jobs: int | None = None, *, many: bool = False, lazy: bool = False) -> None:
        """`jobs` are graded side by side; as many as there are cores unless given.

        Where `many` submissions are expected, the start takes longer, and each of them less. A `lazy` one starts when
        something is graded, for a caller that may have nothing to grade.
        """
        start = partial(_start, _max_level(), many=many)
        self._jobs = jobs or cores()
        self._slots = _Slots(range(self._jobs))
        self._starter: _Starter = _Later(start) if lazy else start()
        self._ready: Ready | None = None
        self._starting = threading.Lock()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def stop(self) -> None:
        """End every process that was started; what is being graded ends as not graded."""
        self._starter.stop()

    def is_alive(self) -> bool:
        """Return whether grading processes can still be started."""
        return self._starter.is_alive()

    def take_slot(self, slot: int) -> None:
        """Grade one job at a time, in this slot, for a forked process that shares the warm process with others."""
        self._jobs, self._slots = 1, _Slots([slot])

    def ready(self) -> Ready:
        """Wait until the machine is ready to grade; return its isolation level and versions."""
        with self._starting:
            if self._ready is None:
                self._ready = self._starter.ready()
            return self._ready

    def launcher(self, order: WorkerOrder) -> Launcher:
        """Return what starts workers without a grading process: for measurements and tests."""
        self.ready()
        return self._starter.launcher(order)

    def isolation(self) -> Isolation:
        """Return the isolation level and layers of workers on this machine."""
        ready = self.ready()
        return Isolation(level=ready.level, layers=ready.layers, missing=tuple(map(str, ready.missing)))

    def grade(self, todo: Sequence[Job], watch: Watch = ignore) -> Iterator[Graded | NotGraded]:
        """Grade the jobs of one submission side by side; yield their results in the order of `todo`.

        Jobs that need something warmed go last, so that the others need not wait for it. Workers that run side by
        side have a core each, and those of one submission may use SUBMISSION_MEMORY_MIB together. Several threads may
        call this at once, each with its own submission: they share the cores.
        """
        if not todo:
            return
        self.ready()
        order = sorted(range(len(todo)), key=lambda n: bool(todo[n].exercise.warm))
        memory = _Memory(SUBMISSION_MEMORY_MIB)
        if len(todo) == 1:
            yield self._grade_one(todo[0], watch, memory)
            return
        with ThreadPoolExecutor(max_workers=self._jobs) as pool:
            futures = {n: pool.submit(self._grade_one, todo[n], watch, memory) for n in order}
            try:
                for n in range(len(todo)):
                    yield futures[n].result()
            finally:
                if not all(future.done() for future in futures.values()):
                    self._starter.stop()  # unblocks the threads that still wait for results

    def _grade_one(self, job: Job, watch: Watch, memory: "_Memory") -> Graded | NotGraded:
        # Memory first: a job that waits for it must not hold a core that another submission could use.
        with memory.take(job.exercise.limits.memory_limit_mib), self._slots.take() as slot:
            return self._grade_in(slot, job, watch)

    def _grade_in(self, slot: int, job: Job, watch: Watch) -> Graded | NotGraded:
        limit = job.exercise.limits.exercise_limit_s + job.exercise.limits.import_limit_s + 2 * _OWN_SLACK_S
        deadline = time.monotonic() + limit
        if watch is ignore:
            job = msgspec.structs.replace(job, tell_checks=False)
        try:
            channel = self._starter.open(job, slot)
            with contextlib.closing(channel):
                channel.send(messages.encode(job))
                while True:
                    message = messages.decode(channel.receive(deadline)[0])
                    if isinstance(message, CheckEnded):
                        watch(job.exercise.id, message.result)
                    elif isinstance(message, (Graded, NotGraded)):
                        return message
        except Closed:
            return NotGraded(reason="the grading process died")
        except Overdue:
            return NotGraded(reason=f"the grading process did not end within {limit:.0f} s")


class _Slots:
    """The cores of this machine on which workers run; each job takes one."""

    def __init__(self, slots: Iterable[int]) -> None:
        self._free: queue.SimpleQueue[int] = queue.SimpleQueue()
        for slot in slots:
            self._free.put(slot)

    @contextlib.contextmanager
    def take(self) -> Iterator[int]:
        """Wait for a free slot."""
        slot = self._free.get()
        try:
            yield slot
        finally:
            self._free.put(slot)


class _Memory:
    """The memory that the workers of one submission may use together."""

    def __init__(self, whole_mib: int) -> None:
        self._left_mib, self._whole_mib = whole_mib, whole_mib
        self._changed = threading.Condition()

    @contextlib.contextmanager
    def take(self, memory_mib: int) -> Iterator[None]:
        """Wait until so much is free; a job that asks for more than the whole gets the whole."""
        wanted = min(memory_mib, self._whole_mib)
        with self._changed:
            self._changed.wait_for(lambda: self._left_mib >= wanted)
            self._left_mib -= wanted
        try:
            yield
        finally:
            with self._changed:
                self._left_mib += wanted
                self._changed.notify_all()


def cores() -> int:
    """Return how many cores this process may use."""
    return len(os.sched_getaffinity(0)) if sys.platform == "linux" else os.cpu_count() or 1


def _max_level() -> int:
    """Return the highest isolation level that the environment allows; 3 unless it is set."""
    value = os.environ.get(MAX_LEVEL_VARIABLE, "3")
    if value not in ("0", "1", "2", "3"):
        raise UsageError(f"{MAX_LEVEL_VARIABLE} is {value!r}, and must be 0, 1, 2 or 3.")
    return int(value)


def _start(level: int, *, many: bool) -> _Starter:
    return _Zygote(level, many=many) if sys.platform == "linux" and level > 0 else _Spawner(level)


class _Later:
    """Starts another starter when it is first needed: `ready` is called before anything else."""

    def __init__(self, start: Callable[[], _Starter]) -> None:
        self._start = start
        self._started: _Starter | None = None

    def ready(self) -> Ready:
        """Start, and wait until grading processes can be started."""
        self._started = self._start()
        return self._started.ready()

    def open(self, job: Job, slot: int) -> Channel:
        """Start the grading process of one job and return the channel to it."""
        assert self._started is not None
        return self._started.open(job, slot)

    def launcher(self, order: WorkerOrder) -> Launcher:
        """Return what starts workers without a grading process."""
        assert self._started is not None
        return self._started.launcher(order)

    def is_alive(self) -> bool:
        """Return whether grading processes can be started, or nothing has been tried yet."""
        return self._started is None or self._started.is_alive()

    def stop(self) -> None:
        """End everything that was started."""
        if self._started is not None:
            self._started.stop()


class _Zygote:
    """The warm process, and grading processes forked from it."""

    def __init__(self, max_level: int, *, many: bool) -> None:
        self._control, zygote_end = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._errors = tempfile.TemporaryFile()  # noqa: SIM115 - closed by stop()
        with zygote_end:
            self._process = subprocess.Popen(
                [
                    sys.executable,
                    "-P",
                    "-m",
                    "grader.grading.zygote",
                    str(zygote_end.fileno()),
                    str(os.getpid()),
                    str(max_level),
                    str(int(many)),
                ],
                stdin=subprocess.DEVNULL,
                stdout=self._errors,
                stderr=self._errors,
                cwd="/",
                env=clean_environment(),
                pass_fds=[zygote_end.fileno()],
                start_new_session=True,  # so that Ctrl-C reaches only the command
            )
        self._lock = threading.Lock()

    def ready(self) -> Ready:
        """Wait until it is warm."""
        self._control.settimeout(START_LIMIT_S)
        try:
            data = self._control.recv(2**16)
        except TimeoutError:
            raise InternalError(f"The warm process was not ready within {START_LIMIT_S:.0f} s.") from None
        except OSError:
            data = b""
        self._control.settimeout(None)
        if not data:
            self._process.wait()
            raise InternalError(f"The warm process could not start:\n{self._last_output()}")
        return msgspec.msgpack.decode(data, type=Ready)

    def _last_output(self) -> str:
        self._errors.seek(0)
        return self._errors.read().decode("utf-8", "replace")[-2000:].strip() or "it printed nothing"

    def open(self, job: Job, slot: int) -> Channel:
        """Fork a grading process."""
        limits = job.exercise.limits
        wall = int(limits.exercise_limit_s + limits.import_limit_s) + _OWN_SLACK_S
        suite = job.exercise.suite
        order = msgspec.msgpack.encode(
            GradeOrder(
                suite=str(suite),
                version=_version(suite.parent),
                wall_limit_s=wall,
                slot=slot,
                warm=job.exercise.warm,
            )
        )
        own_end, process_end = socket.socketpair()
        with process_end, self._lock:
            try:
                socket.send_fds(self._control, [order], [process_end.fileno(), self._control.fileno()])
            except OSError as error:
                raise Closed from error
        return SocketChannel(own_end)

    def launcher(self, order: WorkerOrder) -> Launcher:
        """Return what forks workers."""
        return ForkLauncher(self._control, order, slot=0)

    def is_alive(self) -> bool:
        """Return whether the warm process runs, by its socket: a forked process that shares it is not its parent."""
        if self._control.fileno() < 0:
            return False  # it was stopped
        poller = select.poll()
        poller.register(self._control, 0)  # POLLHUP is always reported
        return not poller.poll(0)

    def stop(self) -> None:
        """Kill the warm process; everything forked from it dies with it."""
        self._control.close()
        self._process.kill()
        self._process.wait()
        self._errors.close()


def _version(folder: Path) -> str:
    """Return a text that changes whenever a file of an exercise is edited while a warm process holds the exercise."""
    files = sorted(folder.glob("*.py"))
    stats = [path.stat() for path in files]
    return " ".join(f"{path.name}:{s.st_mtime_ns}:{s.st_size}" for path, s in zip(files, stats, strict=True))


class _Spawner:
    """Starts grading processes as fresh interpreters, where a warm one cannot or must not be forked."""

    def __init__(self, max_level: int) -> None:
        reason = (
            f"{MAX_LEVEL_VARIABLE} is {max_level}" if sys.platform == "linux" else f"this is {sys.platform}"
        )
        self._missing = tuple(Missing(layer=layer, reason=reason) for layer in LAYERS)
        self._running: list[subprocess.Popen[bytes]] = []
        self._lock = threading.Lock()

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
        """Start a grading process; the job follows through the channel."""
        del job, slot
        process = subprocess.Popen(
            [sys.executable, "-P", "-m", "grader.grading.engine"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            bufsize=0,
            cwd=Path(sys.executable).anchor,
            env=clean_environment(),
        )
        with self._lock:
            # poll() reaps what has ended, or a class would leave a zombie for each grading.
            self._running = [one for one in self._running if one.poll() is None] + [process]
        assert process.stdin is not None
        assert process.stdout is not None
        return PipeChannel(process.stdout, process.stdin)

    def launcher(self, order: WorkerOrder) -> Launcher:
        """Return what spawns workers."""
        return SpawnLauncher(order)

    def is_alive(self) -> bool:
        """Return True: a fresh interpreter can always be started."""
        return True

    def stop(self) -> None:
        """Kill every grading process; their workers end when their pipes close."""
        for process in self._running:
            process.kill()
            process.wait()

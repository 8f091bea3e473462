"""The ways to start grading processes: forked from the warm process, or as fresh interpreters."""

import errno
import os
import select
import socket
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

import msgspec

from grader.core.errors import InternalError, UsageError
from grader.grading.messages import Job
from grader.grading.spawn_starter import SpawnStarter
from grader.sandbox.last_words import error_file, last_words
from grader.sandbox.protocol.frames import Channel, Closed, SocketChannel
from grader.sandbox.protocol.orders import NO_PIDFD, GradeOrder, Ready, WorkerOrder, send_order
from grader.sandbox.spawned import clean_environment
from grader.sandbox.supervisor import ForkLauncher, Launcher

MAX_LEVEL_VARIABLE = "CONVGRADER_MAX_ISOLATION"
START_LIMIT_S = 120.0
_ZYGOTE, _GRADING = "grade zygote", ("grade suite", "grade host")  # names of processes
OWN_SLACK_S = 60  # beyond the student's own limits: the grader's imports, diagnosis, counterexample


class Starter(Protocol):
    """Starts grading processes."""

    def ready(self) -> Ready:
        """Wait until grading processes can be started; return what isolation there is."""

    def open(self, job: Job, slot: int) -> Channel:
        """Start the grading process of one job and return the channel to it."""

    def launcher(self, order: WorkerOrder) -> Launcher:
        """Return what starts workers without a grading process: for measurements and tests."""

    def is_alive(self) -> bool:
        """Return whether grading processes can still be started."""

    def why_one_died(self, channel: Channel | None) -> str:
        """Return ": " and what the grading process at the other end, or its parent, wrote last; "" without it.

        There is no channel where none could be opened.
        """

    def stop(self) -> None:
        """End everything that was started."""


def max_level() -> int:
    """Return the highest isolation level that the environment allows; 3 unless it is set."""
    value = os.environ.get(MAX_LEVEL_VARIABLE, "3")
    if value not in ("0", "1", "2", "3"):
        raise UsageError(f"{MAX_LEVEL_VARIABLE} is {value!r}, and must be 0, 1, 2 or 3.")
    return int(value)


def start(level: int, *, many: bool) -> Starter:
    """Start what starts grading processes: on Linux the warm process, unless level 0 is asked for."""
    if sys.platform != "linux":
        return SpawnStarter(f"this is {sys.platform}", many=many)
    if level == 0:
        return SpawnStarter(f"{MAX_LEVEL_VARIABLE} is 0", many=many)
    from grader.sandbox.worker import linux  # noqa: PLC0415 - Linux only

    try:
        os.close(linux.pidfd_open(os.getpid()))
    except OSError as error:  # then no process can be watched, and so none is forked
        code = errno.errorcode.get(error.errno or 0, "")
        return SpawnStarter(f"{NO_PIDFD}: {error.strerror}", code, many=many)
    return ZygoteStarter(level, many=many)


class LazyStarter:
    """Starts another starter when it is first needed: `ready` is called before anything else."""

    def __init__(self, start: Callable[[], Starter]) -> None:
        self._start = start
        self._started: Starter | None = None

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

    def why_one_died(self, channel: Channel | None) -> str:
        """Return what the grading process at the other end wrote last."""
        return self._started.why_one_died(channel) if self._started is not None else ""

    def stop(self) -> None:
        """End everything that was started."""
        if self._started is not None:
            self._started.stop()


class ForkingStarter:
    """Has grading processes forked from a warm process, by orders through its control socket."""

    def __init__(self, control: socket.socket, errors: int) -> None:
        """`errors` is the descriptor of the file that is the stderr of all of them."""
        self._control, self._errors = control, errors
        self._lock = threading.Lock()

    def _why(self, *names: str) -> str:
        """Return ": " and why a process of one of these names died, as far as it is known."""
        return last_words(self._errors, *names) or ": it wrote nothing"

    def why_one_died(self, channel: Channel | None) -> str:  # noqa: ARG002 - all write into one file
        """Return what a grading process that has just died, its host or the zygote wrote last."""
        return self._why(*_GRADING, _ZYGOTE)

    def open(self, job: Job, slot: int) -> Channel:
        """Fork a grading process."""
        limits = job.exercise.limits
        wall = int(limits.exercise_limit_s + limits.import_limit_s) + OWN_SLACK_S
        suite = job.exercise.suite
        order = GradeOrder(
            suite=str(suite),
            version=_version(suite.parent),
            wall_limit_s=wall,
            slot=slot,
            warm=job.exercise.warm,
        )
        own_end, process_end = socket.socketpair()
        with process_end, self._lock:
            try:
                send_order(order, [process_end.fileno(), self._control.fileno()], self._control)
            except OSError as error:
                own_end.close()
                raise Closed from error
        return SocketChannel(own_end)

    def launcher(self, order: WorkerOrder) -> Launcher:
        """Return what forks workers."""
        return ForkLauncher(self._control, order, slot=0, stderr=self._errors)

    def is_alive(self) -> bool:
        """Return whether the warm process runs, by its socket: a forked process that shares it is not its parent."""
        if self._control.fileno() < 0:
            return False  # it was stopped
        poller = select.poll()
        poller.register(self._control, 0)  # POLLHUP is always reported
        return not poller.poll(0)


class ZygoteStarter(ForkingStarter):
    """A warm process of this command's own, which ends with it."""

    def __init__(self, max_level: int, *, many: bool) -> None:
        control, zygote_end = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._error_file = error_file()
        super().__init__(control, self._error_file.fileno())
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
                stdout=self._error_file,
                stderr=self._error_file,
                cwd="/",
                env=clean_environment(),
                pass_fds=[zygote_end.fileno()],
                start_new_session=True,  # so that Ctrl-C reaches only the command
            )

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
            raise InternalError(f"The warm process could not start{self._why(_ZYGOTE)}.")
        return msgspec.msgpack.decode(data, type=Ready)

    def _why(self, *names: str) -> str:
        code = self._process.poll()
        ended = f" (the warm process ended with {code})" if code is not None else ""
        return super()._why(*names) + ended

    def descriptors(self) -> list[int]:
        """Return the control socket and the file of all stderrs, for a process that shares the warm process."""
        return [self._control.fileno(), self._errors]

    def stop(self) -> None:
        """Kill the warm process; everything forked from it dies with it."""
        self._control.close()
        self._process.kill()
        self._process.wait()
        self._error_file.close()


def _version(folder: Path) -> str:
    """Return a text that changes whenever a file of an exercise is edited while a warm process holds the exercise."""
    files = sorted(folder.glob("*.py"))
    stats = [path.stat() for path in files]
    return " ".join(f"{path.name}:{s.st_mtime_ns}:{s.st_size}" for path, s in zip(files, stats, strict=True))

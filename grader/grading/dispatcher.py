"""The command's side of grading: starts the warm process, sends every exercise to a grading process, collects results.

It imports no torch, so the command can read course and submission while the zygote imports it.
"""

import contextlib
import dataclasses
import os
import queue
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from types import TracebackType
from typing import Self

import msgspec

from grader.core.errors import ProtocolError
from grader.core.model import CheckResult, Isolation
from grader.grading import messages, starters
from grader.grading.messages import CheckEnded, Graded, Job, NotGraded
from grader.sandbox.protocol.frames import Channel, Closed, Overdue
from grader.sandbox.protocol.orders import Ready, WorkerOrder
from grader.sandbox.supervisor import Launcher
from grader.sandbox.worker import cgroup

MAX_LEVEL_VARIABLE = starters.MAX_LEVEL_VARIABLE
SUBMISSION_MEMORY_MIB = 2048
# What the grader needs itself of a cgroup's memory: for the command and the warm process, and for each grading process.
_GRADER_MIB, _GRADING_MIB = 320, 64
_LEAST_MEMORY_MIB = 128  # of a worker, however little there is: what an exercise needs

Watch = Callable[[str, CheckResult], None]
Ended = Callable[[str, int], None]


def ignore(_exercise: str, _check: CheckResult) -> None:
    """Ignore each check that ends: the default of `watch`."""


def ignore_end(_exercise: str, _jobs: int) -> None:
    """Ignore each job that ends: the default of `ended`."""


class Dispatcher:
    """Grades jobs, a few at a time. Use it as a context manager: leaving it ends every process."""

    def __init__(
        self, jobs: int | None = None, *, many: bool = False, lazy: bool = False, standby: bool = False
    ) -> None:
        """`jobs` are graded side by side; as many as there are cores unless given.

        Where `many` submissions are expected, the start takes longer, and each of them less. A `lazy` one starts when
        something is graded, for a caller that may have nothing to grade. With `standby` its processes are forked from
        one that stays behind for the next command.
        """
        start = partial(_start, starters.max_level(), many=many, standby=standby)
        self._jobs = jobs or cores()
        self._slots = _Slots(range(self._jobs))
        self._worker_memory_mib = worker_memory_mib(self._jobs)
        self._starter: starters.Starter = starters.LazyStarter(start) if lazy else start()
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

    def grade(
        self, todo: Sequence[Job], watch: Watch = ignore, ended: Ended = ignore_end
    ) -> Iterator[Graded | NotGraded]:
        """Grade the jobs of one submission side by side; yield their results in the order of `todo`.

        `watch` is called with each check that ends, and `ended` with the exercise of each job that ends and the number
        of all jobs, both in the threads that wait for grading processes.

        Jobs that need something warmed go last, so that the others need not wait for it. Workers that run side by
        side have a core each, and those of one submission may use SUBMISSION_MEMORY_MIB together. Several threads may
        call this at once, each with its own submission: they share the cores.
        """
        if not todo:
            return
        self.ready()
        order = sorted(range(len(todo)), key=lambda n: bool(todo[n].exercise.warm))
        memory = _Memory(SUBMISSION_MEMORY_MIB)

        def grade_one(job: Job) -> Graded | NotGraded:
            ending = self._grade_one(job, watch, memory)
            ended(job.exercise.id, len(todo))
            return ending

        if len(todo) == 1:
            yield grade_one(todo[0])
            return
        with ThreadPoolExecutor(max_workers=self._jobs) as pool:
            futures = {n: pool.submit(grade_one, todo[n]) for n in order}
            try:
                for n in range(len(todo)):
                    yield futures[n].result()
            finally:
                if not all(future.done() for future in futures.values()):
                    self._starter.stop()  # unblocks the threads that still wait for results

    def _grade_one(self, job: Job, watch: Watch, memory: "_Memory") -> Graded | NotGraded:
        job = _within(job, self._worker_memory_mib)
        # Memory first: a job that waits for it must not hold a core that another submission could use.
        with memory.take(job.exercise.limits.memory_limit_mib), self._slots.take() as slot:
            return self._grade_in(slot, job, watch)

    def _grade_in(self, slot: int, job: Job, watch: Watch) -> Graded | NotGraded:
        limit = (
            job.exercise.limits.exercise_limit_s
            + job.exercise.limits.import_limit_s
            + 2 * starters.OWN_SLACK_S
        )
        deadline = time.monotonic() + limit
        if watch is ignore:
            job = msgspec.structs.replace(job, tell_checks=False)
        try:
            channel = self._starter.open(job, slot)
        except Closed:
            return NotGraded(reason=f"the grading process died{self._starter.why_one_died(None)}")
        except OSError as error:
            return NotGraded(reason=f"no grading process could be started: {error}")
        with contextlib.closing(channel):
            try:
                return _result(channel, job, deadline, watch)
            except Closed:
                return NotGraded(reason=f"the grading process died{self._starter.why_one_died(channel)}")
            except Overdue:
                why = self._starter.why_one_died(channel)
                return NotGraded(reason=f"the grading process did not end within {limit:.0f} s{why}")
            except (ProtocolError, msgspec.MsgspecError) as error:
                return NotGraded(reason=f"the grading process sent what cannot be read: {error}")


def _result(channel: Channel, job: Job, deadline: float, watch: Watch) -> Graded | NotGraded:
    """Send a job to its grading process, and return the result; call `watch` with each check that ends before."""
    with contextlib.suppress(Closed):  # it may have answered before it ended
        channel.send(b"", messages.encode(job))  # as payload: sources may be larger than a header
    while True:
        message = messages.decode(channel.receive(deadline)[0])
        if isinstance(message, CheckEnded):
            watch(job.exercise.id, message.result)
        elif isinstance(message, (Graded, NotGraded)):
            return message


def _start(level: int, *, many: bool, standby: bool) -> starters.Starter:
    """Use a standby process where that is wanted and can be had; else start what starts grading processes."""
    if standby and level and sys.platform == "linux":
        from grader.grading.standby import connect  # noqa: PLC0415 - Linux only

        if (found := connect(level)) is not None:
            return found
    return starters.start(level, many=many)


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


def worker_memory_mib(jobs: int) -> int | None:
    """Return how much memory each of so many workers side by side may use; None where no cgroup limits it."""
    limit = cgroup.memory_limit_bytes() if sys.platform == "linux" else None
    if limit is None:
        return None
    return max(_LEAST_MEMORY_MIB, (limit // 2**20 - _GRADER_MIB) // jobs - _GRADING_MIB)


def _within(job: Job, memory_mib: int | None) -> Job:
    """Return the job with a memory limit that this machine can keep."""
    limits = job.exercise.limits
    if memory_mib is None or limits.memory_limit_mib <= memory_mib:
        return job
    limits = dataclasses.replace(limits, memory_limit_mib=memory_mib)
    return msgspec.structs.replace(job, exercise=dataclasses.replace(job.exercise, limits=limits))


def cores() -> int:
    """Return how many cores this process may use."""
    return len(os.sched_getaffinity(0)) if sys.platform == "linux" else os.cpu_count() or 1

"""What an executor runs: grades the orders that reach this process, with a warm process of its own.

An executor may run `perform` in a thread, a process, or on another machine, where the course lies elsewhere and may be
another version. So an order names the engine and the exercises it means by their fingerprints, and an order for others
is refused.
"""

import atexit
import multiprocessing
import multiprocessing.connection
import os
import signal
import threading
from multiprocessing.queues import SimpleQueue

import msgspec

from grader.core.model import Exercise, Isolation, Versions
from grader.course import catalog, fingerprint
from grader.grading import messages
from grader.grading.dispatcher import Dispatcher
from grader.grading.messages import Graded, Job, NotGraded


class WorkOrder(msgspec.Struct, frozen=True, kw_only=True):
    """Jobs of one submission, encoded, and the fingerprints of their exercises and of the engine.

    `slots` is how many jobs this process may grade side by side, of all orders together.
    """

    jobs: tuple[bytes, ...]
    exercises: dict[str, str]
    engine: str
    required_level: int
    slots: int


class WorkResult(msgspec.Struct, frozen=True, kw_only=True):
    """How each job ended, encoded and in their order, and what graded them.

    `refused` is true where nothing was graded, because the isolation is below the required level.
    """

    endings: tuple[bytes, ...] = ()
    isolation: Isolation
    torch_version: str
    python_version: str
    refused: bool = False

    def versions(self, grader: str) -> Versions:
        """Return the versions that graded."""
        return Versions(grader=grader, torch=self.torch_version, python=self.python_version)


_LOCK = threading.Lock()
_dispatcher: Dispatcher | None = None


def perform(data: bytes) -> bytes:
    """Carry out an encoded WorkOrder, and return an encoded WorkResult."""
    order = msgspec.msgpack.decode(data, type=WorkOrder)
    dispatcher = _warm_dispatcher(order.slots)
    ready = dispatcher.ready()
    refused = ready.level < order.required_level
    endings = [] if refused else _grade(dispatcher, order)
    result = WorkResult(
        endings=tuple(map(messages.encode, endings)),
        isolation=dispatcher.isolation(),
        torch_version=ready.torch_version,
        python_version=ready.python_version,
        refused=refused,
    )
    return msgspec.msgpack.encode(result)


def start_shared(slots: int) -> None:
    """Start the warm process and wait until it is ready: processes forked from this one share it."""
    _warm_dispatcher(slots).ready()


def begin_pool_process(slots: "SimpleQueue[int]") -> None:
    """Initialize a process of a pool: it exits with its parent, and takes a slot of a shared warm process."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent handles Ctrl-C
    threading.Thread(target=_exit_with_parent, daemon=True).start()
    if _dispatcher is not None:
        _dispatcher.take_slot(slots.get())


def _exit_with_parent() -> None:
    parent = multiprocessing.parent_process()
    assert parent is not None
    multiprocessing.connection.wait([parent.sentinel])
    os._exit(1)


def stop() -> None:
    """End the warm process, and with it every grading that runs in this process."""
    global _dispatcher  # noqa: PLW0603 - one warm process for each process that grades
    with _LOCK:
        if _dispatcher is not None:
            _dispatcher.stop()
        _dispatcher = None


def _warm_dispatcher(slots: int) -> Dispatcher:
    """Return the dispatcher of the warm process; replace one whose process has died."""
    global _dispatcher  # noqa: PLW0603
    with _LOCK:
        if _dispatcher is not None and not _dispatcher.is_alive():
            _dispatcher.stop()
            _dispatcher = None
        if _dispatcher is None:
            _dispatcher = Dispatcher(slots, many=True)
            atexit.register(stop)
        return _dispatcher


def _grade(dispatcher: Dispatcher, order: WorkOrder) -> list[Graded | NotGraded]:
    if fingerprint.engine() != order.engine:
        refusal = NotGraded(reason="the machine it was sent to has another version of the grader")
        return [refusal] * len(order.jobs)
    endings: dict[int, Graded | NotGraded] = {}
    todo: dict[int, Job] = {}
    for n, data in enumerate(order.jobs):
        job = messages.decode(data)
        assert isinstance(job, Job)
        exercise = _local_exercise(job.exercise, order.exercises[job.exercise.id])
        if exercise is None:
            reason = f"the machine it was sent to has another version of {job.exercise.id}"
            endings[n] = NotGraded(reason=reason)
        else:
            todo[n] = msgspec.structs.replace(job, exercise=exercise)
    endings |= zip(todo, dispatcher.grade(list(todo.values())), strict=True)
    return [endings[n] for n in sorted(endings)]


def _local_exercise(wanted: Exercise, expected: str) -> Exercise | None:
    """Return the exercise as it lies on this machine; None where its fingerprint differs, or there is none."""
    if wanted.folder.is_dir() and fingerprint.exercise(wanted) == expected:
        return wanted
    found = catalog.load(catalog.find_root()).exercise(wanted.id)
    return found if found and fingerprint.exercise(found) == expected else None

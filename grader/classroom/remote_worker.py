"""The end of an executor: grades the work that reaches this process, with a warm process of its own.

An executor may run `perform` in a thread, a process, or on another machine, where a course lies elsewhere and may be
another one. So the work says which engine and which exercises it means, and work for others is refused, not guessed at.
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


class Work(msgspec.Struct, frozen=True, kw_only=True):
    """Grade these jobs of one submission; `slots` is how many jobs this process may grade side by side in all."""

    jobs: tuple[bytes, ...]
    exercises: dict[str, str]
    engine: str
    required_level: int
    slots: int


class Done(msgspec.Struct, frozen=True, kw_only=True):
    """How each job ended, in their order, and what graded. `refused` says why nothing was: too little isolation."""

    endings: tuple[bytes, ...] = ()
    isolation: Isolation
    torch_version: str
    python_version: str
    refused: bool = False

    def versions(self, grader: str) -> Versions:
        """Return what graded."""
        return Versions(grader=grader, torch=self.torch_version, python=self.python_version)


_LOCK = threading.Lock()
_dispatcher: Dispatcher | None = None


def perform(data: bytes) -> bytes:
    """Carry out encoded Work, and return encoded Done."""
    work = msgspec.msgpack.decode(data, type=Work)
    dispatcher = _warm(work.slots)
    ready = dispatcher.ready()
    refused = ready.level < work.required_level
    endings = [] if refused else _grade(dispatcher, work)
    done = Done(
        endings=tuple(map(messages.encode, endings)),
        isolation=dispatcher.isolation(),
        torch_version=ready.torch_version,
        python_version=ready.python_version,
        refused=refused,
    )
    return msgspec.msgpack.encode(done)


def share(slots: int) -> None:
    """Start the warm process, and wait for it: those that are forked from this process share it."""
    _warm(slots).ready()


def join(slots: "SimpleQueue[int]") -> None:
    """Begin a process of a pool: it ends with the owner, and has a slot for itself where it shares a warm process."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the owner's to handle
    threading.Thread(target=_end_with_owner, daemon=True).start()
    if _dispatcher is not None:
        _dispatcher.take_slot(slots.get())


def _end_with_owner() -> None:
    owner = multiprocessing.parent_process()
    assert owner is not None
    multiprocessing.connection.wait([owner.sentinel])
    os._exit(1)


def stop() -> None:
    """End the warm process, and with it everything that is being graded here."""
    global _dispatcher  # noqa: PLW0603 - one warm process for each process that grades
    with _LOCK:
        if _dispatcher is not None:
            _dispatcher.stop()
        _dispatcher = None


def _warm(slots: int) -> Dispatcher:
    """Return the warm process, started anew where it has died."""
    global _dispatcher  # noqa: PLW0603
    with _LOCK:
        if _dispatcher is not None and not _dispatcher.is_alive():
            _dispatcher.stop()
            _dispatcher = None
        if _dispatcher is None:
            _dispatcher = Dispatcher(slots, many=True)
            atexit.register(stop)
        return _dispatcher


def _grade(dispatcher: Dispatcher, work: Work) -> list[Graded | NotGraded]:
    if fingerprint.engine() != work.engine:
        return [NotGraded(reason="the machine it was sent to has another version of the grader")] * len(
            work.jobs
        )
    endings: dict[int, Graded | NotGraded] = {}
    todo: dict[int, Job] = {}
    for n, data in enumerate(work.jobs):
        job = messages.decode(data)
        assert isinstance(job, Job)
        exercise = _here(job.exercise, work.exercises[job.exercise.id])
        if exercise is None:
            reason = f"the machine it was sent to has another version of {job.exercise.id}"
            endings[n] = NotGraded(reason=reason)
        else:
            todo[n] = msgspec.structs.replace(job, exercise=exercise)
    endings |= zip(todo, dispatcher.grade(list(todo.values())), strict=True)
    return [endings[n] for n in sorted(endings)]


def _here(wanted: Exercise, expected: str) -> Exercise | None:
    """Return the exercise where it lies on this machine; None where there is another one, or none."""
    if wanted.folder.is_dir() and fingerprint.exercise(wanted) == expected:
        return wanted
    found = catalog.load(catalog.find_root()).exercise(wanted.id)
    return found if found and fingerprint.exercise(found) == expected else None

"""Level 0 in processes: spawned workers and grading processes are killed when overdue, used once, and leave nothing behind."""

import contextlib
import errno
import os
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest

from grader.authoring.reference_submissions import reference_source
from grader.core.model import Limits, Outcome
from grader.grading import dispatcher as dispatching
from grader.grading import free_memory, spawn_starter
from grader.grading.dispatcher import Dispatcher
from grader.grading.messages import Graded, Job, NotGraded
from grader.grading.spawn_starter import SpawnStarter
from grader.sandbox import spawned
from grader.sandbox.protocol.messages import Call, EntriesValue, ItemsValue, Load
from grader.sandbox.protocol.orders import WorkerOrder
from grader.sandbox.spawned import SpawnLauncher
from grader.sandbox.supervisor import Sandbox, WorkerLost

LIMIT_S = 60.0
ORDER = WorkerOrder(memory_limit_mib=1024, output_limit_kib=64)
posix = pytest.mark.skipif(
    sys.platform == "win32", reason="asks for processes by their ids, as POSIX has them"
)

# What stands in for a grading process: it imports nothing, so that many can be started in a test.
STUBBORN = """
import signal, sys, threading, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
threading.Thread(target=time.sleep, args=(600,)).start()
print("the last line of this process", file=sys.stderr, flush=True)
while True:
    time.sleep(1)
"""
WAITING = "import sys; sys.stdin.buffer.read()"
DYING = "import sys; sys.exit('it could not start')"


def until(holds: Callable[[], bool], limit_s: float = LIMIT_S) -> None:
    deadline = time.monotonic() + limit_s
    while not holds():
        assert time.monotonic() < deadline, "it did not happen"
        time.sleep(0.02)


def is_running(process: int) -> bool:
    """Tell whether a process runs; one that has ended and was not waited for does not."""
    found = subprocess.run(
        ["ps", "-o", "stat=", "-p", str(process)], capture_output=True, text=True, check=False
    )
    return bool(found.stdout.strip()) and not found.stdout.strip().startswith("Z")


# --- workers without processes


class Process:
    """A process that has printed and waits to be killed."""

    pid = 2**30  # larger than that of any process, so that no group is killed

    def __init__(self, printed: bytes) -> None:
        reading, writing = os.pipe()
        os.write(writing, printed)
        os.close(writing)
        self.stderr = os.fdopen(reading, "rb", buffering=0)
        self.stdin = os.fdopen(os.open(os.devnull, os.O_WRONLY), "wb", buffering=0)
        self.stdout = os.fdopen(os.open(os.devnull, os.O_RDONLY), "rb", buffering=0)
        self.killed = False

    def kill(self) -> None:
        self.killed = True

    def wait(self, timeout: float | None = None) -> int:  # noqa: ARG002
        return -9 if self.killed else 0

    def poll(self) -> int | None:
        return self.wait()


@pytest.mark.parametrize(("printed_bytes", "cause"), [(1024, "itself"), (1025, "output_limit")])
def test_a_worker_may_print_its_limit_and_not_a_byte_more(monkeypatch, printed_bytes, cause):
    process, killed = Process(b"x" * printed_bytes), []
    monkeypatch.setattr(spawned, "kill", killed.append)
    worker = spawned._SpawnedWorker(process, 1024)
    worker._drain.join()
    assert killed == [process] * (cause == "output_limit")
    ending = worker.end()
    assert (ending.cause, ending.printed_bytes, len(ending.output)) == (cause, printed_bytes, printed_bytes)


def test_windows_ends_what_a_process_started_by_its_own_program(monkeypatch):
    called = []
    monkeypatch.setattr(spawned, "sys", SimpleNamespace(platform="win32"))
    monkeypatch.setenv("SYSTEMROOT", "/windows")
    monkeypatch.setattr(spawned.subprocess, "run", lambda words, **_: called.append(words))
    process = SimpleNamespace(pid=17, poll=lambda: None, kill=lambda: called.append("kill"))
    spawned.kill(process)
    assert called == [[str(Path("/windows/System32/taskkill.exe")), "/F", "/T", "/PID", "17"], "kill"]
    called.clear()
    process.poll = lambda: 0  # its id may be another's by now
    spawned.kill(process)
    assert called == ["kill"]


# --- workers


def sandbox(source: str, launcher: SpawnLauncher, **limits: float) -> Sandbox:
    load = Load(module="m", sources={"m.py": textwrap.dedent(source)})
    return Sandbox(launcher, load, Limits(import_limit_s=20.0, **{"call_limit_s": 1.0, **limits}))


def ask(opened: Sandbox, name: str = "f"):
    opened.ensure_loaded()  # to start an interpreter may take longer than a call
    nothing = ItemsValue(form="tuple", items=())
    request = Call(number=1, owner="student", name=name, args=nothing, kwargs=EntriesValue(entries=()))
    return opened.ask(request, b"", what=f"`{name}`", deadline=time.monotonic() + 30)[0]


OVERDUE = """
    import os, signal, sys, threading, time

    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    if hasattr(os, "fork"):
        child = os.fork()
        if child == 0:
            signal.signal(signal.SIGHUP, signal.SIG_IGN)
            time.sleep(600)
    else:
        child = 0

    def where():
        return [os.getpid(), child]

    def f():
        threading.Thread(target=time.sleep, args=(600,)).start()
        print("printed before")
        print("and to stderr", file=sys.stderr)
        while True:
            pass

    def held():
        print("holds the lock of the interpreter", file=sys.stderr)
        return 7 ** (7 ** 9)
"""


@posix
@pytest.mark.cold
@pytest.mark.parametrize("name", ["f", "held"])
def test_an_overdue_worker_is_killed_with_its_threads_and_children_and_what_it_printed_is_kept(name):
    opened = sandbox(OVERDUE, SpawnLauncher(ORDER))
    processes = ask(opened, "where").value.items
    assert all(map(is_running, processes))
    with pytest.raises(WorkerLost, match="did not end within 1 s") as lost:
        ask(opened, name)
    assert lost.value.outcome is Outcome.TIME_LIMIT
    until(lambda: not any(map(is_running, processes)), 10)
    wanted = ["printed before", "and to stderr"] if name == "f" else ["holds the lock of the interpreter"]
    assert opened.output.decode().splitlines() == wanted


@pytest.mark.cold
def test_a_spare_worker_is_used_once_and_one_that_has_ended_not_at_all():
    ended, spare = spawned.spawn_worker(), spawned.spawn_worker()
    ended.kill()
    ended.wait()
    launcher = SpawnLauncher(ORDER, [ended, spare])
    source = "import os\nstate = []\ndef f():\n    state.append(1)\n    return [os.getpid(), len(state)]\n"
    first, second = sandbox(source, launcher), sandbox(source, launcher)
    try:
        used, again = ask(first).value.items, ask(second).value.items
    finally:
        first.close()
        second.close()
    assert list(used) == [spare.pid, 1]
    assert again[0] not in (spare.pid, ended.pid)
    assert again[1] == 1
    assert not spawned._running, "every worker was waited for"


@posix
@pytest.mark.cold
def test_a_worker_has_few_descriptors():
    opened = sandbox(
        """
        import os

        def f():
            opened = []
            try:
                while len(opened) < 1000:
                    opened.append(os.open(os.devnull, os.O_RDONLY))
            except OSError as error:
                return [len(opened) < 64, error.strerror]
            finally:
                for one in opened:
                    os.close(one)
        """,
        SpawnLauncher(ORDER),
    )
    try:
        assert list(ask(opened).value.items) == [True, os.strerror(errno.EMFILE)]
    finally:
        opened.close()


@posix
@pytest.mark.cold
def test_a_spare_worker_ends_with_the_process_that_started_it():
    program = (
        "import sys\nfrom grader.sandbox.spawned import spawn_worker\n"
        "print(spawn_worker().pid, flush=True)\nsys.stdin.read()\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as owner:
        assert owner.stdout is not None
        worker = int(owner.stdout.readline())
        assert is_running(worker)
        owner.kill()
    until(lambda: not is_running(worker), 20)


# --- grading processes


@pytest.fixture
def plenty(monkeypatch) -> list[int]:
    """Have so much memory to spare; a test may change the number."""
    found = [10_000]
    monkeypatch.setattr(free_memory, "to_spare_mib", lambda: found[0])
    monkeypatch.setattr(spawn_starter, "_LOOK_S", 0.05)
    return found


@pytest.fixture
def stand_in(monkeypatch) -> Iterator[Callable[[str], list[SimpleNamespace]]]:
    """Start another program in the place of grading processes; return what was started, and end it after the test."""
    started: list[SimpleNamespace] = []

    def start(program: str) -> list[SimpleNamespace]:
        def spawn(module: str, workers: str, is_spare: str, *, stderr: int):
            assert module == "grader.grading.engine"
            process = subprocess.Popen(
                [sys.executable, "-c", program],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=stderr,
                bufsize=0,
                start_new_session=True,
            )
            one = SimpleNamespace(process=process, workers=int(workers), is_spare=is_spare == "1")
            started.append(one)
            return process

        monkeypatch.setattr(spawn_starter, "spawn", spawn)
        return started

    yield start
    for one in started:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(one.process.pid, signal.SIGKILL)
        one.process.wait()


@pytest.fixture
def job(course) -> Job:
    (exercise,) = course.exercises
    return Job(exercise=exercise, module=exercise.id, sources={f"{exercise.id}.py": ""}, seed=0)


@posix
@pytest.mark.cold
def test_an_overdue_grading_process_is_killed_and_its_last_words_are_the_reason(stand_in, job, monkeypatch):
    started = stand_in(STUBBORN)
    monkeypatch.setenv("CONVGRADER_MAX_ISOLATION", "0")
    monkeypatch.setattr(dispatching.starters, "OWN_SLACK_S", -(sum(_limits(job)) - 4) / 2)
    with Dispatcher() as dispatcher:
        (graded,) = dispatcher.grade([job])
        assert isinstance(graded, NotGraded)
        assert "did not end within 4 s: the last line of this process" in graded.reason
        until(lambda: started[0].process.poll() is not None, 10)
    assert started[0].process.returncode == -signal.SIGKILL


def _limits(job: Job) -> tuple[float, float]:
    return job.exercise.limits.exercise_limit_s, job.exercise.limits.import_limit_s


@posix
@pytest.mark.cold
def test_a_grading_process_that_dies_is_named_by_its_own_last_words(stand_in, job, monkeypatch):
    stand_in(DYING)
    monkeypatch.setenv("CONVGRADER_MAX_ISOLATION", "0")
    with Dispatcher() as dispatcher:
        (graded,) = dispatcher.grade([job])
    assert isinstance(graded, NotGraded)
    assert graded.reason == "the grading process died: it could not start"


@posix
@pytest.mark.cold
def test_one_waits_while_nothing_is_graded_and_each_is_used_once(stand_in, job, plenty):
    started = stand_in(WAITING)
    starter = SpawnStarter("a test", many=True)
    try:
        assert [(one.workers, one.is_spare) for one in started] == [(1, False)]
        first = starter.open(job, 0)
        time.sleep(0.3)
        assert len(started) == 1, "the first is used, and none is started beside a grading"
        second = starter.open(job, 1)
        assert len(started) == 2
        first.close()
        time.sleep(0.5)
        assert len(started) == 2, "another is still graded"
        second.close()
        until(lambda: len(started) == 3)
        assert (started[2].workers, started[2].is_spare) == (2, True)
        until(lambda: started[0].process.poll() is not None and started[1].process.poll() is not None)
        time.sleep(0.3)
        assert len(started) == 3, "one waits, and no more"
        third = starter.open(job, 0)
        assert len(started) == 3
        assert third.process.process is started[2].process
    finally:
        starter.stop()
    assert all(one.process.poll() is not None for one in started)


@posix
@pytest.mark.cold
@pytest.mark.parametrize(
    ("to_spare_mib", "workers"), [(0, None), (511, None), (512, 1), (767, 1), (768, 2), (9999, 2)]
)
def test_the_less_memory_the_fewer_wait(stand_in, job, plenty, to_spare_mib, workers):
    started, plenty[0] = stand_in(WAITING), to_spare_mib
    starter = SpawnStarter("a test", many=True)
    try:
        starter.open(job, 0).close()
        if workers is None:
            time.sleep(0.5)
            assert len(started) == 1
        else:
            until(lambda: len(started) == 2)
            assert started[1].workers == workers
            plenty[0] = 0
            until(lambda: started[1].process.poll() is not None)
            time.sleep(0.3)
            assert len(started) == 2
    finally:
        starter.stop()


@posix
@pytest.mark.cold
def test_none_waits_where_one_submission_is_graded_and_a_dead_one_is_replaced(stand_in, job, plenty):
    started = stand_in(WAITING)
    starter = SpawnStarter("a test")
    try:
        started[0].process.kill()
        started[0].process.wait()
        starter.open(job, 0).close()
        until(lambda: started[1].process.poll() is not None)
        time.sleep(0.3)
        assert len(started) == 2
    finally:
        starter.stop()


@pytest.mark.cold
def test_the_job_of_a_process_that_waited_has_the_same_result(course, monkeypatch, plenty):
    """Once with one that is started for it, once with one that waited; a wrong one, so that both its workers are used."""
    (exercise,) = course.exercises
    source = f"{reference_source(exercise)}\n\ndef double(x):\n    return x * x\n"
    wrong = Job(exercise=exercise, module=exercise.id, sources={f"{exercise.id}.py": source}, seed=0)
    monkeypatch.setenv("CONVGRADER_MAX_ISOLATION", "0")
    found = []
    with Dispatcher(many=True) as dispatcher:
        for _ in range(2):
            (graded,) = dispatcher.grade([wrong])
            assert isinstance(graded, Graded), graded
            found.append([(c.id, c.outcome, c.diagnosis, c.counterexample) for c in graded.result.checks])
            until(lambda: dispatcher._starter._spare is not None)
    assert found[0] == found[1]
    assert any(diagnosis for _, _, diagnosis, _ in found[0])

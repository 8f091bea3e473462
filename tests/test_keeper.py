"""Keepers: one process forks and watches all workers, and the end of one does not affect the others."""

import errno
import os
import signal
import socket
import sys
import threading
import time
from dataclasses import replace
from pathlib import Path

import pytest
from msgspec import structs
from msgspec.msgpack import decode
from test_sandbox import ORDER, alive, ask, copied, named, points  # noqa: F401 - a fixture among them

from grader.core.model import Limits, Outcome
from grader.grading.dispatcher import Dispatcher
from grader.sandbox import supervisor
from grader.sandbox.protocol.messages import Load
from grader.sandbox.protocol.orders import Ending, ForkOrder, WorkerOrder, send_order
from grader.sandbox.supervisor import Sandbox, WorkerLost

if sys.platform != "linux":
    pytest.skip("forking a warm process is for Linux", allow_module_level=True)

from grader.sandbox.worker import keeper as keeper_module
from grader.sandbox.worker import lockdown

pytestmark = pytest.mark.usefixtures("forked_warm_processes")

SPACES = ("pid", "ipc", "net", "user")
REPORTS_SPACES = f"""
import os
def f(): return [os.getpid(), *(os.readlink(f"/proc/self/ns/{{name}}") for name in {SPACES})]
"""


@pytest.fixture
def sandbox(dispatcher):
    """Open sandboxes on the text of a module; their workers have one keeper."""
    opened = []

    def start(source: str) -> Sandbox:
        load = Load(module="m", sources={"m.py": source})
        opened.append(Sandbox(dispatcher.launcher(ORDER), load, Limits(call_limit_s=5.0, import_limit_s=5.0)))
        return opened[-1]

    yield start
    for one in opened:
        one.close()


@pytest.fixture
def keeper(dispatcher, sandbox):
    """The process id of the keeper of all these workers."""
    ask(sandbox("def f(): return 1"))
    deadline = time.monotonic() + 20
    while True:  # workers of earlier tests may be ending
        found = [
            pid
            for pid in named(dispatcher)["grade keeper"]
            if any(read(child, "comm") == "grade worker" for child in children(pid))
        ]
        if len(found) == 1:
            return found[0]
        assert time.monotonic() < deadline, found
        time.sleep(0.01)


def read(pid: int, name: str) -> str:
    return Path(f"/proc/{pid}/{name}").read_text().strip()


def descriptors(pid: int) -> int:
    return sum(1 for _ in Path(f"/proc/{pid}/fd").iterdir())


def children(pid: int) -> list[int]:
    return [int(child) for child in read(pid, f"task/{pid}/children").split()]


def test_workers_side_by_side_end_each_by_itself(sandbox):
    steady = sandbox("n = 0\ndef f():\n    global n\n    n += 1\n    return n")
    flooding = sandbox("def f():\n    while True: print('x' * 1000)")
    crashing = sandbox("import os\ndef f(): os._exit(3)")
    assert ask(steady).value == 1
    with pytest.raises(WorkerLost) as flooded:
        ask(flooding)
    assert flooded.value.outcome is Outcome.OUTPUT_LIMIT
    assert ask(steady).value == 2
    with pytest.raises(WorkerLost, match="exit status 3"):
        ask(crashing)
    assert ask(steady).value == 3


def test_what_a_worker_printed_last_is_read_before_its_pipe_is_closed(sandbox):
    box = sandbox("import os\ndef f():\n    print('x' * 40_000, 'the end')\n    os._exit(0)")
    with pytest.raises(WorkerLost):
        ask(box)
    assert box.output.decode().endswith("the end\n")


def test_each_worker_is_alone_in_its_namespaces(dispatcher, sandbox):
    if dispatcher.ready().level < 3:
        pytest.skip("this machine gives no namespaces")
    reported = [ask(sandbox(REPORTS_SPACES)).value.items for _ in range(3)]
    assert [number for number, *_ in reported] == [1, 1, 1], "each is the first process of its PID namespace"
    for n, name in enumerate(SPACES, start=1):
        found = {one[n] for one in reported}
        assert str(Path(f"/proc/self/ns/{name}").readlink()) not in found
        if name in ("pid", "ipc"):
            assert len(found) == len(reported), f"two workers share a namespace: {name}"


def test_a_keeper_closes_the_descriptors_of_workers_that_have_ended(sandbox, keeper):
    before = descriptors(keeper)
    for _ in range(20):
        box = sandbox("def f(): return 1")
        ask(box)
        box.close()
    deadline = time.monotonic() + 60
    while descriptors(keeper) > before and time.monotonic() < deadline:
        time.sleep(0.01)  # it reports the last end before it closes the descriptors
    assert descriptors(keeper) == before
    assert len(children(keeper)) == 1


def test_a_keeper_that_is_killed_is_replaced(copied):  # noqa: F811
    _, job = copied
    with Dispatcher() as dispatcher:
        assert points(dispatcher, job) == 13.0
        gone = named(dispatcher)["grade keeper"] + named(dispatcher)["grade bans"]
        for pid in gone:
            os.kill(pid, signal.SIGKILL)
        while any(map(alive, gone)):
            time.sleep(0.01)
        assert points(dispatcher, job) == 13.0
        assert not set(named(dispatcher)["grade keeper"]) & set(gone)


def test_a_keeper_that_is_no_longer_used_ends_with_its_last_worker(copied):  # noqa: F811
    _, job = copied
    slow = structs.replace(
        job, sources={"scaling.py": "import time\ntime.sleep(1.5)\n" + job.sources["scaling.py"]}
    )
    warming = structs.replace(job, exercise=replace(job.exercise, warm=("optim",)))
    with Dispatcher(jobs=2) as dispatcher:
        dispatcher.ready()  # one worker was started for that
        results: list[float] = []
        thread = threading.Thread(target=lambda: results.append(points(dispatcher, slow)))
        thread.start()
        while not named(dispatcher).get("grade worker"):
            time.sleep(0.01)
        (old,) = named(dispatcher)["grade keeper"]
        assert points(dispatcher, warming) == 13.0  # something was warmed: workers come from a new keeper now
        thread.join()
        assert results == [13.0]
        deadline = time.monotonic() + 60
        while alive(old) and time.monotonic() < deadline:
            time.sleep(0.01)
        assert not alive(old)
        assert len(named(dispatcher)["grade keeper"]) == 1


# --- an error of the system ends one worker, never the keeper; without a zygote


NO_LAYERS = lockdown.Confinement(level=0, layers=(), missing=(), landlock_fd=None, base_bytes=0)
FORK = ForkOrder(worker=WorkerOrder(memory_limit_mib=1, output_limit_kib=1))
FULL = OSError(errno.EMFILE, "Too many open files")


@pytest.fixture
def quick_workers(monkeypatch):
    """Workers that print a word and exit with status 3 at once."""

    def become(_order, _call, output, *_):
        os.write(output, b"hello")
        os._exit(3)

    monkeypatch.setattr(keeper_module, "become_worker", become)


class Ordered:
    """A keeper in this process, and what was ordered from it."""

    def __init__(self) -> None:
        self.before = set(children(os.getpid()))
        self.own, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.keeper = keeper_module._Keeper(theirs, (), NO_LAYERS)
        self.theirs, self.controls = theirs, []

    def order(self, *, without_descriptors: bool = False) -> None:
        worker, ends = supervisor.forked_worker(stderr=2)
        send_order(FORK, [] if without_descriptors else ends, self.own)
        for end in ends:
            os.close(end)
        worker.channel.close()
        self.controls.append(worker.control)

    def run(self) -> list[Ending | None]:
        """Run the keeper until everything has ended; return how each worker did, None where nothing was reported."""
        self.own.close()
        self.keeper.run()
        self.theirs.close()
        endings = []
        for control in self.controls:
            with control:
                data = control.recv(2**20)
            endings.append(decode(data, type=Ending) if data else None)
        assert set(children(os.getpid())) <= self.before, "a child is left, running or as a zombie"
        return endings


def failing(real, times, error):
    """Return a function that raises an error the first `times` times."""
    left = [error] * times

    def call(*arguments):
        if left:
            raise left.pop()
        return real(*arguments)

    return call


@pytest.mark.parametrize(
    ("where", "name", "error", "lost"),
    [
        (keeper_module.linux, "pidfd_open", PermissionError(errno.EPERM, "no"), True),
        (keeper_module.linux, "pidfd_open", FULL, False),
        (keeper_module.lockdown, "fork_isolated", PermissionError(errno.EPERM, "no"), True),
        (keeper_module.lockdown, "fork_isolated", BlockingIOError(errno.EAGAIN, "no process"), False),
        (keeper_module.lockdown, "fork_isolated", OSError(errno.ENOMEM, "no memory"), False),
        (keeper_module.lockdown, "fork_isolated", OSError(errno.ENOSPC, "no namespace"), False),
        (keeper_module.os, "pipe", FULL, False),
        (keeper_module.linux, "count_threads", OSError(errno.EIO, "no"), True),
        (keeper_module.os, "set_blocking", OSError(errno.EIO, "no"), True),
        (keeper_module.os, "wait4", OSError(errno.EINVAL, "no"), True),
        (keeper_module, "_read_some", OSError(errno.EIO, "no"), True),
    ],
    ids=lambda value: value if isinstance(value, str) else None,
)
def test_an_error_of_the_system_ends_one_worker_or_delays_it(
    quick_workers, monkeypatch, capfd, where, name, error, lost
):
    ordered = Ordered()
    for _ in range(3):
        ordered.order()
    monkeypatch.setattr(where, name, failing(getattr(where, name), 1, error))
    endings = ordered.run()
    well = [ending for ending in endings if ending.cause == "itself"]
    assert len(well) == (2 if lost else 3)
    assert {(ending.exit_status, ending.output) for ending in well} == {(3, b"hello")}
    for ending in endings:
        if ending.cause == "lost":
            assert str(error) in ending.output.decode()
    assert (f"grade keeper: {error}" in capfd.readouterr().err) == lost, "whatever dies leaves its reason"


def test_a_worker_for_which_there_is_never_room_is_given_up_with_the_reason(quick_workers, monkeypatch):
    ordered = Ordered()
    ordered.order()
    monkeypatch.setattr(keeper_module.linux, "PATIENCE_S", 0.2)
    error = BlockingIOError(errno.EAGAIN, "no process")
    monkeypatch.setattr(keeper_module.lockdown, "fork_isolated", failing(None, 10**6, error))
    (ending,) = ordered.run()
    assert ending.cause == "lost"
    assert b"no process" in ending.output


def test_an_order_without_its_descriptors_costs_that_order(quick_workers):
    ordered = Ordered()
    ordered.order(without_descriptors=True)
    ordered.order()
    first, second = ordered.run()
    assert first is None
    assert second.exit_status == 3


def test_a_report_that_does_not_fit_is_sent_without_the_output(capfd):
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with ours, theirs:
        theirs.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1)  # the kernel's minimum: a few KB
        keeper_module.report(theirs.fileno(), Ending(cause="itself", output=b"x" * 64 * 1024))
        assert decode(ours.recv(2**20), type=Ending) == Ending(cause="itself")
        while True:
            try:
                os.write(theirs.fileno(), b"x")  # fill it: the next report cannot be sent at all
            except BlockingIOError:
                break
        keeper_module.report(theirs.fileno(), Ending())
    assert "cannot report how a worker ended" in capfd.readouterr().err


def test_an_event_of_a_closed_descriptor_never_reaches_the_next_one_of_that_number():
    """What became readable in one round may be closed in it, and its number given to something new."""
    ordered = Ordered()
    first, second = os.pipe(), os.pipe()
    called = []

    def close_and_reuse(other: int) -> None:
        called.append("event")
        ordered.keeper._off(other)
        os.close(other)
        new, _ = os.pipe()
        assert new == other
        ordered.keeper._on(new, lambda: called.append("stale"))
        for descriptor in (first[0], second[0], ordered.theirs.fileno()):
            ordered.keeper._off(descriptor)

    ordered.keeper._on(first[0], lambda: close_and_reuse(second[0]))
    ordered.keeper._on(second[0], lambda: close_and_reuse(first[0]))
    for pipe in (first, second):
        os.write(pipe[1], b"x")
    with ordered.own, ordered.theirs:
        ordered.keeper.run()
    assert called == ["event"]

"""The supervisor and the keeper without processes: deadlines, limits, and replies that do not belong to their request."""

import math
import os
import signal
import socket
import sys
import time
from dataclasses import dataclass, field

import pytest

from grader.core.errors import InternalError
from grader.core.model import Limits, Outcome
from grader.sandbox.protocol import orders
from grader.sandbox.protocol.frames import Overdue, SocketChannel
from grader.sandbox.protocol.messages import (
    Backward,
    Call,
    EntriesValue,
    ItemsValue,
    Load,
    Loaded,
    Raised,
    Returned,
    encode,
)
from grader.sandbox.protocol.orders import Ending, WorkerOrder
from grader.sandbox.supervisor import LoadFailed, Sandbox, WorkerLost

NOTHING = ItemsValue(form="tuple", items=())
UP = LOADED = Loaded(names=())
LIMITS = Limits(import_limit_s=10.0, call_limit_s=4.0, exercise_limit_s=60.0, output_limit_kib=64)


def call(number: int = 1) -> Call:
    return Call(number=number, owner="student", name="f", args=NOTHING, kwargs=EntriesValue(entries=()))


@dataclass
class Scripted:
    """A worker whose replies are all sent before the first request; `waited_s` is the patience of each end."""

    channel: SocketChannel
    ending: Ending
    waited_s: list[float] = field(default_factory=list)

    def disconnect(self) -> None:
        self.channel.close()

    def end(self, patience_s: float = 0.0) -> Ending:
        self.waited_s.append(patience_s)
        self.channel.close()
        return self.ending


@dataclass
class Launcher:
    """Starts scripted workers; `cpu_limits_s` is what each was given."""

    scripts: list[tuple[list, Ending]]
    cpu_limits_s: list[int] = field(default_factory=list)
    workers: list[Scripted] = field(default_factory=list)

    def start(self, cpu_limit_s: int) -> Scripted:
        replies, ending = self.scripts[len(self.workers)]
        self.cpu_limits_s.append(cpu_limit_s)
        here, there = socket.socketpair()
        with there:
            writing = SocketChannel(there)
            for reply in replies:
                writing.send(reply if isinstance(reply, bytes) else encode(reply))

        self.workers.append(Scripted(SocketChannel(here), ending))
        return self.workers[-1]


def sandbox(*replies, ending: Ending | None = None, limits: Limits = LIMITS) -> tuple[Sandbox, Launcher]:
    """Return a sandbox whose worker is up and gives these replies, and then ends like `ending`."""
    launcher = Launcher([([UP, *replies], ending or Ending(cause="itself"))])
    box = Sandbox(launcher, Load(module="m", sources={}), limits)
    OPENED.append(box)
    return box, launcher


OPENED: list[Sandbox] = []


@pytest.fixture(autouse=True)
def closed():
    """Sandboxes are closed after each test."""
    yield
    while OPENED:
        OPENED.pop().close()


def ask(box: Sandbox, request=None, *, seconds: float = 30.0):
    return box.ask(request or call(), b"", what="`f`", deadline=time.monotonic() + seconds)[0]


# --- replies


@pytest.mark.parametrize(
    "request_", [call(7), Backward(number=7, call=1, gradients=None)], ids=["call", "backward"]
)
@pytest.mark.parametrize(
    "reply",
    [
        Returned(number=6, value=1),
        Returned(number=8, value=1),
        Returned(number=-7, value=1),
        Raised(number=6, cause="raised", type_name="E", message=""),
        Raised(number=8, cause="raised", type_name="E", message=""),
        Loaded(names=("f",)),
    ],
    ids=repr,
)
def test_a_reply_that_does_not_belong_to_its_request_is_tampering(request_, reply):
    box, _ = sandbox(LOADED, reply)
    with pytest.raises(WorkerLost, match="did not belong to its request") as lost:
        ask(box, request_)
    assert lost.value.outcome is Outcome.TAMPERING


@pytest.mark.parametrize(
    "reply",
    [Returned(number=7, value=1), Raised(number=7, cause="raised", type_name="E", message="")],
    ids=repr,
)
def test_a_reply_with_the_number_of_its_request_is_returned(reply):
    box, _ = sandbox(LOADED, reply)
    assert ask(box, call(7)) == reply


def test_a_reply_to_an_import_is_loaded_or_raised():
    box, _ = sandbox(Returned(number=0, value=None))
    with pytest.raises(WorkerLost, match="of another kind") as lost:
        box.ensure_loaded()
    assert lost.value.outcome is Outcome.TAMPERING
    box, _ = sandbox(Raised(number=0, cause="syntax", type_name="SyntaxError", message="m"))
    with pytest.raises(LoadFailed, match="m"):
        box.ensure_loaded()


def test_a_reply_that_is_no_message_is_tampering():
    box, _ = sandbox(LOADED, b"\xc1")
    with pytest.raises(WorkerLost, match="wrote into the grader's own connection") as lost:
        ask(box)
    assert lost.value.outcome is Outcome.TAMPERING


# --- processor time


def test_the_processor_time_of_all_workers_counts_together():
    used = [Ending(cause="itself", cpu_s=seconds) for seconds in (29.5, 0.5, 39.5, 5.0)]
    launcher = Launcher([([UP, LOADED], ending) for ending in used])
    box = Sandbox(launcher, Load(module="m", sources={}), LIMITS)
    for _ in used:
        box.ensure_loaded()
        box.close()
    assert launcher.cpu_limits_s == [70, 41, 40, 1]  # 60 s + 10 s for the import; rounded up, and never 0


@pytest.mark.parametrize(
    ("exercise_s", "import_s", "expected"), [(60.0, 10.0, 70), (0.5, 0.25, 1), (2.0, 1.25, 4)]
)
def test_the_first_worker_may_use_the_time_of_the_exercise_and_of_the_import(exercise_s, import_s, expected):
    box, launcher = sandbox(LOADED, limits=Limits(exercise_limit_s=exercise_s, import_limit_s=import_s))
    box.ensure_loaded()
    box.close()
    assert launcher.cpu_limits_s == [expected]
    assert expected == math.ceil(exercise_s + import_s)


# --- deadlines


class Recording:
    """A channel that notes how many seconds each receive may take, and never receives."""

    def __init__(self) -> None:
        self.allowed_s: list[float] = []

    def send(self, header, payload=b"", deadline=None) -> None: ...

    def close(self) -> None: ...

    def receive(self, deadline):
        self.allowed_s.append(deadline - time.monotonic())
        if len(self.allowed_s) == 1:
            return encode(UP), bytearray()
        if len(self.allowed_s) == 2 and self.loads:
            return encode(LOADED), bytearray()
        raise Overdue

    loads = True


def timed(limits: Limits, *, exercise_s: float | None, check_s: float, loads: bool = True):
    """Return how long the start, the import and a call were waited for, and the message on the last."""
    box, launcher = sandbox(limits=limits)
    box.start()
    channel = Recording()
    channel.loads = loads
    launcher.workers[0].channel.close()
    launcher.workers[0].channel = channel
    if exercise_s is not None:
        box.open(exercise_s)
    with pytest.raises(WorkerLost) as lost:
        ask(box, seconds=check_s)
    assert lost.value.outcome is Outcome.TIME_LIMIT
    return [pytest.approx(seconds, abs=0.5) for seconds in channel.allowed_s], lost.value.message


@pytest.mark.parametrize(
    ("exercise_s", "check_s", "allowed_s"),
    [(None, 30.0, 4.0), (None, 3.0, 3.0), (100.0, 30.0, 4.0), (2.0, 30.0, 2.0), (2.0, 1.0, 1.0)],
)
def test_a_call_ends_at_the_earliest_of_its_three_deadlines(exercise_s, check_s, allowed_s):
    waited, _ = timed(LIMITS, exercise_s=exercise_s, check_s=check_s)
    assert waited[-1] == allowed_s


@pytest.mark.parametrize(("exercise_s", "allowed_s"), [(None, 10.0), (100.0, 10.0), (9.0, 9.0)])
def test_an_import_ends_at_its_limit_or_with_the_exercise(exercise_s, allowed_s):
    waited, message = timed(LIMITS, exercise_s=exercise_s, check_s=30.0, loads=False)
    assert waited == [60.0, allowed_s]  # a worker has 60 s to start
    assert message == "importing your file did not end within 10 s"


def test_a_limit_below_a_second_is_not_named_as_zero():
    assert (
        timed(LIMITS, exercise_s=None, check_s=1.0)[1] == "`f` did not end within its time"
    )  # a little less
    assert timed(LIMITS, exercise_s=None, check_s=1.4)[1] == "`f` did not end within 1 s"


# --- how a worker ended


@pytest.mark.parametrize(
    ("ending", "outcome", "words", "patience_s"),
    [
        (Ending(cause="itself", exit_status=3), Outcome.CRASHED, "exit status 3", 2.0),
        (Ending(cause="itself", signal=11), Outcome.CRASHED, "signal 11 (SIGSEGV)", 2.0),
        (Ending(cause="itself", signal=99), Outcome.CRASHED, "signal 99 (unknown)", 2.0),
        (Ending(cause="output_limit", signal=9), Outcome.OUTPUT_LIMIT, "printed more than 64 KiB", 2.0),
        (Ending(cause="cpu_limit", signal=9), Outcome.TIME_LIMIT, "used up the processor time", 2.0),
    ],
)
def test_a_worker_that_ends_during_a_call_is_lost_with_the_outcome_of_its_cause(
    ending, outcome, words, patience_s
):
    box, launcher = sandbox(LOADED, ending=ending)
    with pytest.raises(WorkerLost) as lost:
        ask(box)
    assert (lost.value.outcome, words in lost.value.message) == (outcome, True), lost.value.message
    assert launcher.workers[0].waited_s == [patience_s]


def test_a_worker_that_is_killed_from_outside_is_an_error_in_the_grader():
    box, _ = sandbox(LOADED, ending=Ending(cause="outside", signal=9))
    with pytest.raises(InternalError, match="killed from outside"):
        ask(box)


def test_a_worker_that_does_not_start_is_an_error_in_the_grader():
    launcher = Launcher([([], Ending(cause="itself", output=b"x" * 600 + b"the reason"))])
    with pytest.raises(InternalError, match=r"could not be started: x{490}the reason$"):
        Sandbox(launcher, Load(module="m", sources={}), LIMITS).ensure_loaded()


def test_a_worker_that_is_lost_in_a_reset_costs_nothing():
    box, launcher = sandbox(LOADED)
    box.ensure_loaded()
    box.reset(2)
    assert len(launcher.workers[0].waited_s) == 1
    box.reset(3)  # without a worker there is nothing to do


# --- the keeper


@pytest.fixture
def kept(monkeypatch):
    """A worker as the keeper knows it, with an output limit of 1 KiB; the end that it prints into; what kills it."""
    if sys.platform != "linux":
        pytest.skip("keepers are for Linux")
    from grader.sandbox.worker import keeper

    killed = []
    monkeypatch.setattr(keeper.os, "kill", lambda process, number: killed.append((process, number)))
    reading, writing = os.pipe()
    os.set_blocking(reading, False)
    order = WorkerOrder(memory_limit_mib=1, output_limit_kib=1)
    worker = keeper._Worker(order=order, process=-7, pidfd=-1, output_pipe=reading, control=-1)
    yield worker, writing, killed
    os.close(reading)
    os.close(writing)


def test_a_worker_may_print_its_limit_and_not_a_byte_more(kept):
    worker, printing, killed = kept
    os.write(printing, b"x" * 1024)
    assert worker.read()
    assert (worker.killed_for, killed, worker.printed_bytes) == (None, [], 1024)
    os.write(printing, b"x")
    assert not worker.read()
    assert (worker.killed_for, killed) == ("output_limit", [(-7, signal.SIGKILL)])
    worker.kill("grader")
    assert worker.killed_for == "output_limit", "the first cause is the one that is reported"


def test_the_keeper_keeps_the_first_64_kib_of_what_is_printed(kept):
    worker, printing, _ = kept
    worker.order = WorkerOrder(memory_limit_mib=1, output_limit_kib=1024)
    for letter in (b"a", b"b", b"c"):
        os.write(printing, letter * 32768)
        worker.read()
    assert worker.output == b"a" * 32768 + b"b" * 32768
    assert worker.printed_bytes == 3 * 32768
    assert orders.KEPT_OUTPUT_BYTES == 64 * 1024


@pytest.mark.parametrize(
    ("number", "killed_for", "out_of_time", "cause"),
    [
        (signal.SIGKILL, None, False, "outside"),
        (signal.SIGKILL, None, True, "cpu_limit"),
        (signal.SIGKILL, "grader", True, "grader"),
        (signal.SIGKILL, "output_limit", False, "output_limit"),
        (signal.SIGKILL, "thread_limit", False, "thread_limit"),
        (signal.SIGSEGV, None, True, "itself"),
        (signal.SIGSEGV, "output_limit", False, "output_limit"),
        (signal.SIGSEGV, "grader", False, "itself"),
        (0, None, True, "itself"),
    ],
)
def test_the_cause_of_an_end_is_told_from_its_signal(kept, number, killed_for, out_of_time, cause):
    from grader.sandbox.worker import keeper

    found = keeper._cause(int(number), killed_for, out_of_time=out_of_time, out_of_memory=lambda: False)
    assert found == cause


@pytest.mark.parametrize(("used_s", "cause"), [(2.0, "cpu_limit"), (1.9, "outside")])
def test_a_worker_is_out_of_time_from_its_limit_on(kept, monkeypatch, used_s, cause):
    from grader.sandbox.worker import keeper

    worker, _, _ = kept
    worker.order = WorkerOrder(memory_limit_mib=1, output_limit_kib=1, cpu_limit_s=2)
    used = type("Used", (), {"ru_utime": used_s - 0.5, "ru_stime": 0.5, "ru_maxrss": 0})
    monkeypatch.setattr(keeper.os, "wait4", lambda process, _: (process, int(signal.SIGKILL), used))
    ending = worker.reap()
    assert (ending.cause, ending.cpu_s) == (cause, used_s)


@pytest.mark.parametrize(
    ("grown_mib", "cgroup_mib", "oom_kills", "cause"),
    [
        (79, None, 0, "outside"),
        (80, None, 0, "memory_limit"),  # four fifths of its limit
        (24, None, 1, "outside"),
        (25, None, 1, "memory_limit"),  # a quarter, where the kernel says that memory ran out
        (39, 50, 0, "outside"),
        (40, 50, 0, "memory_limit"),  # of the smaller limit
        (80, 500, 0, "memory_limit"),
    ],
)
def test_a_worker_that_is_killed_near_its_limit_has_used_too_much_memory(
    kept, monkeypatch, grown_mib, cgroup_mib, oom_kills, cause
):
    from grader.sandbox.worker import keeper

    worker, _, _ = kept
    worker.order = WorkerOrder(memory_limit_mib=100, output_limit_kib=1)
    worker.resident_bytes, worker.oom_kills = 300 * 2**20, 5
    monkeypatch.setattr(keeper.cgroup, "memory_limit_bytes", lambda: cgroup_mib and cgroup_mib * 2**20)
    monkeypatch.setattr(keeper.cgroup, "oom_kills", lambda: 5 + oom_kills)
    used = type("Used", (), {"ru_utime": 0.0, "ru_stime": 0.0, "ru_maxrss": (300 + grown_mib) * 1024})
    monkeypatch.setattr(keeper.os, "wait4", lambda process, _: (process, int(signal.SIGKILL), used))
    assert worker.reap().cause == cause


@pytest.mark.parametrize(
    ("cores", "processes", "threads"), [(2, None, 68), (64, None, 192), (2, 420, 68), (2, 100, 25), (8, 4, 1)]
)
def test_a_worker_has_a_thread_for_each_core_and_no_more_than_a_container_has_room_for(
    kept, cores, processes, threads
):
    from grader.sandbox.worker import keeper

    assert keeper._thread_limit(cores, processes) == threads


# --- limits of the cgroup

V1 = "4:memory:/docker/abc\n8:pids:/\n0::/\n"
V2 = "0::/a/b\n"
MOUNTS = {
    "memory": "1 1 0:1 {} /sys/fs/cgroup/memory rw,nosuid - cgroup cgroup rw,memory\n",
    "pids": "2 1 0:1 {} /sys/fs/cgroup/pids rw - cgroup cgroup rw,pids\n",
    "unified": "3 1 0:1 {} /sys/fs/cgroup rw - cgroup2 cgroup rw,nsdelegate\n",
}


@pytest.mark.parametrize(
    ("groups", "mounts", "files", "memory", "processes", "kills"),
    [
        ("", "", {}, None, None, 0),
        (V2, MOUNTS["unified"].format("/"), {"a/b/memory.max": "max", "a/memory.max": "1000", "a/b/pids.max": "7",
         "a/b/memory.events": "oom 3\noom_kill 2\n"}, 1000, 7, 2),
        (V2, MOUNTS["unified"].format("/"), {"a/b/memory.max": "900", "memory.max": "1000"}, 900, None, 0),
        ("0::/\n", MOUNTS["unified"].format("/"), {"memory.max": "64", "pids.max": "max"}, 64, None, 0),
        (V1, MOUNTS["memory"].format("/docker/abc") + MOUNTS["pids"].format("/"),
         {"memory/memory.limit_in_bytes": "5000", "pids/pids.max": "33", "memory/memory.oom_control": "oom_kill 4\n"},
         5000, 33, 4),
        (V1, MOUNTS["memory"].format("/"), {"memory/docker/abc/memory.limit_in_bytes": "9223372036854771712",
         "memory/docker/memory.limit_in_bytes": "77"}, 77, None, 0),
        (V1, MOUNTS["memory"].format("/"), {"memory/docker/abc/memory.limit_in_bytes": "9223372036854771712"},
         None, None, 0),
    ],
    ids=["none", "v2", "v2-own", "v2-container", "v1-container", "v1-ancestor", "v1-unlimited"],
)  # fmt: skip
def test_the_limits_of_a_cgroup_and_of_its_ancestors_hold(
    tmp_path, groups, mounts, files, memory, processes, kills
):
    from grader.sandbox.worker import cgroup

    written = {
        "proc/self/cgroup": groups,
        "proc/self/mountinfo": mounts,
        "proc/vmstat": "nr_free 1\noom_kill 0\n",
    }
    written |= {f"sys/fs/cgroup/{name}": text for name, text in files.items()}
    for name, text in written.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    found = cgroup.memory_limit_bytes(tmp_path), cgroup.process_limit(tmp_path), cgroup.oom_kills(tmp_path)
    assert found == (memory, processes, kills)

"""Grading processes: one whose submission passed grades the next, and that changes no result."""

import contextlib
import errno
import os
import signal
import socket
import sys
import threading
import time
from dataclasses import replace
from types import SimpleNamespace

import pytest
from msgspec import structs
from test_keeper import descriptors
from test_sandbox import KILLED, alive, copied, named, points  # noqa: F401 - a fixture among them

from grader.core import scoring
from grader.core.errors import InternalError
from grader.core.model import Limits
from grader.grading import dispatcher as dispatching
from grader.grading import messages, starters
from grader.grading.dispatcher import Dispatcher
from grader.grading.messages import Graded, Job, NotGraded
from grader.grading.zygote import exercise_host, forking, host_pool, warm_process
from grader.grading.zygote.exercise_host import MOST_GROWN_BYTES, MOST_ORDERS
from grader.sandbox.protocol.frames import Overdue, SocketChannel
from grader.sandbox.protocol.orders import GradeOrder, WorkerOrder, receive_order, send_order
from grader.sandbox.supervisor import ForkLauncher
from grader.sandbox.worker import linux, lockdown

pytestmark = [
    pytest.mark.skipif(sys.platform != "linux", reason="forking a warm process is for Linux"),
    pytest.mark.usefixtures("forked_warm_processes"),
]

WRONG = "\n\ndef double(x):\n    return x * x\n"


def one_after_another(side_by_side: int = 1) -> Dispatcher:
    """Start a warm process for many submissions."""
    return Dispatcher(side_by_side, many=True)


def idle(dispatcher: Dispatcher, count: int) -> list[int]:
    """Return the grading processes, once there are no more than `count`: one that is not idle is about to end."""
    deadline = time.monotonic() + 10
    while len(found := named(dispatcher).get("grade suite", [])) > count:
        assert time.monotonic() < deadline, found
        time.sleep(0.01)
    return found


def with_source(job: Job, more: str) -> Job:
    return structs.replace(job, sources={"scaling.py": job.sources["scaling.py"] + more})


def with_suite(job: Job, before: str, in_a_check: str) -> None:
    """Have the suite do something at its beginning, and in its first check."""
    suite = job.exercise.suite
    text = suite.read_text(encoding="utf-8")
    title = '    """The result of double has the shape of its input"""\n'
    assert title in text
    suite.write_text(
        f"{before}\n{text.replace(title, f'{title}    {in_a_check}{chr(10)}')}", encoding="utf-8"
    )


def without_time(ending: Graded | NotGraded) -> Graded | NotGraded:
    """Return the result without its durations."""
    if not isinstance(ending, Graded):
        return ending
    return structs.replace(ending, result=scoring.without_time(ending.result))


def test_a_process_whose_submission_passed_grades_the_next(copied):  # noqa: F811
    _, job = copied
    with one_after_another() as dispatcher:
        assert points(dispatcher, job) == 13.0
        first = idle(dispatcher, 1)
        assert [points(dispatcher, job) for _ in range(5)] == [13.0] * 5
        assert len(first) == 1
        assert idle(dispatcher, 1) == first


def test_a_process_whose_submission_did_not_pass_ends(copied):  # noqa: F811
    _, job = copied
    with one_after_another() as dispatcher:
        for bad in (
            with_source(job, WRONG),
            with_source(job, "\nimport os\nos._exit(1)\n"),
            with_source(job, "("),
        ):
            assert points(dispatcher, job) == 13.0
            assert len(idle(dispatcher, 1)) == 1
            assert points(dispatcher, bad) < 13.0
            assert idle(dispatcher, 0) == []


def test_where_one_submission_is_expected_no_process_stays(copied):  # noqa: F811
    _, job = copied
    with Dispatcher() as dispatcher:
        assert points(dispatcher, job) == 13.0
        assert idle(dispatcher, 0) == []


def test_only_one_idle_process_is_kept(copied):  # noqa: F811
    _, job = copied
    slow = with_source(job, "\nimport time\ntime.sleep(0.5)\n")
    with one_after_another(3) as dispatcher:
        graded = list(dispatcher.grade([slow] * 3))
        assert [one.result.points for one in graded] == [13.0] * 3
        assert len(idle(dispatcher, 1)) == 1


def test_earlier_submissions_change_no_result(copied, dispatcher):  # noqa: F811
    _, job = copied
    noisy = with_source(
        job, "\nprint('x' * 1000)\nimport torch, random\ntorch.manual_seed(1)\nrandom.seed(2)\n"
    )
    crashing = with_source(job, "\n\ndef double(x):\n    import os\n    os._exit(3)\n")
    in_place = with_source(job, "\n\ndef double(x):\n    return x.mul_(2)\n")
    handed_in = [job, noisy, with_source(job, WRONG), job, crashing, job, noisy, in_place, job]

    def grade(together: Dispatcher) -> list[Graded | NotGraded]:
        return [without_time(ending) for one in handed_in for ending in together.grade([one.with_replay()])]

    alone = grade(dispatcher)  # with a process for each
    with one_after_another() as together:
        assert grade(together) == alone
    assert {ending.result.outcome.value for ending in alone} >= {"passed", "failed", "crashed"}


def test_the_globals_of_a_suite_are_restored_for_the_next_submission(copied):  # noqa: F811
    """The rehearsal of the host leaves nothing in them either."""
    _, job = copied
    state = (
        "from collections import Counter, deque\n"
        "RUNS, SEEN, LAST, LEARNED, COUNT = 0, [], deque(), {'a': 1}, Counter()\n"
        "def note():\n"
        "    global RUNS, NEW\n"
        "    assert not RUNS and not SEEN and not LAST and LEARNED == {'a': 1} and not COUNT and 'NEW' not in globals()\n"
        "    RUNS, NEW = 1, 1\n"
        "    SEEN.append(1)\n"
        "    LAST.append(1)\n"
        "    LEARNED.update(b=2)\n"
        "    COUNT['x'] += 1\n"
    )
    with_suite(job, state, "note()")
    with one_after_another() as dispatcher:
        assert points(dispatcher, job) == 13.0
        (first,) = idle(dispatcher, 1)
        assert [points(dispatcher, job) for _ in range(3)] == [13.0] * 3
        assert idle(dispatcher, 1) == [first]
        assert points(dispatcher, with_source(job, WRONG)) < 13.0
        assert points(dispatcher, job) == 13.0, "one that the host forked after it had rehearsed"


def test_every_random_generator_is_seeded_for_each_check(copied, tmp_path):  # noqa: F811
    _, job = copied
    log = tmp_path / "drawn"
    drawn = (
        f"open({str(log)!r}, 'a').write(f'{{random.random()}} {{numpy.random.rand()}} {{torch.rand(1)}}\\n')"
    )
    with_suite(job, "import random, numpy", drawn)
    with one_after_another() as dispatcher:
        assert [points(dispatcher, job) for _ in range(4)] == [13.0] * 4
        assert points(dispatcher, with_source(job, WRONG)) < 13.0
        assert points(dispatcher, job) == 13.0
    assert len(set(log.read_text(encoding="utf-8").splitlines())) == 1


def test_an_idle_process_that_is_killed_costs_no_grading(copied):  # noqa: F811
    _, job = copied
    with one_after_another() as dispatcher:
        for _ in range(3):
            assert points(dispatcher, job) == 13.0
            (pid,) = idle(dispatcher, 1)
            os.kill(pid, signal.SIGKILL)
            while alive(pid):
                time.sleep(0.001)
        assert points(dispatcher, job) == 13.0


def test_a_process_that_is_killed_with_its_order_costs_only_that_grading(copied):  # noqa: F811
    _, job = copied
    with one_after_another() as dispatcher:
        assert points(dispatcher, job) == 13.0
        (pid,) = idle(dispatcher, 1)
        hosts = named(dispatcher)["grade host"]
        os.kill(pid, signal.SIGSTOP)  # the order stays unread
        ended: list[Graded | NotGraded] = []
        thread = threading.Thread(target=lambda: ended.extend(dispatcher.grade([job])))
        thread.start()
        time.sleep(0.5)
        os.kill(pid, signal.SIGKILL)
        thread.join(timeout=10)
        assert ended == [NotGraded(reason=f"the grading process died: grade suite: {KILLED}")]
        assert points(dispatcher, job) == 13.0
        assert named(dispatcher)["grade host"] == hosts


def test_an_idle_process_does_not_grade_with_a_suite_that_was_edited(copied):  # noqa: F811
    folder, job = copied
    suite = folder / "test_scaling.py"
    with one_after_another() as dispatcher:
        assert points(dispatcher, job) == 13.0
        before = idle(dispatcher, 1)
        text = suite.read_text(encoding="utf-8")
        suite.write_text(text.replace("points(3)", "points(4)"), encoding="utf-8")
        assert points(dispatcher, job) == 14.0
        assert not set(idle(dispatcher, 1)) & set(before)


def test_a_grading_that_runs_while_its_suite_is_edited_is_completed(copied):  # noqa: F811
    folder, job = copied
    suite = folder / "test_scaling.py"
    slow = with_source(job, "\nimport time\ntime.sleep(1.5)\n")
    with one_after_another(2) as dispatcher:
        assert points(dispatcher, job) == 13.0
        ended: list[float] = []
        thread = threading.Thread(target=lambda: ended.append(points(dispatcher, slow)))
        thread.start()
        time.sleep(0.5)
        text = suite.read_text(encoding="utf-8")
        suite.write_text(text.replace("points(3)", "points(4)"), encoding="utf-8")
        assert points(dispatcher, job) == 14.0
        thread.join(timeout=10)
        assert ended == [13.0]


def test_a_process_that_has_grown_ends(copied):  # noqa: F811
    _, job = copied
    with_suite(job, "KEPT = ([],)", f"KEPT[0].append(b'x' * {MOST_GROWN_BYTES + 2**20})")
    with one_after_another() as dispatcher:
        for _ in range(3):
            assert points(dispatcher, job) == 13.0
            assert idle(dispatcher, 0) == []


def test_nothing_is_left_open_and_the_hundredth_is_the_last(copied):  # noqa: F811
    _, job = copied
    with one_after_another() as dispatcher:
        assert points(dispatcher, job) == 13.0
        (first,) = idle(dispatcher, 1)
        time.sleep(0.5)
        before = descriptors(first)
        for _ in range(MOST_ORDERS - 2):
            assert points(dispatcher, job) == 13.0
        assert idle(dispatcher, 1) == [first]
        deadline = time.monotonic() + 10
        while descriptors(first) > before and time.monotonic() < deadline:
            time.sleep(0.01)  # it reports how the last worker ended before it closes the descriptor
        assert descriptors(first) == before
        assert points(dispatcher, job) == 13.0
        assert idle(dispatcher, 0) == []


def test_the_limit_of_a_suite_is_for_each_submission_by_itself(copied, monkeypatch):  # noqa: F811
    _, job = copied
    monkeypatch.setattr(starters, "OWN_SLACK_S", 1)
    exercise = replace(job.exercise, limits=Limits(import_limit_s=1.0, exercise_limit_s=1.0))
    job = structs.replace(job, exercise=exercise)
    # What is nested deeper in a global is not restored; so this suite hangs in its sixth run.
    with_suite(job, "import time\nRUN = ([],)", "RUN[0].append(1)\n    if len(RUN[0]) == 6: time.sleep(30)")
    with one_after_another() as dispatcher:
        assert points(dispatcher, job) == 13.0  # the host rehearses now, twice, in a process of its own
        (pid,) = idle(dispatcher, 1)
        time.sleep(3.2)  # longer than the limit
        assert [points(dispatcher, job) for _ in range(4)] == [13.0] * 4
        assert idle(dispatcher, 1) == [pid]
        started = time.monotonic()
        (ending,) = dispatcher.grade([job])
        why = "grade suite: killed by SIGALRM, its time limit"
        assert ending == NotGraded(reason=f"the grading process died: {why}")
        assert time.monotonic() - started < 10
        assert points(dispatcher, job) == 13.0


def test_a_command_that_has_ended_costs_the_next_one_nothing(copied):  # noqa: F811
    """The process whose result is not read grades the next submission."""
    _, job = copied
    with one_after_another() as dispatcher:
        assert points(dispatcher, job) == 13.0
        for tell_checks in (True, False, True, False):
            gone = dispatcher._starter.open(job, slot=0)
            gone.send(messages.encode(structs.replace(job, tell_checks=tell_checks)))
            gone.close()
            assert [points(dispatcher, job) for _ in range(3)] == [13.0] * 3


# --- limits, without a process: just below and just above each


@pytest.mark.parametrize(
    ("orders_left", "grown", "is_idle"),
    [(1, 32 * 2**20, True), (1, 32 * 2**20 + 1, False), (0, 0, False), (99, -1, True)],
)
def test_a_process_takes_another_order_unless_it_has_grown_by_32_mib(
    monkeypatch, orders_left, grown, is_idle
):
    own_end, host_end = socket.socketpair()
    with own_end, host_end:
        process = exercise_host._GradingProcess(
            own_end, NotGraded(reason=""), orders_left, at_first_bytes=1000
        )
        monkeypatch.setattr(exercise_host.linux, "own_memory_bytes", lambda: 1000 + grown)
        process._offer()
        assert process.is_idle == is_idle


@pytest.mark.parametrize(("many", "orders"), [(True, 100), (False, 1)])
def test_a_process_takes_a_hundred_orders_where_many_are_expected(monkeypatch, many, orders):
    made = []

    class Processes:
        def __init__(self, _control, _prepared, most_orders):
            made.append(most_orders)

        def step(self):
            return False

    monkeypatch.setattr(exercise_host, "_GradingProcesses", Processes)
    monkeypatch.setattr(exercise_host, "freeze_heap", lambda: None)
    monkeypatch.setattr(exercise_host.preparation, "prepare_or_explain", lambda _: NotGraded(reason=""))
    order = GradeOrder(suite="test_a.py", version="", wall_limit_s=60)
    exercise_host.run_exercise_host(None, order=order, many=many)
    assert made == [orders]


def test_there_are_at_most_64_hosts(monkeypatch):
    monkeypatch.setattr(host_pool, "fork_child", lambda *_: 1)  # the parent's side of it
    own_end, zygote_end = socket.socketpair()
    with own_end, zygote_end:
        hosts = host_pool.Hosts(zygote_end)
        order = GradeOrder(suite="test_a.py", version="", wall_limit_s=60)
        for n in range(64):
            hosts.send(host_pool.Host(name="grade host", holds=str(n), version="", run=None), order, [])
        first, second = (hosts._running["grade host", str(n)][1] for n in (0, 1))
        assert (len(hosts._running), first.fileno() >= 0) == (64, True)
        hosts.send(host_pool.Host(name="grade host", holds="64", version="", run=None), order, [])
        assert (len(hosts._running), first.fileno(), second.fileno() >= 0) == (64, -1, True)
        for _, host in hosts._running.values():
            host.close()


def test_the_workers_of_a_submission_share_2048_mib():
    memory = dispatching._Memory(dispatching.SUBMISSION_MEMORY_MIB)
    taken = threading.Event()

    def take_one():
        with memory.take(1):
            taken.set()

    with memory.take(2047), memory.take(1):
        thread = threading.Thread(target=take_one)
        thread.start()
        assert not taken.wait(0.2)
    assert taken.wait(10)
    thread.join()
    with memory.take(4096):  # more than there is: all of it
        assert memory._left_mib == 0


# --- no process can be forked


def no_room(*_: object) -> int:
    raise BlockingIOError(errno.EAGAIN, "Resource temporarily unavailable")


def test_a_grading_process_that_cannot_be_forked_is_answered_with_the_reason(monkeypatch):
    monkeypatch.setattr(exercise_host, "fork_child", no_room)
    own_end, host_end = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    command, channel = socket.socketpair()
    with own_end, host_end, command:
        processes = exercise_host._GradingProcesses(host_end, NotGraded(reason=""), 1)
        for _ in range(2):  # the host goes on
            with channel:
                order = GradeOrder(suite="test_a.py", version="", wall_limit_s=60)
                send_order(order, [channel.fileno(), own_end.fileno()], own_end)
            assert processes.step()
            answer = messages.decode(SocketChannel(command).receive(time.monotonic() + 5)[0])
            assert answer.reason.startswith("no process could be started: Resource temporarily unavailable")
            command.close()
            command, channel = socket.socketpair()
        command.close()
        channel.close()


@pytest.mark.parametrize("order", ["grade", "worker"])
def test_a_host_that_cannot_be_forked_is_answered_with_the_reason(monkeypatch, capfd, order):
    monkeypatch.setattr(host_pool, "fork_child", no_room)
    own_end, zygote_end = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    confinement = lockdown.Confinement(level=0, layers=(), missing=(), landlock_fd=None, base_bytes=0)
    with own_end, zygote_end:
        if order == "grade":
            answers, channel = socket.socketpair()
            wanted = GradeOrder(suite="test_a.py", version="", wall_limit_s=60)
            send_order(wanted, [channel.fileno(), own_end.fileno()], own_end)
            channel.close()
        else:
            limits = WorkerOrder(memory_limit_mib=1, output_limit_kib=1)
            worker = ForkLauncher(own_end, limits, slot=0).start(1)
        own_end.shutdown(socket.SHUT_WR)  # then the zygote ends
        owner = os.pidfd_open(os.getpid())
        warm_process.serve(zygote_end, owner, confinement, many=False)
        os.close(owner)
        if order == "grade":
            with answers:
                answer = messages.decode(SocketChannel(answers).receive(time.monotonic() + 5)[0])
            assert "Resource temporarily unavailable" in answer.reason
        else:
            with pytest.raises(InternalError, match="Resource temporarily unavailable"):
                worker.end()
    assert "grade zygote: " in capfd.readouterr().err


@pytest.mark.parametrize(
    ("error", "failures", "ends"),
    [
        (errno.EAGAIN, 3, "forked"),
        (errno.ENOMEM, 1, "forked"),
        (errno.EPERM, 1, "fails"),
        (errno.EAGAIN, 10**6, "fails"),
    ],
)
def test_a_fork_is_tried_again_where_its_failure_may_pass(monkeypatch, error, failures, ends):
    left = [OSError(error, "no")] * failures

    def fork() -> int:
        if left:
            raise left.pop()
        return 7

    monkeypatch.setattr(linux.os, "fork", fork)
    monkeypatch.setattr(linux, "PATIENCE_S", 0.3)
    if ends == "forked":
        assert linux.fork_patiently() == 7
    else:
        with pytest.raises(OSError, match="no"):
            linux.fork_patiently()


def test_a_handler_that_is_interrupted_by_itself_waits_for_each_child_once(monkeypatch, capfd):
    """SIGCHLD comes again while its handler runs: at any step of it."""
    monkeypatch.setattr(forking, "_children", {})
    waitpid, depth = os.waitpid, [0]

    def interrupted(child: int, options: int) -> tuple[int, int]:
        try:
            return waitpid(child, options)
        finally:
            depth[0] += 1
            if depth[0] < 4:
                forking._reap()

    for n in range(5):
        child = os.fork()
        if child == 0:
            os._exit(3)
        os.waitid(os.P_PID, child, os.WEXITED | os.WNOWAIT)
        forking._children[child] = f"grade {n}"
    monkeypatch.setattr(forking.os, "waitpid", interrupted)
    forking._reap()
    assert forking._children == {}
    noted = sorted(capfd.readouterr().err.splitlines())
    assert noted == [f"grade {n}: ended with exit status 3" for n in range(5)]


@pytest.mark.parametrize(
    ("limit_mib", "jobs", "worker_mib"),
    [
        (None, 2, None),
        (1024, 1, 640),
        (1024, 2, 288),
        (4096, 2, 1824),
        (767, 1, 383),
        (511, 1, 128),
        (100, 4, 128),
    ],
)
def test_workers_get_what_a_cgroup_leaves_for_them(monkeypatch, course, limit_mib, jobs, worker_mib):
    monkeypatch.setattr(dispatching.cgroup, "memory_limit_bytes", lambda: limit_mib and limit_mib * 2**20)
    assert dispatching.worker_memory_mib(jobs) == worker_mib
    exercise = replace(course.exercises[0], limits=Limits(memory_limit_mib=512))
    job = dispatching._within(Job(exercise=exercise, module="m", sources={}, seed=0), worker_mib)
    assert job.exercise.limits.memory_limit_mib == min(512, worker_mib or 512)


def test_a_grading_process_has_a_minute_beyond_its_limits_and_the_command_waits_for_another(course):
    own_end, zygote_end = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    limits = Limits(exercise_limit_s=20.0, import_limit_s=5.0)
    job = Job(exercise=replace(course.exercises[0], limits=limits), module="scaling", sources={}, seed=0)
    with own_end, zygote_end:
        zygote = object.__new__(starters.ZygoteStarter)
        zygote._control, zygote._lock = own_end, threading.Lock()
        with contextlib.closing(zygote.open(job, slot=0)):
            order, received = receive_order(zygote_end)
        for descriptor in received:
            os.close(descriptor)
    assert order.wall_limit_s == 20 + 5 + 60
    deadlines = []

    class Silent:
        def send(self, header, payload): ...

        def close(self): ...

        def receive(self, deadline):
            deadlines.append(deadline - time.monotonic())
            raise Overdue

    grading = object.__new__(Dispatcher)
    grading._starter = SimpleNamespace(open=lambda *_: Silent(), why_one_died=lambda _: "")
    assert "did not end within 145 s" in grading._grade_in(0, job, dispatching.ignore).reason
    assert 144 < deadlines[0] <= 145


def test_a_warm_process_has_two_minutes_to_start(monkeypatch):
    zygote = object.__new__(starters.ZygoteStarter)
    waits = []

    def recv(_size):
        raise TimeoutError

    zygote._control = SimpleNamespace(settimeout=waits.append, recv=recv)
    with pytest.raises(InternalError, match="not ready within 120 s"):
        zygote.ready()
    assert waits == [120.0]

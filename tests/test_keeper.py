"""Keepers: one process forks and watches all workers, and the end of one does not affect the others."""

import os
import signal
import sys
import threading
import time
from dataclasses import replace
from pathlib import Path

import pytest
from msgspec import structs
from test_sandbox import ORDER, alive, ask, copied, named, points  # noqa: F401 - a fixture among them

from grader.core.model import Limits, Outcome
from grader.grading.dispatcher import Dispatcher
from grader.sandbox.protocol.messages import Load
from grader.sandbox.supervisor import Sandbox, WorkerLost

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="forking a warm process is for Linux")

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
    found = [
        pid
        for pid in named(dispatcher)["grade keeper"]
        if any(read(child, "comm") == "grade worker" for child in children(pid))
    ]
    assert len(found) == 1
    return found[0]


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

"""Executors: each gives the same results, also when a worker of a cluster dies."""

import contextlib
import multiprocessing
import os
import re
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from grader.classroom import remote_worker
from grader.classroom.batch import ClassRun, StudentResult
from grader.classroom.executors import open_executor
from grader.classroom.gradebook import Gradebook
from grader.core import scoring
from grader.core.errors import GraderError, UsageError
from grader.report import to_json
from grader.submission.handed_in import HandedIn

COURSE = Path(__file__).parent / "course"
REFERENCE = (COURSE / "solutions" / "scaling" / "reference.py").read_text(encoding="utf-8")
SOURCES = [
    REFERENCE,
    f"{REFERENCE}\n\ndef double(x):\n    return x * x\n",
    f"{REFERENCE}\n\ndef double(x):\n    raise ValueError(x)\n",
    f"{REFERENCE}\n\ndef double(x):\n    import os\n    os._exit(3)\n",
    "raise SystemExit",
    (COURSE / "exercises" / "scaling.py").read_text(encoding="utf-8"),
]


@pytest.fixture
def handed_in(tmp_path) -> list[HandedIn]:
    """Six students, each with a different outcome."""
    found = []
    for n, source in enumerate(SOURCES):
        folder = tmp_path / f"student{n}"
        (folder / "exercises").mkdir(parents=True)
        (folder / "exercises" / "scaling.py").write_text(source, encoding="utf-8")
        found.append(HandedIn(student=folder.name, path=folder))
    return found


def results(course, handed_in: list[HandedIn], name: str, width: int = 2) -> dict[str, str]:
    """Grade with an executor; return the reports by student, without their times."""
    with Gradebook(Path(":memory:")) as book, batch(course, book, name, width) as run:
        return {e.student: to_json(scoring.without_times(e.report)) for e in run.grade(handed_in)}


@contextlib.contextmanager
def batch(course, book: Gradebook, name: str, width: int) -> Iterator[ClassRun]:
    """Open an executor, and a run over a class on it."""
    with open_executor(name, width) as opened:
        yield ClassRun(course=course, gradebook=book, executor=opened, seed=0, required_level=0)


@pytest.fixture
def cluster(tmp_path) -> Iterator[tuple[str, list["subprocess.Popen[str]"]]]:
    """A dask scheduler on loopback and two workers, each a process of one thread; its address, and the workers."""
    environment = {
        **os.environ,
        "CONVGRADER_COURSE": str(COURSE),
        "DASK_DISTRIBUTED__ADMIN__LOW_LEVEL_LOG_LENGTH": "0",
    }
    command = [
        sys.executable,
        "-m",
        "distributed.cli.dask_scheduler",
        "--host",
        "127.0.0.1",
        "--port",
        "0",
        "--no-dashboard",
    ]
    scheduler = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, cwd=tmp_path, env=environment)
    assert scheduler.stderr is not None
    address = next(m[1] for line in scheduler.stderr if (m := re.search(r"tcp://(127\.0\.0\.1:\d+)", line)))
    command = [sys.executable, "-m", "distributed.cli.dask_worker", f"tcp://{address}", "--nthreads", "1"]
    command += [
        "--no-nanny",
        "--no-dashboard",
        "--host",
        "127.0.0.1",
        "--local-directory",
        str(tmp_path / "dask"),
    ]
    workers = [
        subprocess.Popen(command, stderr=subprocess.DEVNULL, text=True, cwd=tmp_path, env=environment)
        for _ in range(2)
    ]
    yield address, workers
    for process in (*workers, scheduler):
        process.kill()
        process.wait()
    scheduler.stderr.close()


def await_workers(address: str, count: int) -> None:
    import distributed

    with distributed.Client(address, timeout=60) as client:
        client.wait_for_workers(count, timeout=60)


def again(one: HandedIn, n: int) -> HandedIn:
    """Return the same solution for another student, with a further comment, so that no cached result is used."""
    folder = one.path.parent / f"{one.student} {n}"
    shutil.copytree(one.path, folder)
    module = folder / "exercises" / "scaling.py"
    module.write_text(f"{module.read_text('utf-8')}\n# {n}\n", encoding="utf-8")
    return HandedIn(student=folder.name, path=folder)


def test_processes_and_threads_give_the_same_results(course, handed_in):
    assert results(course, handed_in, "processes") == results(course, handed_in, "local")


@pytest.mark.filterwarnings("ignore")  # distributed warns about its sockets and its clocks
def test_a_cluster_gives_the_same_results_though_a_worker_is_killed_midway(course, handed_in, cluster):
    address, workers = cluster
    await_workers(address, 2)
    expected = results(course, handed_in, "local")
    many = [again(one, n) for n in range(4) for one in handed_in]
    with Gradebook(Path(":memory:")) as book, open_executor(f"dask://{address}", 1) as opened:
        assert opened.width == 2
        run = ClassRun(course=course, gradebook=book, executor=opened, seed=0, required_level=0)
        found: dict[str, str] = {}
        for n, ended in enumerate(run.grade(many)):
            found[ended.student] = to_json(scoring.without_times(ended.report))
            if n == 2:
                workers[0].send_signal(signal.SIGKILL)
    assert workers[0].wait(timeout=10) == -signal.SIGKILL
    assert workers[1].poll() is None
    assert found == {one.student: expected[one.student.split()[0]] for one in many}


def test_no_warm_process_is_left(course, handed_in):
    before = _warm_processes()  # another test's warm process may be there
    results(course, handed_in[:2], "processes")
    deadline = time.monotonic() + 10
    while (left := _warm_processes() - before) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert left == set()


@pytest.mark.skipif(sys.platform != "linux", reason="forks")
def test_processes_share_one_warm_process(course, handed_in):
    before, most, done = _warm_processes(), 0, threading.Event()

    def watch() -> None:
        nonlocal most
        while not done.is_set():
            most = max(most, len(_sessions(_warm_processes(orphans=False) - before)))
            time.sleep(0.02)

    watcher = threading.Thread(target=watch)
    watcher.start()
    results(course, handed_in, "processes")
    done.set()
    watcher.join()
    assert most == 1


def test_killed_processes_cost_nothing_that_can_be_graded_again(course, handed_in):
    killed = []

    def kill_once(one: StudentResult) -> StudentResult:
        if not killed:
            killed.extend(multiprocessing.active_children())
            for process in killed:
                process.kill()
        return one

    with Gradebook(Path(":memory:")) as book, batch(course, book, "processes", 2) as run:
        ended = list(map(kill_once, run.grade(handed_in)))
    assert killed
    assert sorted(one.student for one in ended) == [one.student for one in handed_in]
    assert all(one.report is not None for one in ended)


@pytest.mark.skipif(sys.platform != "linux", reason="forks")
def test_a_submission_that_kills_its_process_is_named_and_the_others_are_graded(
    course, handed_in, monkeypatch
):
    grade = remote_worker._grade

    def die_at(dispatcher, order):
        if any(b"raise SystemExit" in job for job in order.jobs):
            os.kill(os.getpid(), signal.SIGKILL)
        return grade(dispatcher, order)

    expected = results(course, handed_in, "local")
    monkeypatch.setattr(remote_worker, "_grade", die_at)  # the processes of the pool are forked from this one
    with Gradebook(Path(":memory:")) as book, batch(course, book, "processes", 2) as run:
        ended = {one.student: one for one in run.grade(handed_in)}
    guilty = ended.pop("student4")
    assert guilty.report is None
    assert guilty.is_fault
    assert "was killed, and again when it was graded alone" in guilty.refused
    del expected["student4"]
    assert {name: to_json(scoring.without_times(one.report)) for name, one in ended.items()} == expected


def _sessions(processes: set[str]) -> set[str]:
    """Return the session ids of processes: a warm process starts a session, which its children share."""
    sessions = set()
    for process in processes:
        with contextlib.suppress(OSError):
            sessions.add(Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[3])
    return sessions


def _warm_processes(*, orphans: bool = True) -> set[str]:
    """Return the numbers of the warm processes below this process, and of those that have lost their parent."""
    found = set()
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            command = (entry / "cmdline").read_text().split("\0")
        except OSError:
            continue
        if command[0] == sys.executable and "grader.grading.zygote" in command:
            ancestors = _ancestors(int(entry.name))
            # Another worker of pytest-xdist has the same parent as this process, and warm processes of its own.
            if os.getpid() in ancestors or (orphans and os.getppid() not in ancestors):
                found.add(entry.name)
    return found


def _ancestors(process: int) -> list[int]:
    """Return parent, grandparent and so on of a process, by number."""
    found = []
    while process > 1:
        try:
            process = int(Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[1])
        except OSError:
            break
        found.append(process)
    return found


@pytest.mark.parametrize("name", ["threads", "loky", "dask:", "Processes", ""])
def test_an_unknown_executor_is_refused_and_the_known_ones_are_named(name):
    message = f'no executor "{name}". Use processes, local or dask://HOST:PORT.'
    with pytest.raises(UsageError, match=re.escape(message)), open_executor(name, 1):
        pass


@pytest.mark.filterwarnings("ignore")
def test_a_missing_scheduler_is_named(monkeypatch):
    import distributed

    def refuse(address: str, timeout: float) -> None:
        assert timeout == 10.0
        raise OSError(f"Timed out trying to connect to {address} after {timeout} s")

    monkeypatch.setattr(distributed, "Client", refuse)
    with (
        pytest.raises(UsageError, match=r"no dask scheduler at 127\.0\.0\.1:1"),
        open_executor("dask://127.0.0.1:1", 1),
    ):
        pass


def test_a_cluster_without_workers_is_named(monkeypatch):
    import distributed

    class Empty:
        def __init__(self, address: str, timeout: float) -> None: ...

        def wait_for_workers(self, n_workers: int, timeout: float) -> None:
            assert (n_workers, timeout) == (1, 30.0)
            raise distributed.TimeoutError

        def close(self) -> None: ...

    monkeypatch.setattr(distributed, "Client", Empty)
    with pytest.raises(GraderError, match="has no worker"), open_executor("dask://127.0.0.1:1", 1):
        pass

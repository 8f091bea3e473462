"""The processes: workers start and end, none is left, and a failure of the grader's own is an internal error."""

import contextlib
import os
import select
import signal
import subprocess
import sys
import textwrap
import threading
import time
from dataclasses import replace
from pathlib import Path

import pytest
from msgspec import structs

from grader.core.model import Limits, Outcome
from grader.grading.dispatcher import MAX_LEVEL_VARIABLE, Dispatcher
from grader.grading.messages import Graded, Job, NotGraded
from grader.sandbox.last_words import last_words
from grader.sandbox.protocol.messages import Call, ItemsValue, Load
from grader.sandbox.protocol.orders import WorkerOrder
from grader.sandbox.spawned import SpawnLauncher, clean_environment
from grader.sandbox.supervisor import LoadFailed, Sandbox, WorkerLost

ORDER = WorkerOrder(memory_limit_mib=256, output_limit_kib=64)
NOTHING = ItemsValue(form="tuple", items=())
KILLED = "killed by SIGKILL, from outside, as by the OOM killer"

pytestmark = pytest.mark.usefixtures("forked_warm_processes")


def ask(sandbox: Sandbox, name: str = "f"):
    """Call a function without arguments."""
    from grader.sandbox.protocol.messages import EntriesValue

    sandbox.ensure_loaded()  # to start an interpreter may take longer than a call
    request = Call(number=1, owner="student", name=name, args=NOTHING, kwargs=EntriesValue(entries=()))
    return sandbox.ask(request, b"", what=f"`{name}`", deadline=time.monotonic() + 30)[0]


@pytest.fixture(scope="module", params=[pytest.param("spawned", marks=pytest.mark.cold), "forked"])
def launcher(request, dispatcher):
    """Both ways of starting a worker."""
    if request.param == "spawned":
        return SpawnLauncher(ORDER)
    if sys.platform != "linux":
        pytest.skip("forking a warm process is for Linux")
    return dispatcher.launcher(ORDER)


@pytest.fixture
def sandbox(launcher):
    """Open a sandbox on the text of a module, and close it after the test."""
    opened = []

    def start(source: str) -> Sandbox:
        load = Load(module="m", sources={"m.py": textwrap.dedent(source)})
        opened.append(Sandbox(launcher, load, Limits(call_limit_s=1.0, import_limit_s=2.0)))
        return opened[-1]

    yield start
    for one in opened:
        one.close()


def test_a_call_is_answered(sandbox):
    assert ask(sandbox("def f(): return 7")).value == 7


def test_a_worker_that_is_lost_is_followed_by_a_fresh_one(sandbox):
    box = sandbox("import os\ndef f(): os._exit(3)\ndef g(): return 1")
    with pytest.raises(WorkerLost, match="exit status 3") as lost:
        ask(box)
    assert lost.value.outcome is Outcome.CRASHED
    assert ask(box, "g").value == 1


def test_a_call_that_does_not_end_is_cut_at_its_limit(sandbox):
    box = sandbox("def f():\n    while True: pass")
    box.ensure_loaded()
    started = time.monotonic()
    with pytest.raises(WorkerLost, match="did not end within 1 s") as lost:
        ask(box)
    assert lost.value.outcome is Outcome.TIME_LIMIT
    assert 0.9 < time.monotonic() - started < 3.0


def test_the_deadline_of_the_whole_exercise_cuts_calls_short(sandbox):
    box = sandbox("def f():\n    while True: pass")
    box.ensure_loaded()
    box.open(0.2)
    started = time.monotonic()
    with pytest.raises(WorkerLost):
        ask(box)
    assert time.monotonic() - started < 0.9


def test_prints_are_kept_across_workers(sandbox):
    box = sandbox("import os\nprint('loaded')\ndef f():\n    print('once', flush=True)\n    os._exit(0)")
    with pytest.raises(WorkerLost):
        ask(box)
    box.ensure_loaded()
    box.close()
    assert box.output.decode().split() == ["loaded", "once", "loaded"]


def test_a_module_that_raises_and_one_that_ends_the_process_are_different_errors(sandbox):
    with pytest.raises(LoadFailed) as failed:
        sandbox("1 / 0").ensure_loaded()
    assert failed.value.reply.type_name == "ZeroDivisionError"
    with pytest.raises(WorkerLost, match="exit status 5"):
        sandbox("import os\nos._exit(5)").ensure_loaded()


def test_a_spawned_worker_has_imported_nothing_of_a_course_or_of_grading(launcher, sandbox):
    if not isinstance(launcher, SpawnLauncher):
        pytest.skip("a forked worker has the modules of the zygote, which holds no course content")
    box = sandbox("import sys\ndef f(): return [m for m in sys.modules if m.split('.')[0] == 'grader']")
    wings = {name.split(".")[1] for name in ask(box).value.items if "." in name}
    assert wings == {"core", "sandbox"}


def test_processes_do_not_inherit_the_environment(monkeypatch):
    monkeypatch.setenv("SECRET_TOKEN", "hunter2")
    assert "SECRET_TOKEN" not in clean_environment()


def test_threads_wait_for_a_core_without_spinning():
    assert clean_environment()["OMP_WAIT_POLICY"] == "PASSIVE"  # set before libgomp reads it, or never


def descendants(pid: int) -> set[int]:
    """Return the ids of all processes below one."""
    found = set()
    for task in Path(f"/proc/{pid}/task").glob("*/children"):
        for child in map(int, task.read_text().split()):
            found |= {child} | descendants(child)
    return found


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_killing_the_command_leaves_no_process(tmp_path):
    (tmp_path / "scaling.py").write_text("while True: pass", encoding="utf-8")
    environment = {**os.environ, "CONVGRADER_COURSE": str(Path(__file__).parent / "course")}
    command = subprocess.Popen(
        [sys.executable, "-m", "grader"], cwd=tmp_path, env=environment, stdout=subprocess.DEVNULL
    )
    deadline = time.monotonic() + 120
    while len(below := descendants(command.pid)) < 4 and time.monotonic() < deadline:
        time.sleep(0.05)  # zygote, grading process, monitor, worker
    assert len(below) >= 4
    command.send_signal(signal.SIGKILL)
    command.wait()
    deadline = time.monotonic() + 30
    while any(alive(pid) for pid in below) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not [pid for pid in below if alive(pid)]


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False


@pytest.mark.parametrize(
    ("lines", "words"),
    [
        ([], ""),
        (["something else"], ": something else"),
        (["boom", "grade suite: killed", "grade keeper: b"], ": grade suite: killed (boom)"),
        (["grade keeper: a", "grade suite: killed", "later"], ": grade suite: killed"),
        (["Traceback", "OSError: full", "grade host: OSError: full"], ": grade host: OSError: full"),
        (["grade suite: one", "grade suite: two"], ": grade suite: two"),
        (["\x1b[31mred\x07"], r": \x1b[31mred\x07"),
        (["x" * 20_000], ": " + "x" * 300 + "… (cut here)"),
    ],
)
def test_the_reason_of_a_death_is_the_last_line_about_it(tmp_path, lines, words):
    with (tmp_path / "stderr").open("w+", encoding="utf-8") as file:
        file.write("".join(f"{line}\n" for line in lines))
        file.flush()
        assert last_words(file.fileno(), "grade suite", "grade host") == words
    reading, writing = os.pipe()  # what is no file has no last line, and is not read
    os.write(writing, b"grade suite: secret\n")
    assert last_words(reading, "grade suite") == ""
    os.close(reading)
    os.close(writing)


@pytest.mark.parametrize(
    ("level", "why"), [("3", "grade host: ended with exit status 1 (farewell)"), ("0", "farewell")]
)
def test_a_grading_process_that_dies_is_an_internal_error_and_the_others_go_on(
    course, tmp_path, monkeypatch, level, why
):
    monkeypatch.setenv(MAX_LEVEL_VARIABLE, level)
    broken = tmp_path / "scaling"
    broken.mkdir()
    for path in course.exercises[0].folder.iterdir():
        if path.is_file():
            (broken / path.name).write_text(path.read_text(encoding="utf-8"), encoding="utf-8")
    dying = "import os, sys\nsys.stderr.write('farewell\\n')\nsys.stderr.flush()\nos._exit(1)\n"
    (broken / "reference.py").write_text(dying, encoding="utf-8")
    sources = {"scaling.py": "def double(x): return 2 * x"}
    sound = Job(exercise=course.exercises[0], module="scaling", sources=sources, seed=0)
    dying = Job(
        exercise=replace(course.exercises[0], folder=broken), module="scaling", sources=sources, seed=0
    )
    with Dispatcher() as dispatcher:
        first, second = dispatcher.grade([dying, sound])
    assert first == NotGraded(reason=f"the grading process died: {why}")
    assert isinstance(second, Graded)
    assert second.result.points == 6.0


# --- hosts


@pytest.fixture
def copied(copied_exercise):
    """A copy of the miniature exercise, to be edited, and a job that grades its reference."""
    folder = copied_exercise.folder
    sources = {"scaling.py": (folder / "reference.py").read_text(encoding="utf-8")}
    return folder, Job(exercise=copied_exercise, module="scaling", sources=sources, seed=0)


def named(dispatcher: Dispatcher) -> dict[str, list[int]]:
    """Return what was forked from a dispatcher's warm process, by name: other tests have dispatchers too.

    A process that was just forked has its parent's name until it sets its own, and is left out.
    """
    found: dict[str, list[int]] = {}
    for pid in descendants(dispatcher._starter._process.pid):
        with contextlib.suppress(OSError):
            name, _, after = Path(f"/proc/{pid}/stat").read_text().partition("(")[2].rpartition(")")
            parent = after.split()[1]
            if name != Path(f"/proc/{parent}/comm").read_text().strip():
                found.setdefault(name, []).append(pid)
    return found


def points(dispatcher, job):
    (graded,) = dispatcher.grade([job])
    assert isinstance(graded, Graded), graded
    return graded.result.points


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_an_exercise_is_imported_once_and_again_only_when_it_has_changed(copied):
    folder, job = copied
    reference = folder / "reference.py"
    text = reference.read_text(encoding="utf-8")
    marks = folder.parent / "imports"
    reference.write_text(f"open({str(marks)!r}, 'a').write('x')\n{text}", encoding="utf-8")
    with Dispatcher() as dispatcher:
        assert [points(dispatcher, job) for _ in range(3)] == [13.0] * 3
        assert marks.read_text() == "x"
        suite = folder / "test_scaling.py"
        suite.write_text(
            suite.read_text(encoding="utf-8").replace("points(3)", "points(4)"), encoding="utf-8"
        )
        assert points(dispatcher, job) == 14.0
        assert marks.read_text() == "xx"
        assert len(named(dispatcher)["grade host"]) == 1, "the host of the older version has ended"


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_a_host_that_is_killed_is_replaced(copied):
    _, job = copied
    with Dispatcher() as dispatcher:
        assert points(dispatcher, job) == 13.0
        before = named(dispatcher)["grade host"]
        for pid in before:
            os.kill(pid, signal.SIGKILL)
        while any(alive(pid) for pid in before):
            time.sleep(0.01)
        assert points(dispatcher, job) == 13.0
        assert not set(named(dispatcher)["grade host"]) & set(before)


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_a_grading_process_that_is_killed_is_noticed_at_once_whatever_was_forked_with_it(copied):
    _, job = copied
    slow = structs.replace(job, sources={"scaling.py": "import time\ntime.sleep(1.9)"})
    with Dispatcher() as dispatcher:
        dispatcher.ready()
        ended = []
        thread = threading.Thread(target=lambda: ended.extend(dispatcher.grade([slow])))
        thread.start()
        deadline = time.monotonic() + 120
        while not (grading := named(dispatcher).get("grade suite")) and time.monotonic() < deadline:
            time.sleep(0.01)
        for pid in grading:
            os.kill(pid, signal.SIGKILL)
        thread.join(timeout=10)
        assert ended == [NotGraded(reason=f"the grading process died: grade suite: {KILLED}")]


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_no_worker_comes_from_a_process_that_holds_course_content(copied):
    _, job = copied
    spinning = structs.replace(job, sources={"scaling.py": "import time\ntime.sleep(1.5)"})
    with Dispatcher() as dispatcher:
        dispatcher.ready()  # one worker was started for that
        thread = threading.Thread(target=lambda: list(dispatcher.grade([spinning])))
        thread.start()
        deadline = time.monotonic() + 120
        while not (workers := named(dispatcher).get("grade worker")) and time.monotonic() < deadline:
            time.sleep(0.02)
        assert workers
        hosts = named(dispatcher)["grade host"]
        assert not set(workers) & {pid for host in hosts for pid in descendants(host)}
        thread.join()


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_operators_are_banned_once_and_again_after_the_process_with_the_bans_has_ended(copied):
    _, job = copied
    banned = structs.replace(
        job, sources={"scaling.py": "import torch\n\ndef double(x):\n    return torch.addcmul(x, x, x)"}
    )
    with Dispatcher() as dispatcher:
        assert points(dispatcher, job) == 13.0
        (holder,) = named(dispatcher)["grade bans"]
        (graded,) = dispatcher.grade([banned])
        assert "addcmul" in str(graded)
        assert "switched off" in str(graded)
        assert named(dispatcher)["grade bans"] == [holder]
        gone = [holder, *descendants(holder)]  # the keeper ends with it, and until then it takes orders
        os.kill(holder, signal.SIGKILL)
        while any(map(alive, gone)):
            time.sleep(0.01)
        assert points(dispatcher, job) == 13.0
        (graded,) = dispatcher.grade([banned])
        assert "switched off" in str(graded)
        free = replace(banned.exercise, banned_operators=())
        (graded,) = dispatcher.grade([structs.replace(banned, exercise=free)])
        assert "switched off" not in str(graded)


@pytest.mark.skipif(sys.platform != "linux", reason="forks")
@pytest.mark.parametrize(
    ("broken", "words"),
    [
        ("1 / 0", "ZeroDivisionError"),
        (
            "import threading, time\nthreading.Thread(target=time.sleep, args=(60,), daemon=True).start()",
            "threads",
        ),
    ],
)
def test_an_exercise_that_cannot_be_hosted_says_why_for_every_submission(copied, broken, words):
    folder, job = copied
    (folder / "reference.py").write_text(broken, encoding="utf-8")
    with Dispatcher() as dispatcher:
        for _ in range(2):
            (graded,) = dispatcher.grade([job])
            assert isinstance(graded, NotGraded)
            assert words in graded.reason


@pytest.mark.cold
@pytest.mark.skipif(sys.platform != "linux", reason="watches a process by its descriptor")
def test_what_a_spawned_worker_started_ends_with_it():
    from grader.sandbox.worker import linux

    source = """
        import os, time

        def f():
            child = os.fork()
            if not child:
                time.sleep(600)
            return child
    """
    load = Load(module="m", sources={"m.py": textwrap.dedent(source)})
    sandbox = Sandbox(SpawnLauncher(ORDER), load, Limits(import_limit_s=10.0))
    try:
        child = linux.pidfd_open(ask(sandbox).value)
    finally:
        sandbox.close()
    with os.fdopen(child):
        poller = select.poll()
        poller.register(child, select.POLLIN)
        assert poller.poll(10_000), "the child of a worker outlives it"

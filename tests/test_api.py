"""`grader.grade`: the same report as the command's, from any thread, and no process outlives it."""

import contextlib
import json
import os
import signal
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from click.testing import CliRunner

import grader
from grader.cli import grade as grade_command
from grader.core.errors import DocumentError, UsageError
from grader.core.model import Outcome
from grader.grading import api
from grader.grading.attempt import grade_exercises
from grader.grading.dispatcher import Dispatcher
from grader.report import to_json
from grader.submission import open_submission

COURSE = Path(__file__).parent / "course"
SOLUTION = (COURSE / "solutions" / "scaling" / "reference.py").read_text(encoding="utf-8")
on_linux = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")


@pytest.fixture
def submission(tmp_path):
    """A right solution of the miniature course."""
    folder = tmp_path / "submission"
    folder.mkdir()
    (folder / "scaling.py").write_text(SOLUTION, encoding="utf-8")
    return folder


@pytest.fixture
def one_warm_process(dispatcher, monkeypatch):
    """Have `grade` use the warm process of the whole run, and leave it running."""

    class Shared(api._SharedDispatcher):
        @contextlib.contextmanager
        def use(self):
            yield dispatcher

    monkeypatch.setattr(api, "_shared", Shared())


def descendants(root: int) -> set[int]:
    """Return the living processes below `root`."""
    found: set[int] = set()
    for children in Path(f"/proc/{root}/task").glob("*/children"):
        with contextlib.suppress(OSError):
            for child in map(int, children.read_text().split()):
                found |= {child} | descendants(child)
    return {process for process in found if alive(process)}


def alive(process: int) -> bool:
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except OSError:
        return False


def wait_for(condition, seconds: float = 60) -> bool:
    deadline = time.monotonic() + seconds
    while not condition() and time.monotonic() < deadline:
        time.sleep(0.02)
    return condition()


# --- what it returns


@pytest.mark.cold
@pytest.mark.usefixtures("one_warm_process")
def test_the_report_is_the_one_of_the_command(submission):
    (submission / "scaling.py").write_text(SOLUTION.replace("return", "return 2 *", 1), encoding="utf-8")
    report = grader.grade(submission, course=COURSE, seed=3)
    assert isinstance(report, grader.Report)
    words = ["--course", str(COURSE), "--submission", str(submission), "--format", "json", "--seed", "3"]
    done = CliRunner().invoke(grade_command, words)
    assert without_times(json.loads(done.stdout)) == without_times(json.loads(to_json(report)))
    assert 0 < report.score < 1


def without_times(document: object) -> object:
    if isinstance(document, dict):
        return {key: without_times(value) for key, value in document.items() if key != "duration_s"}
    return [without_times(item) for item in document] if isinstance(document, list) else document


@pytest.mark.usefixtures("one_warm_process")
@pytest.mark.parametrize(
    "named", ["scaling", ["scaling"], iter(["scaling"])], ids=["text", "list", "iterator"]
)
def test_exercises_are_chosen_by_id(submission, named):
    report = grader.grade(str(submission), course=str(COURSE), exercises=named)
    assert [(e.id, e.outcome) for e in report.exercises] == [("scaling", Outcome.PASSED)]
    assert report.seed == 0


@pytest.mark.usefixtures("one_warm_process")
def test_quizzes_are_graded_where_no_exercise_is_named():
    example = Path(__file__).parent.parent / "examples" / "submission"
    report = grader.grade(example, exercises=["relu"])
    assert report.quizzes == ()
    assert [e.id for e in report.exercises] == ["relu"]


def test_the_answers_of_a_quiz_are_graded(submission, dispatcher, monkeypatch):
    folder = Path(__file__).parent.parent
    (submission / "answers").mkdir()
    text = (folder / "examples" / "submission" / "answers" / "pooling.yaml").read_text(encoding="utf-8")
    (submission / "answers" / "pooling.yaml").write_text(text, encoding="utf-8")
    seen = []
    monkeypatch.setattr(api.attempt, "grade_exercises", lambda _, __, chosen, ___: seen.extend(chosen) or [])

    class Shared(api._SharedDispatcher):
        @contextlib.contextmanager
        def use(self):
            yield dispatcher

    monkeypatch.setattr(api, "_shared", Shared())
    report = grader.grade(submission, course=folder)
    assert {quiz.id: quiz.points > 0 for quiz in report.quizzes}["pooling"]
    assert len(seen) == 10


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"exercises": ["scalling"]}, 'There is no exercise "scalling". Did you mean "scaling"?'),
        ({"exercises": ["zzz"]}, r'There is no exercise "zzz"\. There are: scaling\.'),
        ({"exercises": []}, "`exercises` is empty"),
        ({"course": "/nowhere"}, "holds no solutions/"),
        ({"path": "/nowhere"}, "is not a folder"),
        ({"path": COURSE / "solutions" / "scaling"}, None),
    ],
    ids=["misspelled", "unknown", "empty", "no course", "no submission", "no exercise in it"],
)
def test_a_wrong_argument_starts_no_process(submission, monkeypatch, arguments, message):
    monkeypatch.setattr(api, "Dispatcher", lambda: pytest.fail("a process was started"))
    with pytest.raises(UsageError, match=message):
        grader.grade(**{"path": submission, "course": COURSE} | arguments)


def test_a_malformed_course_lists_its_problems(submission, tmp_path):
    (tmp_path / "solutions" / "bad").mkdir(parents=True)
    (tmp_path / "solutions" / "bad" / "exercise.yaml").write_text("titel: A\n", encoding="utf-8")
    with pytest.raises(DocumentError, match=r"exercise\.yaml"):
        grader.grade(submission, course=tmp_path)


# --- the import


def test_importing_the_package_imports_nothing_heavy():
    code = (
        "import sys, grader; before = set(sys.modules); "
        "assert not before & {'torch', 'pytest', 'pydantic', 'msgspec', 'click', 'yaml'}, before; "
        "assert grader.__all__ == ['Report', '__version__', 'grade'] and set(grader.__all__) <= set(dir(grader)); "
        "assert grader.grade.__module__ == 'grader.grading.api' and 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-P", "-c", code], check=True)
    with pytest.raises(AttributeError, match="no attribute 'grading_of'"):
        grader.grading_of  # noqa: B018


# --- threads and processes


@on_linux
def test_a_dispatcher_outlives_the_thread_that_started_it(course, submission):
    """The kernel's PR_SET_PDEATHSIG is bound to that thread; the warm process must not be."""
    made: list[Dispatcher] = []

    def begin():
        made.append(Dispatcher(1))
        made[0].ready()
        assert outcomes(made[0]) == [Outcome.PASSED]

    def outcomes(started):
        results = grade_exercises(started, open_submission(submission), course.exercises, seed=0)
        return [result.outcome for result in results]

    thread = threading.Thread(target=begin)
    thread.start()
    thread.join()
    with made[0] as started:
        time.sleep(0.2)
        assert started.is_alive()
        assert outcomes(started) == [Outcome.PASSED]
        with ThreadPoolExecutor(1) as pool:
            assert pool.submit(outcomes, started).result() == [Outcome.PASSED]


@on_linux
def test_calls_from_several_threads_share_a_warm_process_and_leave_none(submission, monkeypatch):
    started = []

    class Counted(Dispatcher):
        def __init__(self):
            started.append(self)
            super().__init__()

    monkeypatch.setattr(api, "Dispatcher", Counted)
    before = descendants(os.getpid())
    begin = threading.Barrier(4)

    def call(_):
        begin.wait()
        return grader.grade(submission, course=COURSE)

    with ThreadPoolExecutor(4) as pool:
        reports = list(pool.map(call, range(4)))
    assert [report.score for report in reports] == [1.0] * 4
    assert len(started) == 1
    assert not started[0].is_alive()
    assert wait_for(lambda: not descendants(os.getpid()) - before)


def test_a_call_after_the_last_one_starts_anew_and_so_does_one_after_a_death():
    made = []

    class Fake:
        def __init__(self):
            self.running = True
            made.append(self)

        def is_alive(self):
            return self.running

        def stop(self):
            self.running = False

    shared = api._SharedDispatcher()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(api, "Dispatcher", Fake)
        with shared.use() as first, shared.use() as second:
            assert first is second
            first.running = False  # it was killed
            with shared.use() as third:
                assert third is not first
                with shared.use() as fourth:
                    assert fourth is third
            assert not third.running
        with shared.use() as last:
            assert last.running
    assert len(made) == 3
    assert not any(one.running for one in made)


@on_linux
def test_a_forked_child_does_not_use_its_parents_warm_process():
    before = api._shared
    with before._lock:  # as if another thread held it
        child = os.fork()
        if child == 0:
            os._exit(0 if api._shared is not before and api._shared._lock.acquire(timeout=1) else 1)
    assert os.waitpid(child, 0)[1] == 0


CALL = """
import sys, threading, time, grader
thread = threading.Thread(target=grader.grade, args=(sys.argv[1],), kwargs={"course": sys.argv[2]})
thread.start()
time.sleep(60)
"""


@on_linux
@pytest.mark.parametrize("level", ["3", "0"])
@pytest.mark.parametrize("when", ["while it starts", "while it grades"])
def test_a_killed_program_leaves_no_process(submission, level, when):
    (submission / "scaling.py").write_text("while True: pass", encoding="utf-8")
    environment = os.environ | {"CONVGRADER_MAX_ISOLATION": level}
    owner = subprocess.Popen([sys.executable, "-c", CALL, submission, COURSE], env=environment)
    least = 1 if when == "while it starts" else 2 if level == "0" else 4
    assert wait_for(lambda: len(descendants(owner.pid)) >= least)
    below = descendants(owner.pid)
    owner.send_signal(signal.SIGKILL)
    owner.wait()
    # A worker of level 0 that still imports torch ends when it reads the end of its input, right after that.
    assert wait_for(lambda: not any(map(alive, below)), 60 if level == "0" and least > 1 else 10)

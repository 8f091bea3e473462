"""`grade watch`: what a change means, how it is noticed, and the command in a real terminal and in a pipe."""

import json
import os
import queue
import re
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace

import click
import grade_command
import pytest
from terminals import LIMIT_S, Output, Terminal

from grader.cli import keys
from grader.cli.screen import Screen, to_work_on
from grader.core.model import ExerciseResult, Outcome
from grader.course import catalog
from grader.grading import attempt
from grader.grading.dispatcher import Dispatcher
from grader.report import Style
from grader.workspace.watch import (
    Changes,
    FinishedRun,
    WatchSession,
    changes,
    file_events,
    has_events,
    look,
    notices,
)

COURSE = Path(__file__).parent / "course"
REAL_COURSE = catalog.load(Path(__file__).parents[1])
REFERENCE = (COURSE / "solutions" / "scaling" / "reference.py").read_text(encoding="utf-8")
WRONG = f"{REFERENCE}\n\ndef double(x):\n    return x * x\n"
BANK = """\
title: Firsts
section: "1"
items:
  - id: how-many
    type: numeric
    points: 2
    objective: count
    prompt: How many?
    key: 42
    verify: 6 * 7
    explanation: Because.
"""


def write(folder: Path, **texts: str) -> None:
    """Write files; `exercises__pooling__py` is exercises/pooling.py."""
    for name, text in texts.items():
        *parents, stem, ending = name.split("__")
        path = folder.joinpath(*parents, f"{stem}.{ending}")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")


# --- what a change means


@pytest.fixture
def differ(tmp_path) -> Callable[..., Changes]:
    """Return what a change to a workspace of three exercises changes. `pooling` imports `sizes`, and that `deep.inner`."""
    write(
        tmp_path,
        exercises__pooling__py="import sizes\n",
        exercises__relu__py="import torch\n",
        exercises__lenet__py="from pooling import max_pool2d\n",
        exercises__sizes__py="from deep.inner import one\n",
        exercises__deep__inner__py="one = 1\n",
        exercises__alone__py="unused = 1\n",
        answers__pooling__yaml="quiz: pooling\n",
    )
    chosen = [e for e in REAL_COURSE.exercises if e.id in ("pooling", "relu", "lenet")]

    def after(change: Callable[[], object]) -> Changes:
        before = look(tmp_path, chosen, ["pooling", "lenet"], 0)
        change()
        return changes(before, look(tmp_path, chosen, ["pooling", "lenet"], 0))

    return after


def expect(exercises: str, *files: str, quizzes: tuple[str, ...] = ()) -> Changes:
    return Changes(exercises=tuple(exercises.split()), quizzes=quizzes, files=files)


@pytest.mark.parametrize(
    ("name", "exercises"),
    [
        ("exercises__relu__py", "relu"),
        ("exercises__lenet__py", "lenet"),
        ("exercises__pooling__py", "pooling lenet"),  # lenet imports it
        ("exercises__sizes__py", "pooling lenet"),
        ("exercises__deep__inner__py", "pooling lenet"),
    ],
)
def test_a_file_is_graded_for_everything_that_imports_it_however_far(differ, tmp_path, name, exercises):
    path = "/".join(name.split("__")[:-1]) + ".py"
    assert differ(lambda: write(tmp_path, **{name: "import sizes\nnew = 2\n"})) == expect(exercises, path)


def test_a_helper_that_is_not_imported_causes_no_grading(differ, tmp_path):
    assert not differ(lambda: write(tmp_path, exercises__alone__py="unused = 2\n"))
    assert not differ(lambda: write(tmp_path, exercises__new__py="x = 1\n"))
    assert not differ(lambda: write(tmp_path, notes__py="x = 1\n", exercises__notes__txt="x"))


def test_an_exercise_depends_on_the_init_of_a_package(differ, tmp_path):
    path = tmp_path / "exercises" / "deep" / "__init__.py"
    assert differ(lambda: path.write_text("x = 1\n")) == expect("pooling lenet", "exercises/deep/__init__.py")


@pytest.mark.parametrize(
    "text",
    [
        "import importlib\nimportlib.import_module('al' + 'one')\n",
        "from importlib import import_module\n",
        "__import__('alone')\n",
        "exec('import alone')\n",
        "from . import alone\n",
        "from deep import *\n",
    ],
)
def test_what_imports_in_ways_that_cannot_be_read_relies_on_every_file(differ, tmp_path, text):
    write(tmp_path, exercises__relu__py=text)
    assert differ(lambda: write(tmp_path, exercises__alone__py="x = 3\n")) == expect(
        "relu", "exercises/alone.py"
    )


def test_answers_are_graded_for_their_quiz(differ, tmp_path):
    found = differ(lambda: write(tmp_path, answers__pooling__yaml="quiz: pooling\nanswers: {}\n"))
    assert found == expect("", "answers/pooling.yaml", quizzes=("pooling",))
    found = differ(lambda: write(tmp_path, answers__lenet__yml="quiz: lenet\n"))
    assert found == expect("", "answers/lenet.yml", quizzes=("lenet",))


def test_a_touch_and_the_same_text_again_grade_nothing(differ, tmp_path):
    path = tmp_path / "exercises" / "relu.py"
    assert not differ(lambda: os.utime(path, (1, 1)))
    assert not differ(lambda: write(tmp_path, exercises__relu__py="import torch\n"))


def test_a_save_by_rename_is_a_save(differ, tmp_path):
    def save() -> None:
        write(tmp_path, exercises__4913__tmp="import math\n")
        (tmp_path / "exercises" / "4913.tmp").replace(tmp_path / "exercises" / "relu.py")

    assert differ(save) == expect("relu", "exercises/relu.py")


def test_deleted_and_new_files_are_changes(differ, tmp_path):
    relu, sizes = tmp_path / "exercises" / "relu.py", tmp_path / "exercises" / "sizes.py"
    assert differ(relu.unlink) == expect("relu", "exercises/relu.py")
    assert differ(sizes.unlink) == expect("pooling lenet", "exercises/sizes.py")
    assert differ(lambda: write(tmp_path, exercises__relu__py="x = 1\n")) == expect(
        "relu", "exercises/relu.py"
    )
    assert differ(lambda: shutil.rmtree(tmp_path / "answers")).quizzes == ("pooling",)


def test_a_syntax_error_and_a_file_that_cannot_be_read_are_changes(differ, tmp_path):
    assert differ(lambda: write(tmp_path, exercises__relu__py="def f(:\n")).exercises == ("relu",)
    path = tmp_path / "exercises" / "relu.py"
    assert differ(lambda: path.write_bytes(b"\xff\xfe")).exercises == ("relu",)


def test_before_the_first_look_everything_differs(tmp_path):
    write(tmp_path, exercises__relu__py="")
    found = changes(None, look(tmp_path, REAL_COURSE.exercises[:2], ["pooling"], 0))
    assert found == Changes(exercises=tuple(e.id for e in REAL_COURSE.exercises[:2]), quizzes=("pooling",))


# --- noticing


@pytest.fixture(params=["events", "polling"])
def noticed(request, tmp_path) -> Iterator[queue.SimpleQueue[None]]:
    """The notices of a workspace, after the first."""
    if request.param == "events":
        assert has_events(), "watchfiles is part of [dev]"
    write(tmp_path, exercises__relu__py="x = 1\n", answers__pooling__yaml="quiz: pooling\n")
    found: queue.SimpleQueue[None] = queue.SimpleQueue()
    stop = threading.Event()

    def run() -> None:
        for notice in notices(tmp_path, stop, poll=request.param == "polling"):
            found.put(notice)

    thread = threading.Thread(target=run)
    thread.start()
    found.get(timeout=LIMIT_S)
    yield found
    stop.set()
    thread.join(LIMIT_S)
    assert not thread.is_alive()


def test_saves_are_noticed(noticed, tmp_path):
    for change in (
        lambda: write(tmp_path, exercises__relu__py="x = 22\n"),
        lambda: write(tmp_path, exercises__deep__er__helper__py="x = 1\n"),
        lambda: write(tmp_path, exercises__deep__er__helper__py="x = 22\n"),
        lambda: write(tmp_path, answers__pooling__yaml="quiz: pooling\nseed: 1\n"),
        lambda: write(tmp_path, relu__py="flat = 1\n"),
        (tmp_path / "exercises" / "relu.py").unlink,
    ):
        change()
        noticed.get(timeout=LIMIT_S)
        while not noticed.empty():
            noticed.get()


def test_folders_that_are_restored_are_watched_again(noticed, tmp_path):
    shutil.rmtree(tmp_path / "exercises")
    noticed.get(timeout=LIMIT_S)
    before = file_events.signature(tmp_path)
    write(tmp_path, exercises__relu__py="x = 3\n")
    assert file_events.signature(tmp_path) != before
    noticed.get(timeout=LIMIT_S)


def test_where_events_fail_it_polls(tmp_path, monkeypatch):
    import watchfiles

    def fail(*_: object, **__: object) -> None:
        raise OSError(28, "inotify watch limit reached")

    monkeypatch.setattr(watchfiles, "watch", fail)
    write(tmp_path, exercises__relu__py="x = 1\n")
    stop = threading.Event()
    found = notices(tmp_path, stop)
    next(found)
    write(tmp_path, exercises__relu__py="x = 22\n")
    next(found)
    stop.set()
    assert list(found) == []


def test_a_file_is_read_when_it_is_stable(tmp_path, monkeypatch):
    """A file that grows is one change, not many."""
    states = iter([frozenset("a"), frozenset("b"), frozenset("c"), frozenset("d"), frozenset("d")])
    seen = []
    monkeypatch.setattr(file_events, "signature", lambda _: seen.append(next(states)) or seen[-1])
    found = notices(tmp_path, threading.Event(), poll=True)
    next(found)
    next(found)
    assert seen[-2:] == [frozenset("d"), frozenset("d")]


# --- a session


@pytest.fixture
def session(course, dispatcher, tmp_path):
    """A session on the miniature course, and the gradings that have ended. It stops nothing of the shared dispatcher."""
    write(tmp_path, exercises__scaling__py=REFERENCE)
    ended: queue.SimpleQueue[FinishedRun] = queue.SimpleQueue()
    return WatchSession(
        course=course, chosen=course.exercises, quizzes=None, folder=tmp_path, seed=0, report=ended.put, dispatcher=dispatcher
    ), ended  # fmt: skip


def test_a_session_grades_what_changed_and_nothing_twice(session, tmp_path):
    session, ended = session
    assert session.catch_up() is not None
    (first,) = session.take(ended.get(timeout=LIMIT_S)).exercises
    assert first.outcome is Outcome.PASSED
    assert session.is_done("scaling")
    assert session.next_after("scaling") is None
    assert session.catch_up() is None
    write(tmp_path, exercises__scaling__py=WRONG)
    assert session.catch_up().changes == expect("scaling", "exercises/scaling.py")
    (second,) = session.take(ended.get(timeout=LIMIT_S)).exercises
    assert second.outcome is Outcome.FAILED
    assert session.next_after("scaling") == "scaling"


def test_a_newer_save_does_not_wait_for_code_that_hangs_and_drops_its_result(session, tmp_path):
    session, ended = session
    write(tmp_path, exercises__scaling__py=f"{REFERENCE}\n\ndef double(x):\n    while True: pass\n")
    hangs = session.catch_up()
    write(tmp_path, exercises__scaling__py=REFERENCE)
    mended = session.catch_up()
    results = [ended.get(timeout=LIMIT_S) for _ in range(2)]
    assert {id(one.run) for one in results} == {id(hangs), id(mended)}
    if len(os.sched_getaffinity(0)) > 1:
        assert results[0].run is mended
    for one in results:
        taken = session.take(one)
        assert bool(taken.exercises) == (one.run is mended)
    assert session.is_done("scaling")


def test_a_file_that_is_missing_for_a_moment_was_not_deleted(session, tmp_path, monkeypatch):
    session, ended = session
    session.catch_up()
    session.take(ended.get(timeout=LIMIT_S))
    path = tmp_path / "exercises" / "scaling.py"
    path.unlink()
    monkeypatch.setattr(time, "sleep", lambda _: path.write_text(REFERENCE, encoding="utf-8"))
    assert session.catch_up() is None
    path.unlink()
    monkeypatch.setattr(time, "sleep", lambda _: None)
    assert session.catch_up() is not None
    assert ended.get(timeout=LIMIT_S).exercises[0].outcome is Outcome.NOT_ATTEMPTED


def test_an_error_in_the_grader_is_reported(session, monkeypatch):
    session, ended = session
    monkeypatch.setattr(attempt, "carry_out", lambda *_: 1 / 0)
    session.catch_up()
    assert isinstance(ended.get(timeout=LIMIT_S).error, ZeroDivisionError)


def test_a_warm_process_that_died_is_replaced(session):
    session, ended = session
    with Dispatcher() as dead:
        session.dispatcher = dead
    session.catch_up()
    try:
        assert ended.get(timeout=LIMIT_S).exercises[0].outcome is Outcome.PASSED
    finally:
        session.dispatcher.stop()


def result(name: str, points: float) -> ExerciseResult:
    return ExerciseResult(id=name, title=name, outcome=Outcome.FAILED, points=points, max_points=2, checks=())


def test_the_one_to_work_on_is_the_one_just_saved_or_the_first_begun():
    none, begun, done = result("none", 0), result("begun", 1), result("done", 2)
    assert to_work_on([none, begun, done], None) == "begun"
    assert to_work_on([none, begun, done], "none") == "none"
    assert to_work_on([none, begun, done], "done") == "begun"
    assert to_work_on([done], "begun") == "done"
    assert to_work_on([done, done], "begun") == "begun"
    assert to_work_on([], "begun") == "begun"


# --- keys


def test_keys_of_windows_come_one_by_one_and_arrows_are_left_out(monkeypatch):
    typed = ["\xe0", "H", "n", "\x00", ";", "q"]
    console = SimpleNamespace(kbhit=lambda: bool(typed), getwch=lambda: typed.pop(0))
    monkeypatch.setitem(sys.modules, "msvcrt", console)
    found: queue.SimpleQueue[str] = queue.SimpleQueue()
    with keys._windows(found.put):
        assert [found.get(timeout=LIMIT_S) for _ in range(2)] == ["n", "q"]
    assert found.empty()


def test_nothing_of_one_system_is_imported_before_a_key_is_read():
    code = "import sys; import grader.cli.watch; assert not {'termios', 'tty', 'msvcrt', 'torch'} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)


# --- the command


@pytest.fixture
def workspace(tmp_path, monkeypatch) -> Path:
    """A workspace of the miniature course, with a quiz."""
    root = tmp_path / "course"
    shutil.copytree(COURSE, root)
    write(root, quizzes__first__yaml=BANK)
    folder = tmp_path / "work"
    write(folder, exercises__scaling__py=WRONG)
    monkeypatch.setenv("CONVGRADER_COURSE", str(root))
    monkeypatch.setenv("TERM", "xterm-256color")
    return folder


@pytest.fixture
def piped(workspace) -> Iterator[Callable[..., subprocess.Popen[bytes]]]:
    """Start `grade watch` in a pipe."""
    started: list[subprocess.Popen[bytes]] = []

    def start(*options: str) -> subprocess.Popen[bytes]:
        command = [sys.executable, "-m", "grader", "watch", *options]
        streams = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
        started.append(subprocess.Popen(command, cwd=workspace, **streams))
        return started[-1]

    yield start
    for process in started:
        process.kill()
        process.communicate()


@pytest.mark.parametrize("options", [[], ["--poll"]], ids=["events", "polling"])
def test_in_a_pipe_blocks_of_plain_text_follow_each_other(piped, workspace, options):
    process = piped(*options)
    output = Output(os.dup(process.stdout.fileno()))
    first = output.wait_for("checks pass.")
    assert first.startswith(f"Watching {workspace}: ")
    assert "everything\n" in first
    assert "quiz first" in first
    assert "known mistake" in first
    write(workspace, exercises__scaling__py=REFERENCE)
    second = output.wait_for("13/13")
    assert "exercises/scaling.py\n" in second
    output.wait_for("checks pass")
    write(workspace, answers__first__yaml="quiz: first\nanswers: {how-many: 41}\n")
    third = output.wait_for("Your answer: 41")
    assert "answers/first.yaml\n" in third
    assert "quiz first" in third
    os.utime(workspace / "exercises" / "scaling.py")
    write(workspace, exercises__scaling__py="def double(:\n")
    fourth = output.wait_for("as soon as the file loads.")
    assert "Python cannot read your file" in fourth
    assert fourth.count("exercises/scaling.py\n") == 1, "a touch is not graded"
    assert "\x1b" not in first + second + third + fourth
    process.send_signal(signal.SIGINT)
    assert process.wait(LIMIT_S) == 130
    assert process.stderr.read().strip() == b"Interrupted."


def cell_of(text: str) -> str:
    """Return a notebook with one cell, for the exercise."""
    cell = {"cell_type": "code", "metadata": {"tags": ["grade:scaling"]}, "source": text, "outputs": []}
    return json.dumps({"cells": [cell], "metadata": {}, "nbformat": 4, "nbformat_minor": 5})


@pytest.mark.parametrize("options", [[], ["--poll"]], ids=["events", "polling"])
def test_a_notebook_is_graded_when_it_is_saved(piped, workspace, options):
    (workspace / "exercises" / "scaling.py").unlink()
    notebook = workspace / "work.ipynb"
    notebook.write_text(cell_of(WRONG), encoding="utf-8")
    process = piped(*options)
    output = Output(os.dup(process.stdout.fileno()))
    first = output.wait_for("checks pass.")
    assert "grade replay" not in first
    notebook.write_text(cell_of(REFERENCE), encoding="utf-8")
    second = output.wait_for("13/13")
    assert "work.ipynb\n" in second


@pytest.fixture
def terminal(workspace) -> Iterator[Terminal]:
    if sys.platform == "win32":
        pytest.skip("there are no pseudo-terminals")
    opened = Terminal(workspace, "watch")
    yield opened
    opened.close()


@pytest.mark.parametrize("colored", [False, True])
@pytest.mark.parametrize("width", [40, 60, 80, 100])
def test_the_line_of_keys_is_one_line_and_says_how_to_leave(capsys, width, colored):
    """A wrapped line would leave its first half on the screen."""
    screen = Screen(Style(width=width, color=colored), is_terminal=True, has_keys=True)
    for focus, following in (("output_size", "normalization"), ("relu", "pooling"), (None, None)):
        screen.keys(focus, following)
        line = click.unstyle(capsys.readouterr().out).lstrip("\r")
        assert len(line) < width
        assert re.search(r"\bq\b", line)
    assert "l list" in line  # without an exercise it fits at any width


KEYS = "\x1b[1mq\x1b[0m quit"


def test_in_a_terminal_keys_help_and_q_leaves_everything_as_it_was(terminal, workspace):
    assert "known mistake" in terminal.see(KEYS)
    assert terminal.settings() != terminal.before
    terminal.press("h")
    assert "A nudge" in terminal.see(KEYS)
    terminal.press("a")
    assert "opens hint 2 of 3." in " ".join(terminal.see(KEYS).split())
    terminal.press("\x1b[A\x1bOA\x1b[1;5Al")  # three arrows, and no `a`
    assert "everything" not in terminal.see(KEYS)
    write(workspace, exercises__scaling__py=REFERENCE)
    shown = terminal.see(KEYS)
    assert "\x1b[H\x1b[2J" in shown
    assert "exercises/scaling.py" in shown
    assert "13/13" in shown
    terminal.press("n")
    assert "Everything passes" in terminal.see(KEYS)
    terminal.press("\n")
    assert "everything" in terminal.see(KEYS)
    terminal.press("r")
    assert "Put the stub back in exercises/scaling.py?" in terminal.see("any other key no")
    terminal.press("n")
    assert "Nothing was changed." in terminal.see(KEYS)
    terminal.press("r")
    terminal.see("any other key no")
    terminal.press("y")
    terminal.see("is the stub again. Your file is kept: backups/scaling-")
    terminal.see("Not attempted yet")
    terminal.press("q")
    assert terminal.process.wait(LIMIT_S) == 0
    assert terminal.settings() == terminal.before
    (kept,) = (workspace / "backups").iterdir()
    assert kept.read_text(encoding="utf-8") == REFERENCE


@pytest.mark.parametrize(
    ("leave", "code"),
    [
        (lambda t: t.press("q"), 0),
        (lambda t: t.press("\x04"), 0),
        (lambda t: t.press("\x03"), 130),
        (lambda t: t.process.send_signal(signal.SIGTERM), 143),
    ],
    ids=["q", "ctrl-d", "ctrl-c", "terminated"],
)
def test_while_code_hangs_it_leaves_at_once(terminal, workspace, leave, code):
    terminal.see(KEYS)
    write(workspace, exercises__scaling__py=f"import time\ntime.sleep(1000)\n{REFERENCE}")
    terminal.see("Grading scaling ...")
    started = time.monotonic()
    leave(terminal)
    assert terminal.process.wait(LIMIT_S) == code
    assert time.monotonic() - started < 1.5, "it waited for the import limit of 2 s"
    assert terminal.settings() == terminal.before


def test_before_anything_is_warm_it_can_be_left_too(terminal):
    terminal.see("Starting")
    terminal.press("q")
    assert terminal.process.wait(LIMIT_S) == 0
    assert terminal.settings() == terminal.before


def test_an_error_leaves_the_terminal_as_it_was(workspace):
    opened = Terminal(workspace, "watch")
    try:
        opened.see(KEYS)
        shutil.rmtree(workspace.parent / "course" / "exercises")
        opened.press("r")  # there is no stub to compare with: that is said, and it goes on
        opened.see("any other key no")
        opened.press("y")
        opened.see("cannot be reset")
        opened.press("q")
        assert opened.process.wait(LIMIT_S) == 0
        assert opened.settings() == opened.before
    finally:
        opened.close()
    assert (workspace / "exercises" / "scaling.py").read_text(encoding="utf-8") == WRONG


def test_stopping_restores_the_terminal_and_continuing_takes_it_again(tmp_path):
    """Ctrl-Z, as a shell with job control sees it."""
    if sys.platform == "win32":
        pytest.skip("there are no signals")
    import pty
    import termios

    code = (
        "import sys, time\nfrom grader.cli import keys\n"
        "with keys.pressed(lambda key: print('got', key, flush=True)):\n"
        "    print('ready', flush=True)\n    time.sleep(100)\n"
    )
    master, slave = pty.openpty()
    before = termios.tcgetattr(slave)
    # In the session of this process: in a session of its own, whose process group is orphaned, the kernel ignores SIGTSTP.
    process = subprocess.Popen([sys.executable, "-c", code], stdin=slave, stdout=slave, process_group=0)
    output = Output(master)
    try:
        output.wait_for("ready")
        process.send_signal(signal.SIGTSTP)
        _, status = os.waitpid(process.pid, os.WUNTRACED)
        assert os.WIFSTOPPED(status)
        assert termios.tcgetattr(slave) == before
        process.send_signal(signal.SIGCONT)
        os.write(master, b"x")
        output.wait_for("got x")
        process.send_signal(signal.SIGTERM)
        assert process.wait(LIMIT_S) == 143
        assert termios.tcgetattr(slave) == before
    finally:
        process.kill()
        process.wait()
        os.close(slave)


def test_what_cannot_be_watched_is_refused(workspace, tmp_path):
    done = grade_command.run("watch", "scalling", folder=workspace)
    assert (done.returncode, 'Did you mean "scaling"?' in done.stderr) == (2, True)
    (tmp_path / "empty").mkdir()
    done = grade_command.run("watch", folder=tmp_path / "empty")
    assert (done.returncode, "nothing to grade" in done.stderr) == (2, True)
    assert "grade watch pooling" in grade_command.run("watch", "--help", folder=workspace).stdout

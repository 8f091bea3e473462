"""The line of progress: its words at each moment, when it is drawn and erased, and commands in a real terminal."""

import io
import re
import sys
import threading
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from terminals import Terminal

from grader.cli import progress
from grader.cli.progress import CLEAR_LINE, Progress, ProgressLine
from grader.report.text_layout import columns

ROOT = Path(__file__).parents[1]
COURSE = Path(__file__).parent / "course"


class Clock:
    """A clock that stands until it is set."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def counted(total: int | None, ends: list[float], clock: Clock, name: str = "pooling") -> Progress:
    """Return the progress of work that began at 0 s, with a part done at each of these seconds."""
    found, start = Progress("exercises", total, clock=clock), clock.now
    found.working_on(name)
    for second in ends:
        clock.now = start + second
        found.ended(name)
    return found


# --- what it says


@pytest.mark.parametrize(
    ("total", "ends", "now", "words"),
    [
        (10, [], 0, "0 of 10 exercises, pooling ..."),
        (10, [], 60, "0 of 10 exercises, pooling ..."),
        (10, [0.2, 0.4, 0.6], 0.6, "3 of 10 exercises, pooling ..."),  # too early for a rate
        (10, [0.5, 0.99], 0.99, "2 of 10 exercises, pooling ..."),  # too few
        (10, [5, 10], 10, "2 of 10 exercises, pooling ..."),
        (10, [0.2, 0.6, 1.0], 1.0, "3 of 10 exercises, pooling ... 3.0 a second, 2 s left"),
        (10, [2, 4, 6], 6, "3 of 10 exercises, pooling ... 30 a minute, 14 s left"),
        (10, [2, 4, 6], 8, "3 of 10 exercises, pooling ... 30 a minute, 12 s left"),  # the clock goes on
        (10, [2, 4, 6], 60, "3 of 10 exercises, pooling ... 30 a minute"),  # longer than expected
        (10, [2, 4, 6, 60], 60, "4 of 10 exercises, pooling ... 4 a minute, 2 min left"),
        (200, [10, 20, 30], 30, "3 of 200 exercises, pooling ... 6 a minute, 33 min left"),
        (1000, [n / 100 for n in range(1, 201)], 2, "200 of 1000 exercises, pooling ... 100 a second, 8 s left"),
        (3, [2, 4, 6], 6, "3 of 3 exercises, pooling ... 30 a minute"),
        (None, [0.2, 0.6, 1.0], 1.0, "3 exercises, pooling ... 3.0 a second"),
        (None, [], 1, "0 exercises, pooling ..."),
    ],
)  # fmt: skip
def test_the_line_at_each_moment(total, ends, now, words):
    clock = Clock()
    found, clock.now = counted(total, ends, clock), 100 + now
    assert found.text(80) == words


def test_what_ends_at_the_first_sign_of_work_is_not_part_of_the_rate():
    clock = Clock()
    found = Progress("gradings", 11, clock=clock)
    for clock.now in (100.0, 101.0, 102.0, 103.0):  # the start of the processes was before
        found.ended("relu")
    assert found.per_second() == 1.0
    assert found.text(80) == "4 of 11 gradings, relu ... 1.0 a second, 7 s left"


@pytest.mark.parametrize(
    ("width", "words"),
    [
        (57, "3 of 10 exercises, pooling ... 30 a minute, 14 s left"),
        (53, "3 of 10 exercises, pooling ... 30 a minute, 14 s left"),
        (52, "3 of 10 exercises, pooling ... 14 s left"),
        (40, "3 of 10 exercises, pooling ... 14 s left"),
        (39, "3 of 10 exercises, 14 s left"),
        (28, "3 of 10 exercises, 14 s left"),
        (27, "3 of 10 exercises"),
        (17, "3 of 10 exercises"),
        (16, ""),
    ],
)
def test_a_narrow_terminal_gets_what_matters_most(width, words):
    assert counted(10, [2, 4, 6], Clock()).text(width) == words


def test_one_part_is_named_until_it_has_ended():
    found = Progress("exercises", 3, clock=Clock())
    names = []
    for step, name in (
        (found.working_on, "relu"), (found.working_on, "lenet"), (found.ended, "lenet"), (found.working_on, "pooling"),
        (found.ended, "relu"), (found.working_on, "pooling"),
    ):  # fmt: skip
        step(name)
        names.append(found.text(80).split(", ")[1].split()[0])
    assert names == ["relu", "relu", "relu", "relu", "relu", "pooling"]


def test_without_names_the_times_follow_the_count():
    clock = Clock()
    found = Progress("submissions", 9, clock=clock)
    for clock.now in (100.0, 101.0, 102.0, 103.0):
        found.ended()
    assert found.text(80) == "4 of 9 submissions, 1.0 a second, 5 s left"


@given(st.integers(4, 400), st.floats(0.01, 30))
def test_the_time_left_of_even_work_only_gets_shorter(total, every):
    clock = Clock()
    found = Progress("gradings", total, clock=clock)
    found.working_on("relu")
    times = []
    for _ in range(total):
        for _ in range(4):
            clock.now += every / 4
            times.append(found.seconds_left())
        found.ended("relu")
        times.append(found.seconds_left())
    known = [left for left in times if left is not None]
    assert all(later <= earlier + 1e-6 * (1 + earlier) for earlier, later in pairwise(known))


@given(st.text(max_size=60), st.integers(0, 120), st.integers(0, 5))
def test_no_text_is_wider_than_asked_or_controls_the_terminal(name, width, ends):
    found = counted(10, [float(n) for n in range(1, ends + 1)], Clock(), name)
    text = found.text(width)
    assert columns(text) <= width
    assert text.isprintable()


@pytest.mark.parametrize(("seconds", "text"), [(89.4, "89 s"), (90, "2 min")])
def test_the_remaining_time_changes_its_unit_at_ninety_seconds(seconds, text):
    assert progress._duration(seconds) == text


# --- when it is drawn


class FakeTerminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture
def start(monkeypatch):
    """Put a stream in the place of standard error. Pytest restores that before each test, so a test calls it itself."""

    def start(stream: io.StringIO, term: str = "xterm") -> io.StringIO:
        monkeypatch.setattr(sys, "stderr", stream)
        monkeypatch.setenv("TERM", term)
        monkeypatch.setenv("COLUMNS", "60")
        return stream

    return start


def test_it_is_erased_before_anything_else_and_drawn_again_afterward(start):
    screen = start(FakeTerminal())
    clock = Clock()
    with ProgressLine("exercises", 3, clock=clock) as line:
        line.working_on("relu")
        with line.paused():
            screen.write("a result\n")
            line.ended("relu")
        line.working_on("lenet")
    assert screen.getvalue() == (
        f"{CLEAR_LINE}0 of 3 exercises, relu ...{CLEAR_LINE}a result\n{CLEAR_LINE}1 of 3 exercises, lenet ...{CLEAR_LINE}"
    )


def test_it_is_drawn_ten_times_a_second_at_most(start):
    screen = start(FakeTerminal())
    clock = Clock()
    line = ProgressLine("gradings", 99, clock=clock)
    for clock.now in (100.0, 100.05, 100.09, 100.11, 100.12):
        line.ended("relu")
    assert (
        screen.getvalue() == f"{CLEAR_LINE}1 of 99 gradings, relu ...{CLEAR_LINE}4 of 99 gradings, relu ..."
    )


def test_an_error_leaves_no_line_and_threads_that_go_on_draw_none(start):
    screen = start(FakeTerminal())
    line = ProgressLine("gradings", 9, clock=Clock())

    def interrupted() -> None:
        with line:
            line.ended("relu")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    before = screen.getvalue()
    assert before.endswith(CLEAR_LINE)
    line.ended("relu")
    with line.paused():
        pass
    line.ended("relu")
    assert screen.getvalue() == before


@pytest.mark.parametrize(("stream", "term"), [(io.StringIO, "xterm"), (FakeTerminal, "dumb")])
def test_elsewhere_nothing_is_drawn(start, stream, term):
    screen = start(stream(), term)
    with ProgressLine("gradings", 9, clock=Clock()) as line:
        line.ended("relu")
        with line.paused():
            pass
    assert screen.getvalue() == ""


def test_parts_may_end_in_many_threads(start):
    screen = start(FakeTerminal())
    ticks = iter(range(10**6))
    with ProgressLine("gradings", 800, clock=lambda: float(next(ticks))) as line:
        threads = [
            threading.Thread(target=lambda: [line.ended("relu") for _ in range(100)]) for _ in range(8)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    drawn = [int(text.split()[0]) for text in screen.getvalue().split(CLEAR_LINE) if text]
    assert drawn == list(range(1, 801))


@pytest.mark.parametrize("wide", [20, 41, 80])
def test_it_leaves_the_last_column_free(start, monkeypatch, wide):
    screen = start(FakeTerminal())
    monkeypatch.setattr(progress, "_columns_of_stderr", lambda: wide)
    with ProgressLine("gradings", 10, clock=Clock()) as line:
        line.ended("a-very-long-name" * 2)
    assert max(map(len, screen.getvalue().split(CLEAR_LINE))) < wide


# --- commands


LINE = re.compile(r"\r\x1b\[K([^\r\n\x1b]+)(?=\r\x1b\[K)")


def seen_in(terminal: Terminal) -> tuple[list[str], str]:
    """Return the lines of progress that a command drew until its end, and what else it printed, without colors."""
    code = terminal.process.wait(120)
    assert code in (0, 1), terminal.output.text
    terminal.press("\n")  # echoed by the terminal: all that was printed before is read by then
    text = (
        terminal.see("\r\n" if not terminal.output.text else terminal.output.text[-1:]) + terminal.output.text
    )
    return LINE.findall(text), re.sub(r"\x1b\[[\d;]*m", "", LINE.sub("", text))


def assert_fits(lines: list[str], form: str) -> None:
    assert lines
    for line in lines:
        assert re.fullmatch(form, line), line
        assert len(line) < 80


@pytest.mark.cold
def test_grade_counts_exercises_on_a_terminal_and_erases_the_line(monkeypatch):
    monkeypatch.setenv("TERM", "xterm-256color")
    names = ["relu", "output_size", "pooling"]
    terminal = Terminal(ROOT, *names, "--submission", "examples/submission", "--jobs", "1")
    try:
        lines, rest = seen_in(terminal)
    finally:
        terminal.close()
    assert_fits(lines, r"\d of 3 exercises, (relu|output_size|pooling) \.\.\.( .*)?")
    assert lines[0].startswith("0 of 3 exercises, ")
    assert any(line.startswith(("1 of 3", "2 of 3")) for line in lines)
    assert " of 3 exercises" not in rest
    assert "\r" not in rest.replace("\r\x1b[K", "").replace("\r\n", "\n")
    assert rest.count("\x1b") == rest.count("\r\x1b[K")


@pytest.mark.cold
@pytest.mark.parametrize(
    "mode", [["--fresh"], ["--mutants", "--fresh"], ["--repeat", "3", "--fresh"]], ids=" ".join
)
def test_check_counts_gradings_on_a_terminal_and_erases_the_line(monkeypatch, tmp_path, mode):
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    terminal = Terminal(ROOT, "check", "scaling", *mode, "--course", str(COURSE))
    try:
        lines, rest = seen_in(terminal)
    finally:
        terminal.close()
    assert_fits(lines, r"\d+ of \d+ gradings, scaling \.\.\.( .*)?")
    counts = [tuple(map(int, re.findall(r"\d+", line)[:2])) for line in lines]
    assert counts == sorted(counts)
    assert len({total for _, total in counts}) == 1
    assert "\nscaling: " in "\n" + rest.replace("\r\x1b[K", "").replace("\r\n", "\n")
    assert "All sound." in rest
    assert " gradings, scaling ..." not in rest


@pytest.mark.cold
def test_watch_counts_exercises_in_its_status_line(monkeypatch):
    monkeypatch.setenv("TERM", "xterm-256color")
    names = ["relu", "output_size", "pooling", "convolution"]
    terminal = Terminal(ROOT, "watch", *names, "--submission", "examples/submission", "--jobs", "1")
    try:
        text = terminal.see("1 of 4 exercises") + terminal.see("q\x1b[0m quit")
    finally:
        terminal.close()
    lines = [re.sub(r"\x1b\[[\d;]*m", "", line) for line in re.split(r"\r\x1b\[K|\r\n", text)]
    counts = [line for line in lines if "of 4 exercises" in line]
    assert counts[0].startswith("Graded 0 of 4 exercises")
    assert all(re.fullmatch(r"Graded \d of 4 exercises(, .*)?", line) for line in counts), counts
    assert max(map(len, counts)) < 80


@pytest.mark.cold
def test_class_and_regrade_count_on_a_terminal_and_erase_the_line(monkeypatch, tmp_path):
    monkeypatch.setenv("TERM", "xterm-256color")
    solved = (COURSE / "solutions" / "scaling" / "reference.py").read_text()
    for student in ("ada", "bob", "eve"):
        (tmp_path / "handed-in" / student).mkdir(parents=True)
        (tmp_path / "handed-in" / student / "scaling.py").write_text(solved)
    common = ["--jobs", "1", "--course", str(COURSE)]
    book = str(tmp_path / "course.db")
    commands = {
        "submissions": ["class", str(tmp_path / "handed-in"), "--gradebook", book],
        "hand-ins": ["regrade", book],
    }
    for unit, command in commands.items():
        terminal = Terminal(ROOT, *command, *common)
        try:
            lines, rest = seen_in(terminal)
        finally:
            terminal.close()
        assert_fits(lines, rf"\d of 3 {unit}(, .*)?")
        assert f" of 3 {unit}" not in rest.replace(f"3 of 3 {unit} graded", "").replace(
            f"0 of 3 {unit} changed", ""
        )

"""Limits of the command line: for each, a value just below and one just above."""

import queue
import time
from datetime import timedelta
from types import SimpleNamespace

import click
import pytest
from test_cli import COMMANDS as LISTED

from grader.cli import check, export, formats, listing, policy_options, replay, terminal, watch
from grader.cli import quiz as quiz_prompt
from grader.cli.run import run_command
from grader.cli.screen import Screen
from grader.core.errors import Problem
from grader.core.model import CheckResult, ExerciseResult, Outcome
from grader.report import Style

COMMANDS = {**LISTED, "grade run": run_command}

# A command, an option or argument, a value, and whether it is accepted.
VALUES = [
    ("grade run", "--require-isolation", "-1", False),
    ("grade run", "--require-isolation", "0", True),
    ("grade run", "--require-isolation", "3", True),
    ("grade run", "--require-isolation", "4", False),
    ("grade run", "--jobs", "0", False),
    ("grade run", "--jobs", "1", True),
    ("grade run", "--fail-under", "-0.1", False),
    ("grade run", "--fail-under", "0", True),
    ("grade run", "--fail-under", "100", True),
    ("grade run", "--fail-under", "100.1", False),
    ("grade run", "--jobs", "256", True),
    ("grade run", "--jobs", "257", False),
    ("grade check", "--repeat", "0", False),
    ("grade check", "--repeat", "1", True),
    ("grade hint", "number", "0", False),
    ("grade hint", "number", "1", True),
    ("grade init", "--seed", "-1", False),
    ("grade init", "--seed", "0", True),
    ("grade stats", "--late-per-day", "-0.1", False),
    ("grade stats", "--late-per-day", "0", True),
    ("grade stats", "--late-per-day", "100", True),
    ("grade stats", "--late-per-day", "100.1", False),
    ("grade stats", "--late-cap", "-0.1", False),
    ("grade stats", "--late-cap", "0", True),
    ("grade stats", "--late-cap", "100", True),
    ("grade stats", "--late-cap", "100.1", False),
    ("grade stats", "--grace", "s", False),
    ("grade stats", "--grace", "0s", True),
    ("grade stats", "--grace", "999999s", True),
    ("grade stats", "--grace", "1000000s", False),
    ("grade stats", "--grace", "1.5h", False),
    ("grade stats", "--due", "2026-02-28T23:59", True),
    ("grade stats", "--due", "2026-02-29T23:59", False),
]


@pytest.mark.parametrize(
    ("command", "name", "value", "accepted"), VALUES, ids=[" ".join(row[:3]) for row in VALUES]
)
def test_an_option_accepts_values_up_to_its_limits(command, name, value, accepted):
    (parameter,) = [p for p in COMMANDS[command].params if name in p.opts]
    context = click.Context(COMMANDS[command])
    if accepted:
        parameter.process_value(context, value)
    else:
        with pytest.raises(click.BadParameter):
            parameter.process_value(context, value)


NUMBERS = [
    (name, p) for name, command in COMMANDS.items() for p in command.params if p.type.name.startswith("float")
]


@pytest.mark.parametrize(("name", "parameter"), NUMBERS, ids=[f"{name} {p.opts[0]}" for name, p in NUMBERS])
@pytest.mark.parametrize("text", ["nan", "-NaN", "inf", "-inf", "1e400"])
def test_what_is_no_number_is_in_no_range(name, parameter, text):
    with pytest.raises(click.BadParameter):
        parameter.process_value(click.Context(COMMANDS[name]), text)


@pytest.mark.parametrize(
    ("text", "seconds"), [("1s", 1), ("1m", 60), ("1h", 3600), ("1d", 86400), ("90s", 90)], ids=str
)
def test_a_duration_counts_its_unit(text, seconds):
    assert policy_options._duration(None, None, text) == timedelta(seconds=seconds)


@pytest.mark.parametrize(
    ("columns", "least", "width"), [(39, 40, 40), (41, 40, 41), (59, 60, 60), (61, 60, 61), (99, 40, 99), (101, 40, 100)]
)  # fmt: skip
def test_a_report_is_as_wide_as_the_terminal_within_limits(monkeypatch, columns, least, width):
    monkeypatch.setenv("COLUMNS", str(columns))
    assert terminal.width(least) == width


@pytest.mark.parametrize(("columns", "width"), [(79, 77), (80, 78), (81, 78), (120, 78)])
def test_prose_is_at_most_78_columns_wide(monkeypatch, columns, width):
    monkeypatch.setenv("COLUMNS", str(columns))
    assert terminal.prose_width() == width


@pytest.mark.parametrize(("title_columns", "shown"), [(10, False), (11, True)])
def test_a_list_omits_titles_of_ten_columns_or_less(title_columns, shown):
    name = "n" * (30 - title_columns)
    (line,) = listing._rows([(name, "A title of 21 columns", "done")], Style(width=40))
    assert ("A title" in line) is shown
    assert len(line) <= 40


@pytest.mark.parametrize(("size", "whole"), [(1000, True), (1001, False)])
def test_a_problem_has_at_most_a_thousand_characters(size, whole):
    message = "x" * (size - 1) + "!"
    line = check._line(Problem(path="a.py", message=message)).removeprefix("a.py:1:1: ")
    assert (line == message) is whole
    assert line.startswith(message[:1000])
    assert line.count("x") <= 1000


@pytest.mark.parametrize(("size", "whole"), [(60, True), (61, False)])
def test_an_exported_name_has_at_most_sixty_characters(capsys, size, whole):
    name = "x" * (size - 1) + "!"
    export._warn("not graded", [name])
    shown = capsys.readouterr().err.strip().removeprefix("not graded: ")
    assert (shown == name) is whole
    assert shown.count("x") <= 60


@pytest.mark.parametrize(("size", "whole"), [(600, True), (601, False)])
def test_a_rationale_that_is_not_replayed_has_at_most_600_characters(size, whole):
    rationale = "x" * (size - 1) + "!"
    failed = CheckResult(
        id="test_a", title="", outcome=Outcome.FAILED, points=0, max_points=1, rationale=rationale
    )
    result = ExerciseResult(id="relu", title="", outcome=Outcome.FAILED, points=0, max_points=1)
    text = replay._not_replayable(result, failed, "it is long", [failed], {})
    assert (f"test_a: {rationale}\n" in text) is whole
    assert text.splitlines()[0].removeprefix("test_a: ").startswith(rationale[:600])


@pytest.mark.parametrize(("count", "text"), [(4, "1 a, 2 a, 3 a, 4 a"), (5, "1 a, 2 a, 3 a, 4 a and 1 more")])
def test_four_unanswered_items_are_named(count, text):
    items = [SimpleNamespace(id="a", number=number) for number in range(1, count + 1)]
    assert quiz_prompt._first_items(items) == text


@pytest.mark.parametrize(
    ("typed", "matches"), [("#1", True), ("# 999", True), ("#1000", False), ("#", False)]
)
def test_the_number_of_an_item_has_up_to_three_digits(typed, matches):
    assert (quiz_prompt._GO_TO.fullmatch(typed) is not None) is matches


@pytest.mark.parametrize(("fewer", "written"), [(0, True), (1, False)])
def test_a_step_summary_stays_within_the_limit_of_github(monkeypatch, tmp_path, fewer, written):
    report, remaining = object(), 100 - fewer
    path = tmp_path / "summary.md"
    path.write_bytes(b" " * (formats.MOST_BYTES - remaining))
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(path))
    monkeypatch.setattr(formats, "to_markdown", lambda _, limit: "x" * 100 if limit >= 100 else "")
    formats.add_step_summary(report)
    assert (path.stat().st_size == formats.MOST_BYTES) is written
    assert path.stat().st_size <= formats.MOST_BYTES


@pytest.mark.parametrize(("width", "full"), [(45, False), (46, True)])
def test_the_line_of_keys_is_shortened_before_it_wraps(width, full):
    screen = Screen(Style(width=width), is_terminal=True, has_keys=True)
    line = screen._one_line([("n", "next (relu)"), ("l", "list"), ("a", "all again"), ("q", "quit")])
    assert ("all again" in line) is full
    assert len(line) < width


class _OneEmpty:
    """A queue that is empty once, then returns an event."""

    def __init__(self) -> None:
        self._empty = True

    def get(self, *, timeout: float) -> str:
        """Raise Empty the first time."""
        assert timeout
        if self._empty:
            self._empty = False
            raise queue.Empty
        return "event"


@pytest.mark.parametrize(("elapsed_s", "shown"), [(0.39, False), (0.41, True)])
def test_watch_shows_a_status_after_four_tenths_of_a_second(monkeypatch, elapsed_s, shown):
    lines: list[str] = []
    loop = watch._WatchLoop.__new__(watch._WatchLoop)
    running = SimpleNamespace(since=100.0, status=lambda _width: "Grading relu ...")
    loop._events, loop._running, loop._reset_pending = _OneEmpty(), [running], None
    loop._screen, loop._style = SimpleNamespace(status=lines.append), Style()
    monkeypatch.setattr(time, "monotonic", lambda: 100.0 + elapsed_s)
    assert loop._next() == "event"
    assert lines == (["Grading relu ..."] if shown else [])

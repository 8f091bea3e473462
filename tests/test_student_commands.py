"""What a student types: an untouched workspace, `grade next`, paths for ids, one check, and what was misspelled."""

import os
import re
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from test_progress import REFERENCE, answer, workspace

from grader.cli import grade as command
from grader.cli import terminal
from grader.core.errors import UsageError
from grader.grading import starters

__all__ = ["workspace"]  # a fixture
pytestmark = pytest.mark.usefixtures("forked_warm_processes")
WRONG = REFERENCE.replace("return 2 * x", "return 3 * x")


def run(*arguments: str) -> Result:
    return CliRunner().invoke(command, list(arguments), standalone_mode=False)


@pytest.fixture
def nothing_starts(monkeypatch):
    """Fail where a process is started that imports torch."""

    def start(*_arguments: object, **_named: object) -> None:
        pytest.fail("a process that imports torch was started")

    monkeypatch.setattr(starters, "start", start)


@pytest.mark.usefixtures("nothing_starts")
@pytest.mark.parametrize("arguments", [(), ("scaling",), ("next",), ("exercises/scaling.py",)])
def test_an_untouched_workspace_is_seen_without_torch_and_says_how_to_begin(workspace, arguments):
    done = run(*arguments)
    assert done.return_value == 1
    lines = done.output.splitlines()
    assert len(lines) <= 4
    assert "Next: open exercises/scaling.py, write double, and run `grade scaling`." in done.output
    assert ("1 exercise and 1 quiz, 18 points" in done.output) == (arguments == ())


@pytest.mark.usefixtures("nothing_starts")
def test_an_untouched_workspace_meets_a_limit_of_zero_only(workspace):
    assert run("--fail-under", "0").return_value == 0


@pytest.mark.cold
def test_one_answer_is_a_beginning(workspace):
    answer(workspace, one="b")
    assert "quiz first" in run().output
    assert "Nothing is begun" not in run().output


@pytest.mark.cold
def test_an_untouched_workspace_has_a_report_in_every_other_format(workspace):
    assert '"not_attempted"' in run("--format", "json").output


def write(workspace: Path, text: str) -> None:
    (workspace / "exercises" / "scaling.py").write_text(text, encoding="utf-8")


@pytest.mark.cold
def test_next_grades_until_an_exercise_fails_and_then_says_what_is_left(workspace):
    write(workspace, WRONG)
    done = run("next")
    assert done.return_value == 1
    assert "Every value is doubled" in done.output
    write(workspace, REFERENCE)
    done = run("next")
    assert done.return_value == 0
    assert re.search(r"All 8 checks pass, \d more than last time\.", done.output)
    assert done.output.endswith("Next: `grade quiz first`.\n")
    assert run("next").output == "Next: `grade quiz first`.\n"


def test_next_needs_a_workspace(tmp_path, monkeypatch, workspace):
    monkeypatch.chdir(tmp_path)
    assert isinstance(run("next").exception, UsageError)


@pytest.mark.cold
@pytest.mark.parametrize(
    "path", ["exercises/scaling.py", "./exercises/scaling.py", "exercises\\scaling.py", "exercises/scaling"]
)
def test_the_path_of_a_module_stands_for_its_id(workspace, path):
    write(workspace, REFERENCE)
    assert "scaling  " in run(path).output


@pytest.mark.cold
def test_the_path_of_a_module_may_be_absolute_or_of_another_submission(workspace, monkeypatch):
    write(workspace, REFERENCE)
    assert "scaling  " in run(str(workspace / "exercises" / "scaling.py")).output
    monkeypatch.chdir(workspace.parent)
    assert "scaling  " in run("work/exercises/scaling.py", "--submission", "work").output


@pytest.mark.cold
@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["../other/exercises/scaling.py"], "is no exercise of"),
        (["exercises"], "exercises is a folder."),
        (["exercises/"], "exercises/ is a folder."),
        (["exercises/other.py"], "is no exercise of"),
        (["wach"], 'There is no command "wach". Did you mean `grade watch`?'),
        (["nxt"], 'There is no command "nxt". Did you mean `grade next`?'),
        (["scalin"], 'There is no exercise "scalin". Did you mean "scaling"?'),
        (["scaling", "wach"], 'There is no exercise "wach".'),
        (["scaling", "--check", "value"], 'scaling has no check "value". Did you mean "values"?'),
        (["--check", "values"], "--check shows one check of one exercise"),
        (["scaling", "--check", "values", "--format", "json"], "--check shows one check of one exercise"),
    ],
)
def test_a_word_that_means_nothing_is_named_with_what_was_meant(workspace, words, said):
    write(workspace, WRONG)
    error = run(*words).exception
    assert isinstance(error, UsageError)
    assert said in str(error)


@pytest.mark.cold
def test_one_check_and_all_checks_are_shown_whole(workspace):
    write(workspace, WRONG)
    brief, verbose = run("scaling").output, run("scaling", "-v").output
    assert "Isolation level" not in brief
    assert "Total" not in brief
    assert "Isolation level" in verbose
    assert "✓ Scale multiplies by three" in verbose
    one = run("scaling", "--check", "values")
    assert one.return_value == 1
    assert "Every value is doubled" in one.output
    assert "Scale multiplies" not in one.output
    assert run("scaling", "--check", "test_values").output == one.output


@pytest.mark.parametrize(("is_terminal", "height"), [(True, 24), (False, None)])
def test_the_height_is_that_of_a_terminal_only(monkeypatch, is_terminal, height):
    monkeypatch.setattr("sys.stdout.isatty", lambda: is_terminal, raising=False)
    monkeypatch.setattr("shutil.get_terminal_size", lambda _default: os.terminal_size((80, 24)))
    assert terminal.height() == height

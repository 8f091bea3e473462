"""`grade hint` and `grade solution`: hints open one by one, the solution opens after full marks."""

import shutil
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from grader.cli import grade
from grader.cli import help as helping
from grader.cli.run import helps_of
from grader.core.errors import GraderError, InternalError, UsageError
from grader.core.model import ExerciseResult, Outcome
from grader.course import catalog
from grader.report import Help

COURSE = Path(__file__).parent / "course"
REFERENCE = (COURSE / "solutions" / "scaling" / "reference.py").read_text(encoding="utf-8")


@pytest.fixture
def workspace(tmp_path, monkeypatch):
    """An empty workspace of the miniature course."""
    monkeypatch.setenv("CONVGRADER_COURSE", str(COURSE))
    (tmp_path / "exercises").mkdir()
    return tmp_path


@pytest.fixture
def run(workspace):
    """Run `grade hint` or `grade solution` in the workspace."""

    def invoke(command: str, *arguments: str, folder: Path = workspace) -> Result:
        chosen = {"hint": helping.hint_command, "solution": helping.solution_command}[command]
        return CliRunner().invoke(chosen, [*arguments, "--submission", str(folder)], standalone_mode=False)

    return invoke


def usage_error(done: Result) -> str:
    assert isinstance(done.exception, UsageError), done.output
    return str(done.exception)


def test_hints_open_one_by_one_and_the_workspace_records_them(run):
    first, second, third = (run("hint", "scaling").output for _ in range(3))
    assert first.startswith("A nudge\n\nHint 1 of 3. Not enough?")
    assert second.startswith("More\n\nHint 2 of 3.")
    assert third.startswith("Almost the answer\n\nThat was the last of 3 hints")
    assert run("hint", "scaling").output == third
    assert run("hint", "scaling", "1").output == first


def test_a_hint_cannot_be_skipped(run):
    assert "0 of 3 are open here" in usage_error(run("hint", "scaling", "2"))
    run("hint", "scaling")
    assert "1 of 3 are open here" in usage_error(run("hint", "scaling", "3"))
    assert run("hint", "scaling", "2").output.startswith("More")


def test_there_is_no_hint_beyond_the_last(run):
    assert "3 hints; there is no hint 9" in usage_error(run("hint", "scaling", "9"))


def test_outside_a_workspace_the_first_hint_opens_and_nothing_is_written(run, tmp_path):
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    for _ in range(2):
        assert (
            "To open the next, run this in your workspace" in run("hint", "scaling", folder=elsewhere).output
        )
    assert list(elsewhere.iterdir()) == []


@pytest.mark.parametrize(
    "text", ["", "[]", '{"scaling": "all"}', '{"scaling": -1}', '{"scaling": true}', "[" * 10**5]
)
def test_a_damaged_record_of_hints_is_named_and_not_changed(run, workspace, text):
    (workspace / ".grade").mkdir()
    path = workspace / ".grade" / "hints.json"
    path.write_text(text, encoding="utf-8")
    assert f"{path} cannot be read. Delete it" in usage_error(run("hint", "scaling"))
    assert path.read_text(encoding="utf-8") == text


def test_a_count_beyond_the_hints_of_the_course_is_capped(run, workspace):
    (workspace / ".grade").mkdir()
    (workspace / ".grade" / "hints.json").write_text('{"scaling": 99}', encoding="utf-8")
    assert run("hint", "scaling").output.startswith("Almost the answer")


@pytest.mark.cold
def test_the_solution_stays_closed_before_full_marks(run, workspace):
    shutil.copy(COURSE / "exercises" / "scaling.py", workspace / "exercises")
    done = run("solution", "scaling")
    assert done.return_value == 1
    assert "opens when yours has full marks; now 0 of" in done.output
    assert "return 2 * x" not in done.output


@pytest.mark.cold
def test_the_solution_opens_after_full_marks_with_its_explanation(run, workspace):
    (workspace / "exercises" / "scaling.py").write_text(REFERENCE, encoding="utf-8")
    done = run("solution", "scaling")
    assert done.return_value == 0, done.output
    explanation, code = done.output.split("\n\nimport torch", 1)
    assert explanation.startswith("Scaling\n\n")
    assert REFERENCE.split('"""')[1].split()[0] in explanation
    assert "return 2 * x" in code
    assert '"""Ref' not in done.output


def test_items_of_a_list_begin_on_their_own_lines():
    first, second = "- " + "one " * 30, "- two\n  and more"
    lines = helping._filled(f"{first}\n{second}").splitlines()
    assert [line[:6] for line in lines] == ["- one ", "  one ", "- two "]
    assert lines[-1] == "- two and more"
    assert all(len(line) <= 78 for line in lines)


@pytest.mark.cold
def test_an_error_in_the_grader_is_reported_as_one(run, workspace, monkeypatch):
    def broken(*_: object) -> list[ExerciseResult]:
        result = ExerciseResult(
            id="scaling", title="", outcome=Outcome.INTERNAL_ERROR, points=0.0, max_points=0.0
        )
        return [result]

    monkeypatch.setattr(helping.attempt, "grade_exercises", broken)
    done = run("solution", "scaling")
    assert isinstance(done.exception, InternalError)
    assert isinstance(done.exception, GraderError)
    assert "Please try again" in str(done.exception)


def test_code_has_colors_on_a_terminal_only(monkeypatch):
    assert helping._highlighted("x = 1") == "x = 1"
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True, raising=False)
    monkeypatch.delenv("NO_COLOR", raising=False)
    assert "\x1b[" in helping._highlighted("def f(): return 1")
    monkeypatch.setenv("NO_COLOR", "1")
    assert helping._highlighted("def f(): return 1") == "def f(): return 1"


@pytest.mark.cold
def test_the_page_of_a_report_shows_the_hints_that_are_open_and_says_which_is_next(
    run, workspace, monkeypatch
):
    source = REFERENCE.replace("self.factor * x", "self.factor + x")
    assert source != REFERENCE
    (workspace / "exercises" / "scaling.py").write_text(source, encoding="utf-8")
    run("hint", "scaling")
    monkeypatch.chdir(workspace)

    def page(*arguments: str) -> str:
        done = CliRunner().invoke(grade, ["scaling", "--format", "html", *arguments])
        assert done.exception is None, done.output
        return done.output

    own = page()
    assert "Your hints: 1 of 3 open" in own
    assert "<li>A nudge</li>" in own
    assert "<code>grade hint scaling</code> opens hint 2 of 3." in own
    assert "Your hints" not in page("--submission", str(workspace))  # another folder may be another student's


def test_a_report_is_written_also_if_the_hints_cannot_be_read(workspace):
    exercises = catalog.load(COURSE).exercises
    (workspace / ".grade").mkdir()
    kept = workspace / ".grade" / "hints.json"
    kept.write_text('{"scaling": 2}', encoding="utf-8")
    assert helps_of(workspace, exercises) == {"scaling": Help(opened=("A nudge", "More"), count=3)}
    kept.write_text("[]", encoding="utf-8")
    assert helps_of(workspace, exercises) == {}

"""`grade list` in a workspace: what is done, what changed, and what is next."""

import json
import shutil
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from test_quiz import BANK

from grader.cli import grade as command
from grader.core.errors import UsageError
from grader.core.model import ExerciseResult, Outcome
from grader.course import catalog
from grader.grading import attempt
from grader.submission import open_submission
from grader.workspace.progress import State, WorkspaceProgress

pytestmark = pytest.mark.usefixtures("forked_warm_processes")

MINIATURE = Path(__file__).parent / "course"

REFERENCE = (MINIATURE / "solutions" / "scaling" / "reference.py").read_text(encoding="utf-8")


@pytest.fixture
def workspace(tmp_path, monkeypatch) -> Path:
    course = tmp_path / "course"
    shutil.copytree(MINIATURE, course, ignore=shutil.ignore_patterns("__pycache__"))
    (course / "quizzes").mkdir(exist_ok=True)
    (course / "quizzes" / "first.yaml").write_text(BANK, encoding="utf-8")
    monkeypatch.setenv("CONVGRADER_COURSE", str(course))
    monkeypatch.chdir(tmp_path)
    assert run("init", "work").exit_code == 0
    monkeypatch.chdir(tmp_path / "work")
    return tmp_path / "work"


def run(*arguments: str) -> Result:
    return CliRunner().invoke(command, list(arguments))


def state(workspace: Path) -> State:
    course = catalog.load(MINIATURE)
    return WorkspaceProgress(workspace).exercises(course.exercises)["scaling"].state


def note(workspace: Path, points: float, outcome: Outcome = Outcome.FAILED) -> None:
    exercises = catalog.load(MINIATURE).exercises
    result = ExerciseResult(id="scaling", title="Scaling", outcome=outcome, points=points, max_points=13.0)
    WorkspaceProgress(workspace).note(attempt.plan(open_submission(workspace), exercises, 0), [result])


def test_the_next_step_in_a_new_workspace_is_the_first_stub(workspace):
    output = run("list").output
    assert "not begun\n" in output
    assert "0 of" not in output
    assert output.endswith("Next: open exercises/scaling.py, and run `grade scaling`.\n")


def test_points_are_shown_until_a_file_changes_that_the_exercise_depends_on(workspace):
    module, helper = workspace / "exercises" / "scaling.py", workspace / "exercises" / "sizes.py"
    module.write_text(f"import sizes\n{REFERENCE}", encoding="utf-8")
    helper.write_text("ONE = 1\n", encoding="utf-8")
    assert state(workspace) is State.NOT_GRADED
    note(workspace, 7.0)
    assert "   7/13 points\n" in run("list").output
    (workspace / "exercises" / "other.py").write_text("TWO = 2\n", encoding="utf-8")
    assert state(workspace) is State.GRADED
    helper.write_text("ONE = 1.0\n", encoding="utf-8")
    output = run("list").output
    assert "changed since 7/13 points\n" in output
    assert "Next: `grade scaling`.\n" in output


def test_progress_that_was_stored_without_a_count_of_checks_is_read(workspace):
    (workspace / "exercises" / "scaling.py").write_text(REFERENCE, encoding="utf-8")
    note(workspace, 7.0)
    stored = workspace / ".grade" / "progress.json"
    entries = json.loads(stored.read_text(encoding="utf-8"))
    assert WorkspaceProgress(workspace).passed() == {"scaling": 0}
    stored.write_text(json.dumps({name: entry[:2] for name, entry in entries.items()}), encoding="utf-8")
    assert WorkspaceProgress(workspace).passed() == {}
    assert "   7/13 points\n" in run("list").output


def test_full_marks_are_done_and_quizzes_come_next(workspace):
    (workspace / "exercises" / "scaling.py").write_text(REFERENCE, encoding="utf-8")
    note(workspace, 13.0, Outcome.PASSED)
    output = run("list").output
    assert "done, 13/13 points\n" in output
    assert "Next: `grade quiz first`.\n" in output
    answer(workspace, one="b", some="[a, c]", how_many="42", what_shape="(2, 3)")
    output = run("list").output
    assert "4 of 4 answered\n" in output
    assert "Everything is done." in output


@pytest.mark.cold
def test_grading_stores_the_points(workspace):
    (workspace / "exercises" / "scaling.py").write_text(REFERENCE, encoding="utf-8")
    assert run("scaling").exit_code == 0
    assert "done, 13/13 points\n" in run("list").output


@pytest.mark.cold
def test_grading_a_submission_of_somebody_else_writes_nothing_there(workspace, tmp_path, monkeypatch):
    (workspace / "exercises" / "scaling.py").write_text(REFERENCE, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    assert run("scaling", "--submission", "work").exit_code == 0
    assert not (workspace / ".grade").exists()
    assert "not graded yet\n" in run("list", "--submission", "work").output


def test_an_error_in_the_grader_stores_nothing(workspace):
    (workspace / "exercises" / "scaling.py").write_text(REFERENCE, encoding="utf-8")
    note(workspace, 0.0, Outcome.INTERNAL_ERROR)
    assert state(workspace) is State.NOT_GRADED


def answer(workspace: Path, **given: str) -> None:
    answers = "".join(f"  {name.replace('_', '-')}: {text}\n" for name, text in given.items())
    (workspace / "answers" / "first.yaml").write_text(f"quiz: first\nanswers:\n{answers}", encoding="utf-8")


def test_answers_are_counted_and_a_sheet_that_cannot_be_read_says_so(workspace):
    answer(workspace, one="b", how_many="several")
    assert "1 of 4 answered\n" in run("list").output
    (workspace / "answers" / "first.yaml").write_text("answers: [", encoding="utf-8")
    assert "cannot be read: `grade`\n" in run("list").output


@pytest.mark.parametrize("text", ["[]", "{", '{"scaling": 3}', '{"scaling": ["x", 1]}'])
def test_a_corrupt_state_file_says_what_to_do(workspace, text):
    (workspace / ".grade").mkdir()
    (workspace / ".grade" / "progress.json").write_text(text, encoding="utf-8")
    done = run("list")
    assert isinstance(done.exception, UsageError)
    assert "Delete it: `grade` makes it again." in str(done.exception)


@pytest.mark.cold
def test_grading_goes_on_where_the_state_cannot_be_written(workspace):
    (workspace / "exercises" / "scaling.py").write_text(REFERENCE, encoding="utf-8")
    (workspace / ".grade").write_text("in the way", encoding="utf-8")
    assert run("scaling").exit_code == 0


def test_a_course_without_quizzes_has_no_heading_for_them(tmp_path, monkeypatch):
    other = tmp_path / "other"
    shutil.copytree(MINIATURE, other, ignore=shutil.ignore_patterns("quizzes", "__pycache__"))
    (other / "quizzes").mkdir()
    monkeypatch.chdir(tmp_path)
    output = CliRunner().invoke(command, ["list", "--course", str(other)]).output
    assert "scaling" in output
    assert "Quizzes" not in output


@pytest.mark.parametrize("columns", ["40", "80", "200"])
def test_no_line_is_wider_than_the_terminal(workspace, monkeypatch, columns):
    monkeypatch.setenv("COLUMNS", columns)
    assert max(map(len, run("list").output.splitlines())) <= int(columns)

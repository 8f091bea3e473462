"""Files written by the version before (0.1.0 at ab6c45f, before the packages were regrouped) still open.

`old_files/` holds them as that version wrote them: a course, a gradebook of two class runs, a workspace with opened
hints, progress and a replay file, and a report. `old_files/quizzes/` holds a bank with shuffled options, and a gradebook of three
students that 0.1.0 at fe7e707 wrote, before options were lettered in the order that they are shown in.
"""

import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import grade_command
import pytest

from grader.course.catalog import COURSE_VARIABLE

OLD = Path(__file__).parent / "old_files"

Run = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def old(tmp_path: Path) -> Path:
    """Return a copy of the old files, the workspace's state folder under its real name."""
    folder = tmp_path / "old"
    shutil.copytree(OLD, folder)
    (folder / "workspace" / "dot_grade").rename(folder / "workspace" / ".grade")
    return folder


@pytest.fixture
def run(old: Path) -> Run:
    """Run `grade` with the old course, in the old workspace."""

    def run(*words: object, code: int = 0) -> subprocess.CompletedProcess[str]:
        changes = {COURSE_VARIABLE: str(old / "course"), "COLUMNS": "80"}
        done = grade_command.run(*words, folder=old / "workspace", **changes)
        assert done.returncode == code, done.stdout + done.stderr
        return done

    return run


def test_an_old_gradebook_is_summed_up(run, old):
    summary = json.loads(run("stats", old / "class.db", "--format", "json").stdout)
    found = [(student["student"], student["hand_ins"], student["points"]) for student in summary["students"]]
    assert found == [("ada", 2, 13.0), ("ben", 1, 9.0), ("cleo", 1, 0.0)]


def test_the_hand_ins_of_an_old_gradebook_are_graded_again_with_the_same_scores(run, old):
    done = run("regrade", old / "class.db", "--dry-run", "--require-isolation", "0")
    assert done.stdout.startswith("0 of 4 hand-ins would change.")


def test_an_old_course_is_graded_and_its_small_inputs_are_searched(run):
    done = run("scaling", code=1)
    assert "9/13" in done.stdout
    assert "The smallest input found that fails" in done.stdout, (
        "the suite imports grader.feedback.strategies"
    )


def test_an_old_workspace_knows_its_opened_hints_and_progress(run):
    assert "Almost the answer" in run("hint", "scaling", "3").stdout  # refused unless two are open
    assert "9/13" in run("list").stdout


def test_an_old_replay_file_still_runs(old):
    script = old / "workspace" / "replays" / "scaling_values.py"
    done = subprocess.run([sys.executable, script], capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "Mismatched elements: 1 / 1" in done.stderr


def test_an_old_report_is_rendered(run, old):
    done = run("report", old / "report.json")
    assert "squares" in done.stdout
    assert "9/13" in done.stdout


@pytest.fixture
def quizzes(tmp_path: Path) -> Path:
    """Return a copy of the old gradebook of quizzes, beside the course that it is of."""
    for part in ("solutions", "exercises", "quizzes"):
        (tmp_path / "course" / part).mkdir(parents=True)
    shutil.copy(OLD / "quizzes" / "first.yaml", tmp_path / "course" / "quizzes")
    shutil.copy(OLD / "quizzes" / "class.db", tmp_path)
    return tmp_path


def test_old_answers_to_shuffled_options_are_marked_as_they_were(quizzes):
    def run(*words: object) -> str:
        changes = {COURSE_VARIABLE: str(quizzes / "course"), "COLUMNS": "80"}
        done = grade_command.run(*words, folder=quizzes, **changes)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    dry = run("regrade", quizzes / "class.db", "--dry-run", "--require-isolation", "0")
    assert dry.startswith("0 of 3 hand-ins would change.")
    summary = json.loads(run("stats", quizzes / "class.db", "--format", "json"))
    assert [(found["student"], found["points"]) for found in summary["students"]] == [
        ("ada", 3.0),
        ("ben", 1.5),
        ("cleo", 2.0),
    ]
    (quiz,) = summary["quizzes"]
    pick, truth, _ = quiz["items"]
    assert {option["id"]: option["chosen"]["count"] for option in pick["options"]} == {
        "a": 0,
        "b": 2,
        "c": 1,
        "d": 0,
    }
    chosen = {option["id"]: option["chosen"]["count"] for option in truth["options"]}
    assert chosen == {"true": 2, "false": 1, "a": 1, "b": 0, "c": 2}

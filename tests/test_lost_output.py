"""What is printed and cannot be written costs the text: the command does its work, and the exit code says so."""

import os
import shlex
import sqlite3
import subprocess
import sys
from pathlib import Path

import grade_command
import pytest

pytestmark = [
    pytest.mark.cold,
    pytest.mark.skipif(not Path("/dev/full").exists(), reason="Linux has /dev/full"),
]

HERE = Path(__file__).parent
COURSE = HERE / "course"
REFERENCE = COURSE / "solutions" / "scaling" / "reference.py"
LOST = {
    "full": ">/dev/full",
    "closed": ">&-",
    "all closed": "<&- >&- 2>&-",
    "full, no errors": ">/dev/full 2>&1",
}
# Every command that prints without a terminal, on the files of the fixture; `regrade`, `class` and `run` grade.
LINES = (
    "scaling", "list", "stats b.db", "similar b.db", "report report.json", "report report.json --format json",
    "regrade b.db --dry-run", "quiz --help", "--help", "--version", "doctor", "hint scaling", "solution scaling",
)  # fmt: skip
INTERPRETER = f"{shlex.quote(sys.executable)} -m grader"
INTERPRETED = (
    "scaling",
    "list",
)  # run by an interpreter that finds its streams closed; the others are forked


@pytest.fixture
def workspace(tmp_path):
    """A workspace that is solved, with an older report and a gradebook."""
    (tmp_path / "exercises").mkdir()
    (tmp_path / "exercises" / "scaling.py").write_bytes(REFERENCE.read_bytes())
    (tmp_path / "report.json").write_bytes((HERE / "old_files" / "report.json").read_bytes())
    (tmp_path / "b.db").write_bytes((HERE / "old_files" / "class.db").read_bytes())
    return tmp_path


@pytest.fixture(scope="module")
def tool(tmp_path_factory) -> str:
    """A program in the place of `grade`, whose commands are forked from one that has imported torch."""
    path = tmp_path_factory.mktemp("bin") / "grade"
    path.write_text(grade_command.tool(), encoding="utf-8")
    path.chmod(0o755)
    return shlex.quote(str(path))


def grade(program: str, line: str, folder: Path) -> subprocess.CompletedProcess[str]:
    """Run `grade` with these words and redirections in a shell."""
    return subprocess.run(
        ["bash", "-c", f"{program} {line}"],
        cwd=folder, env={**os.environ, "CONVGRADER_COURSE": str(COURSE)},
        capture_output=True, text=True, timeout=300, check=False,
    )  # fmt: skip


@pytest.mark.parametrize("way", LOST)
@pytest.mark.parametrize("line", LINES)
def test_output_that_cannot_be_written_is_an_exit_code_and_a_sentence(workspace, tool, line, way):
    done = grade(INTERPRETER if line in INTERPRETED else tool, f"{line} {LOST[way]}", workspace)
    assert "Traceback" not in done.stderr
    assert done.returncode == 3
    assert ("Standard output cannot be written to: " in done.stderr) is (way in ("full", "closed"))


@pytest.mark.parametrize("way", [*LOST.values(), "| true"])
def test_a_class_is_graded_and_recorded_although_no_line_can_be_printed(workspace, tool, way):
    students = [f"s{number}" for number in range(5)]
    for student in students:
        folder = workspace / "handed-in" / student / "exercises"
        folder.mkdir(parents=True)
        (folder / "scaling.py").write_text(f"{REFERENCE.read_text()}\n# by {student}\n")
    line = f"class handed-in --gradebook new.db --reports reports {way}; exit ${{PIPESTATUS[0]}}"
    done = grade(tool, line, workspace)
    assert "Traceback" not in done.stderr
    assert done.returncode == (1 if way == "| true" else 3)
    with sqlite3.connect(workspace / "new.db") as book:
        assert [name for (name,) in book.execute("SELECT student FROM hand_ins ORDER BY 1")] == students
    assert len(list((workspace / "reports").iterdir())) == len(students)


def test_lost_errors_end_no_command(workspace):
    done = grade(INTERPRETER, "stats b.db nothing 2>/dev/full", workspace)
    assert (done.returncode, done.stdout) == (2, "")

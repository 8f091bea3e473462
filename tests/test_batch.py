"""A class: what counts as a submission, who hurts whom, and that strangers are not graded below level 2."""

import json
import zipfile
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from grader import batch, report
from grader.cli.classes import class_command
from grader.dispatch import MAX_LEVEL_VARIABLE
from grader.errors import IsolationRefused, UsageError

COURSE = Path(__file__).parent / "course"
REFERENCE = (COURSE / "solutions" / "scaling" / "reference.py").read_text(encoding="utf-8")


@pytest.fixture
def handed_in(tmp_path):
    """Three students: one solved everything, one zipped the stub, one handed in something else."""
    folder = tmp_path / "handed-in"
    (folder / "ada" / "exercises").mkdir(parents=True)
    (folder / "ada" / "exercises" / "scaling.py").write_text(REFERENCE, encoding="utf-8")
    with zipfile.ZipFile(folder / "bob.zip", "w") as archive:
        archive.write(COURSE / "exercises" / "scaling.py", "bob/exercises/scaling.py")
    (folder / "cyd.zip").write_text("no zip", encoding="utf-8")
    (folder / "readme.txt").write_text("not a submission", encoding="utf-8")
    (folder / ".git").mkdir()
    (folder / "eve").symlink_to(folder / "ada")
    return folder


@pytest.fixture
def grade_class(monkeypatch):
    """Run `grade class` on the miniature course."""
    monkeypatch.setenv("CONVGRADER_COURSE", str(COURSE))

    def run(*arguments: str | Path) -> Result:
        return CliRunner().invoke(class_command, list(map(str, arguments)), standalone_mode=False)

    return run


def test_folders_and_zips_are_submissions_and_nothing_else_is(handed_in):
    assert [one.student for one in batch.find(handed_in)] == ["ada", "bob", "cyd"]


def test_two_submissions_of_one_student_are_refused(handed_in):
    (handed_in / "bob").mkdir()
    with pytest.raises(UsageError, match=r"bob handed in twice: bob and bob\.zip"):
        batch.find(handed_in)


def test_a_folder_without_submissions_is_refused(tmp_path):
    with pytest.raises(UsageError, match="There is no submission in"):
        batch.find(tmp_path)


def test_everybody_gets_a_line_and_a_report_and_a_bad_zip_hurts_no_other(grade_class, handed_in, tmp_path):
    done = grade_class(handed_in, "--reports", tmp_path / "reports")
    lines = done.output.splitlines()
    assert done.return_value == 1, done.output
    assert lines[0].split() == ["13", "of", "13", "100.0%", "ada"]
    assert lines[1].split() == ["0", "of", "13", "0.0%", "bob"]
    assert lines[2].strip().startswith("not graded  cyd: ")
    assert "2 of 3 submissions graded at isolation level" in lines[3]
    written = {path.stem: path.read_text("utf-8") for path in (tmp_path / "reports").iterdir()}
    assert {name: report.from_json(text).points for name, text in written.items()} == {
        "ada": 13.0,
        "bob": 0.0,
    }


@pytest.mark.parametrize("level", [1, 0])
def test_a_class_is_not_graded_below_level_two_unless_told_otherwise(
    grade_class, handed_in, tmp_path, monkeypatch, level
):
    monkeypatch.setenv(MAX_LEVEL_VARIABLE, str(level))
    done = grade_class(handed_in, "--reports", tmp_path / "reports")
    assert isinstance(done.exception, IsolationRefused)
    assert done.exception.exit_code == 3
    assert (done.output, list((tmp_path / "reports").iterdir())) == ("", [])
    told = grade_class(handed_in, "--require-isolation", level, "--reports", tmp_path / "reports")
    assert told.return_value == 1
    assert json.loads((tmp_path / "reports" / "ada.json").read_text("utf-8"))["isolation"]["level"] == level


def test_a_name_steers_no_terminal_and_commands_no_ci(grade_class, tmp_path):
    for name in ("::error::red", "\x1b[31mred"):
        (tmp_path / name / "exercises").mkdir(parents=True)
    done = grade_class(tmp_path)
    assert "\x1b" not in done.output
    assert "\\x1b[31mred" in done.output
    assert not any(line.lstrip().startswith("::") for line in done.output.splitlines())

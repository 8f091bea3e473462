"""`grade reset`: puts the stub back, and loses nothing that a student wrote."""

import shutil
from datetime import datetime
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from grader.cli.reset import reset_command
from grader.core.errors import UsageError
from grader.workspace import scaffold as workspaces

COURSE = Path(__file__).parent / "course"
STUB = (COURSE / "exercises" / "scaling.py").read_bytes()
WORK = b"def double(x):\r\n    return x + x  # mine\xff\n"


@pytest.fixture
def workspace(tmp_path, monkeypatch):
    monkeypatch.setenv("CONVGRADER_COURSE", str(COURSE))
    (tmp_path / "exercises").mkdir()
    (tmp_path / "exercises" / "scaling.py").write_bytes(WORK)
    return tmp_path


@pytest.fixture
def reset(workspace):
    def invoke(*options: str, answer: str = "", folder: Path = workspace) -> Result:
        words = ["scaling", "--submission", str(folder), *options]
        return CliRunner().invoke(reset_command, words, input=answer, standalone_mode=False)

    return invoke


def files(folder: Path) -> dict[str, bytes]:
    return {p.relative_to(folder).as_posix(): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def test_yes_puts_the_stub_back_and_keeps_the_file(reset, workspace):
    done = reset(answer="y\n")
    assert done.return_value == 0
    found = files(workspace)
    assert found.pop("exercises/scaling.py") == STUB
    ((name, kept),) = found.items()
    assert name.startswith("backups/scaling-")
    assert name.endswith(".py.bak")
    assert kept == WORK
    assert name in done.output.replace("\\", "/")


def test_no_changes_nothing(reset, workspace):
    done = reset(answer="n\n")
    assert done.return_value == 1
    assert "Nothing was changed." in done.output
    assert files(workspace) == {"exercises/scaling.py": WORK}


def test_the_option_yes_does_not_ask_and_a_stub_is_not_changed(reset, workspace):
    assert reset("--yes").return_value == 0
    before = files(workspace)
    done = reset()
    assert done.return_value == 0
    assert "is the stub already" in done.output
    assert files(workspace) == before


def test_a_missing_file_is_written_without_a_question(reset, workspace):
    (workspace / "exercises" / "scaling.py").unlink()
    assert reset().return_value == 0
    assert files(workspace) == {"exercises/scaling.py": STUB}


def test_a_flat_workspace_has_its_own_file_reset(reset, workspace):
    shutil.rmtree(workspace / "exercises")
    (workspace / "scaling.py").write_bytes(WORK)
    reset("--yes")
    assert (workspace / "scaling.py").read_bytes() == STUB
    assert not (workspace / "exercises").exists()


def test_two_resets_in_one_second_keep_both(course, workspace):
    now = datetime(2026, 11, 25, 12, 0, 0).astimezone()
    (exercise,) = course.exercises
    first = workspaces.reset(exercise, workspace, now)
    (workspace / "exercises" / "scaling.py").write_bytes(b"again")
    second = workspaces.reset(exercise, workspace, now)
    assert (first.read_bytes(), second.read_bytes()) == (WORK, b"again")
    assert second.name == "scaling-20261125-120000-2.py.bak"


def test_if_no_backup_can_be_written_nothing_is_overwritten(reset, workspace):
    (workspace / "backups").write_text("a file")
    done = reset("--yes")
    assert isinstance(done.exception, UsageError)
    assert "cannot be reset" in str(done.exception)
    assert files(workspace) == {"exercises/scaling.py": WORK, "backups": b"a file"}


def test_a_symbolic_link_is_replaced_and_its_target_is_not(reset, workspace, tmp_path):
    target = workspace / "elsewhere.txt"
    target.write_bytes(WORK)
    path = workspace / "exercises" / "scaling.py"
    path.unlink()
    path.symlink_to(target)
    reset("--yes")
    assert path.read_bytes() == STUB
    assert not path.is_symlink()
    assert target.read_bytes() == WORK


def test_a_missing_workspace_and_an_unknown_exercise_are_reported(reset, workspace, tmp_path):
    empty = tmp_path / "empty"
    empty.mkdir()
    assert "grade init" in str(reset("--yes", folder=empty).exception)
    done = CliRunner().invoke(reset_command, ["scalling"], standalone_mode=False)
    assert 'Did you mean "scaling"?' in str(done.exception)

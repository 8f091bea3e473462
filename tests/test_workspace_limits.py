"""The limits of a workspace: hints one by one, free names, the height of a frame, and state files of other content."""

import os
import re
import sys
from datetime import datetime
from pathlib import Path

import pytest

from grader.core.errors import UsageError
from grader.core.model import ExerciseResult, Outcome, Snippet
from grader.course import catalog
from grader.report import Help
from grader.workspace import replay_files, scaffold
from grader.workspace.notebook.cell_output import bundle
from grader.workspace.opened_hints import OpenedHints
from grader.workspace.progress import WorkspaceProgress
from grader.workspace.state_file import MAX_STATE_BYTES, StateFile

COURSE = catalog.load(Path(__file__).parents[1])
NOW = datetime(2026, 3, 1, 12)


@pytest.fixture
def exercise():
    return COURSE.exercise("relu")


@pytest.fixture
def workspace(tmp_path, exercise):
    scaffold.write({f"exercises/{exercise.stub.name}": b"x = 1\n"}, tmp_path)
    return tmp_path


def test_hints_open_one_by_one(workspace, exercise):
    hints = OpenedHints(workspace)
    assert hints.count(exercise) == 0
    with pytest.raises(UsageError, match="open one by one: 0 of"):
        hints.open(exercise, 2)
    for number in range(1, len(exercise.hints) + 1):
        hints.open(exercise, number)
        assert hints.count(exercise) == number
    with pytest.raises(UsageError, match=f"there is no hint {len(exercise.hints) + 1}"):
        hints.open(exercise, len(exercise.hints) + 1)
    hints.open(exercise, 1)
    assert hints.count(exercise) == len(exercise.hints)


def test_outside_a_workspace_only_the_first_hint_opens(tmp_path, exercise):
    hints = OpenedHints(tmp_path)
    hints.open(exercise, 1)
    assert hints.count(exercise) == 0
    with pytest.raises(UsageError, match="one by one"):
        hints.open(exercise, 2)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("count", [0, -1, 1.0, True, "1", None])
def test_a_count_of_open_hints_is_an_integer_from_zero(workspace, exercise, count):
    StateFile(workspace, "hints.json", "").write({exercise.id: count})
    if count == 0 and count is not False:
        assert OpenedHints(workspace).count(exercise) == 0
    else:
        with pytest.raises(UsageError, match=r"hints\.json cannot be read\. Delete it"):
            OpenedHints(workspace).count(exercise)


@pytest.mark.parametrize(
    ("text", "is_read"),
    [
        ("{}", True),
        ('{"a": 1}', True),
        ("[]", False),
        ("", False),
        ("{", False),
        ("[" * 100_000, False),
        ("\xff", False),
    ],
    ids=["empty", "object", "list", "nothing", "unclosed", "deep", "latin"],
)
def test_a_state_file_holds_one_object(tmp_path, text, is_read):
    (tmp_path / ".grade").mkdir()
    (tmp_path / ".grade" / "a.json").write_bytes(text.encode("latin-1"))
    state = StateFile(tmp_path, "a.json", "nothing is lost")
    if is_read:
        assert isinstance(state.read(), dict)
    else:
        with pytest.raises(UsageError, match="Delete it: nothing is lost"):
            state.read()


@pytest.mark.skipif(sys.platform == "win32", reason="links and pipes")
@pytest.mark.parametrize("odd", ["pipe", "endless", "outside", "large", "folder", "linked folder"])
def test_a_state_file_that_is_none_is_not_read(tmp_path, odd):
    workspace, path = tmp_path / "work", tmp_path / "work" / ".grade" / "a.json"
    (workspace if odd == "linked folder" else path.parent).mkdir(parents=True)
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside" / "a.json").write_text("{}", encoding="utf-8")
    {
        "pipe": lambda: os.mkfifo(path),
        "endless": lambda: path.symlink_to("/dev/zero"),
        "outside": lambda: path.symlink_to(tmp_path / "outside" / "a.json"),
        "large": lambda: path.write_text(" " * MAX_STATE_BYTES + "{}", encoding="utf-8"),
        "folder": path.mkdir,
        "linked folder": lambda: path.parent.symlink_to(tmp_path / "outside"),
    }[odd]()
    with pytest.raises(UsageError, match="Delete it: nothing is lost"):
        StateFile(workspace, "a.json", "nothing is lost").read()


@pytest.mark.parametrize(
    "entry",
    [[1.0], [1.0, "x", 2, 3], [1.0, "x", -1], [1.0, "x", True], [1.0, "x", "2"], ["1", "x"], {}, None, 1.0],
)
def test_another_entry_of_the_progress_is_refused(workspace, exercise, entry):
    StateFile(workspace, "progress.json", "").write({exercise.id: entry})
    with pytest.raises(UsageError, match=r"progress\.json cannot be read"):
        WorkspaceProgress(workspace).exercises([exercise])


def test_backups_of_one_second_have_different_names(workspace, exercise):
    backups = [scaffold.reset(exercise, workspace, NOW) for _ in range(3)]
    assert [path.name for path in backups if path] == [
        "relu-20260301-120000.py.bak",
        "relu-20260301-120000-2.py.bak",
        "relu-20260301-120000-3.py.bak",
    ]
    assert backups[0].read_bytes() == b"x = 1\n"


def test_a_replay_file_takes_the_first_free_name(workspace):
    case = replay_files.Case(
        exercise="relu", root="exercises/", snippet=Snippet(code="relu.relu(1)"), outcome=Outcome.FAILED
    )
    for name in ("relu_import.py", "relu_import_2.py", "relu_import_3.py"):
        path, kept = replay_files.write(case, workspace)
        assert path.name == name
        assert (kept is None) == (name == "relu_import.py")
        assert replay_files.write(case, workspace)[0] == path  # an unchanged file is written again
        path.write_text(path.read_text(encoding="utf-8") + "x = 1\n", encoding="utf-8")


@pytest.mark.parametrize(("rows", "height"), [(1, 160), (6, 160), (7, 161), (27, 621), (28, 640), (40, 640)])
def test_the_frame_of_a_cell_has_160_to_640_pixels(rows, height):
    message = " ".join(["word"] * 14)  # one line of 80 columns each
    result = ExerciseResult(
        id="relu", title="ReLU", outcome=Outcome.NOT_ATTEMPTED, points=0, max_points=1, message=message
    )
    remarks = ("A remark.",) * (rows - 1)
    forms = bundle(result, Help(is_file=False), remarks)
    assert forms["text/plain"].count("\n") == rows
    assert re.search(r"height:(\d+)px", forms["text/html"])[1] == str(height)

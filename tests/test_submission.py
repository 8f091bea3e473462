"""The submission room: a snapshot of what is there, whatever is there."""

import os

import pytest

from grader.errors import UsageError
from grader.submission import MAX_FILE_BYTES, Snapshot, Submission, Unreadable, open_submission


def test_a_module_is_found_under_exercises_and_at_the_top(tmp_path):
    (tmp_path / "relu.py").write_text("top = 1")
    assert Submission(tmp_path).snapshot("relu") == Snapshot(root="", sources={"relu.py": "top = 1"})
    (tmp_path / "exercises").mkdir()
    (tmp_path / "exercises" / "relu.py").write_text("below = 1")
    assert Submission(tmp_path).snapshot("relu").root == "exercises/"


def test_helper_modules_come_along_and_hidden_ones_stay(tmp_path):
    (tmp_path / "relu.py").write_text("import mine")
    (tmp_path / "mine.py").write_text("x = 1")
    (tmp_path / ".venv").mkdir()
    (tmp_path / ".venv" / "big.py").write_text("x = 2")
    assert set(Submission(tmp_path).snapshot("relu").sources) == {"relu.py", "mine.py"}


def test_a_byte_order_mark_is_no_error(tmp_path):
    (tmp_path / "relu.py").write_bytes(b"\xef\xbb\xbfx = 1")
    assert Submission(tmp_path).snapshot("relu").sources == {"relu.py": "x = 1"}


def test_a_helper_that_is_not_utf8_speaks_when_it_is_imported(tmp_path):
    (tmp_path / "relu.py").write_text("import mine")
    (tmp_path / "mine.py").write_bytes(b"\xff")
    assert (
        "ImportError('mine.py is not UTF-8 text" in Submission(tmp_path).snapshot("relu").sources["mine.py"]
    )


def test_a_link_out_of_the_folder_is_refused(tmp_path):
    (tmp_path / "secret.py").write_text("key = 42")
    inside = tmp_path / "submission"
    inside.mkdir()
    (inside / "relu.py").symlink_to(tmp_path / "secret.py")
    snapshot = Submission(inside).snapshot("relu")
    assert isinstance(snapshot, Unreadable)
    assert "link out of this folder" in snapshot.sentence


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda path: path.mkdir(), "is not a file"),
        (lambda path: path.write_bytes(b"#" * (MAX_FILE_BYTES + 1)), "larger than 1 MiB"),
        (lambda path: path.write_bytes(b"a = 1\nb = '\xe9'\n"), "line 2"),
        (os.mkfifo, "is not a file"),
    ],
)
def test_a_module_that_cannot_be_read_says_why(tmp_path, make, words):
    make(tmp_path / "relu.py")
    snapshot = Submission(tmp_path).snapshot("relu")
    assert isinstance(snapshot, Unreadable)
    assert snapshot.attempted
    assert words in snapshot.sentence


def test_a_folder_that_is_none_is_a_usage_error(tmp_path):
    with pytest.raises(UsageError, match="is not a folder"):
        open_submission(tmp_path / "nowhere")

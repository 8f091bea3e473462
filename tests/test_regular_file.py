"""Files that a user names are read only where they are regular files of a limited size: nothing hangs or never ends."""

import errno
import os
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from grader.cli import grade as command
from grader.cli.formats import METADATA_VARIABLE
from grader.core.errors import GraderError
from grader.core.regular_file import read_regular

HERE = Path(__file__).parent

pytestmark = pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs POSIX")


@pytest.fixture(params=["a pipe", "a device", "a link to a device", "a folder"])
def special(request, tmp_path) -> Path:
    """Return the path of something that is no regular file."""
    path = tmp_path / "special"
    if request.param == "a pipe":
        os.mkfifo(path)
    elif request.param == "a folder":
        path.mkdir()
    elif request.param == "a link to a device":
        path.symlink_to("/dev/zero")
    else:
        path = Path("/dev/zero")
    return path


def test_only_a_regular_file_is_read(special):
    with pytest.raises(OSError, match="not a regular file") as caught:
        read_regular(special, 10)
    assert caught.value.errno == errno.EINVAL


@pytest.mark.parametrize(("size", "fits"), [(0, True), (10, True), (11, False)])
def test_a_file_is_read_up_to_the_limit(tmp_path, size, fits):
    path = tmp_path / "file"
    path.write_bytes(b"x" * size)
    if fits:
        assert read_regular(path, 10) == b"x" * size
        return
    with pytest.raises(OSError, match="larger than") as caught:
        read_regular(path, 10)
    assert caught.value.errno == errno.EFBIG


def run(*words: object) -> Result:
    return CliRunner().invoke(command, list(map(str, words)))


@pytest.mark.parametrize(
    "words",
    [
        "report {}", "stats {}", "similar {}", "erase {} ada --reason asked", "export moodle {} --output out.csv",
        "export canvas {} --template class.db --output out.csv", "regrade {} --dry-run",
        "export canvas class.db --template {} --output out.csv",
    ],
)  # fmt: skip
def test_a_command_refuses_what_is_no_regular_file(special, words, tmp_path, monkeypatch):
    monkeypatch.setenv("CONVGRADER_COURSE", str(HERE / "course"))
    monkeypatch.chdir(tmp_path)
    (tmp_path / "class.db").write_bytes((HERE / "old_files" / "class.db").read_bytes())
    done = run(*(word.format(special) for word in words.split()))
    assert isinstance(done.exception, GraderError | SystemExit), done.exception
    said = done.output + str(done.exception)
    assert str(special) in said
    assert "regular file" in said or "is a directory" in said


def test_metadata_of_gradescope_is_read_from_a_regular_file_only(special, monkeypatch):
    monkeypatch.setenv(METADATA_VARIABLE, str(special))
    done = run("report", HERE / "old_files" / "report.json", "--format", "gradescope")
    assert isinstance(done.exception, GraderError)
    assert "it is not a regular file" in str(done.exception)


@pytest.mark.parametrize(
    "text",
    [
        '{"assignment": {"total_points": 1e999}}', '{"assignment": {"total_points": NaN}}', '{"users": {"a": 1}}',
        '{"assignment": {"total_points": -3}}',
        '{"created_at": "0001-01-01T00:00:00+14:00"}', '{"assignment": {"total_points": 1%s}}' % ("0" * 400),
    ],
)  # fmt: skip
def test_metadata_that_cannot_be_used_is_refused(tmp_path, monkeypatch, text):
    path = tmp_path / "metadata.json"
    path.write_text(text)
    monkeypatch.setenv(METADATA_VARIABLE, str(path))
    done = run("report", HERE / "old_files" / "report.json", "--format", "gradescope")
    assert isinstance(done.exception, GraderError)

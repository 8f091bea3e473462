"""Files are replaced in one step: no reader sees a part, no link is followed, nothing is left behind."""

import multiprocessing
import os
import stat
import sys
from pathlib import Path

import pytest

from grader.cli.run import write_bytes
from grader.core import atomic_write
from grader.core.atomic_write import make_folder, write_below, write_whole
from grader.core.errors import GraderError, UsageError
from grader.core.model import Outcome, Snippet
from grader.workspace import replay_files, scaffold
from grader.workspace.opened_hints import OpenedHints
from grader.workspace.state_file import StateFile

TEXTS = [letter * 300_000 for letter in (b"a", b"b", b"c")]
READS = 3_000


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_a_file_is_created_and_replaced_and_nothing_else_is_left(tmp_path):
    for data in (b"one", b"", b"two"):
        write_whole(tmp_path / "f", data)
        assert (tmp_path / "f").read_bytes() == data
    assert names(tmp_path) == ["f"]


def _write_for_ever(path: Path, data: bytes) -> None:
    while True:
        write_whole(path, data)


@pytest.mark.cold
@pytest.mark.skipif(sys.platform == "win32", reason="Windows does not replace a file that is being read")
def test_a_reader_never_sees_a_part_while_several_processes_write(tmp_path):
    path = tmp_path / "f"
    write_whole(path, TEXTS[0])
    context = multiprocessing.get_context("spawn")
    writers = [context.Process(target=_write_for_ever, args=(path, data), daemon=True) for data in TEXTS]
    for writer in writers:
        writer.start()
    seen: set[bytes] = set()
    reads = 0
    while reads < READS:
        data = path.read_bytes()
        assert data in TEXTS
        seen.add(data[:1])
        reads += len(seen) == len(TEXTS)  # counted from when all of them write
    for writer in writers:
        assert writer.is_alive()
        writer.kill()
        writer.join()


@pytest.mark.parametrize("failing", ["fsync", "replace"])
def test_a_failure_leaves_the_old_file_and_nothing_else(tmp_path, monkeypatch, failing):
    write_whole(tmp_path / "f", b"old")

    def fail(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, failing, fail)
    with pytest.raises(OSError, match="No space left"):
        write_whole(tmp_path / "f", b"new")
    assert (tmp_path / "f").read_bytes() == b"old"
    assert names(tmp_path) == ["f"]


def test_file_and_folder_are_synchronized(tmp_path, monkeypatch):
    synced = []
    fsync = os.fsync
    monkeypatch.setattr(
        os, "fsync", lambda descriptor: synced.append(os.fstat(descriptor).st_mode) or fsync(descriptor)
    )
    write_whole(tmp_path / "f", b"new")
    assert list(map(stat.S_IFMT, synced)) == [stat.S_IFREG, stat.S_IFDIR]


@pytest.mark.skipif(sys.platform == "win32", reason="modes of POSIX")
def test_permissions_are_kept_and_new_files_follow_the_umask(tmp_path):
    before = os.umask(0o027)
    try:
        write_whole(tmp_path / "new", b"")
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "new").stat().st_mode) == 0o640
    (tmp_path / "new").chmod(0o600)
    write_whole(tmp_path / "new", b"x")
    assert stat.S_IMODE((tmp_path / "new").stat().st_mode) == 0o600


# --- links: in the folder of a submission they may lead to any file


@pytest.fixture
def precious(tmp_path) -> Path:
    """A file of the instructor, outside the folder of the submission."""
    folder = tmp_path / "instructor"
    folder.mkdir()
    (folder / "precious").write_bytes(b"keep me")
    return folder


def assert_untouched(precious: Path) -> None:
    assert {path.name: path.read_bytes() for path in precious.iterdir()} == {"precious": b"keep me"}


@pytest.mark.parametrize("target", ["precious", "not there yet"])
def test_a_link_in_place_of_the_file_is_replaced(tmp_path, precious, target):
    (tmp_path / "f").symlink_to(precious / target)
    write_whole(tmp_path / "f", b"new")
    assert not (tmp_path / "f").is_symlink()
    assert_untouched(precious)


def test_a_link_under_the_temporary_name_is_not_followed(tmp_path, precious, monkeypatch):
    monkeypatch.setattr(atomic_write.secrets, "token_hex", lambda _: "guessed")
    (tmp_path / ".guessed.new").symlink_to(precious / "precious")
    with pytest.raises(FileExistsError):
        write_whole(tmp_path / "f", b"new")
    assert_untouched(precious)


def test_folders_are_created_and_none_may_be_a_link(tmp_path, precious):
    write_below(tmp_path / "new", "a/b/f", b"1")
    assert (tmp_path / "new" / "a" / "b" / "f").read_bytes() == b"1"
    (tmp_path / "link").symlink_to(precious)
    (tmp_path / "dangling").symlink_to(tmp_path / "nowhere")
    for name in ("link/f", "link/deeper/f", "dangling/f"):
        with pytest.raises(OSError, match="is a link, and links are not followed"):
            write_below(tmp_path, name, b"1")
    with pytest.raises(OSError, match="link is a link"):
        make_folder(tmp_path / "link")
    assert_untouched(precious)
    assert not (tmp_path / "nowhere").exists()


def _state(folder: Path, course) -> None:
    StateFile(folder, "progress.json", "it is made again").write({"a": 1})


def _hint(folder: Path, course) -> None:
    (folder / "scaling.py").write_text("")
    OpenedHints(folder).open(course.exercises[0], 1)


def _replay(folder: Path, course) -> None:
    case = replay_files.Case(exercise="scaling", root="", snippet=Snippet(code="1"), outcome=Outcome.FAILED)
    replay_files.write(case, folder)


def _reset(folder: Path, course) -> None:
    from datetime import UTC, datetime

    (folder / "exercises").mkdir(exist_ok=True)
    (folder / "exercises" / "scaling.py").write_text("mine")
    scaffold.reset(course.exercises[0], folder, datetime.now(UTC))


def _init(folder: Path, course) -> None:
    scaffold.create(course, folder, 0)


# What writes into a folder that may be somebody else's, and the folders and files that it writes.
WRITERS = {
    "state": (_state, [".grade", ".grade/progress.json"]),
    "hints": (_hint, [".grade", ".grade/hints.json"]),
    "replay": (_replay, ["replays", "replays/scaling_import.py"]),
    "reset": (_reset, ["backups"]),
    "init": (_init, ["exercises", "exercises/scaling.py", "exercises/data", "README.md"]),
}


@pytest.mark.parametrize(
    ("writer", "place"), [(name, place) for name, (_, places) in WRITERS.items() for place in places]
)
@pytest.mark.parametrize("target", [".", "precious", "not there yet"])
def test_no_writer_of_a_workspace_follows_a_link(tmp_path, precious, course, writer, place, target):
    folder = tmp_path / "hand-in"
    (folder / place).parent.mkdir(parents=True)
    (folder / place).symlink_to(precious / target)
    write, _ = WRITERS[writer]
    refusal = None
    try:
        write(folder, course)
    except UsageError as error:
        refusal = str(error)
    if place in (".grade", "replays", "backups"):
        assert refusal is not None
        assert "link" in refusal or "cannot be read" in refusal
    assert_untouched(precious)


def test_an_output_file_that_is_a_link_is_refused(tmp_path, precious):
    (tmp_path / "report.json").symlink_to(precious / "precious")
    with pytest.raises(UsageError, match="is a link, and links are not followed"):
        write_bytes(b"report", tmp_path / "report.json")
    assert_untouched(precious)


@pytest.mark.skipif(sys.platform != "linux", reason="/dev/fd")
def test_a_file_behind_a_device_is_written_and_not_replaced(tmp_path):
    with (tmp_path / "redirected").open("wb") as file:
        write_bytes(b"report", Path(f"/dev/fd/{file.fileno()}"))
        assert os.fstat(file.fileno()).st_ino == (tmp_path / "redirected").stat().st_ino
    assert (tmp_path / "redirected").read_bytes() == b"report"


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="Linux has /dev/full")
def test_a_full_disk_is_no_usage_error():
    with pytest.raises(
        GraderError, match=r"^/dev/full cannot be written: No space left on device\.$"
    ) as full:
        write_bytes(b"report", Path("/dev/full"))
    assert full.value.exit_code == 3

"""The submission room: a snapshot of what is there, whatever is there."""

import os
import stat
import tracemalloc
import zipfile
from dataclasses import replace

import pytest

from grader.core.errors import UsageError
from grader.grading import attempt
from grader.submission import MAX_MODULE_BYTES, Snapshot, Text, Unreadable, open_submission
from grader.submission.tree import MAX_MODULES, MAX_TOTAL_BYTES


def test_a_module_is_found_under_exercises_and_at_the_top(tmp_path):
    (tmp_path / "relu.py").write_text("top = 1")
    assert open_submission(tmp_path).snapshot("relu") == Snapshot(root="", sources={"relu.py": "top = 1"})
    (tmp_path / "exercises").mkdir()
    (tmp_path / "exercises" / "relu.py").write_text("below = 1")
    assert open_submission(tmp_path).snapshot("relu").root == "exercises/"


def test_helper_modules_come_along_and_hidden_ones_stay(tmp_path):
    (tmp_path / "relu.py").write_text("import mine")
    (tmp_path / "mine.py").write_text("x = 1")
    (tmp_path / ".venv").mkdir()
    (tmp_path / ".venv" / "big.py").write_text("x = 2")
    assert set(open_submission(tmp_path).snapshot("relu").sources) == {"relu.py", "mine.py"}


def test_a_byte_order_mark_is_no_error(tmp_path):
    (tmp_path / "relu.py").write_bytes(b"\xef\xbb\xbfx = 1")
    assert open_submission(tmp_path).snapshot("relu").sources == {"relu.py": "x = 1"}


def test_a_helper_that_is_not_utf8_speaks_when_it_is_imported(tmp_path):
    (tmp_path / "relu.py").write_text("import mine")
    (tmp_path / "mine.py").write_bytes(b"\xff")
    assert (
        "ImportError('mine.py is not UTF-8 text"
        in open_submission(tmp_path).snapshot("relu").sources["mine.py"]
    )


def test_a_link_out_of_the_folder_is_refused(tmp_path):
    (tmp_path / "secret.py").write_text("key = 42")
    inside = tmp_path / "submission"
    inside.mkdir()
    (inside / "relu.py").symlink_to(tmp_path / "secret.py")
    snapshot = open_submission(inside).snapshot("relu")
    assert isinstance(snapshot, Unreadable)
    assert "leads out of this folder" in snapshot.sentence


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda path: path.mkdir(), "is not a file"),
        (lambda path: path.write_bytes(b"#" * (MAX_MODULE_BYTES + 1)), "larger than 1 MiB"),
        (lambda path: path.write_bytes(b"a = 1\nb = '\xe9'\n"), "line 2"),
        (os.mkfifo, "is not a file"),
    ],
)
def test_a_module_that_cannot_be_read_says_why(tmp_path, make, words):
    make(tmp_path / "relu.py")
    snapshot = open_submission(tmp_path).snapshot("relu")
    assert isinstance(snapshot, Unreadable)
    assert snapshot.attempted
    assert words in snapshot.sentence


def test_a_folder_that_is_none_is_a_usage_error(tmp_path):
    with pytest.raises(UsageError, match="not a folder, not a zip and no notebook"):
        open_submission(tmp_path / "nowhere")


# --- folders that were made to hurt


@pytest.mark.parametrize(
    "make",
    [
        os.mkfifo,
        lambda path: path.symlink_to("/dev/zero"),
        lambda path: path.symlink_to("/etc/passwd"),
        lambda path: path.symlink_to("../../../../etc/passwd"),
        lambda path: path.write_text("a: " * 200_000),
        lambda path: path.mkdir(),
        lambda path: path.symlink_to(path.name),
    ],
    ids=["pipe", "device", "link", "link that climbs", "huge", "folder", "link to itself"],
)
def test_an_answers_file_that_is_none_says_so_at_once(tmp_path, make):
    (tmp_path / "answers").mkdir()
    make(tmp_path / "answers" / "pooling.yaml")
    answers = open_submission(tmp_path).answers("pooling")
    assert isinstance(answers, Unreadable)
    assert answers.sentence.startswith("answers/pooling.yaml ")


def test_a_folder_that_is_a_link_out_is_not_followed(tmp_path):
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "relu.py").write_text("secret = 1")
    (tmp_path / "other" / "helper.py").write_text("secret = 2")
    inside = tmp_path / "submission"
    inside.mkdir()
    (inside / "exercises").symlink_to(tmp_path / "other")
    assert isinstance(open_submission(inside).snapshot("relu"), Unreadable)
    (inside / "pooling.py").write_text("x = 1")
    (inside / "linked").symlink_to(tmp_path / "other")
    assert open_submission(inside).snapshot("pooling").sources == {"pooling.py": "x = 1"}


def test_a_folder_without_end_is_read_within_bounds(tmp_path):
    (tmp_path / "relu.py").write_text("x = 1")
    for n in range(60):
        folder = tmp_path / f"deep{n:02}"
        folder.mkdir()
        for m in range(100):
            (folder / f"m{m}.py").touch()
    assert len(open_submission(tmp_path).snapshot("relu").sources) <= MAX_MODULES + 1


# --- zips


def zipped(path, members, *, compression=zipfile.ZIP_DEFLATED):
    """Write a zip of (name, content) pairs, whatever the names are."""
    with zipfile.ZipFile(path, "w", compression) as file:
        for name, content in members:
            file.writestr(name, content)
    return path


@pytest.mark.parametrize("top", ["", "my-cnn/"])
def test_a_zip_is_read_like_its_folder(tmp_path, top):
    members = [
        (f"{top}exercises/relu.py", "import mine"),
        (f"{top}exercises/mine.py", "x = 1"),
        (f"{top}exercises/.venv/big.py", "x = 2"),
        (f"{top}answers/pooling.yaml", "quiz: pooling"),
        ("__MACOSX/exercises/._relu.py", "\0"),
    ]
    submission = open_submission(zipped(tmp_path / "ada.zip", members))
    assert submission.snapshot("relu") == Snapshot(
        root="exercises/", sources={"relu.py": "import mine", "mine.py": "x = 1"}
    )
    assert submission.answers("pooling") == Text(name="answers/pooling.yaml", text="quiz: pooling")
    assert submission.answers("relu") is None
    assert isinstance(submission.snapshot("pooling"), Unreadable)


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("../exercises/relu.py", "leads out of it"),
        ("exercises/../../relu.py", "leads out of it"),
        ("/etc/relu.py", "leads out of it"),
        ("C:\\exercises\\relu.py", "leads out of it"),
        ("..\\relu.py", "leads out of it"),
    ],
)
def test_a_zip_whose_names_lead_out_is_refused(tmp_path, name, words):
    with pytest.raises(UsageError, match=words):
        open_submission(zipped(tmp_path / "bad.zip", [("exercises/relu.py", "x = 1"), (name, "y = 1")]))


def test_a_zip_that_holds_a_name_twice_is_refused(tmp_path):
    with pytest.warns(UserWarning, match="Duplicate name"):
        path = zipped(tmp_path / "bad.zip", [("exercises/relu.py", "x = 1"), ("exercises/relu.py", "x = 2")])
    with pytest.raises(UsageError, match="twice"):
        open_submission(path)


def test_a_link_in_a_zip_is_not_read(tmp_path):
    link = zipfile.ZipInfo("exercises/relu.py")
    link.external_attr = (stat.S_IFLNK | 0o777) << 16
    snapshot = open_submission(zipped(tmp_path / "bad.zip", [(link, "/etc/passwd")])).snapshot("relu")
    assert "is a link" in snapshot.sentence


def test_a_zip_bomb_costs_no_more_than_the_limit_of_a_file(tmp_path):
    bomb = zipped(tmp_path / "bomb.zip", [("exercises/relu.py", b"#" * 200_000_000)])
    assert bomb.stat().st_size < 400_000
    submission = open_submission(bomb)
    tracemalloc.start()
    try:
        snapshot = submission.snapshot("relu")
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert "larger than 1 MiB" in snapshot.sentence
    assert peak < 8 * 2**20


def test_many_large_members_are_too_large_together(tmp_path):
    members = [(f"exercises/m{n:02}.py", b"#" * 2**20) for n in range(40)]
    submission = open_submission(zipped(tmp_path / "many.zip", [("exercises/relu.py", "x = 1"), *members]))
    sources = submission.snapshot("relu").sources
    assert sum(map(len, sources.values())) <= MAX_TOTAL_BYTES + 2**20
    assert "too large together" in sources["m39.py"]


@pytest.mark.parametrize("damage", [slice(45, 60), slice(-60, -40), slice(0, 40)])
def test_a_damaged_zip_says_so(tmp_path, damage):
    path = zipped(tmp_path / "damaged.zip", [("exercises/relu.py", "x = 1\n" * 100)])
    data = bytearray(path.read_bytes())
    data[damage] = bytes(byte ^ 0x5A for byte in data[damage])
    path.write_bytes(data)
    try:
        sentence = open_submission(path).snapshot("relu").sentence
    except UsageError as error:
        sentence = str(error)
    assert "damaged" in sentence or "cannot be read as a zip" in sentence


def test_a_file_that_is_no_zip_is_a_usage_error(tmp_path):
    (tmp_path / "essay.zip").write_text("I did my homework.")
    with pytest.raises(UsageError, match="cannot be read as a zip"):
        open_submission(tmp_path / "essay.zip")


@pytest.mark.parametrize("compression", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_only_plain_compression_is_read(tmp_path, compression):
    path = zipped(tmp_path / "odd.zip", [("exercises/relu.py", "x = 1")], compression=compression)
    assert "unusual" in open_submission(path).snapshot("relu").sentence


def test_work_is_read_though_the_course_lacks_its_stub(course, tmp_path):
    (exercise,) = (one for one in course.exercises if one.id == "scaling")
    (tmp_path / "scaling.py").write_text("x = 1", encoding="utf-8")
    without = replace(exercise, stub=tmp_path / "nowhere.py")
    assert attempt.plan(open_submission(tmp_path), [without], 0).jobs["scaling"].sources == {
        "scaling.py": "x = 1"
    }

"""What a class handed in: whose submission each file or folder is, and when it was handed in."""

import os
import zipfile
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest

from grader.core.errors import UsageError
from grader.submission import collection
from grader.submission.collection import HandedIn, find


def submission(folder: Path) -> Path:
    (folder / "exercises").mkdir(parents=True)
    return folder


def archive(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(path, "w") as made:
        made.writestr("exercises/scaling.py", "")
    return path


def paths(root: Path, assignment: str | None = None) -> dict[str, str]:
    return {one.student: one.path.relative_to(root).as_posix() for one in find(root, assignment)}


def test_folders_zips_and_notebooks_are_submissions_and_nothing_else_is(tmp_path):
    submission(tmp_path / "ada")
    archive(tmp_path / "bob.zip")
    archive(tmp_path / "Cyd.ZIP")
    (tmp_path / "dan.ipynb").write_text("{}", encoding="utf-8")
    (tmp_path / "readme.txt").write_text("", encoding="utf-8")
    (tmp_path / ".git").mkdir()
    (tmp_path / "__MACOSX").mkdir()
    (tmp_path / "eve").symlink_to(tmp_path / "ada")
    assert paths(tmp_path) == {"Cyd": "Cyd.ZIP", "ada": "ada", "bob": "bob.zip", "dan": "dan.ipynb"}


def test_two_submissions_of_one_student_are_refused_and_the_others_are_found(tmp_path):
    submission(tmp_path / "ann")
    submission(tmp_path / "bob")
    archive(tmp_path / "bob.zip")
    ann, bob = find(tmp_path)
    assert (ann.student, bob.student) == ("ann", "bob")
    ann.open()
    with pytest.raises(UsageError, match=r"bob handed in twice: bob and bob\.zip\. Take one of them out of"):
        bob.open()


def test_a_folder_without_submissions_is_refused(tmp_path):
    with pytest.raises(UsageError, match="There is no submission in"):
        find(tmp_path)


def test_the_folder_of_one_student_is_no_class(tmp_path):
    with pytest.raises(UsageError, match=r"is one submission.*: grade --submission "):
        find(submission(tmp_path / "ada"))


def test_a_tree_gives_the_assignment_that_is_named_or_the_only_one(tmp_path):
    submission(tmp_path / "ada" / "week4")
    submission(tmp_path / "ada" / "week5")
    archive(tmp_path / "bob" / "week4.zip")
    assert paths(tmp_path, "week4") == {"ada": "ada/week4", "bob": "bob/week4.zip"}
    by_student = {one.student: one for one in find(tmp_path)}
    assert by_student["bob"].path.name == "week4.zip"
    with pytest.raises(
        UsageError, match=r"ada holds several hand-ins: week4, week5\. Name one: --assignment"
    ):
        by_student["ada"].open()
    with pytest.raises(UsageError, match="bob holds nothing named week5; it holds week4"):
        {one.student: one for one in find(tmp_path, "week5")}["bob"].open()


@pytest.mark.parametrize("kind", ["exercises", "answers", "modules"])
def test_a_folder_that_is_a_submission_is_not_searched_for_others(tmp_path, kind):
    folder = tmp_path / "ada"
    (folder / "more" / "exercises").mkdir(parents=True)
    if kind == "modules":
        (folder / "pooling.py").write_text("", encoding="utf-8")
    else:
        (folder / kind).mkdir()
    assert paths(tmp_path) == {"ada": "ada"}


def test_an_empty_folder_is_a_students_too(tmp_path):
    (tmp_path / "ada").mkdir()
    assert paths(tmp_path) == {"ada": "ada"}


def test_it_was_handed_in_when_its_newest_file_was_written(tmp_path):
    folder = submission(tmp_path / "ada")
    for n, name in enumerate(["old.py", "new.py"]):
        (folder / "exercises" / name).write_text("", encoding="utf-8")
        os.utime(folder / "exercises" / name, (1_700_000_000 + n, 1_700_000_000 + n))
    expected = datetime.fromtimestamp(1_700_000_001, UTC)
    assert HandedIn(student="ada", path=folder).moment({}).at == expected
    zipped = archive(tmp_path / "bob.zip")
    os.utime(zipped, (1_700_000_000, 1_700_000_000))
    assert HandedIn(student="bob", path=zipped).moment({}).at == datetime.fromtimestamp(1_700_000_000, UTC)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2026-11-30 23:58:07.123456 UTC", datetime(2026, 11, 30, 23, 58, 7, 123456, UTC)),
        ("2026-11-30 23:58:07 Europe/Berlin", datetime(2026, 11, 30, 22, 58, 7, tzinfo=UTC)),
        (
            "2026-11-30 23:58:07+02:00\n",
            datetime(2026, 11, 30, 23, 58, 7, tzinfo=timezone(timedelta(hours=2))),
        ),
        ("2026-11-30 23:58:07", datetime(2026, 11, 30, 23, 58, 7, tzinfo=UTC)),
    ],
)
def test_the_time_at_which_nbgrader_collected_comes_first(tmp_path, text, expected):
    folder = submission(tmp_path / "ada")
    (folder / "timestamp.txt").write_text(text, encoding="utf-8")
    assert HandedIn(student="ada", path=folder).moment({}).at == expected


@pytest.mark.parametrize(
    "text",
    ["", "yesterday", "2026-11-30 23:58:07 ../../etc/passwd", "2026-11-30 23:58:07 No/Zone", "9" * 300],
)
def test_a_time_that_cannot_be_read_is_none(tmp_path, text):
    folder = submission(tmp_path / "ada")
    path = folder / "timestamp.txt"
    path.write_text(text, encoding="utf-8")
    os.utime(path, (1_700_000_000, 1_700_000_000))
    assert HandedIn(student="ada", path=folder).moment({}).at == datetime.fromtimestamp(1_700_000_000, UTC)


@pytest.mark.parametrize(("size", "is_read"), [(200, True), (201, False)])
def test_a_time_is_read_from_a_file_of_at_most_200_bytes(tmp_path, size, is_read):
    folder = submission(tmp_path / "ada")
    path = folder / "timestamp.txt"
    path.write_text("2026-11-30 23:58:07 UTC".ljust(size), encoding="utf-8")
    os.utime(path, (1_700_000_000, 1_700_000_000))
    expected = (
        datetime(2026, 11, 30, 23, 58, 7, tzinfo=UTC)
        if is_read
        else datetime.fromtimestamp(1_700_000_000, UTC)
    )
    assert HandedIn(student="ada", path=folder).moment({}).at == expected


def test_messages_name_three_files_and_six_hand_ins_and_count_the_rest(tmp_path):
    assert collection._uncommitted(["a", "b", "c"]).endswith(": a, b, c")
    assert collection._uncommitted(["a", "b", "c", "d", "e"]).endswith(": a, b, c and 2 more")
    for n in range(7):
        submission(tmp_path / "ada" / f"week{n}")
    (one,) = find(tmp_path)
    assert "week5. Name one" in one.problem
    assert "week6" not in one.problem

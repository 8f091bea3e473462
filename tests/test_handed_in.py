"""What a class handed in: whose submission each file or folder is, and when it was handed in."""

import contextlib
import errno
import os
import tempfile
import unicodedata
import zipfile
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from grader.core import scoring
from grader.core.errors import UsageError
from grader.core.model import Isolation, Outcome, Versions
from grader.core.safetext import printable_name
from grader.grading import attempt, messages
from grader.report import from_json, to_json
from grader.submission import Recording, Stored, Submission, handed_in, open_submission
from grader.submission.collection import find
from grader.submission.handed_in import HandedIn


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


@pytest.mark.parametrize("name", ["exercises", "answers"])
def test_a_student_may_have_the_name_of_a_part(tmp_path, name):
    submission(tmp_path / "ada")
    submission(tmp_path / name)
    assert paths(tmp_path) == {"ada": "ada", name: name}


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


@pytest.mark.parametrize("where", ["of a student", "of an assignment"])
def test_a_folder_that_cannot_be_listed_is_named_and_the_others_are_found(tmp_path, monkeypatch, where):
    submission(tmp_path / "ann")
    hidden = tmp_path / "bob" if where == "of a student" else tmp_path / "bob" / "week4"
    hidden.mkdir(parents=True)
    real = os.scandir

    def scandir(path):
        if Path(path) == hidden:
            raise PermissionError(errno.EACCES, "Permission denied", str(path))
        return real(path)

    monkeypatch.setattr(os, "scandir", scandir)
    ann, bob = find(tmp_path)
    assert not ann.problem
    if where == "of a student":
        assert bob.problem == "bob cannot be read: Permission denied. Make it readable, and run this again."
    monkeypatch.setattr(os, "scandir", lambda _: scandir(hidden))
    with pytest.raises(UsageError, match=r"cannot be read: Permission denied\. Make it readable"):
        find(tmp_path)


def test_pipes_devices_and_links_are_named_and_not_read(tmp_path):
    submission(tmp_path / "ann")
    os.mkfifo(tmp_path / "pipe.zip")
    (tmp_path / "device.zip").symlink_to("/dev/zero")
    (tmp_path / "around.ipynb").symlink_to("around.ipynb")
    (tmp_path / "loop").symlink_to(".")
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "notes.txt").symlink_to("/dev/zero")
    assert {one.student: one.problem for one in find(tmp_path)} == {
        "ann": "",
        "around": "around.ipynb is a link, and links are not followed. Put a copy of the hand-in in its place.",
        "device": "device.zip is a link, and links are not followed. Put a copy of the hand-in in its place.",
        "loop": "loop is a link, and links are not followed. Put a copy of the hand-in in its place.",
        "pipe": "pipe.zip is neither a folder nor a file. Put a copy of the hand-in in its place.",
    }


def test_links_in_a_students_folder_are_no_hand_ins(tmp_path):
    submission(tmp_path / "ann" / "week4")
    (tmp_path / "ann" / "week5").symlink_to("week4")
    assert paths(tmp_path) == {"ann": "ann/week4"}


def test_a_name_with_underscores_is_a_students(tmp_path):
    submission(tmp_path / "__name")
    (tmp_path / "__pycache__").mkdir()
    assert paths(tmp_path) == {"__name": "__name"}


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


NEVER = [-1e20, -(2.0**40), -1, 7_258_118_401, 2.0**35, 2.0**63, 1e20, float("inf"), float("nan")]
NOT_TIMES = [
    "0001-01-01 00:00:00 Asia/Tokyo", "0001-01-01 00:00:00+14:00", "9999-12-31 23:59:59 America/New_York",
    "9999-12-31 23:59:59.999999-12:00", "1969-12-31 23:59:59 UTC", "2200-01-01 00:00:01", "2026-13-01 00:00:00", "yesterday",
    "2026-11-30 23:58:07 ../../etc/passwd", "2026-11-30 23:58:07 /etc/passwd", "2026-11-30 23:58:07 Europe", "\0",
    "2026-11-30 23:58:07 \0", "2026-11-30 23:58:07 zone.tab", "2026-11-30 24:00:00 UTC", "9" * 150, "\x1b[2J",
]  # fmt: skip


def is_usable(moment: handed_in.Moment) -> bool:
    """Calculate with a time as a late policy does, and as the gradebook."""
    zones = [moment.at.astimezone(ZoneInfo(name)) for name in ("Pacific/Kiritimati", "Pacific/Midway")]
    return datetime.fromisoformat(moment.at.isoformat()) == zones[0] - timedelta(days=600) + timedelta(
        days=600
    )


@pytest.mark.parametrize("text", NOT_TIMES)
def test_a_timestamp_that_is_no_time_is_quoted_and_the_newest_file_tells_it(tmp_path, text):
    folder = submission(tmp_path / "ada")
    (folder / "timestamp.txt").write_text(text, encoding="utf-8")
    os.utime(folder / "timestamp.txt", (1_700_000_000, 1_700_000_000))
    moment = HandedIn(student="ada", path=folder).moment({})
    assert moment.at == datetime.fromtimestamp(1_700_000_000, UTC)
    assert moment.note.startswith('timestamp.txt says "')
    assert moment.note.endswith('": its newest file tells the time')
    assert is_printable(moment.note)


@pytest.mark.parametrize("seconds", NEVER)
def test_a_file_changed_at_no_time_is_named_and_the_others_tell_it(tmp_path, monkeypatch, seconds):
    folder = submission(tmp_path / "ada")
    (folder / "new.py").touch()
    (folder / "never.py").touch()
    times = {"new.py": 1_700_000_000.0, "never.py": seconds, "ada": seconds, "bob.zip": seconds}
    monkeypatch.setattr(handed_in, "changed_at", lambda path: times[path.name])
    moment = HandedIn(student="ada", path=folder).moment({})
    assert moment.at == datetime.fromtimestamp(1_700_000_000, UTC)
    assert moment.note == "a file was changed at a time that cannot be true: its newest file tells the time"
    (folder / "new.py").unlink()
    for one in (folder, archive(tmp_path / "bob.zip")):
        moment = HandedIn(student="x", path=one).moment({})
        assert moment.at == handed_in.EARLIEST
        assert moment.note.endswith("nothing tells the time, so it is that of 1970")
        assert is_usable(moment)


@pytest.mark.parametrize("at", [handed_in.EARLIEST, handed_in.LATEST])
def test_the_first_and_the_last_time_can_be_calculated_with(tmp_path, monkeypatch, at):
    monkeypatch.setattr(handed_in, "changed_at", lambda _: at.timestamp())
    moment = HandedIn(student="ada", path=submission(tmp_path / "ada")).moment({})
    assert moment == handed_in.Moment(at=at)
    assert is_usable(moment)


@given(st.text(max_size=60))
def test_any_timestamp_gives_a_time(text):
    with tempfile.TemporaryDirectory() as root:
        Path(root, "timestamp.txt").write_text(text, encoding="utf-8", errors="replace")
        assert is_usable(HandedIn(student="ada", path=Path(root)).moment({}))


def test_what_vanishes_while_it_is_graded_has_a_time_too(tmp_path):
    assert is_usable(HandedIn(student="ada", path=tmp_path / "gone").moment({}))


def test_messages_name_three_files_and_six_hand_ins_and_count_the_rest(tmp_path):
    assert handed_in._uncommitted(["a", "b", "c"]).endswith(": a, b, c")
    assert handed_in._uncommitted(["a", "b", "c", "d", "e"]).endswith(": a, b, c and 2 more")
    for n in range(7):
        submission(tmp_path / "ada" / f"week{n}")
    (one,) = find(tmp_path)
    assert "week5. Name one" in one.problem
    assert "week6" not in one.problem


# --- names are bytes until they are shown

AWKWARD = [
    b"M\xfcller", "Müller".encode(), unicodedata.normalize("NFD", "Müller").encode(), rb"M\xfcller", b"a\nb", b"\x1b[2J",
    "\u202egnp.exe".encode(), "\u200b".encode(), b"\xed\xa0\x80", b" ", b"-rf", b"=1+1", b"a\\b", b"x" * 250, b"\xff" * 250,
    ("\U000e0001" * 60).encode(), "e\u0301".encode() * 80, b"C:", b"ANN", b"ann", b"%s{}", b"con", b"..b", b"a..",
]  # fmt: skip
MEANING_SOMETHING = (b".", b"..", b"exercises", b"answers", b"scaling")
NAMES = (
    st.sampled_from(AWKWARD)
    | st.binary(min_size=1, max_size=60)
    | st.text(min_size=1, max_size=40).map(lambda text: text.encode("utf-8", "surrogatepass"))
).filter(lambda name: not set(name) & set(b"/\0") and name not in MEANING_SOMETHING and len(name) <= 250)


def is_printable(text: str) -> bool:
    text.encode()
    return not any(unicodedata.category(character)[0] == "C" for character in text)


def goes_through(course, submission: Submission) -> attempt.Plan:
    """Take a submission through everything that is made of it without running it, and back."""
    recording = Recording(submission.tree)
    recorded = Submission(recording)
    planned = attempt.plan(recorded, course.exercises, 0)
    quizzes = list(attempt.Quizzes(course).grade(recorded))
    for job in planned.jobs.values():
        assert messages.decode(messages.encode(job)) == job
        assert is_printable(job.root)
        assert all(map(is_printable, job.sources))
    results = [
        planned.refused.get(exercise.id)
        or scoring.exercise_result(
            exercise, (), outcome=Outcome.RAISED, message="\n".join(planned.jobs[exercise.id].sources)
        )
        for exercise in course.exercises
    ]
    versions = Versions(grader="1", torch="2", python="3")
    report = scoring.report(results, quizzes, isolation=Isolation(level=2), versions=versions, seed=0)
    assert from_json(to_json(report)) == report
    assert Stored.unpack(recording.kept.pack()) == recording.kept
    again = attempt.plan(Submission(Stored.unpack(recording.kept.pack())), course.exercises, 0)
    assert again == planned
    return planned


@given(st.sets(NAMES, min_size=1, max_size=6))
def test_two_names_are_never_shown_as_one_unless_they_are_the_same_text(names):
    shown = {name: printable_name(os.fsdecode(name)) for name in names}
    assert all(map(is_printable, shown.values()))
    texts = {unicodedata.normalize("NFC", os.fsdecode(name)) for name in names}
    assert len(set(shown.values())) == len(texts)


@given(st.sets(NAMES, min_size=1, max_size=6))
def test_any_names_of_students_are_told_apart(names):
    with tempfile.TemporaryDirectory() as root:
        for name in names:
            submission(Path(root, os.fsdecode(name)))
        submission(Path(root, "honest"))
        found = find(Path(root))
        ids = [one.student for one in found]
        assert "honest" in ids
        assert len(set(ids)) == len(ids)
        assert all(map(is_printable, ids))
        assert all(len(student.encode()) <= 200 for student in ids)
        made_by_programs = (b"__MACOSX", b"__pycache__")
        seen = {n for n in [*names, b"honest"] if not n.startswith(b".") and n not in made_by_programs}
        alike = {unicodedata.normalize("NFC", os.fsdecode(name)) for name in seen}
        assert len(found) == len(alike)
        for one in found:
            with contextlib.suppress(UsageError):
                one.open()
                assert one.student not in one.problem
        assert sum(bool(one.problem) for one in found) <= len(seen) - len(alike)
        if len(seen) == len(alike):
            assert not any(one.problem for one in found)


def test_two_names_that_look_alike_are_one_student_of_whom_nothing_is_graded(tmp_path):
    for form in ("NFC", "NFD"):
        submission(tmp_path / unicodedata.normalize(form, "Zoë"))
    (one,) = find(tmp_path)
    assert one.student == "Zoë"
    with pytest.raises(
        UsageError, match=r"handed in twice: 'Zoe\\u0308' and 'Zo\\xeb'\. Take one of them out"
    ):
        one.open()


@given(name=NAMES, form=st.sampled_from(["folder", "zip", "zip in UTF-8"]), is_cell=st.booleans())
def test_any_name_of_a_helper_or_a_notebook_goes_through_everything(course, name, form, is_cell):
    members = {
        b"scaling.py": b"x = 1", b"exercises/" + name + b".py": b"y = 2", name + b"/" + name + b".py": b"z = 3",
        name + b".ipynb": b'{"nbformat": 4, "cells": [{"cell_type": "code", "source": "%%grade scaling\\nx = 1"}]}',
        b"answers/" + name + b".yaml": b"",
    }  # fmt: skip
    if is_cell:
        del members[b"scaling.py"]
    with tempfile.TemporaryDirectory() as root:
        path = Path(root, "ann")
        if form == "folder":
            for member, content in members.items():
                file = path / os.fsdecode(member)
                with contextlib.suppress(
                    OSError
                ):  # one name is too long with its ending, or two are the same
                    file.parent.mkdir(parents=True, exist_ok=True)
                    file.write_bytes(content)
        else:
            path = raw_zip(Path(root, "ann.zip"), members, utf8=form == "zip in UTF-8")
        try:
            opened = open_submission(path)
        except UsageError as error:
            assert form != "folder"
            assert is_printable(str(error))
            return
        planned = goes_through(course, opened)
        if not is_cell:
            assert planned.jobs["scaling"].sources["scaling.py"] == "x = 1"


@pytest.mark.parametrize("form", ["folder", "zip"])
@pytest.mark.parametrize(
    ("name", "shown"),
    [(b"gr\xf6sse", {"folder": "gr\\xf6sse", "zip": "gr÷sse"}), ("gro\u0308sse".encode(), "grösse"), (b"a\nb", "a\\nb")],
)  # fmt: skip
def test_a_helper_is_read_under_the_name_that_is_shown(tmp_path, name, shown, form):
    members = {b"exercises/scaling.py": b"x = 1", b"exercises/" + name + b".py": b"y = 2"}
    path = tmp_path / "ann"
    if form == "folder":
        (path / "exercises").mkdir(parents=True)
        for member, content in members.items():
            (path / os.fsdecode(member)).write_bytes(content)
    else:
        path = raw_zip(tmp_path / "ann.zip", members)
    shown = shown if isinstance(shown, str) else shown[form]
    assert open_submission(path).snapshot("scaling").sources == {
        "scaling.py": "x = 1",
        f"{shown}.py": "y = 2",
    }


class RawInfo(zipfile.ZipInfo):
    """A member whose name is any bytes."""

    raw, utf8 = b"", False

    def _encodeFilenameFlags(self):  # noqa: N802 - zipfile's name
        return self.raw, self.flag_bits | (0x800 if self.utf8 else 0)


def raw_zip(path: Path, members: dict[bytes, bytes], *, utf8: bool = False) -> Path:
    """Write a zip whose names are these bytes, marked as UTF-8 or not."""
    with zipfile.ZipFile(path, "w") as made:
        for number, (name, content) in enumerate(members.items()):
            info = RawInfo(f"member{number}")
            info.raw, info.utf8 = name, utf8
            made.writestr(info, content)
    return path

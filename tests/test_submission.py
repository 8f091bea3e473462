"""Submissions: what is read of folders, zips and notebooks, well formed or not."""

import contextlib
import errno
import json
import os
import re
import stat
import struct
import subprocess
import tempfile
import tracemalloc
import zipfile
import zlib
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from grader.core.errors import UsageError
from grader.core.yaml_document import MAX_DEPTH_LEVELS, MAX_NODES
from grader.grading import attempt
from grader.sandbox.protocol import frames
from grader.sandbox.protocol import messages as wire
from grader.submission import (
    MAX_ANSWERS_BYTES,
    MAX_MODULE_BYTES,
    Damaged,
    Snapshot,
    Stored,
    Text,
    Unreadable,
    folder,
    open_submission,
)
from grader.submission.archive import MAX_DIRECTORY_BYTES, Archive
from grader.submission.collection import find
from grader.submission.handed_in import HandedIn
from grader.submission.notebook import MAX_CELLS, MAX_CELLS_CHARS, MAX_NOTEBOOK_BYTES, read_cells
from grader.submission.stored import MAX_UNPACKED_BYTES
from grader.submission.tree import (
    MAX_ENTRIES,
    MAX_MODULES,
    MAX_PATH_BYTES,
    MAX_SOURCES_BYTES,
    MAX_TOTAL_BYTES,
)


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


def test_a_helper_that_is_not_utf8_raises_when_it_is_imported(tmp_path):
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
        (lambda path: path.write_bytes(b"#" * (MAX_MODULE_BYTES + 1)), "larger than the limit of 1 MiB"),
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


# --- hostile folders


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
        ("c:/relu.py", "leads out of it"),
        ("C:", "leads out of it"),
        ("\\\\server\\share\\relu.py", "leads out of it"),
        ("..\\relu.py", "leads out of it"),
    ],
)
def test_a_zip_whose_names_lead_out_is_refused(tmp_path, name, words):
    with pytest.raises(UsageError, match=words):
        open_submission(zipped(tmp_path / "bad.zip", [("exercises/relu.py", "x = 1"), (name, "y = 1")]))


@pytest.mark.parametrize("top", ["HW: 1/", "12:30/", "my:/", "::/", "C: homework/", ":c/"])
def test_a_colon_in_a_name_leads_nowhere(tmp_path, top):
    submission = open_submission(zipped(tmp_path / "ada.zip", [(f"{top}exercises/relu.py", "x = 1")]))
    assert submission.snapshot("relu").sources == {"relu.py": "x = 1"}


def test_a_helper_may_have_a_colon_in_its_name(tmp_path):
    members = [("exercises/relu.py", "x = 1"), ("exercises/a: b.py", "y = 1"), ("D:z.py", "z = 1")]
    submission = open_submission(zipped(tmp_path / "ada.zip", members))
    assert submission.snapshot("relu").sources == {"relu.py": "x = 1", "a: b.py": "y = 1"}
    assert submission.tree.read("D:z.py", 100) == b"z = 1"


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
    assert "larger than the limit of 1 MiB" in snapshot.sentence
    assert peak < 8 * 2**20


def test_many_large_members_are_too_large_together(tmp_path):
    members = [(f"exercises/m{n:02}.py", b"#" * 2**20) for n in range(40)]
    submission = open_submission(zipped(tmp_path / "many.zip", [("exercises/relu.py", "x = 1"), *members]))
    sources = submission.snapshot("relu").sources
    assert "larger than 32 MiB together" in sources["m39.py"]
    assert submission.tree.kept.size <= MAX_TOTAL_BYTES


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


def with_end(data: bytes, **fields: int) -> bytes:
    """Return a zip whose end record says something else."""
    names = ("signature", "disk", "start", "here", "total", "size", "offset", "comment")
    at = data.rindex(b"PK\5\6")
    end = dict(zip(names, struct.unpack("<4s4H2LH", data[at : at + 22]), strict=True)) | fields
    return data[:at] + struct.pack("<4s4H2LH", *end.values()) + data[at + 22 :]


def small_zip(tmp_path) -> bytes:
    return zipped(
        tmp_path / "small.zip", [("exercises/relu.py", "x = 1"), ("exercises/b.py", "y = 1")]
    ).read_bytes()


def entry(name: bytes, *, offset: int = 0) -> bytes:
    """Return one entry of a table of contents, of 46 bytes and the name."""
    return struct.pack("<4s6H3L5H2L", b"PK\1\2", *[0] * 6, 0, 0, 0, len(name), *[0] * 4, 0, offset) + name


def read_all(path: Path) -> str:
    """Read everything of a zip; return what is said of it, if it is refused."""
    try:
        submission = open_submission(path)
    except UsageError as error:
        return str(error)
    submission.snapshot("relu")
    submission.answers("pooling")
    assert Stored.unpack(submission.tree.kept.pack()) == submission.tree.kept
    return ""


def test_a_member_without_a_name_is_ignored(tmp_path):
    path = tmp_path / "ann.zip"
    data = small_zip(tmp_path)
    at = data.index(b"PK\1\2")
    nameless = data[:at] + entry(b"") + data[at:]
    size = len(entry(b""))
    path.write_bytes(with_end(nameless, here=3, total=3, size=len(data) - 22 - at + size))
    assert read_all(path) == ""
    assert open_submission(path).snapshot("relu").sources == {"relu.py": "x = 1", "b.py": "y = 1"}


@pytest.mark.parametrize("count", [1, 0xFFFF, 1_400_000])
def test_a_table_of_contents_is_measured_before_it_is_read(tmp_path, count):
    """Whatever count the end record tells: zipfile reads as many entries as there are bytes."""
    path = tmp_path / "ann.zip"
    table = entry(b"") * 1_400_000
    end = struct.pack("<4s4H2LH", b"PK\5\6", 0, 0, count % 2**16, count % 2**16, len(table), 0, 0)
    path.write_bytes(table + end)
    tracemalloc.start()
    try:
        assert "has a table of contents of more than 2 MiB" in read_all(path)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 4 * MAX_DIRECTORY_BYTES


@pytest.mark.parametrize("more", [0, 1])
def test_a_table_of_contents_may_have_two_mebibytes_and_no_more(tmp_path, more):
    path = tmp_path / "ann.zip"
    name = b"relu.py"
    rest = MAX_DIRECTORY_BYTES + more - len(entry(name))
    table = entry(name) + b"".join(
        entry(b"%d" % n + b"#" * (size - 46 - len(b"%d" % n)))
        for n, size in enumerate([2**15] * 62 + [rest - 62 * 2**15])
    )
    assert len(table) == MAX_DIRECTORY_BYTES + more
    path.write_bytes(table + struct.pack("<4s4H2LH", b"PK\5\6", 0, 0, 64, 64, len(table), 0, 0))
    assert ("table of contents" in read_all(path)) == (more == 1)


@pytest.mark.parametrize(
    ("made", "words"),
    [
        (lambda data: b"#!/bin/sh\n" * 50 + data, "^$"),
        (lambda data: data + b"#" * 300, "^$"),  # what follows the end
        (lambda data: data + b"#" * 70_000, "cannot be read as a zip"),
        (lambda data: data[:-30], "cannot be read as a zip"),
        (lambda data: data[:20], "cannot be read as a zip"),
        (lambda _: b"", "cannot be read as a zip"),
        (lambda data: with_end(data, size=2**32 - 1), "cannot be read as a zip|table of contents"),
        (lambda data: with_end(data, offset=2**32 - 1), ""),
        (lambda data: with_end(data, size=0), ""),
        (lambda data: with_end(data, here=60_000, total=60_000), ""),
        (lambda data: with_end(data, disk=7), ""),
    ],
    ids=["prefix", "tail", "long tail", "no end", "start", "empty", "size", "offset", "no size", "count", "disk"],
)  # fmt: skip
def test_an_odd_zip_is_read_or_refused_with_a_sentence(tmp_path, made, words):
    path = tmp_path / "ann.zip"
    path.write_bytes(made(small_zip(tmp_path)))
    said = read_all(path)
    assert re.search(words, said)
    assert not said or said.endswith("Make a zip of the folder that holds exercises/.")


def test_members_that_overlap_and_lie_about_their_size_cost_no_more_than_the_limit_of_each(tmp_path):
    """A hundred names for one member that unpacks to 50 MB."""
    data = zipped(tmp_path / "one.zip", [("exercises/relu.py", b"#" * 50_000_000)]).read_bytes()
    at, end = data.index(b"PK\1\2"), data.rindex(b"PK\5\6")
    one = data[at:end]
    table = one + b"".join(one.replace(b"relu.py", b"%04d.py" % n) for n in range(100))
    path = tmp_path / "ann.zip"
    path.write_bytes(with_end(data[:at] + table + data[end:], size=len(table), here=101, total=101))
    tracemalloc.start()
    try:
        assert read_all(path) == ""
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 16 * 2**20


@given(st.data())
def test_any_bytes_in_a_zip_are_read_or_refused(data):
    with tempfile.TemporaryDirectory() as folder:
        found = bytearray(small_zip(Path(folder)))
        for _ in range(data.draw(st.integers(0, 8))):
            found[data.draw(st.integers(0, len(found) - 1))] = data.draw(st.integers(0, 255))
        for _ in range(data.draw(st.integers(0, 2))):
            at = data.draw(st.integers(0, len(found) - 1))
            found[at : at + data.draw(st.integers(0, 20))] = data.draw(st.binary(max_size=20)) or b"#"
        path = Path(folder, "ann.zip")
        path.write_bytes(found)
        said = read_all(path)
        assert said.isprintable()


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


@pytest.mark.parametrize(
    "error", [PermissionError(errno.EACCES, "Permission denied"), OSError(errno.EIO, "I/O error")]
)
def test_a_file_that_the_system_refuses_is_there_and_cannot_be_read(tmp_path, monkeypatch, error):
    (tmp_path / "exercises").mkdir()
    (tmp_path / "exercises" / "relu.py").write_text("x = 1")

    def refused(path):
        raise error

    monkeypatch.setattr(Path, "lstat", refused)
    snapshot = open_submission(tmp_path).snapshot("relu")
    assert snapshot.sentence == f"exercises/relu.py cannot be read: {error.strerror}."
    assert snapshot.attempted


def test_a_file_that_vanishes_or_grows_while_it_is_read_says_so(tmp_path, monkeypatch):
    (tmp_path / "relu.py").write_text("x = 1")
    opened, real = [], os.open

    def changing(path, flags):
        opened.append(path)
        descriptor = real(path, flags)
        with Path(path).open("ab") as file:
            file.write(b"#" * MAX_MODULE_BYTES)
        return descriptor

    monkeypatch.setattr(folder.os, "open", changing)
    assert open_submission(tmp_path).snapshot("relu").sentence == "relu.py is larger than the limit of 1 MiB."
    monkeypatch.setattr(folder.os, "open", lambda path, flags: (Path(path).unlink(), real(path, flags)))
    assert (
        open_submission(tmp_path).snapshot("relu").sentence
        == "relu.py cannot be read: No such file or directory."
    )
    assert opened


# --- limits: the largest that is accepted, and one more


@pytest.fixture(params=["folder", "zip"])
def handed_in(request, tmp_path):
    """Make a submission of (name, content) pairs, as a folder or as a zip."""

    def make(members):
        if request.param == "zip":
            return open_submission(zipped(tmp_path / "ada.zip", members, compression=zipfile.ZIP_STORED))
        for name, content in members:
            path = tmp_path / "ada" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return open_submission(tmp_path / "ada")

    return make


def notebook(size: int) -> bytes:
    """Return a notebook of so many bytes."""
    cell = {"cell_type": "code", "source": "%%grade relu\nx = 1", "outputs": ""}
    empty = json.dumps({"nbformat": 4, "cells": [cell]}).encode()
    return empty.replace(b'"outputs": ""', b'"outputs": "' + b"#" * (size - len(empty)) + b'"')


def test_a_module_may_have_a_mebibyte_and_no_more(handed_in):
    size = 2**20
    submission = handed_in(
        [("relu.py", b"#" * size), ("helper.py", b"#" * (size + 1)), ("gelu.py", b"#" * (size + 1))]
    )
    sources = submission.snapshot("relu").sources
    assert len(sources["relu.py"]) == size
    assert "helper.py is larger than the limit of 1 MiB." in sources["helper.py"]
    assert submission.snapshot("gelu").sentence == "gelu.py is larger than the limit of 1 MiB."


def test_answers_may_have_256_kibibytes_and_no_more(handed_in):
    size = 2**18
    submission = handed_in([("answers/a.yaml", b"#" * size), ("answers/b.yaml", b"#" * (size + 1))])
    assert len(submission.answers("a").text) == size
    assert submission.answers("b").sentence == "answers/b.yaml is larger than the limit of 256 KiB."


def test_a_notebook_may_have_64_mebibytes_of_pictures_and_no_more(tmp_path):
    size = 64 * 2**20

    def handed_in(members):
        (tmp_path / "a.ipynb").write_bytes(members[0][1])
        return open_submission(tmp_path)

    assert handed_in([("a.ipynb", notebook(size))]).snapshot("relu").sources == {
        "relu.py": "# %%grade relu\nx = 1"
    }
    assert handed_in([("a.ipynb", notebook(size + 1))]).snapshot("relu").sentence == (
        "a.ipynb is larger than the limit of 64 MiB."
    )


def test_the_text_of_the_cells_of_a_notebook_may_have_four_mebibytes_and_no_more():
    def cells(more: int):
        found = [{"cell_type": "code", "source": "#" * (2**20 + (more if n == 3 else 0))} for n in range(4)]
        return read_cells(json.dumps({"nbformat": 4, "cells": found}).encode(), "a.ipynb")

    assert cells(0) == {}
    assert cells(1).sentence == "The text of the cells of a.ipynb is larger than the limit of 4 MiB."


def test_of_a_notebook_the_cells_are_kept_and_not_the_pictures(handed_in):
    submission = handed_in([("a.ipynb", notebook(2**20))])
    submission.snapshot("relu")
    assert submission.tree.kept.size < 1000


def test_a_notebook_may_have_five_thousand_cells_and_no_more():
    def cells(count: int):
        found = [{"cell_type": "code", "source": f"%%grade e{n % 7}"} for n in range(count)]
        return read_cells(json.dumps({"nbformat": 4, "cells": found}).encode(), "a.ipynb")

    assert len(cells(5_000)) == 7
    assert cells(5_001).reason == "has more than 5000 cells."


@pytest.mark.parametrize("form", ["cells", "tags of one cell"])
def test_a_notebook_may_name_two_hundred_exercises_and_no_more(form):
    def named(count: int):
        tags = [f"grade:e{n}" for n in range(count)]
        groups = [tags] if form == "tags of one cell" else [[tag] for tag in tags]
        found = [{"cell_type": "code", "source": "x = 1", "metadata": {"tags": group}} for group in groups]
        return read_cells(json.dumps({"nbformat": 4, "cells": found}).encode(), "a.ipynb")

    assert len(named(200)) == 200
    assert named(201).reason == "names more than 200 exercises."


def test_a_named_cell_may_have_a_mebibyte_and_a_name_a_hundred_characters():
    def cell(source: str, tag: str = "grade:relu"):
        found = [{"cell_type": "code", "source": source, "metadata": {"tags": [tag]}}]
        return read_cells(json.dumps({"nbformat": 4, "cells": found}).encode(), "a.ipynb")

    assert len(cell("#" * 2**20)["relu"].text) == 2**20
    assert cell("#" * (2**20 + 1)).sentence == "The cell relu of a.ipynb is larger than the limit of 1 MiB."
    assert list(cell("x", "grade:" + "e" * 100)) == ["e" * 100]
    assert cell("x", "grade:" + "e" * 101) == {}


@pytest.mark.parametrize(("more", "kept"), [(0, "% 2"), (1, "pass  # % 2")])
def test_cells_are_parsed_if_they_have_64_kibibytes_together(more, kept):
    """Python needs seconds for some texts of 100 kB; then every line that may be one of IPython's is taken for one."""
    sources = ["%%grade relu\nx = (3\n% 2)", "%%grade other\n"]
    sources[1] += "#" * (2**16 + more - len("".join(sources)))
    cells = [{"cell_type": "code", "source": source} for source in sources]
    found = read_cells(json.dumps({"nbformat": 4, "cells": cells}).encode(), "a.ipynb")
    assert kept in found["relu"].text.splitlines()[-1]


def test_two_hundred_modules_are_read_and_the_others_are_not(handed_in):
    names = [f"m{n:03}.py" for n in range(201)]
    submission = handed_in([(name, "x = 1") for name in names])
    assert submission.tree.modules("") == names[:200]
    assert len(submission.snapshot("m000").sources) == 200


def test_ten_notebooks_are_read_and_the_others_are_not(handed_in):
    names = [f"n{n:02}.ipynb" for n in range(11)]
    assert handed_in([(name, "{}") for name in names]).tree.notebooks() == names[:10]


@pytest.mark.parametrize(("count", "modules"), [(4_998, ["a/last.py"]), (4_999, [])])
def test_no_more_entries_are_listed_after_five_thousand(tmp_path, count, modules):
    """One of the entries is the folder `a`, and one is the module in it."""
    for n in range(count):
        (tmp_path / f"f{n}.txt").touch()
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "last.py").touch()
    assert folder.Folder(tmp_path).modules("") == modules


@pytest.mark.parametrize("listing", ["modules", "newest"])
def test_a_folder_of_millions_of_entries_is_listed_no_further_than_five_thousand(
    tmp_path, monkeypatch, listing
):
    seen = []

    class Entry:
        def __init__(self, number):
            seen.append(number)
            self.name, self.path = f"n{number:07}.py", str(tmp_path / f"n{number:07}.py")

        def is_dir(self, **_):
            return False

    monkeypatch.setattr(folder.os, "scandir", lambda _: contextlib.nullcontext(map(Entry, range(2_000_000))))
    if listing == "modules":
        assert len(folder.Folder(tmp_path).modules("")) == MAX_MODULES
    else:
        HandedIn(student="ada", path=tmp_path).moment({})
    assert len(seen) == MAX_ENTRIES


def test_folders_may_be_nested_as_deep_as_the_system_allows(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("relu.py").write_text("x = 1")
    for _ in range(2_500):  # relative, because a whole path may have 4096 bytes
        os.mkdir("d")  # noqa: PTH102 - a Path of each would be slow
        os.chdir("d")
    Path("last.py").touch()
    try:
        assert open_submission(tmp_path).snapshot("relu").sources == {"relu.py": "x = 1"}
        assert find(tmp_path.parent)
        assert HandedIn(student="ada", path=tmp_path).moment({}).at.year > 2000
    finally:
        subprocess.run(["rm", "-rf", tmp_path / "d"], check=True)  # rmtree calls itself for every level


@pytest.mark.parametrize("count", [5_000, 5_001])
def test_the_files_directly_in_a_folder_are_listed_up_to_five_thousand(tmp_path, monkeypatch, count):
    entries = [type("Entry", (), {"name": f"n{n}", "path": ""}) for n in range(count)]
    monkeypatch.setattr(folder.os, "scandir", lambda _: contextlib.nullcontext(iter(entries)))
    assert len(list(folder.Folder(tmp_path)._directly_in(""))) == 5_000


def test_a_zip_may_hold_five_thousand_files_and_no_more(tmp_path):
    names = [(f"f{n}", "") for n in range(5_001)]
    assert len(Archive.open(zipped(tmp_path / "full.zip", names[:5_000])).members) == 5_000
    with pytest.raises(UsageError, match="holds more than 5000 files"):
        Archive.open(zipped(tmp_path / "over.zip", names))


@pytest.mark.parametrize(
    ("size", "words"), [(2**26, "cannot be read as a zip"), (2**26 + 1, "larger than 64 MiB")]
)
def test_a_zip_may_have_64_mebibytes_and_no_more(tmp_path, size, words):
    path = tmp_path / "large.zip"
    path.touch()
    os.truncate(path, size)  # no bytes on disk
    with pytest.raises(UsageError, match=words):
        open_submission(path)


# --- what may be read of one submission, whatever it is


@pytest.mark.parametrize("more", [0, 1])
def test_the_files_of_a_submission_may_have_32_mebibytes_together(handed_in, more):
    names = [f"m{n:02}.py" for n in range(33)]
    total = MAX_TOTAL_BYTES + more - sum(map(len, names))
    sizes = [2**20] * 31 + [2**18, total - 31 * 2**20 - 2**18]
    submission = handed_in([(name, b"#" * size) for name, size in zip(names, sizes, strict=True)])
    read = [submission.tree.read(name, 2**20) for name in names]
    assert [isinstance(data, bytes) for data in read] == [True] * 32 + [more == 0]
    if more:
        assert read[-1].sentence == "m32.py is not read: with it, the files are larger than 32 MiB together."
    kept = submission.tree.kept
    assert kept.size <= MAX_TOTAL_BYTES
    assert Stored.unpack(kept.pack()) == kept


@pytest.mark.parametrize("more", [0, 1])
@pytest.mark.parametrize("form", ["files", "cells"])
def test_a_module_and_those_beside_it_fit_into_a_frame(handed_in, form, more):
    names = ["relu", "a", "b", "c"]
    named = sum(len(f"{name}.py") for name in names)
    sizes = [2**20 - 1000] * 3 + [MAX_SOURCES_BYTES + more - named - 3 * (2**20 - 1000)]
    texts = {name: "x = 1".ljust(size, "#") for name, size in zip(names, sizes, strict=True)}
    if form == "files":
        submission = handed_in([(f"{name}.py", text) for name, text in texts.items()])
    else:
        cells = [
            {"cell_type": "code", "source": text, "metadata": {"tags": [f"grade:{name}"]}}
            for name, text in texts.items()
        ]
        submission = handed_in([("a.ipynb", json.dumps({"nbformat": 4, "cells": cells}))])
    snapshot = submission.snapshot("relu")
    assert ("larger than 3 MiB together" in snapshot.sources["c.py"]) == (more == 1)
    assert {name: snapshot.sources[f"{name}.py"] for name in names[:3]} == {n: texts[n] for n in names[:3]}
    frame = wire.encode(wire.Load(module="relu", root=snapshot.root, sources=snapshot.sources))
    assert len(frame) <= frames.MAX_HEADER_BYTES


def test_the_worst_names_and_sizes_fit_into_a_frame_too(tmp_path):
    """200 files beside the module, each with the longest path, of characters that Python spells out when it quotes."""
    names = [f"{n:03}{chr(92) * 244}.py" for n in range(200)]
    (tmp_path / "relu.py").write_text("x = 1")
    for name in names:
        (tmp_path / name).write_text("#" * 2**20)
    snapshot = open_submission(tmp_path).snapshot("relu")
    assert len(snapshot.sources) == 201
    frame = wire.encode(wire.Load(module="relu", root=snapshot.root, sources=snapshot.sources))
    assert len(frame) <= frames.MAX_HEADER_BYTES * 7 // 8  # the rest is for the fixtures of the course


FILES = st.dictionaries(
    st.text(max_size=20),
    st.binary(max_size=60)
    | st.builds(
        Unreadable, name=st.just(""), reason=st.text(min_size=1, max_size=20), attempted=st.booleans()
    ),
    max_size=8,
)


@given(
    FILES.map(lambda files: {n: f if isinstance(f, bytes) else replace(f, name=n) for n, f in files.items()})
)
def test_what_is_packed_can_be_unpacked(files):
    with contextlib.suppress(UnicodeEncodeError):  # st.text() makes no surrogates; printable_name leaves none
        assert Stored.unpack(Stored(files).pack()) == Stored(files)


@pytest.mark.parametrize("more", [-1, 0, 1])
def test_64_mebibytes_can_be_stored_and_more_is_refused_when_it_is_packed(more):
    overhead = len(zlib.decompress(Stored({"a.py": b"#" * 2**20}).pack())) - 2**20
    stored = Stored({"a.py": b"#" * (MAX_UNPACKED_BYTES - overhead + more)})
    if more > 0:
        with pytest.raises(Damaged, match="more than 64 MiB"):
            stored.pack()
    else:
        assert Stored.unpack(stored.pack()) == stored


@given(
    st.binary(max_size=200), st.integers(min_value=0, max_value=200), st.integers(min_value=0, max_value=200)
)
def test_damaged_bytes_are_damaged_and_nothing_else(noise, start, end):
    packed = Stored(
        {"relu.py": b"x = 1", "a.yaml": Unreadable(name="a.yaml", reason="is not a file.")}
    ).pack()
    for data in (
        noise,
        packed[:start] + noise + packed[end:],
        zlib.compress(noise),
        packed[: start % len(packed)],
    ):
        with contextlib.suppress(Damaged):
            Stored.unpack(data)


def test_a_stored_bomb_costs_no_more_than_the_limit():
    bomb = zlib.compress(b"\xc4" * 2**27)
    tracemalloc.start()
    try:
        with pytest.raises(Damaged, match="more than 64 MiB"):
            Stored.unpack(bomb)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 3 * MAX_UNPACKED_BYTES  # zlib doubles its buffer


def test_the_limits_are_those_of_the_instructor_guide():
    guide = (Path(__file__).parents[1] / "docs" / "instructor-guide.md").read_text(encoding="utf-8")
    rows = {
        "a Python file, or a named cell": f"{MAX_MODULE_BYTES // 2**20} MiB",
        "an answers file": f"{MAX_ANSWERS_BYTES // 2**10} KiB; {MAX_DEPTH_LEVELS} levels and {MAX_NODES:,} values an answer",
        "a notebook": f"{MAX_NOTEBOOK_BYTES // 2**20} MiB with its pictures, {MAX_CELLS_CHARS // 2**20} MiB of text, "
        f"{MAX_CELLS:,} cells, {MAX_MODULES} named ones",
        "Python files below a folder": f"{MAX_MODULES}, of paths of up to {MAX_PATH_BYTES} bytes",
        "a module and the files beside it": f"{MAX_SOURCES_BYTES // 2**20} MiB together",
        "files and folders that are listed": f"{MAX_ENTRIES:,}",
        "everything that is read": f"{MAX_TOTAL_BYTES // 2**20} MiB together",
    }
    for of, most in rows.items():
        assert f"| {of} | {most} |" in guide

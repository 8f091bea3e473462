"""Writes a class of hand-ins as a learning system would give it, with every oddity of real ones, and the table to expect.

An oddity is a function that returns the files of one student's hand-in, and what must be made of them. A system is a
function that writes hand-ins of students, and says the student and the time by which each must be found.
"""

import gzip
import io
import itertools
import json
import os
import tarfile
import unicodedata
import zipfile
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

COURSE = Path(__file__).parent / "course"
STUB = (COURSE / "exercises" / "scaling.py").read_text(encoding="utf-8")
GOOD = (COURSE / "solutions" / "scaling" / "reference.py").read_text(encoding="utf-8")
Files = dict[str, bytes]
FIRST = datetime(2026, 11, 30, 8, 0, 0, tzinfo=UTC)


@dataclass(frozen=True)
class Expected:
    """What must be made of a hand-in: `work` if its module is graded as written, `stub`, or `refused`; words to be said."""

    ending: str
    words: str = ""


@dataclass(frozen=True)
class Made:
    """A hand-in as it was written, and the row of the table that must come out."""

    student: str
    at: datetime | None
    oddity: str
    expected: Expected


def zipped(files: Files) -> bytes:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w") as file:
        for name, data in files.items():
            file.writestr(name, data)
    return made.getvalue()


def tarred(files: Files) -> bytes:
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w") as file:
        for name, data in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(data)
            file.addfile(member, io.BytesIO(data))
    return gzip.compress(made.getvalue())


def notebook(*sources: str, pictures: int = 0) -> bytes:
    output = {"output_type": "display_data", "data": {"image/png": "A" * pictures}, "metadata": {}}
    cells = [
        {"cell_type": "code", "metadata": {}, "source": source, "outputs": [output] if pictures else []}
        for source in sources
    ]
    return json.dumps({"nbformat": 4, "nbformat_minor": 5, "metadata": {}, "cells": cells}).encode()


def windows_zip(files: Files) -> bytes:
    """Return a zip as an old program on Windows writes it: names with backslashes in the code page of MS-DOS."""
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w") as file:
        for name, data in files.items():
            member = zipfile.ZipInfo("x")
            member.filename = name.replace("/", "\\")
            file.writestr(member, data)
    return made.getvalue()


def good(name: str = "a student") -> bytes:
    return f"{GOOD}\n# by {name}\n".encode()


WORK, STUB_ONLY = Expected("work"), Expected("stub")
PLAIN = {"exercises/scaling.py": good()}
# Name of the oddity: the files of one hand-in, and what must be made of them.
ODDITIES: dict[str, tuple[Files, Expected]] = {
    "one module": ({"scaling.py": good()}, WORK),
    "in exercises": (PLAIN, WORK),
    "a folder around": ({"my-cnn/exercises/scaling.py": good()}, WORK),
    "three folders around": ({"a/b/c/exercises/scaling.py": good()}, WORK),
    "a zip": ({"week4.zip": zipped(PLAIN)}, WORK),
    "a zip of a folder": ({"week4.zip": zipped({"my-cnn/exercises/scaling.py": good()})}, WORK),
    "a zip in a zip": ({"week4.zip": zipped({"inner.zip": zipped(PLAIN)})}, WORK),
    "a zip of Windows": ({"week4.zip": windows_zip({"übung/exercises/scaling.py": good()})}, WORK),
    "a tar archive": ({"week4.tar.gz": tarred({"./my-cnn/exercises/scaling.py": good()})}, WORK),
    "a notebook": ({"week4.ipynb": notebook("import torch", f"%%grade scaling\n{GOOD}")}, WORK),
    "a notebook with pictures": ({"w.ipynb": notebook(f"%%grade scaling\n{GOOD}", pictures=5_000_000)}, WORK),
    "a notebook in a folder": ({"deep/er/w.ipynb": notebook(f"%%grade scaling\n{GOOD}")}, WORK),
    "a cell below a comment": ({"w.ipynb": notebook(f"# first\n%%grade scaling\n{GOOD}")}, WORK),
    "a cell below a magic": ({"w.ipynb": notebook(f"%%time\n%%grade scaling\n{GOOD}")}, WORK),
    "a cell in capitals": (
        {"w.ipynb": notebook(f"%%grade Scaling\n{GOOD}")},
        Expected("work", "The cell Scaling of w.ipynb was graded as scaling."),
    ),
    "a cell with a space": ({"w.ipynb": notebook(f"%% grade scaling\n{GOOD}")}, WORK),
    "a cell misspelled": (
        {"w.ipynb": notebook(f"%%grade scailng\n{GOOD}")},
        Expected("refused", 'It has `%%grade scailng`. Is "scailng" meant for it?'),
    ),
    "a cell without a name": (
        {"w.ipynb": notebook(GOOD)},
        Expected("refused", "w.ipynb has no cell for scaling. Write `%%grade scaling` at the top of its cell."),
    ),
    "litter": (
        {
            ".DS_Store": b"x", "__MACOSX/exercises/._scaling.py": b"x", "Thumbs.db": b"x", "desktop.ini": b"x",
            ".idea/x.xml": b"", ".vscode/s.json": b"", "p/__pycache__/scaling.cpython-311.pyc": b"", "README.txt": b"hi",
            ".ipynb_checkpoints/scaling.py": b"x", ".venv/lib/scaling.py": b"x", "p/exercises/scaling.py": good(),
        },
        WORK,
    ),
    "a browser's name": ({"scaling (1).py": good()}, Expected("work", "scaling (1).py was graded as exercises/scaling.py.")),
    "a text file": ({"scaling.py.txt": good()}, Expected("work", "scaling.py.txt was graded as exercises/scaling.py.")),
    "a capital": ({"Scaling.py": good()}, Expected("work", "Scaling.py was graded as exercises/scaling.py.")),
    "a copy": ({"scaling - Copy.py": good()}, Expected("work", "scaling - Copy.py was graded as")),
    "a copy beside the stub": (
        {"exercises/scaling.py": STUB.encode(), "exercises/scaling (1).py": good()},
        Expected("work", "exercises/scaling (1).py was graded as"),
    ),
    "work above the stub": ({"exercises/scaling.py": STUB.encode(), "scaling.py": good()}, Expected("work", "scaling.py was graded, as nothing")),
    "a folder in capitals": ({"Exercises/scaling.py": good()}, Expected("work", "Exercises/scaling.py was graded as")),
    "two of them": (
        {"scaling (1).py": good("one"), "scaling (2).py": good("two")},
        Expected("doubt", "scaling (1).py, scaling (2).py may each be exercises/scaling.py, and none was graded."),
    ),
    "the same twice": ({"a/scaling.py": good(), "b/scaling.py": good()}, Expected("work", "a/scaling.py was graded as")),
    "two projects": (
        {"a/exercises/scaling.py": good("one"), "b/exercises/scaling.py": good("two")},
        Expected("doubt", "a/exercises/scaling.py, b/exercises/scaling.py may each be"),
    ),
    "work far from the stub": (
        {"exercises/scaling.py": STUB.encode(), "mine/new/scaling.py": good()},
        Expected("stub", "mine/new/scaling.py was not graded: exercises/scaling.py is there"),
    ),
    "work and a rar": (
        {"exercises/scaling.py": good(), "more.rar": b"Rar!"},
        Expected("work", "more.rar is a RAR archive, which is not read."),
    ),
    "a stub": ({"exercises/scaling.py": STUB.encode()}, STUB_ONLY),
    "a rar": ({"week4.rar": b"Rar!"}, Expected("refused", "week4.rar (a RAR archive, which is not read)")),
    "a 7z": ({"week4.7z": b"7z"}, Expected("refused", "week4.7z (a 7-Zip archive, which is not read)")),
    "a PDF": ({"report.pdf": b"%PDF"}, Expected("refused", "report.pdf (a PDF, which is not graded)")),
    "nothing": ({}, Expected("refused", "holds no ")),
    "a broken zip": ({"week4.zip": b"PK no"}, Expected("refused", "week4.zip cannot be read as a zip")),
    "a zip that leads out": ({"w.zip": zipped({"../../scaling.py": good()})}, Expected("refused", "leads out of it")),
    "another name": ({"homework.py": good()}, Expected("refused", "but homework.py")),
    "work and a PDF": ({"scaling.py": good(), "report.pdf": b"%PDF"}, WORK),
}  # fmt: skip
NAMES = [
    "Ada Lovelace", "O'Brien Siobhán", unicodedata.normalize("NFD", "Zoë Müller"), "de_la_Cruz Ana", "李 小龙", "Нина Ван",
    "Anne-Marie X", "bob", "محمد علي", "=1+1", "a_b_c",
]  # fmt: skip
Writer = Callable[["_Class", int, str, Files], tuple[str, datetime | None] | None]


@dataclass
class _Class:
    """The files of a download, and when each was changed."""

    files: Files = field(default_factory=dict)
    folders: set[str] = field(default_factory=set)
    times: dict[str, datetime] = field(default_factory=dict)
    metadata: list[str] = field(default_factory=list)

    def put(self, prefix: str, files: Files, at: datetime) -> None:
        for name, data in files.items():
            self.files[prefix + name] = data
            self.times[prefix + name] = at
        if not files and prefix.endswith("/"):
            self.folders.add(prefix)


def _at(number: int) -> datetime:
    return FIRST + timedelta(minutes=number)


def _shown(name: str) -> str:
    return unicodedata.normalize("NFC", name)


def _is_flat(files: Files) -> bool:
    return bool(files) and not any("/" in name for name in files)


def moodle(made: _Class, number: int, name: str, files: Files) -> tuple[str, datetime | None]:
    made.put(f"{name}_{1000 + number}_assignsubmission_file_/", files, _at(number))
    if number % 3 == 0:
        folder = f"{name}_{1000 + number}_assignsubmission_onlinetext_/"
        made.put(folder, {"onlinetext.html": b"<p>done</p>"}, _at(number))
    return f"{_shown(name)}_{1000 + number}", _at(number)


def moodle_flat(made: _Class, number: int, name: str, files: Files) -> tuple[str, datetime | None] | None:
    if not _is_flat(files):
        return None
    made.put(f"{name}_{1000 + number}_assignsubmission_file_", files, _at(number))
    return f"{_shown(name)}_{1000 + number}", _at(number)


def canvas(made: _Class, number: int, name: str, files: Files) -> tuple[str, datetime | None] | None:
    if not _is_flat(files):
        return None
    who = "".join(letter for letter in name.lower() if letter.isalpha()) or "x"
    late = "_LATE" if number % 4 == 0 else ""
    made.put(f"{who}{late}_{40 + number}_{9000 + number}_", files, _at(number))
    return f"{_shown(who)}_{40 + number}", _at(number)


def gradescope(made: _Class, number: int, name: str, files: Files) -> tuple[str, datetime | None]:
    folder = f"submission_{number}"
    made.put(f"{folder}/", files, FIRST)
    made.metadata.append(
        f"{folder}:\n  :submitters:\n  - :name: {json.dumps(_shown(name))}\n    :sid: 's{number}'\n"
        f"    :email: s{number}@example.org\n  :created_at: {_at(number):%Y-%m-%d %H:%M:%S}.123456789 Z\n  :score: 1.0\n"
    )
    made.files["submission_metadata.yml"] = b"---\n" + "".join(made.metadata).encode()
    made.times["submission_metadata.yml"] = FIRST
    return f"s{number}", _at(number)


def classroom50(made: _Class, number: int, _: str, files: Files) -> tuple[str, datetime | None]:
    made.put(f"week-4-login{number}/", files, _at(number))
    return f"login{number}", _at(number)


def blackboard(made: _Class, number: int, name: str, files: Files) -> tuple[str, datetime | None] | None:
    if not _is_flat(files):
        return None
    head = f"Week_4_user_{number}_attempt_{_at(number).astimezone():%Y-%m-%d-%H-%M-%S}"
    made.put(f"{head}_", files, FIRST)
    made.put(head, {".txt": f"Name: {_shown(name)} (user_{number})\nAssignment: Week_4\n".encode()}, FIRST)
    return f"user_{number}", _at(number)


def brightspace(made: _Class, number: int, name: str, files: Files) -> tuple[str, datetime | None]:
    said = _at(number).astimezone().strftime("%d, %Y %I%M %p").lstrip("0")
    made.put(f"{100 + number}-77 - {name} - Nov {said}/", files, FIRST)
    made.files["index.html"], made.times["index.html"] = b"<html>", FIRST
    return f"{_shown(name)}_{100 + number}", _at(number)


def nbgrader(made: _Class, number: int, _: str, files: Files) -> tuple[str, datetime | None]:
    stamp = f"{_at(number) + timedelta(hours=2):%Y-%m-%d %H:%M:%S.123456} {('CEST', '+0200')[number % 2]}"
    made.put(f"submitted/stud{number}/week4/", {**files, "timestamp.txt": stamp.encode()}, FIRST)
    return f"stud{number}", _at(number).replace(microsecond=123456)


def plain(made: _Class, number: int, name: str, files: Files) -> tuple[str, datetime | None]:
    made.put(f"{number} {name}/", files, _at(number))
    return f"{number} {_shown(name)}", _at(number)


# Name: writer, name of the download, --layout if it is not recognized, words of the layout.
# In a folder of a student, two folders are two assignments: one of them has to be named.
TWO_FOLDERS = ("the same twice", "two projects")
SEVERAL = Expected("refused", "holds several hand-ins: a, b. Name one: --assignment NAME.")
SYSTEMS: dict[str, tuple[Writer, str, str | None]] = {
    "moodle": (moodle, "CS101-Week 4-1234", None),
    "moodle flat": (moodle_flat, "CS101-Week 4-1234", None),
    "canvas": (canvas, "submissions", None),
    "gradescope": (gradescope, "assignment_5_export", None),
    "classroom50": (classroom50, "week-4-submissions", None),
    "blackboard": (blackboard, "gradebook_week4", None),
    "brightspace": (brightspace, "Week 4 Download", None),
    "nbgrader": (nbgrader, "course", None),
    "plain": (plain, "handed-in", None),
}


def write_class(root: Path, system: str, form: str, least: int = 1) -> tuple[Path, list[Made]]:
    """Write a class in which each oddity comes as often as needed for `least` hand-ins, as a folder or a zip.

    Return its path and the table to expect.
    """
    writer, title, _ = SYSTEMS[system]
    made, table = _Class(), []
    oddities = itertools.cycle(ODDITIES.items())
    for number in itertools.count(1):
        if number > len(ODDITIES) and len(table) >= least:
            break
        oddity, (files, expected) = next(oddities)
        found = writer(made, number, NAMES[number % len(NAMES)], files)
        if found is not None:
            is_several = system == "plain" and oddity in TWO_FOLDERS
            table.append(Made(*found, oddity, SEVERAL if is_several else expected))
    path = root / (title if form == "folder" else f"{title}.zip")
    (_write_folder if form == "folder" else _write_zip)(path, made)
    return path, table


def _write_folder(path: Path, made: _Class) -> None:
    for name in made.folders:
        (path / name).mkdir(parents=True, exist_ok=True)
    for name, data in made.files.items():
        (path / name).parent.mkdir(parents=True, exist_ok=True)
        (path / name).write_bytes(data)
        seconds = made.times[name].timestamp()
        os.utime(path / name, (seconds, seconds))


def _write_zip(path: Path, made: _Class) -> None:
    with zipfile.ZipFile(path, "w") as file:
        for name in sorted(made.folders):
            file.mkdir(name)
        for name, data in made.files.items():
            file.writestr(zipfile.ZipInfo(name, made.times[name].astimezone().timetuple()[:6]), data)

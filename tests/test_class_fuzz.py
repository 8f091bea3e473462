"""Whole classes of random hand-ins among honest ones, through `grade class` and the commands that read its gradebook.

Whatever was handed in, every run ends with an exit code of the contract and a line for each student, the honest ones
have full marks, and nothing is left running or written. A failure names its class; run that one alone with
CONVGRADER_FUZZ_FIRST. CONVGRADER_FUZZ_HAND_INS says how many are tried.
"""

import io
import json
import os
import random
import re
import socket
import stat
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
from test_executors import _warm_processes

pytestmark = [
    pytest.mark.cold,
    pytest.mark.skipif(sys.platform != "linux", reason="names are bytes, and /proc"),
]

COURSE = Path(__file__).parent / "hostile_course"
SOLUTIONS = {
    name: (COURSE / "solutions" / name / "reference.py").read_text(encoding="utf-8")
    for name in ("halving", "shifting")
}
SHEET = "quiz: small\nseed: 0\nanswers:\n  half: 2.5\n"
HONEST = ("an honest one", "zoe")
PER_CLASS = 20
HAND_INS = int(os.environ.get("CONVGRADER_FUZZ_HAND_INS", "40"))
FIRST = int(os.environ.get("CONVGRADER_FUZZ_FIRST", "0"))
CLASSES = range(FIRST, FIRST + max(1, HAND_INS // PER_CLASS))

VALUES = [
    "x / 0", "[x] * 3000", "{'k' * 80_000: x}", "float('nan')", "'\\ud800'", "x.to(torch.bfloat16)", "10 ** 5000",
    "torch.full((8, 8), -1e-30)", "[torch.full((8, 8), -1e-30)] * 15_000", "object()", "lambda: 1", "b'\\xff' * 9999",
    "torch.zeros(0, 2 ** 40)", "x.to_sparse()", "type('\\x1b[31m', (), {})()", "print('\\x1b[2J' * 99) or x", "globals()",
]  # fmt: skip
TEXTS = [
    b"", b"\0", b"\xff\xfe", b"\xef\xbb\xbf", b"def (", b"(" * 5000, b"raise SystemExit\n", b"import " + b"a." * 9999,
    b"# -*- coding: utf-7 -*-\n", b"class C:\n" * 200, b"x = " + b"-" * 3000 + b"1", b"x" * 2**21, b"\r" * 999,
]  # fmt: skip
TIMES = [
    "0001-01-01 00:00:00 Asia/Tokyo", "9999-12-31 23:59:59 America/New_York", "2026-02-30 00:00:00", "now", "",
    "2026-03-01 00:00:00 ../../etc/passwd", "2026-03-01 00:00:00 \0", "1e9", "2026-03-01T00:00:00+23:59 X",
]  # fmt: skip
SHEETS = [
    b"[" * 200_000, b"a: &a [*a, *a]\n", b"? " * 5000, b"- " * 5000, b"{" * 50, b"seed: 1e999\n", b"\xff", b"%YAML 9.9\n---\n",
    b"a: !!python/object/apply:os.system [true]\n", b"seed: " + b"9" * 5000, b"answers:\n" + b"  x: 1\n" * 30_000, b"\t\t\t",
]  # fmt: skip


class Maker:
    """Makes random hand-ins, the same for the same seed."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)

    def name(self, most: int = 250) -> str:
        """Return a name of a file: usual, long, or anything that the kernel accepts."""
        kind = self.random.randrange(5)
        if kind == 0:
            data = self.random.choice(
                [b"--help", b"-", b"~", b"con", b"a\nb", b"\x1b[31m", b"%s", b"'\"", b"::error::x", b"\xf0\x9f\x92\xa9",
                 "\u202egnp.\u200f".encode(), b"$(id)", b"a:b", b"<b>", b"=1+1", b"Ada", b"ada"]
            )  # fmt: skip
        elif kind == 1:
            data = self.random.choice([b"x", "é".encode(), b"\xfc"]) * most
        else:
            data = self.random.randbytes(self.random.randrange(1, 12))
        data = data[:most].translate(None, b"/\0").lstrip(b"._")
        return os.fsdecode(data) or "student"

    def module(self) -> bytes:
        """Return the text of an exercise, right, odd or no Python."""
        kind = self.random.randrange(4)
        if kind == 0:
            return self.random.choice(TEXTS)
        source = SOLUTIONS["halving"].encode()
        if kind == 1:
            return self.mutated(source)
        names = re.findall(rb"^def (\w+)\(", source, re.MULTILINE)
        value = self.random.choice(VALUES).encode()
        return b"import torch\n" + b"".join(
            b"def " + name + b"(x, *_, **__):\n    return " + value + b"\n" for name in names
        )

    def mutated(self, data: bytes) -> bytes:
        """Return data with a few bytes changed, or cut."""
        changed = bytearray(data)
        for _ in range(self.random.randrange(1, 6)):
            changed[self.random.randrange(len(changed))] = self.random.randrange(256)
        return bytes(
            changed[: self.random.randrange(len(changed))] if self.random.random() < 0.3 else changed
        )

    # --- kinds of hand-ins; each writes one at `path`, which is free

    def tree(self, path: Path) -> None:
        """Write a folder with modules, sheets, times, links, pipes and other files of any names."""
        path.mkdir()
        for folder in ("exercises", "answers", self.name()):
            if self.random.random() < 0.7 and not os.path.lexists(path / folder):
                (path / folder).mkdir()
        wanted: dict[str, Callable[[], bytes]] = {
            "exercises/halving.py": self.module,
            "exercises/shifting.py": SOLUTIONS["shifting"].encode,
            "answers/small.yaml": lambda: self.random.choice(SHEETS),
            "timestamp.txt": lambda: self.random.choice(TIMES).encode(),
            "work.ipynb": self.notebook_text,
            f"exercises/{self.name(200)}.py": self.module,
            self.name(): lambda: self.random.randbytes(99),
        }
        for name, content in wanted.items():
            target = path / name
            if self.random.random() < 0.6 and target.parent.is_dir() and not os.path.lexists(target):
                self.entry(target, content())
        if self.random.random() < 0.2:
            self.checkout(path)
        if self.random.random() < 0.2:
            self.deep(path)

    def entry(self, path: Path, content: bytes) -> None:
        """Write a file, or something else in its place."""
        kind = self.random.randrange(12)
        if kind == 0:
            path.symlink_to(self.random.choice(["/etc/passwd", "..", path, "/dev/zero", "nowhere", "\udcff"]))
        elif kind == 1:
            os.mkfifo(path)
        elif kind == 2:
            path.mkdir()
        elif kind == 3 and len(os.fsencode(path)) < 100:
            with socket.socket(socket.AF_UNIX) as opened:
                opened.bind(os.fsencode(path))
        else:
            path.write_bytes(content)
            if kind == 4:
                at = self.random.choice([-(2**33), 0, 2**31, 2**34 - 1])
                os.utime(path, (at, at))

    def deep(self, path: Path) -> None:
        """Write folders in folders, each with a module."""
        here = path
        for _ in range(self.random.choice([3, 300])):
            here /= "d"
            here.mkdir()
            (here / "m.py").write_bytes(b"")

    def checkout(self, path: Path) -> None:
        """Write what looks like a git repository."""
        git = path / ".git"
        if self.random.random() < 0.3:
            git.write_bytes(b"gitdir: /\n")
            return
        for folder in ("", "objects", "refs", "refs/heads"):
            (git / folder).mkdir()
        head = self.random.choice(
            [b"ref: refs/heads/main\n", b"0" * 40, b"\xff" * 99, b"ref: ../../../x\n", b""]
        )
        (git / "HEAD").write_bytes(head)
        (git / "refs" / "heads" / "main").write_bytes(self.random.choice([b"1" * 40, b"", b"f" * 64]))

    def archive(self, path: Path) -> None:
        """Write a zip whose members, names or bytes are odd."""
        data = io.BytesIO()
        with zipfile.ZipFile(data, "w", zipfile.ZIP_DEFLATED) as made:
            names = ["exercises/halving.py", "exercises/shifting.py", "answers/small.yaml", "work.ipynb"]
            names += self.random.sample(
                ["", "/", "../x", "C:\\x", "a" * 999, "\x00", "exercises/", "\udcff", "é/è.py"], 3
            )
            for name in self.random.sample(names, len(names)):
                member = zipfile.ZipInfo("x")
                member.filename = name.encode("utf-8", "replace").decode()
                member.external_attr = self.random.choice([0o100644, stat.S_IFLNK | 0o777, 0]) << 16
                content = {
                    "answers/small.yaml": self.random.choice(SHEETS),
                    "work.ipynb": self.notebook_text(),
                }
                made.writestr(member, content.get(name, self.module()))
        whole = data.getvalue()
        path.write_bytes(self.mutated(whole) if self.random.random() < 0.5 else whole)

    def notebook(self, path: Path) -> None:
        """Write a notebook."""
        path.write_bytes(self.notebook_text())

    def notebook_text(self) -> bytes:
        """Return a notebook, odd or damaged."""
        source = f"%%grade halving\n{self.module().decode('utf-8', 'replace')}"
        cell = {"cell_type": "code", "source": source, "metadata": {"tags": ["grade:shifting"]}}
        most = 6000 if len(source) < 1000 else 2
        cells = [cell] * self.random.choice([1, most])
        whole = json.dumps({"nbformat": self.random.choice([4, 4, 3, -1]), "cells": cells})
        odd = [b"[" * 100_000, b"null", b'{"nbformat": 4, "cells": {}}', self.mutated(whole[:2000].encode())]
        return whole.encode() if self.random.random() < 0.5 else self.random.choice(odd)

    def hand_in(self, folder: Path) -> None:
        """Write a random hand-in to a folder, unless its name is taken."""
        write, ending = self.random.choice(
            [(self.tree, ""), (self.tree, ""), (self.archive, ".zip"), (self.notebook, ".ipynb")]
        )
        path = folder / f"{self.name(240)}{ending}"
        if not os.path.lexists(path):
            write(path)


def honest(folder: Path) -> None:
    for student in HONEST:
        (folder / student / "exercises").mkdir(parents=True)
        (folder / student / "answers").mkdir()
        (folder / student / "answers" / "small.yaml").write_text(SHEET, encoding="utf-8")
        for name, text in SOLUTIONS.items():
            (folder / student / "exercises" / f"{name}.py").write_text(
                f"{text}\n# {student}\n", encoding="utf-8"
            )


def listing(folder: Path) -> list[tuple[object, ...]]:
    """Return what is below a folder: paths, kinds, sizes and times."""
    found = []
    for here, folders, files in os.walk(folder):
        for name in (*folders, *files):
            one = Path(here, name).lstat()
            found.append((here, name, one.st_mode, one.st_size, one.st_mtime_ns))
    return sorted(found)


@pytest.mark.parametrize("number", CLASSES)
@pytest.mark.timeout(900)
def test_a_class_of_anything_is_graded_to_its_end(tmp_path, number):
    maker, folder = Maker(number), tmp_path / "handed-in"
    honest(folder)
    for _ in range(PER_CLASS):
        maker.hand_in(folder)
    (tmp_path / "tmp").mkdir()
    before, running = listing(folder), _warm_processes()
    environment = {
        **os.environ,
        "CONVGRADER_COURSE": str(COURSE),
        "TMPDIR": str(tmp_path / "tmp"),
        "COLUMNS": "80",
    }

    def run(*words: str, codes: tuple[int, ...]) -> str:
        command = [sys.executable, "-m", "grader", *words]
        done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, check=False)
        output, errors = done.stdout.decode(), done.stderr.decode()
        assert done.returncode in codes, f"class {number}, {words[0]}: {done.returncode}\n{output}\n{errors}"
        assert "Traceback" not in errors
        assert "\x1b" not in output + errors
        return output

    options = ["--gradebook", "course.db", "--reports", "reports", "--require-isolation", "0"]
    for _ in range(2):  # graded, and unchanged
        output = run("class", "handed-in", *options, codes=(0, 1, 3))
        *lines, last = output.splitlines()
        own = [line for line in lines if re.match(r"( *[\d.]+ of \d+ +[\d.]+%| *not graded)  ", line)]
        graded, total = map(int, re.match(r"(\d+) of (\d+) submissions graded", last).groups())
        entries = [path for path in folder.iterdir() if not path.name.startswith((".", "__"))]
        assert len(own) == total
        assert len(HONEST) < total <= len(entries)
        assert graded == sum("not graded" not in line for line in own)
        for student in HONEST:
            (line,) = [line for line in own if line.removesuffix(" (unchanged)").endswith(f"  {student}")]
            assert "100.0%" in line, f"class {number}: {line}"
        reports = {path.name for path in (tmp_path / "reports").iterdir()}
        assert len(reports) == graded, f"class {number}: {reports}"
    run("stats", "course.db", "--format", "json", codes=(0,))
    run("similar", "course.db", "--format", "json", codes=(0,))
    run("export", "nbgrader", "course.db", "--output", "marks.csv", codes=(0, 1))
    run("regrade", "course.db", "--dry-run", "--require-isolation", "0", codes=(0, 3))
    assert listing(folder) == before
    assert {path.name for path in tmp_path.iterdir()} == {
        "handed-in",
        "tmp",
        "reports",
        "course.db",
        "marks.csv",
    }
    assert list((tmp_path / "tmp").iterdir()) == []
    assert _warm_processes() <= running

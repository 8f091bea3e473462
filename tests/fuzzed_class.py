"""Random hand-ins for a class of the miniature course: names, trees, zips, notebooks, answers, checkouts, dates, results.

Each kind is a function that writes one student's entry into the folder of a class. `write_class` mixes them with honest
submissions. The same seed gives the same class.
"""

# Names are bytes here, and a Path holds text.
# ruff: noqa: PTH103, PTH118, PTH120, PTH123, PTH101, PTH211, PTH102

import json
import os
import random
import shutil
import socket
import struct
import subprocess
import warnings
import zipfile
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

COURSE = Path(__file__).parent / "course"
REFERENCE = (COURSE / "solutions" / "scaling" / "reference.py").read_text(encoding="utf-8")
HONEST = 0.4  # the share of honest submissions
_NAME_BYTES = [bytes([byte]) for byte in range(1, 256) if byte != ord("/")]
_NAME_PARTS = [
    b"\xff", b"M\xfcller", b"\xc0\xaf", b"\xed\xa0\x80", b"\n", b"\r", b"\t", b"\x1b[2J", b"\x7f", b"\\", b"..", b" ", b"'",
    b'"', b"%s", b"$(id)", b"`", b":", b"*", b"?", b"<b>", b"=1+1", b"::error::", "é".encode(), "e\u0301".encode(),
    "\u202egnp".encode(), "\u200b".encode(), "\U0001f40d".encode(), b"CON", b"nul", b"-rf", b".py", b".zip", b".json",
]  # fmt: skip


@dataclass(slots=True)
class FuzzedClass:
    """A class that was written. `kinds` maps each entry's name to its kind; `honest` are the names of honest ones."""

    folder: Path
    kinds: dict[bytes, str] = field(default_factory=dict)

    @property
    def honest(self) -> list[str]:
        """The students whose submissions must earn full marks."""
        return [name.split(b".")[0].decode() for name, kind in self.kinds.items() if kind == "honest"]


def write_class(folder: Path, outside: Path, seed: int, size: int) -> FuzzedClass:
    """Write a class of `size` hand-ins. Links lead to files in `outside`, which nothing may read or change."""
    rng = random.Random(seed)
    outside.mkdir(parents=True)
    (outside / "secret.py").write_text(REFERENCE, encoding="utf-8")
    folder.mkdir(parents=True)
    written = FuzzedClass(folder)
    for number in range(size):
        kind = "honest" if rng.random() < HONEST else rng.choice(sorted(KINDS))
        made = _Entry(rng, os.fsencode(folder), os.fsencode(outside), b"s%04d" % number)
        (KINDS.get(kind) or honest)(made)
        written.kinds[made.name] = kind
    return written


@dataclass(slots=True)
class _Entry:
    """One student's entry. `name` may be changed by a kind before `path` is used; all paths are bytes."""

    rng: random.Random
    folder: bytes
    outside: bytes
    name: bytes

    @property
    def path(self) -> bytes:
        """Where the entry is written."""
        return os.path.join(self.folder, self.name)

    def write(self, name: bytes, data: bytes) -> bytes:
        """Write one file of a folder; return its path."""
        path = os.path.join(self.path, name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "wb") as file:
            file.write(data)
        return path

    def solution(self) -> bytes:
        """Return a right solution that no other has, so that its result is not in the cache."""
        return REFERENCE.encode() + b"\n# by %s\n" % self.name.split(b".")[0][:5]

    def name_bytes(self, most: int = 40) -> bytes:
        """Return a random file name."""
        parts = self.rng.choices(
            _NAME_PARTS + _NAME_BYTES[:: self.rng.randint(1, 9)], k=self.rng.randint(1, 12)
        )
        name = b"".join(parts)[:most].strip(b"/")
        return name if name not in (b"", b".", b"..") else b"x"


# --- kinds


def honest(one: _Entry) -> None:
    """A right solution, in one of the forms in which work is handed in."""
    form = one.rng.choice(["folder", "top", "zip", "notebook", "nested", "checkout"])
    if form == "zip":
        one.name += b".zip"
        with zipfile.ZipFile(
            os.fsdecode(one.path), "w", one.rng.choice([zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
        ) as file:
            file.writestr("work/exercises/scaling.py", one.solution())
    elif form == "notebook":
        cell = {"cell_type": "code", "metadata": {}, "source": "%%grade scaling\n" + one.solution().decode()}
        data = {"nbformat": 4, "nbformat_minor": 5, "metadata": {}, "cells": [cell]}
        one.name += b".ipynb"
        with open(one.path, "w", encoding="utf-8") as file:
            json.dump(data, file)
    elif form == "nested":
        one.write(b"hand-in/exercises/scaling.py", one.solution())
    else:
        one.write(b"scaling.py" if form == "top" else b"exercises/scaling.py", one.solution())
        if form == "checkout":
            _commit(one, "2026-03-01T12:00:00+0000")


def named_student(one: _Entry) -> None:
    """A right solution of a student whose folder has an odd name."""
    one.name += one.name_bytes(one.rng.choice([10, 40, 245]))
    one.write(b"exercises/scaling.py", one.solution())


def named_files(one: _Entry) -> None:
    """Files with odd names beside a right solution."""
    one.write(b"exercises/scaling.py", one.solution())
    for _ in range(one.rng.randint(1, 8)):
        folder = one.rng.choice([b"", b"exercises/", b"answers/", b"exercises/" + one.name_bytes(20) + b"/"])
        ending = one.rng.choice([b"", b".py", b".ipynb", b".yaml"])
        path = os.path.join(one.path, folder, one.name_bytes(200) + ending)
        if not os.path.lexists(path):
            one.write(path, one.rng.randbytes(20))


def odd_tree(one: _Entry) -> None:
    """Links, pipes, sockets, folders in the place of files, deep and wide trees, sparse and unreadable files."""
    one.write(b"exercises/other.py", b"x = 1\n")
    one.rng.choice(_TREES)(one, os.path.join(one.path, b"exercises", b"scaling.py"))


def _links(one: _Entry, module: bytes) -> None:
    os.symlink(os.path.join(one.outside, b"secret.py"), module)
    os.symlink(one.outside, os.path.join(one.path, b"answers"))
    os.symlink(os.path.join(one.outside, b"absent"), os.path.join(one.path, b"timestamp.txt"))


def _loops(one: _Entry, module: bytes) -> None:
    os.symlink(b"scaling.py", module)
    os.symlink(b"..", os.path.join(one.path, b"exercises", b"up"))


def _pipes(one: _Entry, module: bytes) -> None:
    os.mkfifo(module)
    os.mkfifo(os.path.join(one.path, b"timestamp.txt"))


def _socket(_: _Entry, module: bytes) -> None:
    with socket.socket(socket.AF_UNIX) as made:  # the path of a socket has at most 107 bytes
        here = os.open(os.path.dirname(module), os.O_RDONLY)
        made.bind(f"/proc/self/fd/{here}/scaling.py")
        os.close(here)


def _folder_for_file(_: _Entry, module: bytes) -> None:
    os.makedirs(os.path.join(module, b"__init__.py"))


def _deep(one: _Entry, _: bytes) -> None:
    os.makedirs(os.path.join(one.path, *[b"d" * one.rng.randint(1, 60)] * one.rng.randint(1, 50)))


def _wide(one: _Entry, _: bytes) -> None:
    for number in range(one.rng.choice([210, 5_100])):
        one.write(b"exercises/h%d.py" % number, b"")


def _sparse(one: _Entry, _: bytes) -> None:
    os.truncate(one.write(b"exercises/scaling.py", b"x"), one.rng.choice([2**20 + 1, 2**31, 2**40]))


def _locked(one: _Entry, module: bytes) -> None:
    one.write(b"exercises/scaling.py", one.solution())
    os.chmod(module, 0)
    os.chmod(os.path.dirname(module), 0)


def _device(one: _Entry, module: bytes) -> None:
    os.symlink(
        one.rng.choice([b"/dev/zero", b"/dev/stdin", b"/proc/self/mem", b"/proc/self/environ"]), module
    )


def _git_file(one: _Entry, _: bytes) -> None:
    one.write(b".git", one.rng.randbytes(50))


_TREES = (
    _links,
    _loops,
    _pipes,
    _socket,
    _folder_for_file,
    _deep,
    _wide,
    _sparse,
    _locked,
    _device,
    _git_file,
)


def odd_source(one: _Entry) -> None:
    """A module that is no Python, or Python that is hard to read."""
    text = one.rng.choice([
        one.rng.randbytes(300),
        b"\0" * 100,
        b"# coding: " + one.rng.choice([b"utf-7", b"rot13", b"nowhere", b"latin-1"]) + b"\nx = '\xe9'\n",
        b"\xef\xbb\xbf" + one.solution(),
        b"x = " + b"(" * 5000 + b")" * 5000,
        b"x = " + b"-" * 100_000 + b"1",
        b"x = " + b"[0] + " * 30_000 + b"[]",
        b"if 1:\n" + b"".join(b" " * n + b"if 1:\n" for n in range(1, 120)) + b" " * 121 + b"pass\n",
        b"x = 1" * 150_000,
        b"'" + b"\\N{DIGIT ONE}" * 50_000 + b"'",
        b"import " + b".".join([b"a"] * 20_000),
        b"\n".join([b"def f(): pass"] * 40_000),
        one.solution().replace(b"\n", b"\r"),
        one.solution() + b"\x0c\x1a\x00",
        "\u2028\u2029\x85".encode() * 1000,
        b"",
    ])  # fmt: skip
    one.write(b"exercises/scaling.py", text)
    for number in range(one.rng.choice([0, 0, 3, 30])):
        one.write(b"exercises/helper%d.py" % number, text * one.rng.randint(1, 20))


RESULTS = """
[torch.full((8, 8), -1e-30)] * 15000
[torch.full((2**11, 2**11), 1.0)] * 30
{("k" * 80000 + str(i)): 1 for i in range(12)}
{i: {i: {}} for i in range(20000)}
"x" * 10**7
"\\ud800\\x1b[2J\\u202e" * 1000
10**5000
-2**63
1e308 * 10
float("nan")
complex(1, 2)
torch.zeros(2**40, 0, 2**20)
torch.empty(0, 2**62)
torch.sparse_coo_tensor(size=(9, 9))
torch.nested.nested_tensor([x, x])
torch.quantize_per_tensor(x.float(), 0.1, 0, torch.quint8)
torch.empty(3, device="meta")
x.to(torch.complex64)
x.double() * 2
x.expand(2**20, *x.shape)
type("Liar" * 500, (), {"__repr__": lambda s: 1 / 0})()
type("Tensor", (torch.Tensor,), {})(2)
[[[[[[[[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]]]]]]]
(lambda a: (a.append(a), a)[1])([])
print("::error::x\\x1b[2J" * 100000)
exec("raise Exception('y' * 10**7)")
exec("class E(Exception):\\n def __str__(s): raise s\\nraise E()")
exec("raise KeyboardInterrupt")
exec("def f(): f()\\nf()")
sys.exit(0)
os._exit(0)
os.kill(os.getpid(), 9)
os.close(3) or os.close(4) or os.close(5)
open("/tmp/fuzzed", "w")
bytearray(2**34)
[threading.Thread(target=time.sleep, args=(9,), daemon=True).start() for _ in range(5000)]
""".strip().splitlines()


def odd_results(one: _Entry) -> None:
    """Functions that return, raise or do what no honest one does."""
    chosen = [one.rng.choice(RESULTS) for _ in range(3)]
    text = f"""
import os, sys, threading, time, torch
def double(x): return {chosen[0]}
def total(x, start=0.0): return {chosen[1]}
class Scale(torch.nn.Module):
    def forward(self, x): return {chosen[2]}
"""
    one.write(b"exercises/scaling.py", text.encode() + b"# %s\n" % one.name)


def odd_zip(one: _Entry) -> None:
    """A zip with odd members, or a right one with changed bytes."""
    one.name += one.rng.choice([b".zip", b".ZIP", b".Zip"])
    with warnings.catch_warnings(action="ignore"), zipfile.ZipFile(os.fsdecode(one.path), "w") as file:
        file.writestr("exercises/scaling.py", one.solution())
        for _ in range(one.rng.randint(0, 6)):
            name = one.rng.choice(
                [
                    one.name_bytes().decode("latin-1"), "a/../../b.py", "/etc/passwd", "C:\\x.py", "exercises\\scaling.py", "./.",
                    "x" * 60_000, "exercises/", "answers/q.yaml", "exercises/a.py", "\0", "a" + "/b" * 5000,
                ]
            )  # fmt: skip
            member = zipfile.ZipInfo("x", date_time=(1980, 1, 1, 0, 0, 0))
            member.filename = name or "x"
            member.external_attr = one.rng.choice([0, 0o120777 << 16, 0o40755 << 16, 0o10644 << 16])
            member.compress_type = one.rng.choice(
                [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_LZMA]
            )
            file.writestr(member, one.rng.choice([b"", b"x" * 100, b"\0" * 2_000_000]))
    data = _read(one.path)
    with open(one.path, "wb") as file:
        file.write(one.rng.choice(_DAMAGES)(one.rng, bytearray(data)))


def _undamaged(_: random.Random, data: bytearray) -> bytes:
    return bytes(data)


def _changed_bytes(rng: random.Random, data: bytearray) -> bytes:
    for _ in range(rng.randint(1, 30)):
        data[rng.randrange(len(data))] = rng.randrange(256)
    return bytes(data)


def _cut(rng: random.Random, data: bytearray) -> bytes:
    return bytes(data[: rng.randrange(len(data))])


def _prefixed(rng: random.Random, data: bytearray) -> bytes:
    return rng.randbytes(1000) + data


def _other_names(_: random.Random, data: bytearray) -> bytes:
    return bytes(data).replace(b"scaling", b"\xff\xfe\x00/\xe9\x1b\\")


def _other_dates(rng: random.Random, data: bytearray) -> bytes:
    at = data.find(b"PK\1\2")
    while at >= 0:
        data[at + 12 : at + 16] = rng.randbytes(4)
        at = data.find(b"PK\1\2", at + 1)
    return bytes(data)


def _other_count(rng: random.Random, data: bytearray) -> bytes:
    at = data.rfind(b"PK\5\6")
    data[at + 8 : at + 12] = struct.pack("<2H", *[rng.choice([0, 1, 65535])] * 2)
    return bytes(data)


def _twice(_: random.Random, data: bytearray) -> bytes:
    return bytes(data * 2)


_DAMAGES = (
    _undamaged, _changed_bytes, _cut, _prefixed, _other_names, _other_dates, _other_count, _twice,
)  # fmt: skip


_MAX_NOTEBOOK_BYTES = 5 * 2**20


def odd_notebook(one: _Entry) -> None:
    """A notebook with odd cells, or a right one with changed bytes."""
    one.name += b".ipynb"
    source = one.rng.choice(
        [
            "%%grade scaling\n" + one.solution().decode(), ["%%grade scaling\n"] * 100_000, None, {"a": 1}, "%%grade " + "x" * 10**5,
            "%%grade scaling\n" + "!" * 10**5, "%%grade scaling\n" + "%\n" * 10**5, "%%grade scaling\n" + "(" * 10**5, "\ud800",
            "%%grade scaling\n" + "a?\n" * 10**4, "%%grade scaling\n" + " \n" * 10**5,
        ]
    )  # fmt: skip
    tags = one.rng.choice([["grade:scaling"], ["grade:" + "y" * 10**4], "grade:scaling", [1]])
    cell = {
        "cell_type": one.rng.choice(["code", "code", "raw", 7]),
        "metadata": {"tags": tags},
        "source": source,
    }
    count = one.rng.choice([1, 1, 2, 5001])
    head = json.dumps({"nbformat": one.rng.choice([4, 4, 4, 3, 10**30]), "metadata": {}})[:-1]
    encoded = json.dumps(cell)
    cells = ", ".join([encoded] * min(count, _MAX_NOTEBOOK_BYTES // len(encoded) + 1))  # no more than is kept
    data = bytearray(f'{head}, "cells": [{cells}]}}'.encode()[:_MAX_NOTEBOOK_BYTES])
    if one.rng.random() < 0.3:
        data = bytearray(b'{"nbformat": 4, "cells": ' + b"[" * 200_000)
    elif one.rng.random() < 0.3:
        data[one.rng.randrange(len(data))] = one.rng.randrange(256)
    with open(one.path, "wb") as file:
        file.write(data)


def odd_answers(one: _Entry) -> None:
    """Answers to the quiz that are no YAML, or YAML that is hard to read, beside a right solution."""
    one.write(b"exercises/scaling.py", one.solution())
    text = one.rng.choice(
        [
            b"[" * 200_000, b"{" * 200_000, b"- " * 100_000, b"? " * 100_000, b"a: " * 60_000, b"&a [*a]", b"!!python/object:os.system x",
            b"&a a: &b [*a, *a]\n" * 2000, b"a: 1\n" * 50_000, b"--- \n" * 50_000, b"%YAML 9.9\n---\n", b"\t" * 1000, b"a: |\n " + b"x\n " * 90_000,
            b'"' + b"\\x41" * 60_000 + b'"', b"'" * 200_000, b"items: " + b"9" * 5000, b"\xff\xfe" + b"a\0:\0" * 1000, b"\0", b"<<: *x", b"x" * 262_145,
            one.rng.randbytes(500), b"".join(b"k%d: [1, {a: b}]\n" % n for n in range(9000)),
        ]
    )  # fmt: skip
    one.write(b"answers/" + one.rng.choice([b"small.yaml", b"small.yml"]), text)


def odd_checkout(one: _Entry) -> None:
    """A checkout whose repository is damaged, lies about its time, or names programs."""
    one.write(b"exercises/scaling.py", one.solution())
    match one.rng.choice(["time", "garbage", "cut", "links", "config"]):
        case "time":
            _commit(
                one,
                one.rng.choice(
                    ["@0 +0000", "@99999999999 +0000", "@2147483648 -1200", "1970-01-01T00:00:00+1400"]
                ),
            )
        case "garbage":
            for name in (b"HEAD", b"packed-refs", b"config", b"index", b"refs/heads/main"):
                one.write(
                    b".git/" + name,
                    one.rng.choice(
                        [b"ref: refs/heads/main\n", b"0" * 40, b"ref: ../../x", one.rng.randbytes(90)]
                    ),
                )
            os.makedirs(os.path.join(one.path, b".git", b"objects"))
        case "cut":
            _commit(one, "2026-03-01T12:00:00+0000")
            for here, _, files in os.walk(os.path.join(one.path, b".git", b"objects")):
                for name in files:
                    os.chmod(os.path.join(here, name), 0o600)
                    os.truncate(os.path.join(here, name), one.rng.randint(0, 60))
        case "links":
            os.makedirs(os.path.join(one.path, b".git"))
            os.symlink(one.outside, os.path.join(one.path, b".git", b"objects"))
            os.symlink(os.path.join(one.outside, b"secret.py"), os.path.join(one.path, b".git", b"HEAD"))
        case "config":
            _commit(one, "2026-03-01T12:00:00+0000")
            program = b"touch " + os.path.join(one.outside, b"run-by-git")
            one.write(
                b".git/config",
                b"[core]\n fsmonitor = "
                + program
                + b'\n hooksPath = .\n[filter "x"]\n clean = '
                + program
                + b"\n",
            )


def odd_dates(one: _Entry) -> None:
    """Times out of every range, in files and in nbgrader's timestamp.txt."""
    module = one.write(b"exercises/scaling.py", one.solution())
    stamp = one.rng.choice(
        [
            b"0001-01-01 00:00:00 Asia/Tokyo", b"9999-12-31 23:59:59 America/New_York", b"2026-02-30 12:00:00 UTC", b"2026-03-29 02:30:00 Europe/Berlin",
            b"2026-03-01 12:00:00 ../../etc/passwd", b"2026-03-01 12:00:00 " + b"Z" * 150, b"2026-03-01 12:00:00 Nowhere/Land", b"\xff" * 90, b"",
            b"2026-03-01 25:00:00 UTC", b"2026-03-01T12:00:00+99:99", b"9" * 199, b"2026-03-01 12:00:00 +2400", b"2026-03-01 12:00:00 \0",
        ]
    )  # fmt: skip
    if one.rng.random() < 0.7:
        one.write(b"timestamp.txt", stamp)
    seconds = one.rng.choice([-(2**40), -1, 0, 2**31, 2**33, 253402300800, 2**40])
    for path in (module, one.path):
        os.utime(path, (seconds, seconds))


def nothing(one: _Entry) -> None:
    """An empty folder, an empty zip, an empty notebook."""
    ending = one.rng.choice([b"", b".zip", b".ipynb"])
    one.name += ending
    if ending:
        with open(one.path, "wb"):
            pass
    else:
        os.mkdir(one.path)


KINDS: dict[str, Callable[[_Entry], None]] = {
    kind.__name__: kind
    for kind in (
        named_student, named_files, odd_tree, odd_source, odd_results, odd_zip, odd_notebook, odd_answers, odd_checkout, odd_dates,
        nothing,
    )
}  # fmt: skip


def _read(path: bytes) -> bytes:
    with open(path, "rb") as file:
        return file.read()


def _commit(one: _Entry, when: str) -> None:
    """Make the folder a checkout with one commit."""
    author = {
        f"GIT_{who}_{what}": value
        for who in ("AUTHOR", "COMMITTER")
        for what, value in (("NAME", "s"), ("EMAIL", "s@example.org"), ("DATE", when))
    }
    environment = {**os.environ, **author, "GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_NOSYSTEM": "1"}
    for arguments in (["init", "--quiet"], ["add", "."], ["commit", "--quiet", "--message", "x"]):
        subprocess.run(["git", *arguments], cwd=one.path, env=environment, check=True, capture_output=True)


def has_git() -> bool:
    """Tell whether checkouts can be made here."""
    return shutil.which("git") is not None

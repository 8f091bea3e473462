"""Landlock: which rights a ruleset asks for on each kernel, and which paths a worker may read. Imports no torch."""

import json
import os
import struct
import subprocess
import sys
from pathlib import Path

import pytest

if sys.platform != "linux":
    pytest.skip("Landlock is Linux's", allow_module_level=True)

from grader.course import catalog
from grader.sandbox.worker import landlock

ROOT = Path(__file__).parents[1]

# From include/uapi/linux/landlock.h.
EXECUTE, WRITE_FILE, READ_FILE, READ_DIR, REMOVE_DIR, REMOVE_FILE = (1 << bit for bit in range(6))
MAKE_CHAR, MAKE_DIR, MAKE_REG, MAKE_SOCK, MAKE_FIFO, MAKE_BLOCK, MAKE_SYM = (1 << bit for bit in range(6, 13))
REFER, TRUNCATE, IOCTL_DEV = 1 << 13, 1 << 14, 1 << 15
BIND_TCP, CONNECT_TCP = 1, 2
ABSTRACT_UNIX_SOCKET, SIGNAL = 1, 2
FIRST = (
    EXECUTE | WRITE_FILE | READ_FILE | READ_DIR | REMOVE_DIR | REMOVE_FILE
    | MAKE_CHAR | MAKE_DIR | MAKE_REG | MAKE_SOCK | MAKE_FIFO | MAKE_BLOCK | MAKE_SYM
)  # fmt: skip
ASKED = {
    1: (FIRST,),
    2: (FIRST | REFER,),
    3: (FIRST | REFER | TRUNCATE,),
    4: (FIRST | REFER | TRUNCATE, BIND_TCP | CONNECT_TCP),
    5: (FIRST | REFER | TRUNCATE | IOCTL_DEV, BIND_TCP | CONNECT_TCP),
    6: (FIRST | REFER | TRUNCATE | IOCTL_DEV, BIND_TCP | CONNECT_TCP, ABSTRACT_UNIX_SOCKET | SIGNAL),
}


def recorded(monkeypatch, paths):
    """Record what is passed to the kernel instead of calling it: ruleset attributes, and the rights of each path."""
    attributes, rules = [], {}

    def call(number: int, *arguments: object) -> int:
        if number == 444:
            attributes.append(bytes(arguments[0]._obj)[: arguments[1].value])
        if number == 445:
            rule = arguments[2]._obj
            path = Path(f"/proc/self/fd/{rule.parent}").readlink()
            rules[str(path)] = (arguments[1].value, rule.allowed)
        return 77

    monkeypatch.setattr(landlock, "system_call", call)
    monkeypatch.setattr(landlock, "readable", lambda: iter(paths))
    return attributes, rules


@pytest.mark.parametrize("version", range(1, 9))
def test_a_ruleset_asks_for_every_right_of_its_abi_and_for_no_other(monkeypatch, version):
    attributes, _ = recorded(monkeypatch, [])
    assert landlock.ruleset(version) == 77
    (data,) = attributes
    assert struct.unpack(f"={len(data) // 8}Q", data) == ASKED[min(version, 6)]


def test_a_path_may_be_read_and_a_folder_listed_and_nothing_else(monkeypatch, tmp_path):
    (tmp_path / "folder").mkdir()
    (tmp_path / "file").touch()
    paths = [tmp_path / "folder", tmp_path / "file", tmp_path / "missing"]
    _, rules = recorded(monkeypatch, paths)
    landlock.ruleset(6)
    path_beneath = 1
    assert rules == {
        str(tmp_path / "folder"): (path_beneath, READ_FILE | READ_DIR),
        str(tmp_path / "file"): (path_beneath, READ_FILE),
    }


# --- what a worker may read


def exposed(readable: list[Path], kept: Path) -> list[Path]:
    """Return the readable paths that hold a path, are it, or lie in it."""
    return [path for path in readable if kept.is_relative_to(path) or path.is_relative_to(kept)]


def test_what_lies_above_in_or_at_a_path_exposes_it():
    kept = Path("/a/b")
    assert exposed([Path("/a"), Path("/a/b"), Path("/a/b/c"), Path("/a/bc"), Path("/d")], kept) == [
        Path("/a"),
        Path("/a/b"),
        Path("/a/b/c"),
    ]


def test_neither_the_grader_nor_the_course_of_a_checkout_can_be_read():
    readable = [path.resolve() for path in landlock.readable()]  # the kernel follows links too
    assert any(path.name == "torch" for path in readable)
    for kept in (ROOT / "grader", *(ROOT / name for name in ("solutions", "quizzes", "exercises", "tests"))):
        assert kept.is_dir()
        assert exposed(readable, kept.resolve()) == [], kept
    assert not [path for path in readable if ROOT.is_relative_to(path)]


def test_no_distribution_that_workers_read_is_the_grader():
    names = landlock._with_dependencies(landlock.LIBRARIES)
    assert {"torch", "numpy"} <= set(names)
    assert not {"convgrader", "pytest", "hypothesis"} & set(names)


LAYOUT = {
    "torch/__init__.py": "",
    "torchgen/__init__.py": "",
    "torch-2.0.dist-info/METADATA": "Metadata-Version: 2.1\nName: torch\nVersion: 2.0\n"
    "Requires-Dist: numpy\nRequires-Dist: alone; python_version > '3'\nRequires-Dist: pytest; extra == 'test'\n",
    "torch-2.0.dist-info/top_level.txt": "torch\ntorchgen\nfunctorch\n",
    "numpy/__init__.py": "",
    "numpy.libs/libopenblas.so": "",
    "numpy-2.0.dist-info/METADATA": "Metadata-Version: 2.1\nName: numpy\nVersion: 2.0\n",
    "alone.py": "",
    "alone-1.dist-info/METADATA": "Metadata-Version: 2.1\nName: alone\nVersion: 1\n",
    "pytest/__init__.py": "",
    "pytest-8.dist-info/METADATA": "Metadata-Version: 2.1\nName: pytest\nVersion: 8\n",
    "grader/__init__.py": "",
    f"{catalog.PACKAGED_COURSE}/solutions/relu/reference.py": "",
}


def test_of_site_packages_only_the_folders_of_torch_and_numpy_and_what_they_require_can_be_read(
    monkeypatch, tmp_path
):
    """The layout of a wheel's installation: the course and the grader lie beside the libraries."""
    for name, text in LAYOUT.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text, encoding="utf-8")
    monkeypatch.setattr(sys, "path", [str(tmp_path)])
    readable = list(landlock.readable())
    assert {path.name for path in readable if path.parent == tmp_path} == {
        "torch",
        "torchgen",
        "numpy",
        "numpy.libs",
        "alone.py",
    }
    for name in ("grader", catalog.PACKAGED_COURSE, "pytest"):
        assert exposed(readable, tmp_path / name) == []
    assert exposed(readable, tmp_path / "torch") == [tmp_path / "torch"], "neither its parent nor twice"


@pytest.mark.parametrize(
    ("present", "expected"),
    [
        (["usr/lib/x86_64-linux-gnu/libz.so.1", "usr/lib/secret"], {"usr/lib/x86_64-linux-gnu"}),  # Debian
        (["usr/lib64/libz.so.1", "usr/lib64/libc.so", "usr/lib64/secret"], {"usr/lib64/libz.so.1", "usr/lib64/libc.so"}),
        (["conda/lib/libsqlite3.so.0", "conda/lib/notes.txt", "conda/lib/python3.11/os.py"], {"conda/lib/libsqlite3.so.0"}),
        (["conda/lib64/libffi.so.8"], {"conda/lib64/libffi.so.8"}),
    ],
    ids=["Debian", "Fedora", "conda", "LIBDIR"],
)  # fmt: skip
def test_shared_libraries_are_readable_wherever_a_distribution_has_them(
    monkeypatch, tmp_path, present, expected
):
    for name in present:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    variables = {"MULTIARCH": "x86_64-linux-gnu", "LIBDIR": str(tmp_path / "conda" / "lib64")}
    monkeypatch.setattr(landlock.sysconfig, "get_config_var", variables.get)
    monkeypatch.setattr(landlock, "_SYSTEM", (str(tmp_path / "usr/lib"), str(tmp_path / "usr/lib64")))
    monkeypatch.setattr(landlock.sys, "base_prefix", str(tmp_path / "conda"))
    found = {path.relative_to(tmp_path).as_posix() for path in landlock._shared_libraries()}
    assert found == expected


def test_what_is_readable_opens_and_what_is_not_is_refused_by_the_kernel(tmp_path):
    """In a process under the ruleset; a missing file would say "No such file", and prove nothing."""
    program = """
import json, os, sys
from grader.sandbox.worker import landlock, linux
ruleset = landlock.ruleset(landlock.abi())
linux.forbid_new_privileges()
landlock.restrict(ruleset)
answers = []
for path in sys.argv[1:]:
    try:
        os.listdir(path) if os.path.isdir(path) else open(path).close()
        answers.append("read")
    except OSError as error:
        answers.append(error.strerror)
print(json.dumps(answers))
"""
    try:
        landlock.abi()
    except OSError as error:
        pytest.skip(f"no Landlock here: {error}")
    (tmp_path / "own").write_text("")
    refused = [
        ROOT / "grader" / "__init__.py",
        ROOT / "grader",
        ROOT / "solutions" / "relu" / "reference.py",
        ROOT / "solutions" / "relu",
        ROOT / "quizzes" / "pooling.yaml",
        ROOT,
        tmp_path / "own",
        "/",
        "/etc/passwd",
    ]
    allowed = [os.__file__, "/dev/null", next(path for path in landlock.readable() if path.name == "torch")]
    done = subprocess.run(
        [sys.executable, "-c", program, *map(str, [*refused, *allowed])],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    assert json.loads(done.stdout) == ["Permission denied"] * len(refused) + ["read"] * len(allowed)

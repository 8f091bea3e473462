"""Flags for review: code that evades the grader is flagged with its line, honest work is not."""

import textwrap
import tracemalloc

import pytest

from grader.course import catalog
from grader.grading.engine import source_flags

HONEST = """
    import math
    from dataclasses import dataclass
    import torch
    import torch.nn.functional as F
    from torch import Tensor, nn

    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.name = self.__class__.__name__

        def forward(self, x: Tensor) -> Tensor:
            return F.pad(torch.unfold_copy(x, 2, 3, 1), (1, 1)).amax(-1)
"""


def found(source: str, *, bans: bool = True, **helpers: str) -> list[tuple[str, int, str]]:
    sources = {"pooling.py": textwrap.dedent(source).lstrip("\n")}
    sources |= {f"{name}.py": text for name, text in helpers.items()}
    flags = source_flags.flags(sources, "pooling", root="exercises/", bans=bans)
    return [(flag.path, flag.line, flag.name) for flag in flags]


def test_honest_work_is_not_flagged():
    assert found(HONEST) == []


def test_references_and_stubs_are_not_flagged():
    for exercise in catalog.load(catalog.find_root()).exercises:
        for path in (exercise.stub, exercise.folder / "reference.py"):
            sources = {f"{exercise.id}.py": path.read_text(encoding="utf-8")}
            assert source_flags.flags(sources, exercise.id, bans=bool(exercise.banned_operators)) == (), path


@pytest.mark.parametrize(
    ("source", "name"),
    [
        ("import ctypes", "ctypes"),
        ("from ctypes import memmove", "ctypes"),
        ("def f():\n    import gc", "gc"),
        ("import sys\nsys._getframe(1).f_back", "sys._getframe"),
        ("import sys as s\ns.modules", "sys.modules"),
        ("from sys import modules", "sys.modules"),
        ("import os.path", "os"),
        ("__import__('torch')", "__import__"),
        ("eval('1')", "eval"),
        ("f = exec", "exec"),
        ("__builtins__", "builtins"),
        ("(lambda: 0).__globals__", "__globals__"),
        ("getattr(int, '__subclasses__')", "__subclasses__"),
        ("from grader.sandbox.worker import server", "grader"),
        ("import numpy as np", "numpy"),
        ("x.numpy()", "numpy"),
        ("import torch\ntorch.ops.aten.relu", "torch.ops"),
        ("from torch import ops", "torch.ops"),
        ("from torch.ops import aten", "torch.ops"),
        ("import torch as t\nt._C._nn.avg_pool2d", "torch._C"),
        ("from torch import _VF", "torch._VF"),
        ("import torch._refs", "torch._refs"),
        ("import torch\ntorch.jit.script", "torch.jit"),
        ("import torch\n@torch.compile\ndef f(): ...", "torch.compile"),
        ("import threading", "threading"),
        ("x.to_mkldnn()", "to_mkldnn"),
        ("x.data_ptr()", "data_ptr"),
    ],
)
def test_evasive_code_is_flagged_with_its_line(source, name):
    flags = found(source)
    assert name in [flag[2] for flag in flags]
    assert all(path == "exercises/pooling.py" for path, _, _ in flags)


def test_where_nothing_is_switched_off_numpy_is_not_flagged():
    assert found("import numpy as np\nimport torch\ntorch.ops", bans=False) == []
    assert found("import ctypes", bans=False) == [("exercises/pooling.py", 1, "ctypes")]


def test_helpers_are_read_when_they_are_imported_and_only_then():
    flags = found(
        "from mine import pool", mine="import other", other="x = 1\nimport gc", relu="import ctypes"
    )
    assert flags == [("exercises/other.py", 2, "gc")]


@pytest.mark.parametrize("source", ["def f(:", "\0", "(" * 100_000, "x = " + "-" * 50_000 + "1"])
def test_what_cannot_be_parsed_is_left_to_the_import(source):
    assert found(source) == []


@pytest.mark.parametrize(
    "source",
    [
        "import torch\n" + ("torch" + ".b" * 400 + "\n") * 150,
        "import " + "a" * 60_000 + " as b\n" + "b.c\n" * 15_000,
        "import torch\n" + "torch.a\n" * 15_000,
        "import a\n" * 14_000,
        "x\n" * 65_000,
    ],
    ids=["long chains", "long name", "many attributes", "many imports", "many lines"],
)
def test_a_search_takes_time_and_memory_in_proportion_to_the_text(source):
    """Each took minutes (pytest-timeout ends it) or gigabytes; a grading that does not end is an error of the grader."""
    assert len(source) <= source_flags.MAX_SEARCHED_CHARS
    tracemalloc.start()
    try:
        assert found(source) == []
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 200 * 2**20


@pytest.mark.parametrize(
    "source",
    ["import " + "a." * 60_000 + "a", "from " + "a\\\n ." * 30_000 + "a import b", "x.f" + ".a" * 500],
)
def test_an_endless_name_is_not_parsed_and_flagged(source):
    """The parser needs gigabytes for the first."""
    tracemalloc.start()
    try:
        assert found(f"import gc\n{source}\n") == [("exercises/pooling.py", 1, "pooling")]
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 2**20


@pytest.mark.parametrize(("more", "expected"), [(0, []), (1, ["big"])])
def test_what_is_too_long_to_be_searched_is_flagged(more, expected):
    main = "import big, gc"
    flags = source_flags.flags(
        {"pooling.py": main, "big.py": "#" * (source_flags.MAX_SEARCHED_CHARS - len(main) + more)},
        "pooling",
        bans=True,
    )
    assert [flag.name for flag in flags] == ["gc", *expected]
    assert [flag.reason for flag in flags[1:]] == [
        "is too long to be searched, or has a name of 500 parts"
    ] * more


def test_the_number_of_flags_is_limited():
    many = "import torch\n" + "\n".join(f"torch._x{n}" for n in range(500))
    assert len(found(many)) == source_flags.MAX_FLAGS


def test_names_are_made_safe():
    flags = source_flags.flags(
        {"pooling.py": "import a\x85b".replace("\x85", "_"), "a_b.py": "import gc"}, "pooling", bans=True
    )
    assert [flag.name for flag in flags] == ["gc"]
    (flag,) = source_flags.flags({"p.py": "import gc"}, "p", root="\x1b[31m\n", bans=False)
    assert "\x1b" not in flag.path
    assert "\n" not in flag.path


@pytest.mark.parametrize(("count", "flagged"), [(19, 19), (20, 20), (21, 20)])
def test_at_most_twenty_flags_are_raised(count, flagged):
    assert len(found("import torch\n" + "\n".join(f"torch._x{n}" for n in range(count)))) == flagged

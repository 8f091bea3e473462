"""Flags for review: code that evades the grader is flagged with its line, honest work is not."""

import textwrap

import pytest

from grader.core.safetext import MAX_MARKS
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
        ("import sys\nvars(sys)['mod' + 'ules']", "sys"),
        ("import sys as s\ngetattr(s, 'mod' + 'ules')", "sys"),
        ("import sys\nfound = sys", "sys"),
        ("import sys\nsys.__dict__", "sys.__dict__"),
        ("from sys import *", "sys"),
        ("import sys\nsys.exc_info()", "sys.exc_info"),
        ("import sys\nsys.setprofile(print)", "sys.setprofile"),
        ("import sys\nsys._current_frames()", "sys._current_frames"),
        ("import torch\ngetattr(torch, 'nes' + 'ted')", "torch"),
        ("from torch import *", "torch"),
        ("from torch.nn import *\nquantized.Conv2d", "torch.nn.quantized"),
        ("import torch\ntorch.__dict__", "torch.__dict__"),
        ("vars(max)", "vars"),
        ("globals()['x']", "globals"),
        ("import traceback\ntraceback.walk_stack(None)", "traceback.walk_stack"),
        ("import traceback\ntraceback.sys.modules", "sys.modules"),
        ("import torch.nn.functional as F\nF.torch.nested.nested_tensor", "torch.nested"),
        ("import torch.nn.functional as F\nF.torch._C", "torch._C"),
        ("import inspect\ninspect.stack()", "inspect"),
        ("import weakref\nweakref.finalize._registry", "weakref.finalize"),
        ("getattr(f, 'f_back')", "f_back"),
        ("print.__self__", "__self__"),
        ("import types\ntypes.CodeType", "types.CodeType"),
        ("from torch import nn\nnn.quantized.Conv2d", "torch.nn.quantized"),
        ("from torch.nn import intrinsic", "torch.nn.intrinsic"),
        ("import torch.ao.nn.quantized as q", "torch.ao"),
        ("import torch\ntorch.nested.nested_tensor([])", "torch.nested"),
        ("import torch\ntorch.quantize_per_channel", "torch.quantize_per_channel"),
        ("import torch\ntorch.empty(1, dtype=torch.quint8)", "torch.quint8"),
        ("import torch\ntorch.library.Library('aten', 'IMPL')", "torch.library"),
        ("x.to_sparse_csr()", "to_sparse_csr"),
        ("import torch\ntorch.load('x')", "torch.load"),
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


@pytest.mark.parametrize(
    "name",
    ["signal", "code", "os", "resource", "sys", "torch", "numpy"],
    ids=lambda name: f"a variable {name}",
)
def test_a_variable_is_not_taken_for_a_module(name):
    assert found(f"def f({name}):\n    return {name} + 1") == []


@pytest.mark.parametrize("source", ["def f(:", "\0", "(" * 100_000])
def test_what_is_not_python_is_left_to_the_import(source):
    assert found(source) == []


@pytest.mark.parametrize(
    "source", ["x = " + "-" * 50_000 + "1", "a" + ".b" * 20_000, "1\n" * 500_000, "import a" + "\\\n.b" * 201]
)
def test_what_is_too_complex_is_said_not_to_be_reviewed(source):
    assert found(source) == [("exercises/pooling.py", 1, "not reviewed")]
    assert found("import mine", mine=source) == [("exercises/mine.py", 1, "not reviewed")]


def test_the_review_of_a_submission_is_bounded_and_says_what_it_left_out():
    half = "#" * (source_flags.MAX_REVIEWED_CHARS // 2)
    sources = {
        "pooling.py": "import one, two, three\nimport gc",
        "one.py": half,
        "two.py": half + "\nimport ctypes",
    }
    sources["three.py"] = "import ctypes"
    flags = source_flags.flags(sources, "pooling", bans=True)
    assert [(flag.path, flag.name) for flag in flags] == [
        ("two.py", "not reviewed"),
        ("pooling.py", "gc"),
        ("three.py", "ctypes"),
    ]
    assert "has 65550 characters, and no more than" in flags[0].reason


@pytest.mark.parametrize(("marks", "names"), [(MAX_MARKS, ["gc"]), (MAX_MARKS + 1, ["not reviewed"])])
def test_a_file_is_reviewed_up_to_a_run_of_combining_characters(marks, names):
    assert [name for _, _, name in found(f"import gc\na{chr(0x301) * marks} = 1")] == names


@pytest.mark.parametrize(("more", "names"), [(0, ["gc"]), (1, ["not reviewed"])])
def test_a_file_is_reviewed_up_to_the_limit(more, names):
    source = "import gc\n#"
    source += "x" * (source_flags.MAX_REVIEWED_CHARS - len(source) + more)
    assert [name for _, _, name in found(source)] == names


SLOW = {
    "imports": "import " + ",".join("a" * 2 for _ in range(40_000)),
    "helpers": "import " + ",".join(f"a{n}" for n in range(15_000)),
    "long names": ("torch" + ".torch" * 150 + "\n") * 120,
    "attributes": ("a" + ".b" * 199 + "\n") * 300,
    "stars": "from torch.nn import *\n" * 3000 + "a\n" * 25_000,
    "one import of everything": "import a" + ".torch" * 20_000,
    "long imports": ("import a" + ".b" * 199 + "\n") * 300,
    "no name": "." * 130_000,
}


@pytest.mark.timeout(20)
@pytest.mark.parametrize("name", SLOW)
def test_no_source_takes_long_to_review(name):
    assert len(SLOW[name]) <= source_flags.MAX_REVIEWED_CHARS
    found(SLOW[name], a="import gc")


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


@pytest.mark.warm
def test_a_setting_that_a_function_leaves_changed_is_flagged_and_costs_nothing(grade):
    text = """
        import torch


        def double(x):
            torch.set_grad_enabled(False)
            result = x + x
            torch.set_grad_enabled(True)
            return result


        def total(x, start=0.0):
            torch.set_grad_enabled(False)
            torch.set_default_dtype(torch.float64)
            return float(x.sum()) + start
    """
    result = grade(text)
    lines = [(flag.path, flag.name, flag.reason.split(" for all code")[0]) for flag in result.flags]
    assert lines == [
        ("exercises/scaling.py", "total", "leaves another default dtype behind"),
        ("exercises/scaling.py", "total", "leaves gradients switched off, or on,"),
    ]
    assert all(flag.line > 1 for flag in result.flags)
    assert all(check.points for check in result.checks if "total" in check.id)

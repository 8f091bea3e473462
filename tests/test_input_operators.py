"""Mutants that ignore a part of the input: which ones a parameter has, and that the miniature course kills them all."""

import shutil
from pathlib import Path

import pytest

from grader import authoring
from grader.authoring.mutants import mutants
from grader.authoring.mutation_operators import Operator
from grader.course import catalog

COURSE = Path(__file__).parent / "course"
INPUT = {
    Operator.IGNORED,
    Operator.CAP,
    Operator.FALSY,
    Operator.SIZE,
    Operator.MODE,
    Operator.DTYPE,
    Operator.LAYOUT,
    Operator.NAN,
    Operator.INFINITY,
    Operator.CANCELLATION,
    Operator.REBOUND,
}


def news(text: str, *operators: Operator, names=None) -> list[str]:
    """Return the changed lines of mutants, each statement on one line."""
    wanted = operators or INPUT
    return [" ".join(m.new.split()) for m in mutants(text, names) if m.operator in wanted]


PARAMETERS = [
    ("n: int", ["n = min(n, 3)", "n = min(n, 1)", "if n == 1: n = 2"]),
    ("n: int = 1", ["n = 1", "n = min(n, 3)", "n = min(n, 1)"]),
    ("n: int = 5", ["n = 5", "n = min(n, 3)", "n = min(n, 1)", "if n == 1: n = 2", "n = n or 5"]),
    (
        "n: int | None = None",
        ["n = None", "if n is not None: n = min(n, 3)", "if n is not None: n = min(n, 1)", "if n == 1: n = 2"],
    ),
    ("t: float", []),
    ("t: float = 0.0", ["t = 0.0"]),
    ("t: float = 0.5", ["t = 0.5", "t = t or 0.5"]),
    ("t: 'float' = 0.5", ["t = 0.5", "t = t or 0.5"]),
    ("b: bool", ["b = True", "b = False"]),
    ("b: bool = True", ["b = True"]),
    ("s: Sequence[int]", ["s = s[:2]", "s = s[-1:]"]),
    ("s: list[tuple[int, int]]", ["s = s[:3]", "s = s[-1:]"]),
    ("s: Optional[list[int]] = None", ["s = None", "if s is not None: s = s[:2]", "if s is not None: s = s[-1:]"]),
    ("*, t: float = 0.5", ["t = 0.5", "t = t or 0.5"]),
    ("x", []),
    ("x=1", []),
    ("m: nn.Module", []),
    ("s: str", []),
]  # fmt: skip


@pytest.mark.parametrize(("parameter", "expected"), PARAMETERS, ids=[text for text, _ in PARAMETERS])
def test_a_parameter_loses_a_part_of_its_values(parameter, expected):
    assert sorted(news(f"def f({parameter}):\n    'Doc.'\n    return g()\n")) == sorted(expected)


def test_a_parameter_is_ignored_where_another_one_is_given():
    text = "def f(a: int = 1, b: bool = True, c: Tensor | None = None, d: bool = False):\n    return 1\n"
    found = [line for line in news(text, Operator.IGNORED) if line.startswith("if")]
    given = {"a": "a != 1", "b": "not b", "c": "c is not None", "d": "d"}
    defaults = {"a": "1", "b": "True", "c": "None", "d": "False"}
    expected = [
        f"if {given[other]}: {one} = {defaults[one]}" for one in defaults for other in given if one != other
    ]
    assert sorted(found) == sorted(expected)


def test_a_parameter_is_dropped_in_one_of_the_places_where_it_is_passed_on():
    text = "def f(x, k: int = 1):\n    return g(x, k, x) + h(k=k)\n"
    lines = [line for line in news(text, Operator.IGNORED) if line.startswith("return")]
    assert lines == ["return g(x, 1, x) + h(k=k)", "return g(x, k, x) + h(k=1)"]
    assert news("def f(x, k: int = 1):\n    return g(x, k)\n", Operator.IGNORED) == ["k = 1"]


def test_the_items_of_a_sequence_and_what_adds_up_are_capped():
    text = (
        "def f(layers: list[tuple[int, int]]):\n"
        "    total, step = 1, 1\n"
        "    for k, s in layers:\n"
        "        total += k * step\n"
        "        step *= s\n"
        "    return total\n"
    )
    expected = {
        *(f"{name} = min({name}, {cap})" for name in "ks" for cap in (3, 1)),
        *(f"if {name} == 1: continue" for name in "ks"),
        *(f"{name} = min({name}, 3)" for name in ("total", "step")),
        "layers = layers[:3]",
        "layers = layers[-1:]",
    }
    found = mutants(text)
    assert {" ".join(m.new.split()) for m in found if m.operator in INPUT} == expected
    (capped,) = (m for m in found if m.new == "step = min(step, 3)")
    assert "        step *= s\n        step = min(step, 3)\n" in capped.source
    assert (capped.line, capped.column, capped.old) == (5, 9, "")


def test_items_of_another_kind_are_left_alone():
    text = "def f(names: list[str]):\n    total = 0.0\n    for name in names:\n        total += g(name)\n    return total\n"
    assert news(text) == ["names = names[:3]", "names = names[-1:]"]


def test_a_tensor_loses_a_dtype_nan_or_a_shape():
    text = (
        "import torch\ndef f(x: torch.Tensor, w: torch.Tensor | None = None) -> torch.Tensor:\n"
        "    if w is None:\n        return x[0]\n    return w.sum(0) + x\n"
    )
    rounded = "x = x.float().to(x.dtype) if w is not None: w = w.float().to(w.dtype)"
    forms = (
        "({}).float()", "({}).to(torch.promote_types(x.dtype, torch.float32))",
        "({}).nan_to_num(0.0, float('inf'), float('-inf'))", "({}).squeeze(0)", "({}).squeeze(-1)",
    )  # fmt: skip
    results = [
        f"return {form.format('x[0]').replace('(x[0])', 'x[0]')} return {form.format('w.sum(0) + x')}"
        for form in forms
    ]
    expected = ["w = None", "x = x.clamp(-100, 100)", "x = x.view(-1).view(x.shape)", rounded, *results]
    assert sorted(news(text)) == sorted(expected)


def test_only_a_function_that_works_on_any_shape_loses_one_without_axes():
    def returns(expression: str) -> list[str]:
        return news(f"def f(x: Tensor) -> Tensor:\n    return {expression}\n", Operator.SIZE)

    assert "return torch.atleast_1d(torch.where(x > 0, x, 2 * x))" in returns("torch.where(x > 0, x, 2 * x)")
    for expression in ("x.mean(dim=(2, 3))", "x[:, 0]", "x.clamp(min=0).amax(dim=1)", "x.flatten()", "g(x)"):
        assert not any("atleast_1d" in line for line in returns(expression))


def test_inner_functions_keep_their_results():
    text = "def f(x: Tensor) -> Tensor:\n    def g(y):\n        return y\n    return g(x)\n"
    (mutant,) = (m for m in mutants(text) if m.operator is Operator.NAN)
    assert "return y\n" in mutant.source


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("float('-inf')", ["x = -1000.0", "x = -1000000000.0"]),
        ("float('inf')", ["x = 1000.0", "x = 1000000000.0"]),
        ("-float('inf')", ["x = -1000.0", "x = -1000000000.0"]),
        ("-torch.inf", ["x = -1000.0", "x = -1000000000.0"]),
        ("math.inf", ["x = 1000.0", "x = 1000000000.0"]),
        ("float('3')", []),
    ],
)
def test_infinity_becomes_a_finite_number(written, expected):
    assert news(f"def f():\n    x = {written}\n    return x\n") == expected


def test_a_variance_is_computed_so_that_it_cancels():
    text = "def f(x):\n    return (x + 1).var(dim=(2, 3), correction=0, keepdim=True)\n"
    ways = "(x + 1).square().mean(dim=(2, 3), keepdim=True) - (x + 1).mean(dim=(2, 3), keepdim=True).square()"
    assert news(text) == [f"return {ways}"]
    assert news("def f(x):\n    return x.var()\n") == []


MODULE = """import torch
from torch import nn
class Norm(nn.Module):
    def __init__(self, channels: int, eps: float = 1e-5, affine: bool = True):
        super().__init__()
        self.eps = eps
        self.weight = nn.Parameter(torch.ones(channels)) if affine else None
        self.scale = nn.Parameter(torch.tensor(3.0))
        self.register_buffer("mean", torch.zeros(channels))
        self.register_buffer("count", torch.tensor(0))
        self.plain = 0
    def forward(self, x, gain: float = 2.0):
        self.mean.copy_(x.mean())
        self.count += 1
        self.plain += 1
        return self._normalize(x) * self.scale
    def _normalize(self, x):
        if self.weight is None:
            return x
        return x / torch.sqrt(x.var() + self.eps) * self.weight
"""


def test_an_attribute_of_a_module_counts_in_one_mode_only():
    found = news(MODULE, Operator.MODE)
    root, weight = "return x / torch.sqrt(x.var() + {}) * {}", "torch.ones_like(self.weight)"
    scale, three = "return self._normalize(x) * ({})", "torch.full_like(self.scale, 3.0)"
    assert sorted(found) == sorted([
        "if self.training: gain = 2.0",
        "if not self.training: gain = 2.0",
        scale.format(f"{three} if self.training else self.scale"),
        scale.format(f"self.scale if self.training else {three}"),
        root.format("(1e-05 if self.training else self.eps)", "self.weight"),
        root.format("(self.eps if self.training else 1e-05)", "self.weight"),
        root.format("self.eps", f"({weight} if self.training else self.weight)"),
        root.format("self.eps", f"(self.weight if self.training else {weight})"),
    ])  # fmt: skip


def test_a_buffer_is_rebound():
    assert news(MODULE, Operator.REBOUND) == ["self.mean = x.mean()", "self.count = self.count + 1"]


def test_names_choose_the_functions_and_classes():
    text = (
        "def one(n: int):\n    return n\n"
        "def two(n: int):\n    return n\n"
        "def _three(n: int):\n    return n\n"
        "class Four:\n    def five(self, n: int):\n        return n\n    def _six(self, n: int):\n        return n\n"
        "def seven():\n    def eight(n: int):\n        return n\n    return eight\n"
    )

    def scopes(names):
        return {m.scope for m in mutants(text, names) if m.operator in INPUT}

    assert scopes(None) == {"one", "two", "Four.five"}
    assert scopes(["one", "Four"]) == {"one", "Four.five"}
    assert scopes([]) == set()


# --- in the course


def test_the_miniature_course_kills_every_mutant(dispatcher):
    course = catalog.load(COURSE)
    (found,) = authoring.check_mutants(course, course.exercises, dispatcher, seed=0)
    assert (found.survivors, found.problems) == ((), ())
    names = course.exercises[0].names
    kinds = {m.operator for m in mutants((COURSE / "solutions/scaling/reference.py").read_text(), names)}
    assert kinds & INPUT == INPUT - {Operator.FALSY, Operator.INFINITY, Operator.CANCELLATION}


# What the suite sends, what it would send instead, and the mutant that would survive.
WEAKER = [
    ('float("nan")', "1.0", "return (2 * x).nan_to_num(0.0, float('inf'), float('-inf'))"),
    ("-300.0", "-3.0", "x = x.clamp(-100, 100)"),
    ("1e300", "1.0", "x = x.float().to(x.dtype)"),
    ("torch.float16", "torch.float32", "return (2 * x).to(torch.promote_types(x.dtype, torch.float32))"),
    (".mT", "", "x = x.view(-1).view(x.shape)"),
    ("(True, False)", "(True,)", "(self.factor if self.training else torch.full_like(self.factor, 3.0))"),
]


def test_values_that_no_check_sends_are_survivors(tmp_path, dispatcher):
    root = Path(shutil.copytree(COURSE, tmp_path / "course"))
    suite = root / "solutions" / "scaling" / "test_scaling.py"
    text = suite.read_text(encoding="utf-8")
    for old, new, _ in WEAKER:
        assert old in text
        text = text.replace(old, new)
    suite.write_text(text, encoding="utf-8")
    course = catalog.load(root)
    (found,) = authoring.check_mutants(course, course.exercises, dispatcher, seed=0)
    survivors = "\n".join(mutant.new for mutant in found.survivors)
    assert not [new for *_, new in WEAKER if new not in survivors]
    assert not found.problems

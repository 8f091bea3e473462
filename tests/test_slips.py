"""Slips that Python accepts in silence are found in the tree, and said at the check that fails."""

import ast

import pytest

from grader.core.python_source import nodes
from grader.course.confirmations import code_of
from grader.grading.engine.feedback.slips import slip


def found(body: str) -> str:
    """Return what is said of a function with this body, which begins on line 2."""
    lines = "\n".join(f"    {line}" for line in body.split("\n"))
    return slip({"f.py": nodes(ast.parse(f"def f(m, x, p, optimizer, names, hooks):\n{lines}\n"))}, "f.py")


SLIPS = [
    (
        "p.requires_grad == False",
        "Line 2, `p.requires_grad == False`, compares and changes nothing: a single = assigns.",
    ),
    ("for p in m:\n    p.requires_grad == False", "Line 3, `p.requires_grad == False`, compares"),
    ("x[0] == 1", "Line 2, `x[0] == 1`, compares and changes nothing: a single = assigns."),
    ("x < 0", "Line 2, `x < 0`, compares and changes nothing."),
    ("m.eval", "Line 2, `m.eval`, names the method and does not call it: write `m.eval()`."),
    ("optimizer.zero_grad\nx.backward()", "Line 2, `optimizer.zero_grad`, names the method"),
    ("with m:\n    optimizer.step", "Line 3, `optimizer.step`, names the method"),
    ("x.loss.backward", "write `x.loss.backward()`."),
    ("x.grad", "Line 2, `x.grad`, has no effect: its value is kept nowhere."),
    ("x - 1", "Line 2, `x - 1`, has no effect"),
    ("x[0]", "Line 2, `x[0]`, has no effect"),
    (
        "p.require_grad = False\np.grad = None",
        "Line 2 sets `p.require_grad`, which torch never reads: write `requires_grad`.",
    ),
    (
        "m.weight.requires_grads = m.bias.requires_gradient = False",
        "Line 2 sets `m.bias.requires_gradient`, which",
    ),
    ("p.required_grad, p.grad = False, None", "sets `p.required_grad`, which torch never reads"),
    (
        "for n in names:\n    hooks.append(lambda x: print(n))",
        "The function made on line 3 looks `n` up when it runs",
    ),
    ("for n, k in names:\n    k.register_forward_hook(lambda *a: x.append(n))", "with a default, `n=n`."),
    (
        "for n in names:\n    def hook(*a):\n        x.append(n)\n    m.register_forward_hook(hook)",
        "looks `n` up",
    ),
    ("for n in names:\n    hooks[n] = lambda x: x + n", "looks `n` up"),
    ("return [lambda x: x * n for n in names]", "looks `n` up"),
]
SOUND = [
    '"""What it does."""',
    "...",
    "m.eval()",
    "p.requires_grad = False",
    "m.grad = m.requires = m.gradients = None",
    "x = p.require_grad",
    "assert x == 1",
    "return x == 1",
    "y = x - 1",
    "x",
    "yield x",
    "try:\n    m.attribute\nexcept AttributeError:\n    pass",
    "for n in names:\n    hooks.append(lambda x, n=n: print(n))",
    "for n in names:\n    hooks.append(sorted(x, key=lambda k: k[n]))",
    "for n in names:\n    y = max(x, key=lambda k: k - n)",
    "for n in names:\n    def hook(*a, n=n):\n        x.append(n)\n    m.register_forward_hook(hook)",
    "for n in names:\n    hooks.append(lambda n: n)",
    "return [sorted(x, key=lambda k: k * n) for n in names]",
]


@pytest.mark.parametrize(("body", "words"), SLIPS)
def test_a_slip_has_a_sentence_with_its_line(body, words):
    assert words in found(body)


@pytest.mark.parametrize("body", SOUND)
def test_what_has_an_effect_is_no_slip(body):
    assert found(body) == ""


def test_the_first_slip_of_a_function_is_named():
    assert found("x = 1\nm.eval\np.requires_grad == True").startswith("Line 3, `m.eval`")


@pytest.mark.parametrize(
    ("helper", "words"),
    [
        ("def helped(x):\n    x.mean\n", "Line 2 of helper.py, `x.mean`, has no effect"),
        (
            "\ndef helped(x):\n    return [lambda y: y * n for n in x]\n",
            "made on line 3 of helper.py looks `n` up",
        ),
    ],
)
def test_the_file_of_a_helper_is_named(helper, words):
    sources = {"f.py": "from helper import helped\ndef f(x):\n    return helped(x)\n", "helper.py": helper}
    assert words in slip(code_of("f", sources, "f"), "f.py")


def test_a_slip_in_the_own_file_comes_before_one_in_a_helper():
    sources = {
        "f.py": "from helper import helped\ndef f(x):\n    x.grad\n    return helped(x)\n",
        "helper.py": "def helped(x):\n    x.grad\n",
    }
    assert slip(code_of("f", sources, "f"), "f.py").startswith("Line 3, `x.grad`")


def test_braces_in_the_code_are_shown_as_they_are():
    assert "`x[{line}]`" in found("x[{line}]")


def test_a_slip_is_said_where_a_check_fails_and_nowhere_else(grade, check):
    text = "def double(x):\n    x.requires_grad == False\n    return x * x\ndef total(x, start=0.0):\n    x.mean\n    return float(x.sum()) + start\n"
    result = grade(text)
    failed = check(result, "test_values")
    assert "`x.requires_grad == False`, compares and changes nothing: a single = assigns." in failed.rationale
    assert failed.diagnosis.mistake == "squares"
    assert check(result, "test_total").rationale == ""

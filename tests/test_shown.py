"""What a failing check shows is true and can be read: no placeholder, no name of the harness, no empty part of a sentence."""

import linecache
import sys
from dataclasses import replace

import pytest
import torch
from torch import nn

from grader.core.model import Argument, CheckResult, Counterexample, Diagnosis, ExerciseResult, Outcome
from grader.grading.engine.feedback.assertion_code import assertion_lines
from grader.grading.engine.feedback.value_text import counterexample, show, show_call
from grader.grading.engine.grading_process import ExerciseGrading, _compared
from grader.grading.engine.preparation import LocalBackend
from grader.grading.engine.proxy import CallFailed, CallRecord, Conversation, Student, failure
from grader.grading.engine.suite.comparison import Mismatch, assert_matches, assert_shape
from grader.report.content import exercise_content
from grader.report.phrases import NONE_OPENED, advice
from grader.sandbox.protocol.messages import Raised, TracebackLine
from grader.sandbox.supervisor import WorkerLost
from grader.sandbox.worker.importer import MemoryFinder
from grader.sandbox.worker.service import Service
from grader.sandbox.worker.service.exceptions import raised

X = torch.tensor([[1.0, 2.0], [3.0, 4.0]])


def mismatch(got: object, expected: object, **options: object) -> Mismatch:
    with pytest.raises(Mismatch) as failed:
        assert_matches(got, expected, **options)
    return failed.value


# --- values


def test_a_placeholder_is_shown_by_shape_and_dtype_alone():
    record = CallRecord(name="f", root="f", args=(X,), kwargs={})
    for got in (X.double(), X[0], X * float("nan")):
        wrong = mismatch(got, torch.zeros(2, 2), atol=float("inf"))
        shown = counterexample(record, lambda x: x, wrong)
        assert shown.expected == "tensor of shape (2, 2), float32"
        assert shown.got.startswith("tensor of shape (2,")
        assert not any("expected =" in line for line in assertion_lines("result", wrong))
    real = counterexample(record, lambda x: x, mismatch(X, torch.zeros(2, 2)))
    assert "0 0" in real.expected


@pytest.mark.parametrize(
    ("one", "other"),
    [(1.0, 1), (True, 1), (1e10, 10**10), ("1", 1), (-0.0, 0), ([1.0], [1]), (float("inf"), "inf")],
)
def test_values_of_two_types_differ_on_the_page(one, other):
    assert show(one) != show(other)


def test_a_loss_has_four_digits_and_more_where_they_tell_two_apart():
    assert str(mismatch(2.302585092994, 2.1972245773)) == "The result is 2.303, not 2.197."
    assert str(mismatch(2.3025851, 2.3025999, rtol=1e-9)) == "The result is 2.30259, not 2.3026."
    assert str(mismatch(3.0, 4.0)) == "The result is 3.0, not 4.0."


@pytest.mark.parametrize("what", ["the shape of", "training mode of", "the gradient for", "", " "])
@pytest.mark.parametrize("got", [{}, {"b": (1,)}, None, {"a": (2,)}])
def test_no_sentence_lacks_what_it_is_about(what, got):
    sentence = str(mismatch(got, {"a": (1,)}, what=what))
    assert sentence.startswith(("The result ", "Item 1 of "))
    assert " of lacks" not in sentence
    assert " of is" not in sentence


# --- names


class Crooked(nn.Module):
    def forward(self, x):
        raise ValueError(f"no such size: {len(x.shape)}")


class Layer(nn.Module):
    def __init__(self, channels, eps=1e-5, scales=None):
        super().__init__()
        self.eps, self.scales = eps, scales
        self.weight = nn.Parameter(torch.ones(channels))

    def forward(self, x):
        raise ValueError(f"no such size: {len(x.shape)}")


class Shift(nn.Module):
    def forward(self, x):
        return x + self.training


def joined(model, count, after=None):
    return nn.Sequential(*[model] * count, after or nn.Identity())


def call_without_gradients(layer, x):
    with torch.no_grad():
        return layer(x)


def student() -> tuple[Student, Conversation]:
    own = {"Layer": Layer, "Shift": Shift, "joined": joined, "f": lambda model, x: model(x)}
    fixtures = {
        "modules": lambda model: len(list(model.modules())),
        "crooked": Crooked,
        "call_without_gradients": call_without_gradients,
        "LeNet": Crooked,
    }
    conversation = Conversation(LocalBackend(Service(own, fixtures)))
    return Student(conversation), conversation


def said(call, *args: object) -> str:
    with pytest.raises(CallFailed) as failed:
        call(*args)
    return failed.value.sentence


def test_names_of_the_harness_reach_no_student():
    own, conversation = student()
    layer, model = own.Layer(3), own.fixtures.crooked()
    assert (
        said(own.fixtures.call_without_gradients, layer, X)
        == "`Layer(...).forward` raised ValueError: no such size: 2."
    )
    assert (
        said(own.fixtures.call_without_gradients, model, X) == "`model` raised ValueError: no such size: 2."
    )
    assert said(model, X) == "`model.forward` raised ValueError: no such size: 2."
    assert said(own.fixtures.LeNet(), X) == "`LeNet(...).forward` raised ValueError: no such size: 2."
    assert said(own.f, model, X) == "`f` raised ValueError: no such size: 2."
    shown = [show_call(record, None) for record in conversation.calls]
    text = str(shown)
    assert "crooked" not in text
    assert "without_gradients" not in text
    assert "argument" not in text.replace("Argument(", "")


def test_the_arguments_of_a_constructor_are_shown():
    own, conversation = student()
    layer = own.Layer(3, eps=0.5, scales=torch.ones(2, 2))
    said(layer, X)
    call, arguments = show_call(conversation.calls[-1], Layer.forward)
    assert call == "Layer(3, eps=0.5, scales=...).forward(x)"
    assert [argument.name for argument in arguments] == ["x"]


def test_the_modules_that_an_object_was_made_of_are_named_and_listed():
    own, conversation = student()
    first, second = own.fixtures.crooked(), own.Shift()
    said(own.joined(first, 2, after=second), X)
    call, arguments = show_call(conversation.calls[-1], None, lambda thing: f"module {thing!r}", joined)
    assert call == "joined(model, 2, after=after).forward(x)"
    assert [(one.name, one.value.split("\n")[0]) for one in arguments] == [
        ("model", "module <Crooked>"),
        ("after", "module <Shift>"),
        ("x", "tensor of shape (2, 2)"),
    ]


@pytest.mark.parametrize("listing", [lambda _: "", lambda _: "module M"])
def test_a_module_is_written_as_a_name_whatever_is_known_of_it(listing):
    own, conversation = student()
    said(own.joined(own.fixtures.crooked(), 2), X)
    call, arguments = show_call(conversation.calls[-1], None, listing)
    assert call == "joined(x1, 2).forward(x)"
    assert [one.name for one in arguments] == (["x1", "x"] if listing(None) else ["x"])


def test_the_call_that_is_shown_is_the_one_that_a_fixture_makes():
    own, conversation = student()
    layer = own.Layer(3)
    with pytest.raises(CallFailed) as failed:
        own.fixtures.call_without_gradients(layer, X)
    assert show_call(_compared(conversation.calls, failed.value), Layer.forward)[0] == "Layer(3).forward(x)"
    shift = own.Shift().eval()
    got = own.fixtures.call_without_gradients(shift, X)
    wrong = mismatch(got, X + 1)
    assert own.fixtures.modules(shift) == 1  # it asks the module for something, and runs nothing
    shift.train()
    for error in (wrong, AssertionError("Another check.")):
        shown = show_call(_compared(conversation.calls, error), Shift.forward)
        assert shown[0] == "Shift().eval().forward(x)"
        assert [argument.name for argument in shown[1]] == ["x"]
    shift(X)
    assert show_call(conversation.calls[-1], Shift.forward)[0] == "Shift().forward(x)"


def test_what_hung_in_one_fixture_is_still_called_in_another():
    own, conversation = student()
    lost = WorkerLost(Outcome.TIME_LIMIT, "`model` did not end within 4 s")
    conversation.lost["crooked(...).forward"] = lost
    assert "Not called again" in said(own.fixtures.crooked(), X)
    assert said(own.fixtures.LeNet(), X) == "`LeNet(...).forward` raised ValueError: no such size: 2."
    assert said(own.fixtures.call_without_gradients, own.fixtures.crooked(), X).startswith("`model` raised")


# --- what to do


def example(call: str, *values: str, expected: str = "3.0") -> Counterexample:
    arguments = tuple(Argument(name=f"x{n}", value=value) for n, value in enumerate(values))
    return Counterexample(call=call, arguments=arguments, expected=expected)


@pytest.mark.parametrize(
    ("shown", "by_hand"),
    [
        (example("f(x)", show(X)), True),
        (example("f(7, 3)"), True),
        (example("f(x)", show(torch.rand(2, 2))), False),
        (example("f(x)", show(torch.zeros(30, 30))), False),
        (example("f(x)", show(torch.zeros(7, 7))), False),
        (example("f(1e-05)"), False),
        (example("f(7, 3)", expected=""), False),
        (example("freeze(module)"), False),
        (example("Layer(3).forward(x)", show(X)), False),
        (None, False),
    ],
)
def test_a_hand_works_out_only_what_it_can(shown, by_hand):
    text = advice("relu", Outcome.FAILED, NONE_OPENED, example=shown)
    assert ("by hand" in text) is by_hand


# --- errors


def test_a_bare_assert_is_quoted_with_its_line():
    line = TracebackLine(path="f.py", line=2, function="f", text="assert x.dim() == 3")
    bare = Raised(number=0, cause="raised", type_name="AssertionError", message="", traceback=(line,))
    assert failure("f", bare).sentence == "`f` raised AssertionError at `assert x.dim() == 3`."


def loaded(text: str) -> Raised:
    """Return what importing a file raises."""
    finder = MemoryFinder({"hand_in.py": text})
    before = sys.modules.pop("hand_in", None)
    try:
        with pytest.raises(BaseException) as failed:  # noqa: PT011 - whatever the file raises
            finder.load("hand_in")
        return raised(0, failed.value, finder.files)
    finally:
        sys.modules.pop("hand_in", None)
        if before is not None:
            sys.modules["hand_in"] = before


CONFLICT = "x = 1\n<<<<<<< HEAD\nx = 2\n=======\nx = 3\n>>>>>>> theirs\n"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("from .layers import f\n", "relative import works inside a package only"),
        ("from . import layers\n", "relative import works inside a package only"),
        ("get_ipython().user_ns['x'] = 1\n", "`get_ipython()` exists in a notebook only"),
        (
            "get_ipython().run_cell_magic('time', '', 'x = 1\\n')\n",
            "The code of a cell `%%time` is only a text",
        ),
        ("get_ipython().run_cell_magic()\n", "The code of a cell"),
        ("import torch\n%matplotlib inline\n", "`%matplotlib inline` is a command of a notebook"),
        ("%%time\nx = 1\n", "`%%time` is a command of a notebook"),
        ("!pip install torch\n", "`!pip install torch` is a command of a notebook"),
        ("torch?\n", "`torch?` is a command of a notebook"),
        (CONFLICT, "marks of a git conflict, the first on line 2"),
        ("def f():\n" + CONFLICT.replace("x", "    x"), "marks of a git conflict, the first on line 3"),
    ],
)
def test_what_belongs_to_another_place_has_a_plain_sentence(text, words):
    found = failure("import hand_in", loaded(text))
    assert words in found.sentence
    assert found.outcome is Outcome.RAISED
    assert found.traceback[-1].text


def test_the_compiler_of_torch_is_named():
    compiler = "/lib/site-packages/torch/_inductor/cpp_builder.py"
    space: dict[str, object] = {}
    exec(compile("def build():\n    raise OSError('no g++')", compiler, "exec"), space)
    with pytest.raises(OSError, match="no g") as failed:
        space["build"]()
    reply = raised(0, failed.value, frozenset())
    assert failure("f", reply).sentence.startswith("`torch.compile` does not work while your code is graded")


@pytest.mark.skipif(sys.version_info >= (3, 12), reason="reads it")
@pytest.mark.parametrize(
    "line",
    [
        "type Image = list",
        "def f[T](x: T) -> T: return x",
        "class A[T]: pass",
        'x = f"{d["a"]}"',
        "except ValueError, TypeError: pass",
    ],
)
def test_newer_syntax_is_named(line):
    text = f"d = {{}}\ntry: pass\n{line}\n" if line.startswith("except") else f"d = {{}}\n{line}\n"
    sentence = failure("import hand_in", loaded(text)).sentence
    assert "which Python reads since 3.1" in sentence
    assert f"runs Python {sys.version_info[0]}.{sys.version_info[1]}." in sentence


def test_other_syntax_errors_keep_pythons_words():
    assert (
        failure("import hand_in", loaded("x = (1\n")).sentence
        == "Python cannot read your file: '(' was never closed."
    )


@pytest.mark.parametrize("odd", ["\f", "\u2028", "\x1c", "\x85", "\v"], ids=ascii)
def test_the_quoted_line_is_pythons(odd):
    text = f"# one{odd}\nx = 1\r\n# three {odd} still\rraise ValueError('here')  # four"
    (line,) = loaded(text).traceback
    assert (line.line, line.text) == (4, "raise ValueError('here')  # four")
    assert len(linecache.getlines("hand_in.py")) == 4


def test_what_one_check_behaves_as_is_said_with_less_certainty():
    check = CheckResult(
        id="a", title="A", outcome=Outcome.FAILED, points=0.0, max_points=1.0, rationale="Wrong."
    )
    leads = []
    for alone in (False, True):
        diagnosis = Diagnosis(mistake="halves", message="Use all of it.", of_check_alone=alone)
        shown = replace(check, diagnosis=diagnosis)
        result = ExerciseResult(
            id="x", title="X", outcome=Outcome.FAILED, points=0.0, max_points=1.0, checks=(shown,)
        )
        leads.append(exercise_content(result, NONE_OPENED).first.mistake.lead)
    assert leads[0].startswith("Your results are exactly those of a known mistake, halves")
    assert leads[1].startswith("This check behaves as if it were a known mistake, halves, and others show")


# --- results a suite cannot use


def unusable(result: object, error: BaseException) -> str:
    conversation = Conversation(LocalBackend(Service({"f": lambda: result})))
    Student(conversation).f()
    return ExerciseGrading._unusable(conversation, error)


def test_whole_numbers_and_a_cut_graph_have_a_sentence():
    with pytest.raises(RuntimeError) as failed:
        torch.ones(2, dtype=torch.int64).sum().backward()
    assert unusable(torch.ones(2, dtype=torch.int64), failed.value) == (
        "`f` returned int64, and only floating-point numbers have a gradient."
    )
    assert "is cut off from the graph" in unusable(torch.ones(2), failed.value)
    with pytest.raises(AttributeError) as failed:
        (1.5).sum()  # type: ignore[attr-defined]
    assert unusable(1.5, failed.value) == "`f` returned a float, where a tensor is expected."


def test_a_shape_is_compared_as_a_shape():
    with pytest.raises(Mismatch) as failed:
        assert_shape(X, (1, 2))
    assert failed.value.step == "shape"

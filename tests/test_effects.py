"""The other effects of a call: gradients, and arguments that must not change, each with its own sentence."""

import pytest
import torch

from grader.grading.engine.proxy import CallFailed, Conversation, Student
from grader.sandbox.worker.service import Service
from grader.suite import (
    Mismatch,
    assert_gradient,
    assert_inputs_unchanged,
    assert_matches,
    assert_parameter_gradients,
)


class Local:
    """Answers in this process what a worker would answer in its own."""

    def __init__(self, **names):
        self.service = Service(names)

    def ask(self, request, payload, **_):
        reply, data = self.service.answer(request, bytearray(payload))
        return reply, bytearray(data)


def student(**names):
    return Student(Conversation(Local(**names)))


def scale(x, w):
    return x * w


def leaves():
    return torch.tensor([1.0, 2.0], requires_grad=True), torch.tensor([3.0, 4.0], requires_grad=True)


def gradient_of(function, expected=None, **options):
    x, w = leaves()
    assert_gradient(
        student(f=function).f(x, w),
        scale(x, w) if expected is None else expected,
        {"x": x, "w": w},
        **options,
    )


def test_right_gradients_pass_in_both_forms():
    gradient_of(scale)
    gradient_of(scale, {"x": torch.tensor([3.0, 4.0]), "w": torch.tensor([1.0, 2.0])})
    gradient_of(
        scale,
        {"x": torch.tensor([30.0, 4.0]), "w": torch.tensor([10.0, 2.0])},
        upstream=torch.tensor([10.0, 1.0]),
    )


WRONG = [
    (lambda x, w: x * w.detach(), "No gradient reaches `w`"),
    (lambda x, w: x * w + w - w.detach(), "The gradient for `w` is wrong in 2 of 2 places"),
    (lambda x, w: (x * w).flip(0).detach().flip(0) + x * 0, "The gradient for `x` is wrong"),
    (lambda x, w: (x * w)[:1], "has the shape (1,), not (2,)"),
    (lambda x, w: (x * w).int(), "has the dtype int32, and only floating-point numbers have a gradient"),
    (lambda *_: None, "is None"),
    (lambda x, w: (x * w, 1), "its first item is right"),
    (lambda x, w: (x * w).detach().numpy(), "returned an ndarray"),
]  # fmt: skip


@pytest.mark.parametrize(("function", "words"), WRONG, ids=[words for _, words in WRONG])
def test_each_way_to_lose_a_gradient_has_its_sentence(function, words):
    with pytest.raises(Mismatch) as caught:
        gradient_of(function)
    assert words in caught.value.rationale


def test_a_graph_that_was_cut_is_named_as_that():
    with pytest.raises(CallFailed, match="cut off from the graph"):
        gradient_of(lambda x, w: (x * w).detach())
    x, w = leaves()
    with torch.no_grad():
        result = student(f=scale).f(x, w)
    with pytest.raises(Mismatch, match=r"without torch\.no_grad"):
        assert_gradient(result, scale(x, w), {"x": x})


def test_gradients_in_the_wrong_places_fail():
    class Swapped(torch.autograd.Function):
        @staticmethod
        def forward(_, x):
            return x * 2

        @staticmethod
        def backward(_, gradient):
            return 2 * gradient.flip(0)

    x = torch.ones(3, requires_grad=True)
    with pytest.raises(Mismatch) as caught:
        assert_gradient(student(f=Swapped.apply).f(x), x * 2, {"x": x})
    assert "in reverse order" in caught.value.where


def test_an_input_that_does_not_matter_needs_no_gradient():
    x, w = leaves()
    assert_gradient(student(f=lambda x, _: x * 2).f(x, w), x * 2, {"x": x, "w": w})


def test_changed_arguments_are_named_with_what_changes_them():
    def overwrite(x, y):
        y += x
        return y

    learner = student(overwrite=overwrite, scale=scale)
    learner.scale(torch.ones(2), torch.ones(2))
    assert_inputs_unchanged(learner)
    learner.overwrite(torch.ones(2), torch.ones(2))
    with pytest.raises(AssertionError, match="`overwrite` changed its argument `y` in place"):
        assert_inputs_unchanged(learner)


class Scale(torch.nn.Module):
    def __init__(self, kind="used"):
        super().__init__()
        self.kind = kind
        self.factor = torch.nn.Parameter(torch.tensor(3.0), requires_grad=kind != "frozen")
        self.shift = torch.nn.Parameter(torch.tensor(0.0))

    def forward(self, x):
        factor = self.factor.detach().clone() if self.kind == "copied" else self.factor
        return (2 * factor if self.kind == "doubled" else factor) * x + self.shift


PARAMETERS = [
    ("doubled", "factor", "The gradient for `factor` is 6.0, not 3.0."),
    ("frozen", "factor", "No gradient reaches `factor`: it has requires_grad=False."),
    ("copied", "factor", "No gradient reaches `factor`: forward must use the parameter itself"),
    ("used", "weight", "The module has no parameter `weight`"),
]


@pytest.mark.parametrize(("kind", "name", "words"), PARAMETERS, ids=[words for _, _, words in PARAMETERS])
def test_a_parameter_without_its_gradient_gets_the_reason(kind, name, words):
    model = student(Scale=Scale).Scale(kind)
    model(torch.tensor([1.0, 2.0])).sum().backward()
    with pytest.raises(Mismatch) as caught:
        assert_parameter_gradients(model, {name: torch.tensor(3.0)})
    assert words in caught.value.rationale


def test_parameters_with_their_gradients_pass():
    model = student(Scale=Scale).Scale()
    model(torch.tensor([1.0, 2.0])).sum().backward()
    assert_parameter_gradients(model, {"factor": torch.tensor(3.0), "shift": torch.tensor(2.0)})


def test_only_a_missing_result_gets_the_hint_to_return_it():
    with pytest.raises(Mismatch, match="The gradient of x is None, where a tensor of shape"):
        assert_matches(None, torch.ones(2), what="the gradient of x")

"""The proxy and the service behind it: calls, modules, gradients and objects that stay in the worker."""

import re
from dataclasses import dataclass, field, replace

import numpy as np
import pytest
import torch
from torch import nn

from grader.core.model import Limits, Outcome
from grader.grading.engine import grading_process
from grader.grading.engine.grading_process import ExerciseGrading
from grader.grading.engine.preparation import LocalBackend
from grader.grading.engine.proxy import CallFailed, Conversation, RemoteModule, Student
from grader.grading.engine.proxy.call_failure import failure
from grader.grading.engine.proxy.foreign import ForeignResult
from grader.grading.messages import Job
from grader.sandbox.protocol.messages import Cause, ForeignValue, Raised, Returned
from grader.sandbox.protocol.values import Packer
from grader.sandbox.worker.service import Service
from grader.suite import usable


class Net(nn.Module):
    def __init__(self, width: int = 2):
        super().__init__()
        self.norm = nn.BatchNorm1d(width)
        self.fc = nn.Linear(width, 1)

    def forward(self, x):
        return self.fc(self.norm(x))


def pair(x, y=None):
    return x + 1, {"y": y}


def scale(x, factor):
    return x * factor


def lies_in_one_piece(x):
    return x.is_contiguous()


def flattened(x):
    return x.view(-1)


def overwrite(x, y):
    y.zero_()
    return x


def frozen(model):
    model.requires_grad_(False)
    return model


def optimizer(model, lr):
    return torch.optim.SGD(model.parameters(), lr=lr)


def step(model, opt, x):
    opt.zero_grad()
    model(x).sum().backward()
    opt.step()


def detached(x):
    return x.detach() * 2


def noisy(x):
    return torch.randn(3)


@pytest.fixture
def student():
    names = {
        "Net": Net, "pair": pair, "scale": scale, "overwrite": overwrite, "frozen": frozen, "optimizer": optimizer,
        "detached": detached, "noisy": noisy, "lies_in_one_piece": lies_in_one_piece, "flattened": flattened,
    }  # fmt: skip
    return Student(Conversation(LocalBackend(Service(names, {"step": step, "Net": Net}))))


def test_values_of_all_kinds_come_back(student):
    first, second = student.pair(torch.ones(2), y=[1, (2.5, "a", None), {"k": True}])
    assert torch.equal(first, torch.full((2,), 2.0))
    assert second == {"y": [1, (2.5, "a", None), {"k": True}]}


def test_checks_of_values_go_on_with_an_array_or_the_first_of_a_tuple():
    names = {
        "array": lambda x: x.numpy(),
        "pair": lambda x: (x.numpy(), x),
        "text": lambda _: np.array(["a"]),
    }
    student = Student(Conversation(LocalBackend(Service(names))))
    x = torch.arange(4.0).reshape(2, 2)
    for name in ("array", "pair"):
        assert torch.equal(usable(getattr(student, name)(x)), x)
    assert usable(x) is x
    for name in ("array", "text"):
        with pytest.raises(CallFailed, match="returned an ndarray of shape"):
            getattr(student, name)(x) + 1
    assert isinstance(usable(student.text(x)), ForeignResult)
    leaf = torch.ones(2, requires_grad=True)
    names["both"] = lambda x: (x * 2, x.detach().numpy())
    first, _ = student.both(leaf)
    first.sum().backward()
    assert torch.equal(leaf.grad, torch.full((2,), 2.0))


def test_an_argument_that_is_a_view_arrives_as_one(student):
    view = torch.arange(6.0).reshape(2, 3).mT
    assert student.lies_in_one_piece(view.contiguous())
    assert not student.lies_in_one_piece(view)
    with pytest.raises(CallFailed, match="view"):
        student.flattened(view)
    x = torch.arange(6.0).reshape(2, 3).mT.requires_grad_()
    (student.scale(x, 2) * view).sum().backward()
    assert torch.equal(x.grad, 2 * view)


def test_gradients_flow_through_a_remote_call_to_every_tensor(student):
    x, factor = torch.tensor([1.0, 2.0], requires_grad=True), torch.tensor(3.0, requires_grad=True)
    (student.scale(x, factor) * torch.tensor([1.0, 10.0])).sum().backward()
    assert torch.equal(x.grad, torch.tensor([3.0, 30.0]))
    assert torch.equal(factor.grad, torch.tensor(21.0))


def test_gradients_flow_through_two_remote_calls(student):
    x = torch.tensor([2.0], requires_grad=True)
    student.scale(student.scale(x, 3.0), x).sum().backward()
    assert torch.equal(x.grad, torch.tensor([12.0]))


def test_no_graph_is_kept_under_no_grad(student):
    with torch.no_grad():
        assert not student.scale(torch.ones(1, requires_grad=True), 2.0).requires_grad


def test_a_detached_result_fails_when_its_gradient_is_asked_for(student):
    x = torch.ones(1, requires_grad=True)
    with pytest.raises(CallFailed, match="cut off from the graph") as failed:
        student.detached(x).sum().backward()
    assert failed.value.outcome is Outcome.FAILED


def test_a_remote_module_trains_like_a_local_one(student):
    remote, local = student.Net(), Net()
    local.load_state_dict(remote.state_dict())
    x = torch.randn(5, 2)
    for model in (remote, local):
        (model(x) ** 2).sum().backward()
    expected = {name: parameter.grad for name, parameter in local.named_parameters()}
    assert all(torch.allclose(remote.gradients()[name], gradient) for name, gradient in expected.items())
    assert all(torch.equal(remote.state_dict()[name], value) for name, value in local.state_dict().items())
    remote.zero_grad()
    assert all(gradient is None for gradient in remote.gradients().values())


def test_modes_and_flags_of_a_module_can_be_read_and_set(student):
    model = student.Net(3)
    assert model.training
    assert not model.eval().training
    assert model.train().training
    assert dict(model.named_parameters()).keys() == {"norm.weight", "norm.bias", "fc.weight", "fc.bias"}
    assert set(student.frozen(model).requires_grad().values()) == {False}


def test_a_state_is_a_copy_and_can_be_loaded(student):
    model = student.Net()
    state = model.state_dict()
    state["fc.bias"] += 5
    assert not torch.equal(model.state_dict()["fc.bias"], state["fc.bias"])
    model.load_state_dict(state)
    assert torch.equal(model.state_dict()["fc.bias"], state["fc.bias"])


def test_objects_can_be_passed_back(student):
    model = student.Net()
    before = model.state_dict()["fc.weight"]
    student.fixtures.step(model, student.optimizer(model, 0.1), torch.randn(4, 2))
    assert not torch.equal(model.state_dict()["fc.weight"], before)
    assert isinstance(student.fixtures.Net(), RemoteModule)


def test_changed_arguments_are_named(student):
    student.overwrite(torch.ones(2), torch.ones(3))
    assert student.changed_inputs() == ("y",)
    student.scale(torch.ones(2), 2.0)
    assert student.changed_inputs() == ()


def test_the_students_own_randomness_is_the_same_in_every_call(student):
    assert torch.equal(student.noisy(torch.ones(1)), student.noisy(torch.ones(1)))


def test_what_a_suite_cannot_send_is_the_suites_error(student):
    with pytest.raises(TypeError, match="cannot send a object"):
        student.scale(object(), 2)


@pytest.mark.parametrize(
    "use", [lambda r: r.shape, lambda r: r + 1, len, list, float, bool, lambda r: r == 1, lambda r: r[0]]
)
def test_any_use_of_a_foreign_result_says_what_was_returned(use):
    student = Student(Conversation(LocalBackend(Service({"f": lambda: {1, 2}}))))
    with pytest.raises(CallFailed, match="`f` returned a set"):
        use(student.f())


# --- limits, and replies that are not trusted


def test_a_record_is_complete_up_to_32_mib(student):
    """Arguments and results count; a call beyond the limit is kept without its values, which explains nothing."""
    conversation = student._conversation
    student.scale(torch.zeros(4 * 2**20), 1.0)  # 16 MiB there, and 16 MiB back
    assert conversation.complete
    assert [len(e.payload) + len(e.data) for e in conversation.exchanges] == [32 * 2**20]
    student.scale(torch.zeros(1), 1.0)
    assert not conversation.complete
    assert (conversation.exchanges[1].payload, conversation.exchanges[1].data) == (b"", b"")


@dataclass
class Answers:
    """A backend that gives one answer, and keeps the deadlines that it is asked with."""

    answer: object
    deadlines: list[float] = field(default_factory=list)

    def ask(self, request, _payload, *, deadline, **_):
        self.deadlines.append(deadline)
        packer = Packer(lambda _: ForeignValue(type_name="ndarray", detail=""))
        return Returned(number=request.number, value=packer.pack(self.answer)), bytearray(packer.payload)


@pytest.mark.parametrize("answer", [[], [None], [torch.ones(2), None]], ids=str)
def test_a_backward_pass_answers_with_gradients(answer):
    assert str(backward(answer)) == str(answer)


@pytest.mark.parametrize(
    "answer",
    [None, 1.0, torch.ones(2), (torch.ones(2),), {"x": torch.ones(2)}, [1.0], [torch.ones(2), "x"], [[torch.ones(2)]], [object()]],
    ids=["none", "number", "tensor", "tuple", "dict", "numbers", "text", "nested", "object"],
)  # fmt: skip
def test_any_other_answer_to_a_backward_pass_is_tampering(answer):
    with pytest.raises(CallFailed, match="something other than gradients") as caught:
        backward(answer)
    assert caught.value.outcome is Outcome.TAMPERING


def backward(answer):
    conversation = Conversation(Answers(answer))
    conversation.call("student", "f", (), {})
    return conversation.backward(0, [torch.ones(2)])


def test_every_request_carries_the_deadline_of_its_check():
    backend = Answers([torch.ones(2)])
    conversation = Conversation(backend, deadline=12.5)
    conversation.call("student", "f", (), {})
    conversation.backward(0, [torch.ones(2)])
    assert backend.deadlines == [12.5, 12.5]


def test_the_deadline_of_a_check_is_its_limit_from_now(course, monkeypatch):
    exercise = replace(course.exercises[0], limits=Limits(check_limit_s=7.0))
    grading = ExerciseGrading(Job(exercise=exercise, module="scaling", sources={}, seed=0), None, None, None)
    grading.sandbox = None
    monkeypatch.setattr(grading_process.time, "monotonic", lambda: 100.0)
    assert grading._start(None).deadline == 107.0


# --- the sentences about what was raised

EMPTY = ["", " ", "\n\t", "\u2003"]
ODD_TEXTS = [*EMPTY, ".", ":", "...", "!", "\u200b", "got: 5", "one\ntwo", "\U0001f600"]
EMPTY_PART = re.compile(r"(: ?[.:!?]|\b(raised|called|an?) ?[.:]|``|^[.:!?\s]*$|\(\)\.$| [.:]|[.:] *[.:])")


def has_empty_part(sentence: str) -> bool:
    """Return whether a part of a sentence is missing; what is in quotes does not count."""
    plain = sentence.replace(" .detach(), .item()", " detach(), item()")
    return bool(EMPTY_PART.search(re.sub(r"'[^']+'|sys\.exit\([^)]*\)", "text", plain)))


@pytest.mark.parametrize("text", ODD_TEXTS, ids=ascii)
@pytest.mark.parametrize("kind", ["ValueError", "", " "])
@pytest.mark.parametrize("cause", Cause.__args__)
def test_no_sentence_has_an_empty_part(cause, kind, text):
    sentence = failure("f", Raised(number=0, cause=cause, type_name=kind, message=text)).sentence
    assert not has_empty_part(sentence), sentence


def _exceptions():
    kinds = [ValueError, MemoryError, PermissionError, AssertionError, RuntimeError, SystemExit, TypeError]
    for kind in [*kinds, type(" ", (Exception,), {})]:
        yield kind()
        yield from (kind(text) for text in ODD_TEXTS)
    yield from (RuntimeError(f"Operator switched off: {text}") for text in EMPTY)


@pytest.mark.parametrize("error", list(_exceptions()), ids=ascii)
def test_every_exception_has_a_whole_sentence(error):
    def f():
        raise error

    with pytest.raises(CallFailed) as failed:
        Student(Conversation(LocalBackend(Service({"f": f})))).f()
    assert not has_empty_part(failed.value.sentence), failed.value.sentence


@pytest.mark.parametrize(
    ("name", "said"), [("", "an object whose type has no name"), (" ", "an object"), ("int", "an int")]
)
def test_a_foreign_value_is_described_whatever_its_type_is_called(name, said):
    assert ForeignResult("f", ForeignValue(type_name=name)).sentence.startswith(f"`f` returned {said}")


def test_a_sparse_gradient_is_no_tampering():
    def embed(x):
        return torch.nn.functional.embedding(torch.tensor([0]), x, sparse=True)

    x = torch.ones(3, 2, requires_grad=True)
    result = Student(Conversation(LocalBackend(Service({"embed": embed})))).embed(x)
    with pytest.raises(CallFailed, match="A gradient of `embed` is a Tensor with the layout") as failed:
        result.sum().backward()
    assert failed.value.outcome is Outcome.FAILED

"""The table of shapes, layer by layer: what it shows, what it leaves out, and that it decides nothing."""

import shutil
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from grader.core.model import Outcome
from grader.course import catalog
from grader.grading.attempt import grade_exercises
from grader.grading.engine.preparation import LocalBackend
from grader.grading.engine.proxy import CallFailed, Conversation, Student
from grader.grading.engine.suite.layers import shape_table
from grader.sandbox.worker.service import Service
from grader.submission import open_submission
from grader.suite import Mismatch, assert_shape, layer_by_layer

COURSE = Path(__file__).parent / "course"
TABLE = [("conv", (4, 8, 8)), ("MaxPool", (4, 4, 4)), ("Flatten", (64,)), ("fc", (3,))]
X = torch.zeros(5, 1, 8, 8)


class Net(nn.Module):
    def __init__(self, padding=1, features=64):
        super().__init__()
        self.conv = nn.Conv2d(1, 4, 3, padding=padding)
        self.fc = nn.Linear(features, 3)

    def forward(self, x):
        x = F.max_pool2d(F.relu(self.conv(x)), 2)
        return self.fc(torch.flatten(x, 1))


class Modules(nn.Module):
    """The same in another style: modules, the pooling before the activation, and a view."""

    def __init__(self):
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv2d(1, 4, 3, padding=1), nn.BatchNorm2d(4), nn.MaxPool2d(2), nn.ReLU()
        )
        self.fc = nn.Linear(64, 3)

    def forward(self, x):
        return self.fc(self.body(x).view(x.size(0), -1)) * 1.0


class FlatBatch(Net):
    def forward(self, x):
        return self.fc(F.max_pool2d(self.conv(x), 2).flatten())


class Sneaky(Net):
    def __init__(self):
        super().__init__()
        setattr(self, "a\x1b[31m\n" + 40 * "b", nn.Conv2d(1, 2, 1))

    def forward(self, x):
        return next(m for name, m in self.named_children() if name.startswith("a"))(x)


def table(make, shape=(5, 3)):
    """Return the place that a failing check of a model's output shape reports, and its conversation."""
    conversation = Conversation(LocalBackend(Service({"make": make})))
    model = Student(conversation).make()
    with pytest.raises((Mismatch, CallFailed)) as caught, layer_by_layer(model, X, TABLE):
        assert_shape(model(X), shape)
    return caught.value.where, conversation


def test_the_first_difference_is_marked_and_the_rest_follows():
    where, _ = table(lambda: Net(padding=0, features=36), shape=(5, 4))
    assert where.split("\n") == [
        "   layer    expected   yours",
        ">  conv     4 x 8 x 8  4 x 6 x 6",
        "   MaxPool  4 x 4 x 4  4 x 3 x 3  by max_pool2d()",
        "   Flatten  64         36         by flatten()",
        "   fc       3          3",
    ]


def test_the_layer_that_raises_ends_the_table():
    where, _ = table(lambda: Net(padding=0))
    assert where.split("\n")[-2:] == [
        "   Flatten  64         36         by flatten()",
        "   fc       3          raises",
    ]
    assert where.split("\n")[1].startswith(">  conv")


def test_a_lost_batch_axis_is_named():
    where, _ = table(FlatBatch)
    assert ">  Flatten  64         320, no batch axis  by flatten()" in where


@pytest.mark.parametrize("make", [Net, Modules])
def test_where_every_shape_is_right_there_is_no_table_in_whatever_style(make):
    where, _ = table(make, shape=(5, 4))
    assert "layer" not in where


def test_a_shape_trace_is_not_recorded():
    model = Net(padding=0, features=36)
    _, conversation = table(lambda: model, shape=(5, 4))
    assert [exchange.name for exchange in conversation.exchanges] == ["make", "make(...).forward"]
    assert [call.name for call in conversation.calls] == ["make", "make(...).forward"]
    assert not any(m._forward_hooks or m._forward_pre_hooks for m in model.modules())


def test_labels_are_short_and_on_one_line():
    where, _ = table(Sneaky)
    assert "\x1b" not in where
    assert where.count("\n") == len(TABLE)
    assert "bbb..." in where


@pytest.mark.parametrize("answer", ["nothing", [("conv", "large")], [1], [("conv", (1, "a"))]])
def test_a_model_that_reports_wrong_steps_changes_nothing(answer, monkeypatch):
    monkeypatch.setattr("grader.sandbox.worker.service.shape_trace", lambda _model, _x: answer)
    where, _ = table(Net, shape=(5, 4))
    assert where == "C is 3, not 4" or "layer" not in where


def test_a_check_that_raises_shows_the_table_too(dispatcher, tmp_path):
    shutil.copytree(COURSE, tmp_path / "course")
    suite = tmp_path / "course" / "solutions" / "scaling" / "test_scaling.py"
    check = '''

@pytest.mark.points(1)
def test_columns(student):
    """Rows keep their columns"""
    from grader.suite import layer_by_layer
    model, x = student.Scale(), torch.ones(2, 3)
    with layer_by_layer(model, x, [("cut", (2,)), ("sum", (1,))]):
        model(x)
'''
    suite.write_text(suite.read_text() + check)
    reference = (suite.parent / "reference.py").read_text()
    wrong = "class Scale(Scale):\n    def forward(self, x):\n        x = x[:, :1]\n        return x @ torch.ones(4)\n"
    (tmp_path / "scaling.py").write_text(f"{reference}\n\n{wrong}")
    submission = open_submission(tmp_path)
    (result,) = grade_exercises(dispatcher, submission, catalog.load(tmp_path / "course").exercises, seed=0)
    failed = next(check for check in result.checks if check.id == "test_columns")
    assert failed.outcome is Outcome.RAISED
    assert failed.counterexample.where.split("\n") == [
        "   layer  expected  yours",
        ">  cut    2         1       by __getitem__()",
        "   sum    1         raises  by matmul()",
    ]


@pytest.mark.parametrize(("layers", "lines"), [(11, 12), (12, 13), (13, 13)])
def test_a_table_has_at_most_twelve_layers(layers, lines):
    expected = [(f"layer{n}", (n + 2,)) for n in range(layers)]
    shown = shape_table([(f"layer{n}", (5, n + 3)) for n in range(layers)], torch.zeros(5, 1), expected)
    assert len(shown.splitlines()) == lines


@pytest.mark.parametrize(("label", "shown"), [("a" * 24, "a" * 24), ("a" * 25, "a" * 21 + "...")])
def test_a_label_has_at_most_24_characters(label, shown):
    row = shape_table([(label, (5, 3))], torch.zeros(5, 1), [("fc", (2,))]).splitlines()[1]
    assert row.split()[-1] == shown

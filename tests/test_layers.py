"""The tables of shapes and values, layer by layer: what they show, what they leave out, and that they decide nothing."""

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
from grader.grading.engine.suite.layers import shape_table, value_table
from grader.sandbox.worker.service import Service, tracing
from grader.submission import open_submission
from grader.suite import Mismatch, assert_matches, assert_shape, layer_by_layer

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


def test_of_many_layers_the_first_wrong_one_is_shown():
    layers = [(f"layer{n}", (n + 2,)) for n in range(20)]
    steps = [(f"layer{n}", (5, n + 2 + (n == 15))) for n in range(20)]
    lines = shape_table(steps, torch.zeros(5, 1), layers).splitlines()
    assert [line.split()[0] for line in lines[1:]] == [f"layer{n}" for n in range(4, 15)] + [">"]


@pytest.mark.parametrize(("layers", "lines"), [(11, 12), (12, 13), (13, 13)])
def test_a_table_has_at_most_twelve_layers(layers, lines):
    expected = [(f"layer{n}", (n + 2,)) for n in range(layers)]
    shown = shape_table([(f"layer{n}", (5, n + 3)) for n in range(layers)], torch.zeros(5, 1), expected)
    assert len(shown.splitlines()) == lines


@pytest.mark.parametrize(("label", "shown"), [("a" * 24, "a" * 24), ("a" * 25, "a" * 21 + "...")])
def test_a_label_has_at_most_24_characters(label, shown):
    row = shape_table([(label, (5, 3))], torch.zeros(5, 1), [("fc", (2,))]).splitlines()[1]
    assert row.split()[-1] == shown


# --- values

IMAGES = torch.randn(3, 1, 8, 8, generator=torch.Generator().manual_seed(1))


class Right(Net):
    """The network whose values are expected, with weights that are always the same."""

    def __init__(self):
        super().__init__()
        draw = torch.Generator().manual_seed(0)
        for parameter in self.parameters():
            parameter.data = torch.randn(parameter.shape, generator=draw)


def right_values(x):
    """Return the layers of TABLE with their values for x."""
    net = Right()
    conv = F.relu(net.conv(x))
    pooled = F.max_pool2d(conv, 2)
    flat = pooled.flatten(1)
    return list(zip([name for name, _ in TABLE], [conv, pooled, flat, net.fc(flat)], strict=True))


def compared(forward, x=IMAGES, layers=None):
    """Return what a failing check of the values of a model with this forward pass reports as the place, in lines."""
    model = type("Own", (Right,), {"forward": forward})
    conversation = Conversation(LocalBackend(Service({"make": model})))
    tested = Student(conversation).make()
    layers = right_values(x) if layers is None else layers
    with pytest.raises(Mismatch) as caught, layer_by_layer(tested, x, layers):
        assert_matches(tested(x).detach(), right_values(x)[-1][1].detach(), axes=("N", "class"))
    assert [call.method for call in conversation.calls] == ["", "forward"]
    return caught.value.where.split("\n")


def no_relu(self, x):
    return self.fc(F.max_pool2d(self.conv(x), 2).flatten(1))


def no_relu_in_place(self, x):
    """Changes what the layer before it returned: its values are those from before."""
    return self.fc(F.max_pool2d(self.conv(x).mul_(1.0), 2).flatten(1).neg_())


def average(self, x):
    return self.fc(F.avg_pool2d(F.relu(self.conv(x)), 2).flatten(1))


def average_then_relu(self, x):
    return self.fc(F.relu(F.avg_pool2d(self.conv(x), 2)).flatten(1))


def pool_then_relu_then_wrong(self, x):
    return self.fc(F.relu(F.max_pool2d(self.conv(x), 2)).flatten(1) * 2)


def channels_last(self, x):
    return self.fc(F.max_pool2d(F.relu(self.conv(x)), 2).permute(0, 2, 3, 1).flatten(1))


def through_another_shape(self, x):
    return self.fc(F.max_pool2d(F.relu(self.conv(x)), 2).reshape(-1, 2, 32).flip(1).flatten(1))


def softmax(self, x):
    return F.softmax(Net.forward(self, x), dim=1)


def last_sample(self, x):
    scale = torch.tensor([1.0, 1.0, 2.0]).view(3, 1, 1, 1)
    return self.fc(F.max_pool2d(F.relu(self.conv(x) * scale), 2).flatten(1))


@pytest.mark.parametrize(
    ("forward", "layer", "said"),
    [
        (no_relu, "conv", "conv, in sample 0: what should be 0 is negative"),
        (no_relu_in_place, "conv", "conv, after mul_(), in sample 0: what should be 0 is negative"),
        (average, "MaxPool", "MaxPool, after avg_pool2d(), in sample 0: first at channel 0"),
        (average_then_relu, "MaxPool", "MaxPool, after relu(), in sample 0: first at channel 0"),
        (pool_then_relu_then_wrong, "Flatten", "Flatten, after mul(), in sample 0: "),
        (channels_last, "MaxPool", "MaxPool, after permute(), in sample 0: "),
        (through_another_shape, "Flatten", "in sample 0: the same numbers are in other places"),
        (softmax, "fc", "fc, after softmax(), in sample 0: first at element 0"),
        (last_sample, "conv", "conv, after relu(), in sample 2: "),
    ],
)
def test_the_first_layer_with_wrong_values_ends_the_table(forward, layer, said):
    lines = compared(forward)
    assert lines[0].split() == ["layer", "shape", "expected", "yours"]
    names = [name for name, _ in TABLE]
    last = names.index(layer) + 1
    assert [line[3:].split()[0] for line in lines[1 : last + 1]] == names[:last]
    assert [line[0] for line in lines[1 : last + 1]] == [" "] * (last - 1) + [">"]
    assert said in " ".join(lines[last + 1 :])


def test_a_row_has_the_shape_of_a_sample_and_the_extent_of_its_values():
    conv = right_values(IMAGES)[0][1][0]
    own = Right().conv(IMAGES)[0]
    row = compared(no_relu)[1]
    extents = f"0 to {conv.max():.3g}", f"{own.min():.3g} to {own.max():.3g}"
    assert " ".join(row.split()) == f"> conv 4 x 8 x 8 {extents[0]} {extents[1]}"


def test_what_is_no_batch_has_no_wrong_sample():
    conversation = Conversation(LocalBackend(Service({"make": Right})))
    model = Student(conversation).make()
    for got in (torch.ones(2), torch.tensor(2.0)):
        with pytest.raises(Mismatch) as caught, layer_by_layer(model, IMAGES, right_values(IMAGES)):
            assert_matches(got, torch.zeros_like(got))
        assert "layer" not in caught.value.where


def test_of_one_sample_no_number_is_said():
    assert compared(no_relu, IMAGES[:1])[-1] == "conv: what should be 0 is negative"


def test_layers_with_one_shape_are_compared_in_their_order():
    net = Right()
    conv = net.conv(IMAGES)
    layers = [("conv", conv), ("norm", conv * 2), ("ReLU", F.relu(conv * 2)), *right_values(IMAGES)[1:]]

    def no_norm(self, x):
        return self.fc(F.max_pool2d(F.relu(self.conv(x)), 2).flatten(1) * 3)

    def no_activation(self, x):
        return self.fc(F.max_pool2d(self.conv(x) * 2, 2).flatten(1))

    lines = compared(no_activation, layers=layers)
    assert [line.split()[0] for line in lines[1:]] == ["conv", "norm", ">", "ReLU:"]
    assert lines[-2].split()[1] == "ReLU"
    assert lines[-1] == "ReLU: yours has no such step"
    # Where a later layer is right, what is wrong before it has done no harm.
    marked = [line.split()[1] for line in compared(no_norm, layers=layers) if line.startswith(">")]
    assert marked == ["Flatten"]


@pytest.mark.parametrize(("bad", "shown"), [("nan", "holds NaN"), ("inf", "inf"), ("-inf", "-inf")])
def test_values_that_are_no_numbers_are_shown(bad, shown):
    def forward(self, x):
        return self.fc(F.max_pool2d(F.relu(self.conv(x)) + float(bad), 2).flatten(1))

    assert compared(forward)[1].endswith(f"  {shown}")


@pytest.mark.parametrize("answer", [
    "nothing", [("conv", (1, 2))], [(1, torch.ones(2))], [1], [], [("conv", None)], [("conv", torch.ones(4, 8, 8))],
    [("conv", torch.ones(4, 8, 8)), ("a\x1b[31m\n" + 40 * "b", torch.ones(4, 4, 4, dtype=torch.bool)),
     ("c", torch.ones(64, dtype=torch.int64)), ("d", torch.full((3,), torch.nan))],
])  # fmt: skip
def test_a_model_that_reports_wrong_values_changes_nothing(answer, monkeypatch):
    monkeypatch.setattr("grader.sandbox.worker.service.value_trace", lambda *_: answer)
    lines = compared(no_relu)
    assert lines[0].startswith("   layer") == (len(answer) == 4)
    assert all(line.isprintable() and len(line) <= 80 for line in lines)


def test_values_are_compared_as_close_as_sums_in_another_order_are():
    x, layers = torch.zeros(1, 2), [("sum", torch.tensor([[0.0, 1000.0, 1.0]]))]
    for off, rows in ((0.09, 0), (0.11, 3)):
        steps = [("sum", torch.tensor([off, 1000.0, 1.0]))]
        assert len(value_table(steps, x, layers, 0).splitlines()) == rows


@pytest.mark.parametrize(("size", "count"), [(2**19, 2), (2**19 + 1, 0)])
def test_a_trace_has_at_most_a_million_numbers(size, count):
    class Twice(nn.Module):
        def forward(self, x):
            return x.mul(2).mul(2)

    assert len(tracing.value_trace(Twice(), torch.ones(3, size), 1)) == count


def test_a_trace_of_values_holds_one_sample_of_a_whole_batch():
    norm = nn.BatchNorm1d(2)
    x = torch.tensor([[1.0, 2.0], [3.0, 6.0]])
    (step,) = tracing.value_trace(nn.Sequential(norm), x, 1)
    assert step[0] == "0 (BatchNorm1d)"
    assert torch.allclose(step[1], torch.ones(2), atol=1e-3)  # by itself a sample has no variance

"""The listing of a module that a check gives to the student's code: what it says, its bounds, and where there is none."""

import re
from pathlib import Path

import pytest
import torch
from torch import nn

from grader.core.model import Argument, CheckResult, Counterexample, ExerciseResult, Outcome
from grader.course import catalog
from grader.grading.engine.feedback.module_listing import MAX_CHILDREN, listing
from grader.grading.engine.proxy import CallRecord, RemoteModule
from grader.grading.messages import Graded, Job
from grader.report import Style, exercise_text
from grader.report.phrases import can_be_worked_by_hand
from grader.sandbox.protocol.messages import HandleValue

ROOT = Path(__file__).parents[1]


def small(classes: int = 3) -> nn.Module:
    block = nn.Sequential(nn.Conv2d(1, 2, 3), nn.ReLU())
    model = nn.Sequential()
    model.body, model.head = block, nn.Linear(4, classes)
    return model


def wide(count: int) -> nn.Module:
    return nn.Sequential(*[nn.ReLU() for _ in range(count)])


def broken() -> nn.Module:
    raise KeyboardInterrupt if broken is None else ValueError("no")


class Odd(nn.Module):
    def extra_repr(self) -> str:
        return "many\n lines \x1b[31m" + "x" * 200


FIXTURES = {
    "small": small, "wide": wide, "broken": broken, "child": lambda model, name: model.get_submodule(name),
    "drawn": lambda: nn.Sequential(nn.Linear(int(torch.randint(1, 9, ())), 1)), "number": lambda: 3, "odd": lambda: nn.Sequential(Odd()),
    "of": lambda x: nn.Linear(x.numel(), 1),
}  # fmt: skip


def made(name: str, *args: object, **kwargs: object) -> RemoteModule:
    """Return what stands for a module that a fixture made beside the student's code."""
    value = HandleValue(handle=1, type_name="Lies\x1b[31m", is_module=True)
    record = CallRecord(name=name, root=name, args=args, kwargs=kwargs)
    return RemoteModule(None, value, name, fixture=record)


def test_children_are_listed_with_their_settings_or_what_is_in_them():
    assert listing(made("small", 7), FIXTURES) == (
        "module Sequential, its children:\n"
        "  body  Sequential of Conv2d, ReLU\n"
        "  head  Linear(in_features=4, out_features=7, bias=True)"
    )


def test_a_part_of_a_module_is_listed_as_such():
    assert listing(made("child", made("small"), "body.0"), FIXTURES) == (
        "module Conv2d(1, 2, kernel_size=(3, 3), stride=(1, 1))"
    )


@pytest.mark.parametrize(
    ("count", "lines"), [(MAX_CHILDREN, MAX_CHILDREN + 1), (MAX_CHILDREN + 1, MAX_CHILDREN + 2)]
)
def test_a_long_list_is_cut(count, lines):
    text = listing(made("wide", count), FIXTURES)
    assert len(text.splitlines()) == lines
    assert text.endswith("  and 1 more") == (count > MAX_CHILDREN)


def test_lines_are_short_and_printable():
    text = listing(made("odd"), FIXTURES)
    assert all(line.isprintable() and len(line) <= 68 for line in text.split("\n"))
    assert len(text.split("\n")) == 2


@pytest.mark.parametrize(
    "thing",
    [
        made("number"), made("broken"), made("unknown"), made("of", torch.zeros(3)), made("small", [1]),
        made("child", RemoteModule(None, HandleValue(handle=1, type_name="Net", is_module=True), "Net"), "body"),
        RemoteModule(None, HandleValue(handle=1, type_name="Net", is_module=True), "Net"),
    ],
    ids=["no module", "raises", "unknown", "of a tensor", "of a list", "of the student's", "the student's"],
)  # fmt: skip
def test_what_cannot_be_built_again_is_only_named(thing):
    assert listing(thing, FIXTURES) == ""


def test_random_numbers_of_a_check_are_not_changed():
    before = torch.random.get_rng_state()
    assert listing(made("drawn"), FIXTURES)
    assert torch.equal(torch.random.get_rng_state(), before)


# --- in a report

LISTED = listing(made("small"), FIXTURES)


def failing(argument: str) -> ExerciseResult:
    example = Counterexample(
        call="freeze(module)", arguments=(Argument(name="module", value=argument),), expected="1", got="2"
    )
    check = CheckResult(
        id="test_first", title="First", outcome=Outcome.FAILED, points=0.0, max_points=1.0, rationale="Why.", counterexample=example
    )  # fmt: skip
    return ExerciseResult(
        id="freezing", title="Freezing", outcome=Outcome.FAILED, points=0.0, max_points=1.0, checks=(check,)
    )


def test_a_report_shows_the_listing_below_the_call():
    lines = exercise_text(failing(LISTED), Style()).splitlines()
    start = next(n for n, line in enumerate(lines) if line.endswith("module Sequential, its children:"))
    assert lines[start + 1].split() == ["body", "Sequential", "of", "Conv2d,", "ReLU"]
    assert lines[start + 2].split()[:2] == ["head", "Linear(in_features=4,"]


def test_on_a_small_screen_the_listing_goes_before_the_results():
    text = exercise_text(failing(LISTED), Style(height=15))
    assert "its children" not in text
    assert "expected" in text
    assert "freeze(module)" in text


def test_a_call_on_a_module_is_not_worked_out_by_hand():
    assert not can_be_worked_by_hand(failing(LISTED).checks[0].counterexample)
    assert not can_be_worked_by_hand(failing("module Conv2d(1, 2)").checks[0].counterexample)


@pytest.mark.parametrize(
    ("name", "code", "call"),
    [
        ("freezing", "def freeze(module):\n    pass\n", "freeze(module)"),
        ("downsampling", "def replace_pooling(model):\n    return model\n", "replace_pooling(model)"),
        (
            "downsampling",
            "right = replace_pooling\n\n\ndef replace_pooling(model):\n    right(model)[0].stride = 2\n    return model\n",
            "replace_pooling(model).eval().forward(x)",
        ),
        (
            "freezing",
            "right = replace_head\n\n\ndef replace_head(model, num_classes):\n    return right(model, num_classes + 1)\n",
            "replace_head(model, 7).forward(x)",
        ),
    ],
)
def test_calls_that_take_a_module_show_it(dispatcher, name, code, call):
    exercise = catalog.load(ROOT).exercise(name)
    source = (exercise.folder / "reference.py").read_text(encoding="utf-8") + f"\n\n{code}"
    (graded,) = dispatcher.grade(
        [Job(exercise=exercise, module=name, sources={f"{name}.py": source}, seed=0)]
    )
    assert isinstance(graded, Graded)
    examples = [check.counterexample for check in graded.result.checks if check.counterexample]
    shown = [one for one in examples if one.call.startswith(call)]
    assert shown
    for one in shown:
        (argument,) = [argument for argument in one.arguments if argument.name in ("module", "model")]
        assert re.match(r"module \w+(, its children:\n  \w+ +\w+|\()", argument.value)

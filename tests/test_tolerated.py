"""Operators that an exercise bans and tolerates: their use costs the check marked `by_hand`, and no other."""

import textwrap
from dataclasses import replace
from pathlib import Path

import pytest

from grader.authoring.exercise_check import _too_few
from grader.core.errors import DocumentError
from grader.core.model import Exercise, ExerciseResult, Outcome
from grader.course import catalog
from grader.grading.messages import Graded, Job

SUITE = '''
import pytest
import torch
from grader.suite import assert_matches

@pytest.mark.points(1)
def test_shape(student):
    """The shape"""
    assert_matches(tuple(student.double(torch.ones(1, 1, 2, 2)).shape), (1, 1, 2, 2))

@pytest.mark.points(1)
@pytest.mark.requires("test_shape")
@pytest.mark.by_hand
def test_by_hand(student):
    """By hand"""
    student.double(torch.ones(1, 1, 2, 2))

@pytest.mark.points(1)
@pytest.mark.requires("test_shape")
def test_values(student):
    """The values"""
    x = torch.ones(1, 1, 2, 2, requires_grad=True)
    y = student.double(x)
    assert_matches(y, 2 * x)
    y.sum().backward()
    assert_matches(x.grad, torch.full((1, 1, 2, 2), 2.0))

@pytest.mark.points(1)
def test_other(student):
    """Another function"""
    assert_matches(student.total(torch.ones(2)), 2.0)
'''
HEAD = "import torch\nimport torch.nn.functional as F\nfrom torch import nn\n"
TOTAL = "\ndef total(x, start=0.0):\n    return float(x.sum()) + start\n"


@pytest.fixture
def exercise(copied_exercise) -> Exercise:
    """An exercise that bans convolutions and paddings, and tolerates paddings."""
    (copied_exercise.folder / "test_scaling.py").write_text(SUITE, encoding="utf-8")
    bans = {"banned_operators": ("convolutions", "paddings"), "tolerated_operators": ("paddings",)}
    return replace(copied_exercise, points=4, **bans)


def graded(dispatcher, exercise: Exercise, body: str, head: str = "") -> ExerciseResult:
    text = f"{HEAD}{head}\ndef double(x):\n{textwrap.indent(body, '    ')}\n{TOTAL}"
    (found,) = dispatcher.grade(
        [Job(exercise=exercise, module="scaling", sources={"scaling.py": text}, seed=0)]
    )
    assert isinstance(found, Graded), found
    return found.result


def not_passed(result: ExerciseResult) -> dict[str, str]:
    return {c.id: c.rationale for c in result.checks if c.outcome is not Outcome.PASSED}


@pytest.mark.parametrize(
    ("body", "named"),
    [
        ("return 2 * F.pad(x, (1, 1))[..., 1:-1]", "own `F.pad` is switched off"),
        ("return 2 * nn.ZeroPad2d(1)(x)[..., 1:-1, 1:-1]", "`nn.ZeroPad2d` runs torch's own `pad`"),
        ("pad = nn.ZeroPad2d(1)\nreturn 2 * pad(x)[..., 1:-1, 1:-1]", "own `pad` is switched off"),
        ("grow = nn.ZeroPad2d(1)\nreturn 2 * grow(x)[..., 1:-1, 1:-1]", "`grow` runs torch's own `pad`"),
        (
            "return 2 * torch.constant_pad_nd(\n    x, (1, 1)\n)[..., 1:-1]",
            "`torch.constant_pad_nd` is switched off",
        ),
    ],
)
def test_a_tolerated_operator_costs_one_check_which_names_what_was_called(dispatcher, exercise, body, named):
    result = graded(dispatcher, exercise, body)
    (said,) = not_passed(result).items()
    assert said[0] == "test_by_hand"
    assert named in said[1]
    assert result.points == 3


def test_a_banned_operator_stays_banned_beside_a_tolerated_one(dispatcher, exercise):
    body = "x = F.pad(x, (1, 1))[..., 1:-1]\nreturn F.conv2d(x, torch.full((1, 1, 1, 1), 2.0))"
    failed = not_passed(graded(dispatcher, exercise, body))
    assert list(failed) == ["test_shape", "test_by_hand", "test_values"]
    assert "`F.conv2d` is switched off" in failed["test_shape"]


def test_a_tolerated_operator_at_the_top_of_a_file_costs_one_check(dispatcher, exercise):
    result = graded(dispatcher, exercise, "return x + x * ONE[0, 1]", "ONE = F.pad(torch.ones(1, 1), (1, 1))")
    assert list(not_passed(result)) == ["test_by_hand"]


def test_a_wrong_value_is_found_and_explained_where_an_operator_is_tolerated(dispatcher, exercise):
    result = graded(dispatcher, exercise, "x = F.pad(x, (1, 1))[..., 1:-1]\nreturn x * x")
    failed = not_passed(result)
    assert list(failed) == ["test_by_hand", "test_values"]
    assert "wrong in" in failed["test_values"]
    diagnoses = {c.id: c.diagnosis.mistake for c in result.checks if c.diagnosis}
    assert diagnoses == {"test_values": "squares"}


def test_what_runs_inside_an_allowed_function_is_not_banned(dispatcher, exercise):
    body = "there = torch.fft.rfft2(x, s=(4, 5))\nreturn 2 * torch.fft.irfft2(there, s=(4, 5))[..., :2, :2]"
    assert not_passed(graded(dispatcher, replace(exercise, tolerated_operators=()), body)) == {}


def test_nothing_else_is_tolerated_than_what_is_banned(exercise, tmp_path):
    stub = tmp_path / "exercises" / "scaling.py"
    stub.parent.mkdir()
    stub.write_text("")
    source = Path(__file__).parent / "course" / "solutions" / "scaling" / "exercise.yaml"
    text = source.read_text(encoding="utf-8") + "tolerated_operators: [addcmull]\n"
    (exercise.folder / "exercise.yaml").write_text(text, encoding="utf-8")
    with pytest.raises(
        DocumentError, match="'addcmull' is none of `banned_operators`; did you mean \"addcmul\""
    ) as found:
        catalog.load(tmp_path)
    assert found.value.problems[0].line == text.count("\n")


def test_a_course_says_what_a_tolerated_operator_costs(course, exercise):
    (exercise.folder / "exercise.yaml").write_text("tolerated_operators: [paddings]\n", encoding="utf-8")
    here = replace(course, root=exercise.folder.parents[1])
    assert list(_too_few(here, exercise, 5)) == []
    suite = exercise.suite.read_text(encoding="utf-8").replace("@pytest.mark.by_hand\n", "")
    exercise.suite.write_text(suite, encoding="utf-8")
    (problem,) = _too_few(here, exercise, 5)
    assert problem.message == "costs nothing: no check of the suite is marked @pytest.mark.by_hand"

"""The matrix of what a suite sends: kinds of values, the cells that count, empty ones, and reasons in untested.yaml."""

import shutil
from dataclasses import replace
from inspect import Parameter
from pathlib import Path

import pytest
import torch
from click.testing import CliRunner
from torch import nn

from grader import authoring
from grader.authoring.input_matrix import InputFindings, cells, check_inputs, check_untested, rows_as_text
from grader.authoring.reference_submissions import reference_modules, reference_source
from grader.cli.check import check_command
from grader.course import catalog
from grader.grading.engine.preparation import LocalBackend
from grader.grading.engine.proxy import Conversation, Student
from grader.grading.engine.sent_values import SentValues, kinds_of
from grader.grading.messages import Job
from grader.sandbox.worker.service import Service

COURSE = Path(__file__).parent / "course"
OWN = catalog.load(Path(__file__).parents[1])  # the bundled course
NAN, INF = float("nan"), float("inf")

KINDS = [
    (None, "None"),
    (True, "given, is true"),
    (False, "given, is false"),
    (-1, "given, negative"),
    (0, "given, zero"),
    (1, "given, one"),
    (2, "given, two or three"),
    (3, "given, two or three"),
    (4, "given, larger"),
    (0.0, "given, zero"),
    (0.5, "default, given"),
    (0.25, "given, other"),
    ([], "given, no items"),
    ((1,), "given, one item"),
    ([1, 2], "given, two items"),
    ([1, 2, 3], "given, more items"),
    ("text", "given"),
    (torch.ones(2, 3, 4, 4), "float32, given"),
    (torch.ones(2, 3, 4, 5), "float32, given, not square"),
    (torch.ones(2, 3, 4, 4).transpose(0, 2), "float32, given, not contiguous, not square"),
    (torch.ones(2, 2).double(), "float64, given"),
    (torch.ones(2, 2).half(), "given, half"),
    (torch.ones(2, 2).bfloat16(), "given, half"),
    (torch.ones(2, 2).long(), "given, int64"),
    (torch.ones(2, 2, requires_grad=True), "float32, given, gradient"),
    (torch.tensor([1.0, NAN]), "float32, given, not finite"),
    (torch.tensor([1.0, -INF]), "float32, given, not finite"),
    (torch.tensor([1.0, 100.0]), "float32, given"),
    (torch.tensor([1.0, -101.0]), "far from zero, float32, given"),
    (torch.tensor(1.0), "float32, given, no axes"),
    (torch.ones(1, 3, 3), "batch of one, float32, given"),
    (torch.ones(2, 1, 3, 3), "axis of one, float32, given"),
    (torch.ones(0), "float32, given"),
]


@pytest.mark.parametrize(("value", "expected"), KINDS)
def test_a_value_is_of_these_kinds(value, expected):
    assert ", ".join(sorted(kinds_of(value, 0.5))) == expected


def test_a_default_of_zero_is_both():
    assert set(kinds_of(0.0, 0.0)) == {"given", "zero", "default"}


def test_a_value_without_a_default_is_no_default():
    assert set(kinds_of(0.5, Parameter.empty)) == {"given", "other"}


CELLS = [
    ("n: int", "one, two or three, larger"),
    ("n: int = 1", "one, two or three, larger"),
    ("n: int = 0", "zero, one, two or three, larger"),
    ("n: int | None = None", "None, one, two or three, larger"),
    ("n: bool = True", "is true, is false"),
    ("n: float", None),
    ("n: float = 0.5", "default, zero, other"),
    ("n: float = 0.0", "default, other"),
    ("n: Sequence[int]", "one item, two items, more items"),
    ("n: nn.Module", None),
    ("n: str = 'a'", None),
    ("n", None),
    ("n: torch.Tensor | None = None", "None, given, gradient"),
    (
        "n: torch.Tensor",
        "float64, half, gradient, not finite, far from zero, not contiguous, batch of one, axis of one, not square",
    ),
]  # fmt: skip


@pytest.mark.parametrize(("parameter", "expected"), CELLS, ids=[parameter for parameter, _ in CELLS])
def test_these_cells_of_a_parameter_count(parameter, expected):
    found = cells(f"def f({parameter}) -> torch.Tensor:\n    return n.mean(dim=1)\n", ["f"])
    assert found == ({"f.n": tuple(expected.split(", "))} if expected else {})


def test_where_nothing_has_axes_a_tensor_without_axes_counts():
    found = cells("def f(x: Tensor) -> Tensor:\n    return torch.where(x > 0, x, 0 * x)\n", ["f"])["f.x"]
    assert "no axes" in found
    assert "not square" not in found


def test_a_tensor_whose_result_is_a_number_has_no_cells():
    assert cells("def f(x: Tensor) -> float:\n    return x.sum().item()\n", ["f"]) == {}


NORM = """class Norm(nn.Module):
    def __init__(self, channels: int, eps: float = 1e-5):
        self.eps = eps
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x / {}
"""


def test_modes_count_where_the_code_asks_for_the_mode():
    both = cells(NORM.format("(self.eps if self.training else 1)"), ["Norm"])
    assert list(both) == [
        "Norm.channels",
        "Norm.eps in training mode",
        "Norm.eps in evaluation mode",
        "Norm.forward.x in training mode",
        "Norm.forward.x in evaluation mode",
    ]
    assert list(cells(NORM.format("self.eps"), ["Norm"])) == ["Norm.channels", "Norm.eps", "Norm.forward.x"]
    assert cells(NORM.format("self.eps"), ["Other"]) == {}


# --- counting


class Norm(nn.Module):
    """A module whose calls are counted."""

    def __init__(self, channels: int, eps: float = 0.5) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.full((channels,), eps))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return x, scaled."""
        return x * self.weight


def scale(x: torch.Tensor, by: int = 1) -> torch.Tensor:
    """Return x times a number."""
    return x * by


def counts(check) -> dict[str, dict[str, int]]:
    """Return what a check sends to `scale` and `Norm`."""
    module = type("reference", (), {"scale": staticmethod(scale), "Norm": Norm})
    conversation = Conversation(
        LocalBackend(Service({"scale": scale, "Norm": Norm}, {"ran": lambda m: m(torch.ones(1))}))
    )
    check(Student(conversation))
    sent = SentValues(module, ["scale", "Norm"])
    sent.add(conversation.exchanges)
    return {row: dict(kinds) for row, kinds in sent.counts.items()}


def test_calls_of_a_function_are_counted_with_its_defaults():
    def check(student):
        student.scale(torch.ones(2, 2, requires_grad=True)).sum().backward()
        student.scale(by=5, x=torch.ones(2, 2))

    assert counts(check) == {
        "scale.x": {"given": 2, "float32": 2, "gradient": 1},
        "scale.by": {"given": 2, "one": 1, "larger": 1},
    }


def test_what_a_module_was_made_with_is_counted_in_the_mode_in_which_it_runs():
    def check(student):
        other, module = student.Norm(1), student.Norm(1, eps=0.25)
        module(torch.ones(2, 1))
        module.eval()(torch.tensor([[NAN]]))
        module.train().train(False)
        module.forward(torch.ones(2, 1))
        student.fixtures.ran(other)

    found = counts(check)
    assert found["Norm.eps"] == {"given": 2, "default": 1, "other": 1}
    assert found["Norm.eps in training mode"] == {"given": 1, "other": 1}
    assert found["Norm.eps in evaluation mode"] == {"given": 2, "other": 2}
    assert "not finite" not in found["Norm.forward.x in training mode"]
    assert found["Norm.forward.x in evaluation mode"]["not finite"] == 1
    assert found["Norm.forward.x"]["float32"] == 3


def test_a_call_that_does_not_fit_or_that_raises_counts_as_far_as_it_goes():
    def check(student):
        for args in ((), (torch.ones(2), 2, 3), (torch.ones(2), None)):
            with pytest.raises(Exception, match="scale"):
                student.scale(*args)

    assert counts(check) == {"scale.x": {"given": 1, "float32": 1}, "scale.by": {"None": 1}}


# --- reasons


SENT = {"f.n": {"one": 2}, "f.b": {"is true": 1, "is false": 1}}
SOURCE = "def f(n: int, b: bool):\n    return n\n"


def findings(tmp_path, text: str | None) -> tuple[InputFindings, list[str]]:
    root = Path(shutil.copytree(COURSE, tmp_path / "course"))
    if text is not None:
        (root / "solutions/scaling/untested.yaml").write_text(text, encoding="utf-8")
    course = catalog.load(root)
    exercise = replace(course.exercises[0], names=("f",))
    found, problems = check_inputs(course, exercise, SOURCE, SENT)
    return found, [str(problem) for problem in problems]


def test_an_empty_cell_is_missing(tmp_path):
    found, problems = findings(tmp_path, None)
    assert problems == []
    assert found.missing == {"f.n": ("two or three", "larger")}
    assert list(rows_as_text(found, 40)) == [
        "f.n: one 2, two or three -, larger -",
        "f.b: is true 1, is false 1",
    ]


def test_a_reason_explains_an_empty_cell(tmp_path):
    found, problems = findings(
        tmp_path, "untested:\n  - rows: [f.n]\n    values: [larger]\n    reason: It is small.\n"
    )
    assert problems == []
    assert found.missing == {"f.n": ("two or three",)}
    assert list(rows_as_text(found, 30)) == [
        "f.n: one 2, two or three -,",
        "    larger (-)",
        "f.b: is true 1, is false 1",
    ]


def test_outdated_reasons_are_problems(tmp_path):
    _, problems = findings(
        tmp_path,
        "untested:\n"
        "  - rows: [f.n, f.m]\n    values: [larger, two or three, one, large]\n    reason: It is small.\n"
        "  - rows: [f.n]\n    values: [larger]\n    reason: Again.\n",
    )
    path = "solutions/scaling/untested.yaml"
    assert problems == [
        f"{path}:3:36: a check sends f.n: one; delete it here",
        f"{path}:3:41: 'large' is no cell of f.n; did you mean \"larger\"?; it has one, two or three, larger",
        f"{path}:2:17: 'f.m' is no row of the matrix; did you mean \"f.n\"?",
        f"{path}:6:14: f.n: larger has a reason already; delete one",
    ]


def test_a_malformed_untested_yaml_is_reported_with_its_place(tmp_path):
    found, problems = findings(tmp_path, "untested:\n  - row: [f.n]\n")
    assert (found.explained, problems) == ({}, [])  # it is reported once
    course = catalog.load(tmp_path / "course")
    (problem, *_) = map(str, check_untested(course, course.exercises[0]))
    assert problem.startswith("solutions/scaling/untested.yaml:2:5: ")
    assert 'did you mean "rows"?' in problem


# --- in the course


def test_the_suite_of_the_miniature_course_sends_every_kind(dispatcher):
    course = catalog.load(COURSE)
    (found,) = authoring.check_exercises(course, course.exercises, dispatcher, seed=0)
    assert found.problems == ()
    assert found.inputs is not None
    assert found.inputs.missing == {}
    assert "Scale.forward.x in evaluation mode" in found.inputs.sent
    assert all(all(kinds.values()) for kinds in found.inputs.sent.values())


@pytest.mark.parametrize("exercise", OWN.exercises, ids=lambda exercise: exercise.id)
def test_no_cell_of_the_course_is_empty_without_a_reason(dispatcher, exercise):
    job = Job(
        exercise=exercise,
        module=exercise.id,
        sources=reference_modules(OWN) | {f"{exercise.id}.py": reference_source(exercise)},
        seed=0,
        count_sent=True,
    )
    (graded,) = dispatcher.grade([job])
    found, problems = check_inputs(OWN, exercise, reference_source(exercise), graded.sent)
    assert (found.missing, problems) == ({}, ())


def test_the_command_shows_the_matrix_and_what_is_missing(tmp_path, monkeypatch):
    root = Path(shutil.copytree(COURSE, tmp_path / "course"))
    suite = root / "solutions/scaling/test_scaling.py"
    text = suite.read_text(encoding="utf-8")
    suite.write_text(text.replace(", start=1.5), 3.5)", "), 2.0)"), encoding="utf-8")
    monkeypatch.setenv("CONVGRADER_COURSE", str(root))
    done = CliRunner().invoke(check_command, ["-v"], standalone_mode=False)
    assert done.return_value == 4
    assert "    total.start: default 2, other -\n" in done.output
    assert "  no check sends total.start: other\n" in done.output
    assert max(map(len, done.output.splitlines()[:20])) <= 120

"""Mutants, `grade check --mutants` and `--repeat`: survivors, outdated equivalents.yaml, unstable checks."""

import ast
import itertools
import shutil
from pathlib import Path

import pytest
from click.testing import CliRunner

from grader import authoring
from grader.authoring.mutants import Mutant, mutants
from grader.authoring.mutation_check import MUTANT_LIMITS, read_equivalents
from grader.cli.check import check_command
from grader.core.errors import DocumentError
from grader.core.model import CheckResult, ExerciseResult, Outcome
from grader.course import catalog
from grader.grading.dispatcher import Dispatcher
from grader.grading.messages import Graded, NotGraded

pytestmark = pytest.mark.usefixtures("forked_warm_processes")

COURSE = Path(__file__).parent / "course"
REFERENCE = COURSE / "solutions" / "scaling" / "reference.py"

# An expression, and the expressions that its mutants replace it by.
LINES = [
    ("a + b", ["a - b", "a", "b"]),
    ("a // b", ["a / b", "a * b", "a % b", "b // a", "-(-a // b)", "a", "b"]),
    ("a < b", ["a <= b", "a >= b"]),
    ("a is None", ["a is not None"]),
    ("a and b", ["a or b", "b", "a"]),
    ("not a", ["a"]),
    ("a if b else c", ["a if True else c", "a if False else c"]),
    ("3", ["4", "2"]),
    ("0.5", ["1.5", "1.0"]),
    ("True", ["False"]),
    ("'sum'", ["'sum_'"]),
    ("f(a, b)", ["a", "f(b, a)", "f(a)"]),
    ("max(a, b)", ["min(a, b)", "a", "max(a)"]),
    ("f(a, k=b, l=c)", ["f(k=b, l=c)", "a", "f(a, l=c)", "f(a, k=b)"]),
    ("a.min(b)", ["a.max(b)", "a", "a.min()"]),
    ("os.f(a)", ["a", "os.f()"]),
    ("f(*a)", []),
    ("[a for a in b if c]", ["[a for a in b]"]),
    ("a[b:c]", ["a[:c]", "a[b:]"]),
]


def changed(text: str, old: str) -> list[Mutant]:
    return [mutant for mutant in mutants(text) if mutant.old == old]


@pytest.mark.parametrize(("line", "expected"), LINES, ids=[line for line, _ in LINES])
def test_an_expression_has_these_mutants(line, expected):
    text = f"import os\ndef g(a, b, c):\n    x = {line}\n    return x\n"
    found = [mutant.new.removeprefix("x = ") for mutant in changed(text, f"x = {line}")]
    assert sorted(found) == sorted([*expected, "pass"])


STATEMENTS = [
    ("while a:\n        b()", "while a:", ["while True:", "while False:"]),
    ("for x in a:\n        b()", "for x in a:", ["for x in ():"]),
    ("if a:\n        b()", "if a:", ["if True:", "if False:"]),
    ("with a:\n        b()", "with a:", ["if True:"]),
    ("a += b", "a += b", ["a -= b", "a = b", "pass"]),
    ("raise ValueError('as' + 'is')", "raise ValueError('as' + 'is')", ["pass"]),
    ("return (a, b)", "return (a, b)", ["return", "return (b, a)"]),
    ("while a:\n        break", "break", ["continue"]),
]


@pytest.mark.parametrize(("body", "old", "expected"), STATEMENTS, ids=[old for _, old, _ in STATEMENTS])
def test_a_statement_has_these_mutants(body, old, expected):
    assert sorted(m.new for m in changed(f"def g(a, b):\n    {body}\n", old)) == sorted(expected)


def test_parameters_are_swapped_with_their_defaults():
    text = "class A:\n    def f(self, a, b, c=1, d=2):\n        return (a, b, c, d)\n"
    found = {mutant.new for mutant in mutants(text) if mutant.operator == "parameter"}
    assert found == {"def f(self, b, a, c=1, d=2):", "def f(self, a, b, d=2, c=1):"}


def test_decorators_are_removed():
    (mutant,) = (m for m in mutants("import a\n@a.b\ndef f():\n    return 1\n") if m.operator == "decorator")
    assert (mutant.old, mutant.new, mutant.line, mutant.column) == ("@a.b", "", 2, 2)


def test_docstrings_and_annotations_are_never_changed():
    text = 'import os\n"""Not the doc."""\nclass A:\n    """Doc."""\n    def f(self) -> "B":\n        """Doc."""\n        x: "C" = self\n        return x\n'
    assert {mutant.new for mutant in mutants(text)} == {"pass", "return"}


def test_a_program_with_equal_bytecode_is_not_a_mutant():
    assert not [m for m in mutants("def f(a):\n    return g(a, a)\n") if m.new == "return g(a, a)"]
    folded = [mutant.new for mutant in mutants("x = 2 + 2\n")]
    assert len(folded) == len(set(folded))
    assert "x = 2 * 2" not in folded
    assert mutants("def f():\n    return None\n") == []


def test_mutants_are_complete_programs_in_a_fixed_order():
    text = REFERENCE.read_text(encoding="utf-8")
    found = mutants(text)
    assert found == mutants(text)
    assert [m.id for m in found] == [f"m{n}" for n in range(1, len(found) + 1)]
    assert [(m.line, m.column) for m in found] == sorted((m.line, m.column) for m in found)
    assert len({m.source for m in found}) == len(found) > 40
    for mutant in found:
        assert ast.parse(mutant.source)


def test_columns_count_characters():
    (mutant,) = (m for m in mutants("x = {'ü': a < b}\n") if m.new.endswith("a <= b}"))
    assert (mutant.line, mutant.column) == (1, 11)


# --- in the course


@pytest.fixture
def copied(tmp_path):
    """Return a function that changes texts in a copy of the miniature course, and the folder of the copy."""
    root = Path(shutil.copytree(COURSE, tmp_path / "course", ignore=shutil.ignore_patterns("__pycache__")))

    def change(name: str, *pairs: tuple[str, str]) -> Path:
        path = root / "solutions" / "scaling" / name
        text = path.read_text(encoding="utf-8") if path.is_file() else ""
        for old, new in pairs:
            assert old in text
            text = text.replace(old, new) if old else new
        path.write_text(text, encoding="utf-8")
        return root

    return change


def mutation_findings(root: Path, dispatcher: Dispatcher) -> authoring.MutationFindings:
    course = catalog.load(root)
    (found,) = authoring.check_mutants(course, course.exercises, dispatcher, seed=0)
    return found


WEAKENED = ("assert_matches(student.total(torch.ones(2), start=1.5), 3.5)", "pass")


ENTRY = """  - scope: total
    old: >-
      return float(x.sum())
      + start
    new: {new}
    reason: {reason}
"""


def entries(*pairs: tuple[str, str]) -> tuple[str, str]:
    return "", "equivalents:\n" + "".join(ENTRY.format(new=new, reason=reason) for new, reason in pairs)


def test_entries_explain_survivors_and_outdated_ones_are_problems(copied, dispatcher):
    alive, killed, gone = "return float(x.sum()) - start", "return start", "return 17"
    copied("test_scaling.py", WEAKENED)
    found = mutation_findings(
        copied("equivalents.yaml", entries((alive, "A."), (killed, "B."), (gone, "C."), (alive, "D."))),
        dispatcher,
    )
    survivors = ["start = 0.0", "return float(x.sum())"]
    assert (found.explained, [mutant.new for mutant in found.survivors]) == (1, survivors)
    path = "solutions/scaling/equivalents.yaml"
    assert [str(problem) for problem in found.problems] == [
        f"{path}:8:5: is killed by a check, so it is not equivalent; delete it",
        f"{path}:14:5: matches no mutant of total; delete or correct it",
        f"{path}:20:5: repeats an earlier entry; delete it",
    ]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("equivalents: []\n", 'equivalents.yaml:1:14: "equivalents" must not be empty'),
        ("equivalents:\n  - scop: total\n", 'equivalents.yaml:2:5: the key "scop" is not known here; did you mean "scope"?'),
        ("equivalents:\n  - scope: f\n    old: a\n    new: b\n", 'the key "reason" is missing'),
    ],
)  # fmt: skip
def test_a_malformed_equivalents_yaml_is_reported_with_its_place(copied, text, message):
    course = catalog.load(copied("equivalents.yaml", ("", text)))
    with pytest.raises(DocumentError) as caught:
        read_equivalents(course, course.exercises[0])
    assert message in str(caught.value)


def test_a_mutant_that_hangs_is_killed_by_its_limit(copied, dispatcher):
    loop = "count = 3\n    while count > 0:\n        count -= 1\n    return float(x.sum()) + start + count"
    copied("exercise.yaml", ("call_limit_s: 1.5", "call_limit_s: 0.5"))
    found = mutation_findings(copied("reference.py", ("return float(x.sum()) + start", loop)), dispatcher)
    assert found.overdue >= 2  # `while True` and `count += 1`, at least
    assert MUTANT_LIMITS.call_limit_s <= 2


class CannedDispatcher:
    """Stands in for a dispatcher: returns prepared outcomes, then PASSED.

    From the second call on, every job ends with `again`.
    """

    def __init__(
        self,
        *first: Outcome | None,
        again: Outcome = Outcome.PASSED,
        checks: tuple[CheckResult, ...] = (),
    ) -> None:
        self.first, self.again, self.checks = first, again, checks

    def grade(self, todo, **_):
        answers = itertools.chain(self.first, itertools.repeat(Outcome.PASSED))
        self.first = (self.again,) * len(todo)
        for _, outcome in zip(todo, answers, strict=False):
            result = ExerciseResult(
                id="scaling",
                title="",
                outcome=outcome,
                points=0,
                max_points=0,
                checks=self.checks if outcome is Outcome.INTERNAL_ERROR else (),
            )
            yield Graded(result=result) if outcome else NotGraded(reason="the grading process died")


def test_a_reference_that_fails_is_a_problem():
    found = mutation_findings(COURSE, CannedDispatcher(Outcome.FAILED, Outcome.FAILED))
    assert "does not earn full marks itself" in str(found.problems[0])
    assert (found.killed, len(found.survivors)) == (1, found.mutants - 1)


def test_a_mutant_that_is_not_graded_is_a_problem_and_not_killed():
    found = mutation_findings(
        COURSE, CannedDispatcher(Outcome.PASSED, None, Outcome.TIME_LIMIT, again=Outcome.TIME_LIMIT)
    )
    (problem,) = (str(problem) for problem in found.problems)
    assert problem == "solutions/scaling/reference.py:7:12: m1 could not be graded: the grading process died"
    assert (found.killed, found.overdue, len(found.survivors)) == (1, 1, found.mutants - 2)


def test_a_mutant_that_was_only_slow_is_not_killed_by_a_limit():
    found = mutation_findings(
        COURSE, CannedDispatcher(Outcome.PASSED, Outcome.TIME_LIMIT, again=Outcome.PASSED)
    )
    assert (found.killed, found.overdue, len(found.survivors)) == (0, 0, found.mutants)


def test_the_command_shows_survivors_as_a_diff(copied, monkeypatch):
    monkeypatch.setenv("CONVGRADER_COURSE", str(copied("test_scaling.py", WEAKENED)))
    done = CliRunner().invoke(check_command, ["--mutants"], standalone_mode=False)
    assert done.return_value == 4
    lines = done.output.splitlines()
    assert lines[0].startswith("scaling: 61 of 64 mutants killed, 0 equivalent, 3 unexplained")
    assert lines[1:9] == [
        "  solutions/scaling/reference.py:12:28: m17 survives in total",
        "    + start = 0.0",
        "  solutions/scaling/reference.py:14:12: m20 survives in total",
        "    - return float(x.sum()) + start",
        "    + return float(x.sum()) - start",
        "  solutions/scaling/reference.py:14:29: m26 survives in total",
        "    - return float(x.sum()) + start",
        "    + return float(x.sum())",
    ]
    assert lines[-1] == "3 problems."
    assert max(map(len, lines)) <= 80


# --- many seeds


def seed_findings(root: Path, dispatcher: Dispatcher, times: int) -> authoring.SeedFindings:
    course = catalog.load(root)
    (found,) = authoring.check_seeds(course, course.exercises, dispatcher, seed=0, times=times)
    return found


def test_a_stable_suite_has_no_problem_and_its_tolerances_are_measured(dispatcher):
    found = seed_findings(COURSE, dispatcher, 2)
    assert (found.gradings, found.mistakes_graded, found.problems, found.tight) == (4, 12, (), {})
    assert set(found.tolerance_used) == {
        "test_values",
        "test_gradient",
        "test_total",
        "test_module",
        "test_learns",
        "test_counts",
    }


def test_a_check_that_passes_only_for_some_seeds_is_reported(copied, dispatcher):
    lucky = (
        "student.double(torch.randn(2, 3, generator=rng)).shape",
        "student.double(torch.randn(2, 3 + int(torch.rand((), generator=rng) < 0.5), generator=rng)).shape",
    )
    found = seed_findings(copied("test_scaling.py", lucky), dispatcher, 4)
    (problem,) = (str(problem) for problem in found.problems)
    assert problem.startswith("solutions/scaling/test_scaling.py:16:1: test_shape fails in ")
    count = int(problem.split(" fails in ")[1].split()[0])
    assert 0 < count < 8
    assert problem.count("(2 threads)") * 2 == count  # the same seeds fail with more threads


@pytest.mark.parametrize(
    ("name", "old", "new"),
    [
        ("test_scaling.py", "assert_matches(student.total(student.fixtures.ones(3)), 3.0)", "assert torch.get_num_threads() == 1"),
        ("reference.py", "float(x.sum()) + start", "float(x.sum()) + start + torch.get_num_threads() - 1"),
    ],
    ids=["suite", "worker"],
)  # fmt: skip
def test_two_threads_are_used_in_suite_and_worker(copied, dispatcher, name, old, new):
    (problem,) = seed_findings(copied(name, (old, new)), dispatcher, 1).problems
    assert "test_total fails in 1 of 2 gradings of the reference, with seed 0 (2 threads)" in str(problem)


def test_a_tolerance_that_is_nearly_used_up_is_a_warning(copied, monkeypatch):
    near = (
        "torch.tensor([[2.0, -4.0], [1.0, 8.0]]))",
        "torch.tensor([[2.0, -4.0], [1.0, 8.0]]) + 0.006, rtol=0.0, atol=0.01)",
    )
    monkeypatch.setenv("CONVGRADER_COURSE", str(copied("test_scaling.py", near)))
    done = CliRunner().invoke(check_command, ["--repeat", "1"], standalone_mode=False)
    assert done.return_value == 0
    assert "warning: test_values uses 60" in done.output


def test_a_repeat_of_nothing_is_refused():
    done = CliRunner().invoke(check_command, ["--repeat", "0"])
    assert done.exit_code == 2


def test_a_mistake_that_is_caught_only_for_some_seeds_is_reported(copied, dispatcher):
    drawn = (
        "start = float(torch.rand((), generator=rng) < 0.5)\n"
        "    assert_matches(student.total(torch.ones(2), start=start), 2.0 + start)"
    )
    root = copied(
        "test_scaling.py", ("def test_total(student)", "def test_total(student, rng)"), (WEAKENED[0], drawn)
    )
    (problem,) = seed_findings(root, dispatcher, 5).problems
    assert str(problem).startswith("solutions/scaling/mistakes.py:28:1: no-start is missed with seed ")
    assert 0 < len(str(problem).split("seed ")[1].split(", ")) < 5


def test_a_check_with_an_internal_error_kills_no_mutant():
    check = CheckResult(
        id="test_a", title="", outcome=Outcome.INTERNAL_ERROR, points=0, max_points=1, rationale="Oh."
    )
    found = mutation_findings(
        COURSE, CannedDispatcher(Outcome.PASSED, Outcome.INTERNAL_ERROR, checks=(check,))
    )
    (problem,) = (str(problem) for problem in found.problems)
    assert problem.endswith("m1 could not be graded: test_a: Oh.")
    assert found.killed == 0

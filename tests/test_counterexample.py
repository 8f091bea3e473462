"""A smaller input stands for a check's own only where it fails as the check did: badge, title, text and input agree."""

import ast
import re

import pytest
import torch

from grader.authoring.reference_submissions import mistake_modules, reference_modules
from grader.core.model import CheckResult, Counterexample, Outcome
from grader.course import catalog
from grader.course.known_mistakes import read_mistakes
from grader.grading.engine.feedback.likeness import (
    could_be,
    failure_of,
    in_form_of,
    kind_of,
    signature_of,
    way_of,
)
from grader.grading.engine.proxy import CallFailed, CallRecord
from grader.grading.engine.suite.comparison import Mismatch, assert_matches, assert_shape
from grader.grading.messages import Graded, Job
from grader.report.text_layout import Style
from grader.report.text_report import exercise_text

COURSE = catalog.load(catalog.find_root())

# What each kind of sentence says, the first that fits. Two that agree are of one kind.
KINDS = {
    r"raised (\w+)": "raised",
    r"` returned (an? \w+)": "type",
    r"has the shape": "shape",
    r"has the dtype": "dtype",
    r"where .* expected": "type",
    r"(holds|is) NaN": "nan",
    r"(holds|is) -?inf": "infinity",
    r"is wrong in|is .*, not ": "value",
}


def kind(sentence: str) -> tuple[str, ...]:
    """Return what a sentence is about, with the exception's type if it names one."""
    found = ((name, re.search(pattern, sentence)) for pattern, name in KINDS.items())
    return next(((name, *match.groups()) for name, match in found if match), (sentence,))


def given(example: Counterexample) -> list[tuple[str, str]]:
    """Return the arguments of a call as it is shown: by keyword or by place, and whether each is negative, 0, 1 or more."""
    call = ast.parse(example.call, mode="eval").body
    assert isinstance(call, ast.Call)
    places = [(str(n), value) for n, value in enumerate(call.args)]
    named = [(str(keyword.arg), keyword.value) for keyword in call.keywords]
    return [(name, _group(value)) for name, value in (*places, *named)]


def _group(node: ast.expr) -> str:
    if isinstance(node, ast.Name):
        return "shown below"
    value = ast.literal_eval(node)
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return type(value).__name__ if isinstance(value, (tuple, list)) else repr(value)
    return repr(value) if value in (0, 1) else "negative" if value < 0 else "more"


def is_fraction_of(own: CheckResult, shown: CheckResult) -> bool:
    """Tell whether the negative numbers of the check's own input are there in the shown one too."""
    assert own.counterexample
    assert shown.counterexample
    pairs = zip(own.counterexample.arguments, shown.counterexample.arguments, strict=True)
    return all(
        ("-" in one.value) == ("-" in other.value) for one, other in pairs if "corner" not in one.value
    )


@pytest.mark.cold
@pytest.mark.parametrize("exercise", COURSE.exercises, ids=lambda exercise: exercise.id)
def test_every_known_mistake_is_shown_an_input_that_fails_as_the_check_did(many_dispatcher, exercise):
    suite = exercise.suite.read_text(encoding="utf-8")
    searched_names = set(re.findall(r'^@small_inputs\("(\w+)"\)', suite, re.MULTILINE))
    mistakes = [
        mistake
        for mistake in read_mistakes(exercise.folder / "mistakes.py")
        if mistake.name in searched_names  # of the others no smaller call is looked for
    ]
    wrong, searched = [], 0
    for mistake in mistakes:
        sources = reference_modules(COURSE) | mistake_modules(exercise, mistake)
        job = Job(exercise=exercise, module=exercise.id, sources=sources, seed=0)
        own: dict[str, CheckResult] = {}
        (graded,) = many_dispatcher.grade([job], lambda _, check, own=own: own.setdefault(check.id, check))
        assert isinstance(graded, Graded), graded
        # `grade check` proves this without a search.
        assert graded.explained_by[mistake.name] == (mistake.id,), graded.result.message
        for check in graded.result.checks:
            if not (check.counterexample and check.counterexample.smallest):
                continue
            before = own[check.id]
            searched += 1
            alike = (
                before.outcome is check.outcome
                and kind(before.rationale) == kind(check.rationale)
                and given(before.counterexample) == given(check.counterexample)
                and is_fraction_of(before, check)
                and [frame.text for frame in before.traceback] == [frame.text for frame in check.traceback]
            )
            if not alike:
                wrong.append(
                    (
                        check.title,
                        before.rationale,
                        check.rationale,
                        before.counterexample,
                        check.counterexample,
                    )
                )
    assert not wrong, wrong
    assert searched or not mistakes


@pytest.mark.cold
def test_a_fault_of_batch_normalization_is_shown_in_a_batch_that_is_shown_whole(many_dispatcher):
    """A module has no search for a smaller call: its checks begin with the smallest input."""
    exercise = COURSE.exercise("batchnorm")
    mistakes = read_mistakes(exercise.folder / "mistakes.py")
    others = reference_modules(COURSE)
    jobs = [
        Job(
            exercise=exercise,
            module=exercise.id,
            sources=others | mistake_modules(exercise, mistake),
            seed=0,
            explain=False,
        )
        for mistake in mistakes
    ]
    cut = {}
    for mistake, graded in zip(mistakes, many_dispatcher.grade(jobs), strict=True):
        assert isinstance(graded, Graded), graded
        _, _, shown = exercise_text(graded.result, Style(width=80, height=24)).rpartition("  ✗ ")
        assert "call " in shown, shown
        if "first corner" in shown:
            cut[mistake.id] = shown
    assert list(cut.values()) == []


def failing(got: object, expected: object, **options: object) -> Mismatch:
    with pytest.raises(Mismatch) as failed:
        assert_matches(got, expected, **options)
    return failed.value


X = torch.tensor([[1.0, 2.0], [3.0, 4.0]])
ERROR = CallFailed(Outcome.RAISED, "`f` raised ValueError: no.", kind="ValueError")


@pytest.mark.parametrize(
    ("one", "other", "alike"),
    [
        (failing(X, X + 1), failing(X[:1], X[:1] * 2), True),
        (failing(X, X + 1), failing(X, X[:1]), False),
        (failing(X, X + 1), failing(X.double(), X), False),
        (failing(X, X + 1), failing(X * float("nan"), X), False),
        (failing(X, X + 1), failing(X * float("inf"), X), False),
        (failing(X, X + 1), failing(None, X), False),
        (failing((X,), X), failing(None, X), False),
        (failing(3, 4), failing(1, 2), True),
        (failing(3.5, 4), failing(1, 2), False),
        (ERROR, Mismatch("Why.", got=ERROR, expected=X), True),
        (ERROR, CallFailed(Outcome.RAISED, "`f` raised TypeError: no.", kind="TypeError"), False),
        (ERROR, failing(X, X + 1), False),
    ],
)
def test_two_failures_are_alike_where_type_shape_dtype_or_value_is(one, other, alike):
    assert (way_of(one) == way_of(other)) is alike


def f(x, size, stride=None, padding=0):
    return x


@pytest.mark.parametrize(
    ("args", "kwargs", "alike"),
    [
        ((X[:1, :1], 3), {}, True),
        ((X, 2), {"stride": None}, False),
        ((X, 2), {"padding": 0}, False),
        ((X, 1), {}, False),
        ((X, (2, 2)), {}, False),
        ((-X, 2), {}, False),
        ((X[:1], 2), {}, False),
        ((X.double(), 2), {}, False),
        ((X[None], 2), {}, False),
        ((X.mT, 2), {}, False),
        ((X * float("inf"), 2), {}, False),
    ],
)
def test_a_call_of_the_same_kind_gives_the_same_arguments_of_the_same_groups(args, kwargs, alike):
    assert (kind_of(args, kwargs, signature_of(f)) == kind_of((X, 2), {}, signature_of(f))) is alike


def test_numbers_that_are_equal_stay_equal():
    own = kind_of((X, 2, 2), {}, signature_of(f))
    assert kind_of((X, 3, 3), {}, signature_of(f)) == own
    assert kind_of((X, 3, 2), {}, signature_of(f)) != own


def test_an_argument_by_name_is_the_one_by_place():
    by_place = kind_of((X, 2, 1), {}, signature_of(f))
    assert kind_of((X,), {"size": 5, "stride": 1}, signature_of(f)) == by_place


@pytest.mark.parametrize(
    ("own", "drawn", "form"),
    [
        (((X, 2), {}), ((X, 3, None, 0), {}), ((X, 3), {})),
        (((X, 2), {}), ((X, 3), {"padding": 0}), ((X, 3), {})),
        (((X, 2), {}), ((X, 3, 1, 0), {}), None),
        (((X, 2), {"padding": 1}), ((X, 3, None, 2), {}), ((X, 3), {"padding": 2})),
        (((X, 2), {"padding": 0}), ((X, 3), {}), ((X, 3), {"padding": 0})),
        (((X,), {"size": 2}), ((X, 3), {}), ((X,), {"size": 3})),
        (((X, 2, None), {}), ((X, 3), {}), ((X, 3, None), {})),
        (((X, 2), {}), ((X,), {}), None),
    ],
)
def test_a_call_that_is_drawn_gives_what_the_checks_own_call_gives(own, drawn, form):
    record = CallRecord(name="f", root="f", args=own[0], kwargs=own[1])
    assert in_form_of(record, *drawn, signature_of(f)) == form


def test_no_call_is_looked_for_that_cannot_be_drawn():
    wanted = kind_of((X.double(), 2), {}, signature_of(f))
    assert not could_be(kind_of((X, 2), {}, signature_of(f)), wanted)
    assert not could_be(kind_of((X.double(), 2, 1), {}, signature_of(f)), wanted)
    assert could_be(kind_of((-X.double(), 1), {}, signature_of(f)), wanted)


def test_a_gradient_and_a_sentence_of_a_suite_have_no_smaller_call():
    record = CallRecord(name="f", root="f", args=(X,), kwargs={}, result=X.clone())
    assert failure_of([record], failing(X, X + 1)) is None  # of another tensor than the result
    assert failure_of([record], Mismatch("No gradient reaches `x`.", got=None, expected=X)) is None
    assert failure_of([record], ERROR) is None  # raised by the backward pass of a call that returned
    with pytest.raises(Mismatch) as failed:
        assert_shape(record.result, (1, 4))
    assert failure_of([record], failed.value).record is record
    assert failure_of([record], failing(record.result.flatten(), X.flatten() + 1)).record is record
    record.result = ...
    assert failure_of([record], ERROR).record is record

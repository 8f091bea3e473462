"""Feedback: which known mistake it is, which call is the smallest, and how values are shown."""

import contextlib
import dataclasses
from types import ModuleType, SimpleNamespace

import pytest
import torch
from conftest import REFERENCE
from hypothesis import given
from hypothesis import strategies as st

from grader.authoring import exercise_check
from grader.core.errors import Problem, ProtocolError
from grader.core.model import (
    Argument,
    CheckResult,
    Counterexample,
    Diagnosis,
    ExerciseResult,
    Flag,
    Frame,
    Outcome,
    Picture,
    Snippet,
)
from grader.course.known_mistakes import read_mistakes
from grader.grading import messages
from grader.grading.dispatcher import Dispatcher, ignore
from grader.grading.engine.explanation import Evidence, Explanations
from grader.grading.engine.feedback import counterexample, value_text
from grader.grading.engine.feedback.assertion_code import assertion_lines
from grader.grading.engine.feedback.likeness import Failure
from grader.grading.engine.feedback.literals import MAX_CHARACTERS, Unwritable, literal
from grader.grading.engine.feedback.value_text import show, show_call
from grader.grading.engine.grading_process import ExerciseGrading, _compared
from grader.grading.engine.preparation import LocalBackend
from grader.grading.engine.proxy import CallRecord, Conversation
from grader.grading.engine.suite.plugin import CheckRun, CheckSpec
from grader.grading.engine.suite.small_inputs import SMALL_INPUTS
from grader.grading.messages import Job
from grader.sandbox.protocol import frames
from grader.sandbox.supervisor import Sandbox, WorkerLost
from grader.sandbox.worker.service import Service
from grader.submission.tree import MAX_SOURCES_BYTES
from grader.suite import Mismatch

MISTAKES = [
    # code a student wrote, the check that fails, the known mistake that explains it
    ("def double(x): return x ** 2", "test_values", "squares"),
    ("def double(x):\n    x *= 2\n    return x", "test_input_kept", "in-place"),
    ("def double(x): return x.abs() + x.abs()", "test_values", "absolute"),
    ("def total(x, start=0.0): return x.sum().item()", "test_total", "no-start"),
    (
        "class Scale(Scale):\n    def forward(self, x):\n        self.calls += 1\n        return x * self.factor",
        "test_counts",
        "counts-in-evaluation",
    ),
]


@pytest.mark.parametrize(("source", "name", "mistake"), MISTAKES, ids=[mistake for _, _, mistake in MISTAKES])
def test_a_known_mistake_is_named_however_it_is_written(grade, check, source, name, mistake):
    failed = check(grade(source), name)
    assert failed.outcome is Outcome.FAILED
    assert failed.diagnosis is not None
    assert failed.diagnosis.mistake == mistake
    assert failed.diagnosis.message


@pytest.mark.parametrize(
    "source",
    [
        "def double(x): return x * x if x.numel() > 2 else 3 * x",
        "def double(x): return x * x + 1e-2",
        "def double(x): return (x * x).double()",
        "def double(x): return None",
        # right in the checks that run, and found by the small calls that follow them
        "def double(x): return x * x if x.numel() % 2 == 0 else x",
    ],
)
def test_a_mistake_that_does_not_explain_every_result_is_not_named(grade, check, source):
    result = grade(source)
    assert all(failed.diagnosis is None for failed in result.checks)


def test_two_mistakes_in_two_functions_are_both_named(grade, check):
    result = grade("def double(x): return x * x\ndef total(x, start=0.0): return float(x.sum())")
    assert check(result, "test_values").diagnosis.mistake == "squares"
    assert check(result, "test_total").diagnosis.mistake == "no-start"


def test_the_smallest_failing_call_is_shown(grade, check):
    example = check(
        grade("def double(x): return x + x if (x < 3).all() else x"), "test_values"
    ).counterexample
    assert example.smallest
    # With numbers of both signs, as the check's own call has.
    assert (example.call, example.arguments[0].value) == ("double(x)", "tensor of shape (2,)\n-1  3")
    assert (example.expected, example.got) == ("tensor of shape (2,)\n-2  6", "tensor of shape (2,)\n-1  3")


def test_the_same_submission_always_gets_the_same_counterexample(grade, check):
    source = "def double(x): return x * x"
    first, second = (check(grade(source), "test_values").counterexample for _ in range(2))
    assert first == second


def test_without_a_search_the_diagnosis_is_the_same(dispatcher, course):
    exercise = course.exercise("scaling")
    sources = {"scaling.py": f"{REFERENCE}\n\ndef double(x): return x * x"}
    jobs = [
        Job(exercise=exercise, module="scaling", sources=sources, seed=0, search=search)
        for search in (True, False)
    ]
    searched, plain = dispatcher.grade(jobs)
    assert searched.explained_by == plain.explained_by == {"double": ("squares",)}
    assert [
        any(check.counterexample and check.counterexample.smallest for check in graded.result.checks)
        for graded in (searched, plain)
    ] == [True, False]


def test_grade_check_searches_for_no_smallest_call_of_its_mistakes(course):
    exercise = course.exercise("scaling")
    mistakes = read_mistakes(exercise.folder / "mistakes.py")
    jobs = list(exercise_check._jobs(course, exercise, mistakes, 0))
    assert [job.search for job in jobs if job.explain] == [False] * len(mistakes)


def test_examples_are_not_drawn_from_the_sources_that_happen_to_be_loaded(monkeypatch):
    # Hypothesis would take constants from every module outside of site-packages: the grader's, in an editable install.
    from hypothesis import strategies
    from hypothesis.internal.conjecture import providers

    if not hasattr(providers, "constants_from_module"):
        pytest.skip("this version of Hypothesis takes no constants from modules")
    read: list[object] = []
    monkeypatch.setattr(
        providers, "constants_from_module", lambda module: read.append(module) or providers.Constants()
    )
    monkeypatch.setattr(providers, "_sys_modules_len", None)
    monkeypatch.setattr(providers, "_seen_modules", set())
    numbers = strategies.tuples(strategies.integers(), strategies.floats())
    monkeypatch.setitem(SMALL_INPUTS, "f", lambda: strategies.tuples(numbers, strategies.just({})))
    assert counterexample._find("f", lambda _: False, 200) is None
    assert read == []


def test_a_function_that_hangs_on_small_inputs_only_does_not_hang_the_search(grade, check):
    result = grade("def double(x):\n    while x.numel() == 1: pass\n    return x")
    assert check(result, "test_values").outcome is Outcome.FAILED


@pytest.mark.parametrize(("seconds", "searched"), [(60.0, ["f", "g"]), (-1.0, [])])
def test_all_searches_of_an_exercise_have_one_limit(monkeypatch, seconds, searched):
    found = []
    monkeypatch.setattr(counterexample, "MAX_SEARCHES_S", seconds)
    monkeypatch.setattr(Explanations, "_search_for", lambda _, name, *__: found.append(name))
    explanations = Explanations(
        evidence=Evidence(), results={}, reference=ModuleType("r"), fixtures={}, sandbox=Sandbox(None, None, None), sources={},
        module="m", lost={},
    )  # fmt: skip
    assert explanations._search({"f": "test_f", "g": "test_g"}) == {}
    assert found == searched


SHOWN = [
    (torch.tensor([[1.0, -2.5], [10.0, 0.0]]), "tensor of shape (2, 2)\n   1 -2.5\n  10    0"),
    (torch.tensor([1, 2], dtype=torch.int64), "tensor of shape (2,), int64\n1 2"),
    (torch.tensor(0.1, dtype=torch.float64), "0.1"),
    (torch.zeros(0, 3), "tensor of shape (0, 3)"),
    (torch.zeros(2, 3, 8, 8), "tensor of shape (2, 3, 8, 8), its first corner:" + 4 * "\n0 0 0 0 0 0"),
    (torch.ones(1, 2, 1, 2), "tensor of shape (1, 2, 1, 2)\n1 1\n\n1 1"),
    ((torch.zeros(1), None), "tensor of shape (1,)\n0,\nNone"),
    ((1, "a\x1b[31m"), "(1, 'a\\x1b[31m')"),
    (1 / 3, "0.333333"),
    ({"w": torch.ones(2), "n": 3}, "w: tensor of shape (2,)\nn: 3"),
]  # fmt: skip


@pytest.mark.parametrize(("value", "text"), SHOWN, ids=[text.split("\n")[0] for _, text in SHOWN])
def test_values_are_shown_with_their_columns(value, text):
    assert show(value) == text


def test_a_call_is_shown_with_the_names_of_its_parameters():
    def pool(x, kernel_size, stride=None):
        return x

    record = CallRecord(name="pool", root="pool", args=(torch.ones(1), 2), kwargs={"stride": 3})
    call, arguments = show_call(record, pool)
    assert call == "pool(x, 2, stride=3)"
    assert [argument.name for argument in arguments] == ["x"]


def test_the_call_that_is_shown_is_the_one_whose_result_was_compared():
    values = torch.arange(4.0)
    first = CallRecord(name="f", root="f", args=(), kwargs={}, result=values)
    last = CallRecord(name="g", root="g", args=(), kwargs={}, result=values.clone())
    compared = Mismatch("Why.", got=values.reshape(2, 2).detach(), expected=values)
    assert _compared([first, last], compared) is first
    assert _compared([first, last], Mismatch("Why.", got=torch.ones(4), expected=values)) is last
    assert _compared([first, last], AssertionError()) is last
    assert _compared([], compared) is None


def test_a_value_that_did_not_cross_is_named_wherever_it_is_shown():
    from grader.grading.engine.feedback.value_text import show
    from grader.grading.engine.proxy import ForeignResult
    from grader.sandbox.protocol.messages import ForeignValue

    value = ForeignValue(type_name="ndarray", detail="of shape (2,) and dtype float64")
    foreign = ForeignResult("f", value)
    assert show(foreign) == "an ndarray of shape (2,) and dtype float64"
    assert show((1, foreign)) == "(1, <ndarray>)"


def test_an_item_of_a_result_is_named_in_full():
    from grader.suite import Mismatch, assert_matches

    with pytest.raises(Mismatch, match=r"^Item 2 of the result is 4, not 3\.$"):
        assert_matches((2, 4), (2, 3))
    with pytest.raises(Mismatch, match=r"^Item 1 of the shape of `w` is 4, not 3\.$"):
        assert_matches({"w": (4,)}, {"w": (3,)}, what="the shape of")


# --- limits: just below and just above each

CUT = "… (cut here)"  # ends a text that is longer


def test_64_numbers_are_shown_in_full():
    assert "its first corner" not in show(torch.zeros(8, 8))
    assert "its first corner" in show(torch.zeros(5, 13))


def test_twelve_entries_of_a_dict_are_shown():
    assert [len(show(dict.fromkeys(range(n), 1)).splitlines()) for n in (11, 12, 13)] == [11, 12, 12]


@pytest.mark.parametrize(("length", "is_whole"), [(298, True), (299, False)])
def test_other_values_are_shown_up_to_300_characters(length, is_whole):
    shown = show("a" * length)  # and two quotation marks
    assert (shown == repr("a" * length)) == is_whole
    assert len(shown) <= 300 + len(CUT)


@pytest.mark.parametrize(("length", "is_inside"), [(58, True), (59, False)])
def test_an_argument_of_60_characters_is_shown_inside_the_call(length, is_inside):
    call, arguments = show_call(CallRecord(name="f", root="f", args=("a" * length,), kwargs={}), None)
    assert (not arguments) == is_inside
    assert ("aaa" in call) == is_inside


def test_a_row_has_at_most_68_characters():
    wide = torch.full((1, 14), 1111.0)  # 14 numbers of 4 digits, and 13 spaces: 69 characters
    assert max(map(len, show(wide).splitlines()[1:])) == 68
    assert show(wide[:, :13]).splitlines()[1] == " ".join(["1111"] * 13)


def failure(x: object) -> Failure:
    """Return a check's own failure: a wrong value of `f(x)`."""
    return Failure(way=("value",), record=CallRecord(name="f", root="f", args=(x,), kwargs={}))


def search(function, reference=lambda x: x, own: object = 1.0) -> counterexample._Search:
    conversation = Conversation(LocalBackend(Service({"f": function})))
    return counterexample._Search("f", reference, conversation, failure(own))


def test_a_search_makes_at_most_500_calls():
    looking = search(lambda x: x)
    for _ in range(500):
        assert not looking.fails(((1.0,), {}))
    with pytest.raises(counterexample._SearchEnded):
        looking.fails(((1.0,), {}))


def test_a_search_ends_after_five_seconds(monkeypatch):
    now = [100.0]
    monkeypatch.setattr(counterexample.time, "monotonic", lambda: now[0])
    looking = search(lambda x: x)
    now[0] = 104.9
    assert not looking.fails(((1.0,), {}))
    now[0] = 105.1
    with pytest.raises(counterexample._SearchEnded):
        looking.fails(((1.0,), {}))


def test_a_search_draws_at_most_200_calls_and_the_record_gets_30(monkeypatch):
    from hypothesis import strategies

    monkeypatch.setitem(
        SMALL_INPUTS,
        "f",
        lambda: strategies.tuples(strategies.tuples(strategies.floats(min_value=2)), strategies.just({})),
    )
    drawn = []
    assert counterexample._find("f", drawn.append, counterexample.MAX_TRIES) is None
    expected = len(drawn)
    asked = []

    def reference(x):
        asked.append(x)
        return x

    conversation = Conversation(LocalBackend(Service({"f": lambda x: x})))
    assert counterexample.smallest("f", reference, conversation, failure(2.0)) is None
    assert len(asked) - counterexample.PROBES == expected <= counterexample.MAX_TRIES == 200
    counterexample.probe("f", reference, conversation)
    assert len(conversation.exchanges) == 30


@pytest.mark.parametrize(("expected", "allowed"), [(0.0, 1e-5), (1000.0, 0.1 + 1e-5)])
def test_a_call_fails_by_more_than_rounding(expected, allowed):
    x = torch.tensor([expected], dtype=torch.float64)
    assert not search(lambda x: x + 0.99 * allowed, own=x).fails(((x,), {}))
    assert search(lambda x: x + 1.01 * allowed, own=x).fails(((x,), {}))


def test_a_literal_has_at_most_half_a_million_characters():
    assert len(literal("a" * (2**19 - 2))) == 2**19
    with pytest.raises(Unwritable, match="too many values"):
        literal("a" * (2**19 - 1))


def test_a_tensor_of_512_numbers_is_written_as_numbers():
    assert literal(torch.arange(512)).startswith("torch.tensor(")
    assert literal(torch.arange(513)).startswith("torch.frombuffer(")


def test_a_list_is_written_in_a_line_of_96_characters():
    assert "\n" not in literal(["a" * 92])  # and two brackets, and two quotation marks
    assert "\n" in literal(["a" * 93])


@pytest.mark.parametrize(
    ("error", "rtol"), [(2e-3, "0.001"), (0.9e-3, "0.0001"), (0.9e-4, "1.3e-06"), (1.2e-6, "1e-07")]
)
@pytest.mark.parametrize("make", [float, lambda value: torch.tensor([value], dtype=torch.float64)])
def test_an_assertion_has_the_widest_tolerance_that_fails(error, rtol, make):
    wrong = Mismatch("Why.", got=make(1000.0 * (1 + error)), expected=make(1000.0))
    lines = "\n".join(assertion_lines("f(x)", wrong))
    assert f"rtol={rtol}," in lines or f"rel_tol={rtol}," in lines
    wrong = Mismatch("Why.", got=make(1000.0 * (1 + 0.9e-7)), expected=make(1000.0))
    assert assertion_lines("f(x)", wrong) is None


@pytest.fixture
def grading(course):
    return ExerciseGrading(
        Job(exercise=course.exercises[0], module="scaling", sources={}, seed=0), None, None, None
    )


def run_of(error: BaseException) -> CheckRun:
    spec = CheckSpec(id="test_a", title="A", points=1.0)
    return CheckRun(spec=spec, conversation=Conversation(None), error=error)


def test_all_snippets_together_have_a_million_characters_and_one_more(grading):
    run = run_of(AssertionError())
    grading.prepared = SimpleNamespace(reference=SimpleNamespace())
    for length, reason in ((2**20, "the check called none"), (2**20 + 1, "there are others before it")):
        grading.snippets = {"a": Snippet(code="x" * (length - 1)), "b": Snippet(code="x")}
        assert reason in grading._snippet(run, run.error, Outcome.FAILED).reason


@pytest.mark.parametrize(("length", "is_whole"), [(600, True), (601, False)])
def test_a_rationale_has_at_most_600_characters(grading, length, is_whole):
    rationale = grading._result(run_of(AssertionError("a" * length))).rationale
    assert (rationale == "a" * length) == is_whole
    assert len(rationale) <= 600 + len(CUT)


@pytest.mark.parametrize(("length", "is_whole"), [(4000, True), (4001, False)])
def test_4000_characters_of_output_are_reported(grading, length, is_whole):
    printed = bytearray(b"a" * length)
    grading.sandbox = SimpleNamespace(output=printed, close=lambda: None)
    output = grading._not_loaded(WorkerLost(Outcome.CRASHED, "ended"), 0.0).output
    assert (output == printed.decode()) == is_whole
    assert len(output) <= 4000 + len(CUT)


# --- what a student's value can be, no text of it is longer than is shown

LARGE_VALUES = {
    "many tensors": [torch.full((8, 8), -1.2345678e-30)] * 15_000,
    "long keys": {"k" * 80_000 + str(n): 1 for n in range(12)},
    "keys with commands": {"\x1b[31m" * 1000: 1},
    "tensors with many axes": [torch.empty((0,) + (1,) * 61 + (2**30, 2**30))] * 19_000,
    "nested": [[[torch.ones(8, 8)] * 100] * 100],
    "dicts in dicts": {n: {m: [torch.ones(8, 8)] * 100 for m in range(12)} for n in range(12)},
    "a long string": "\u202e" * 100_000,
    "a string in a tuple": ("x" * 100_000,) * 9,
    "whole numbers": list(range(19_000)),
    "a number of many bits": 10**5000,
    "blocks": torch.ones((1,) * 40 + (64, 1, 1)),
}


@pytest.mark.parametrize("name", LARGE_VALUES)
def test_the_text_of_a_value_is_bounded_whatever_the_value(name):
    value = LARGE_VALUES[name]
    record = CallRecord(name="f", root="f", args=(value,) * 50, kwargs={"x": value, "k" * 10_000: value})
    wrong = Mismatch("wrong", got=value, expected=[value] * 9, where="w" * 10_000)
    example = value_text.counterexample(record, None, wrong)
    texts = [show(value), example.expected, example.got, *(one.value for one in example.arguments)]
    assert max(map(len, texts)) <= value_text.MAX_VALUE_CHARACTERS + len("… (cut here)")
    assert len(example.call) <= value_text.MAX_CALL_CHARACTERS + len("… (cut here)")
    assert len(example.where) <= value_text.MAX_WHERE_CHARACTERS + len("… (cut here)")
    assert len(example.arguments) <= value_text.MAX_ARGUMENTS
    assert not any("\x1b" in text or "\u202e" in text for text in texts)


NESTED = st.recursive(
    st.none()
    | st.integers()
    | st.floats()
    | st.text(max_size=2000)
    | st.sampled_from([torch.ones(8, 8), torch.empty(0, 2**40), torch.zeros((), dtype=torch.bool)]),
    lambda inner: (
        st.lists(inner).map(lambda items: items * 9)
        | st.tuples(inner, inner)
        | st.dictionaries(st.text(max_size=2000) | st.integers(), inner)
    ),
    max_leaves=20,
)


@given(NESTED)
def test_the_text_of_a_random_value_is_bounded(value):
    assert len(show(value)) <= value_text.MAX_VALUE_CHARACTERS + len("… (cut here)")
    with contextlib.suppress(Unwritable):
        assert len(literal(value)) < 4 * MAX_CHARACTERS  # indentation comes on top


def test_of_a_long_value_no_more_is_written_than_fits():
    class Endless(list):
        def __iter__(self):
            while True:
                yield "x" * 100

    with pytest.raises(Unwritable, match="too many values"):
        literal(Endless())


# --- the message that carries a result

TEXT = "\U0001f600" * 4000
PLANE = ((-1.234e-300,) * 32,) * 32
CHECK = CheckResult(
    id="c", title="t", outcome=Outcome.FAILED, points=0.0, max_points=1.0, rationale=TEXT,
    counterexample=Counterexample(
        call=TEXT, arguments=(Argument(name="x", value=TEXT),) * 20, expected=TEXT, got=TEXT, where=TEXT
    ),
    picture=Picture(
        call=TEXT, plane=TEXT, height=9, width=9, block_height=1, block_width=1, expected=PLANE, got=PLANE,
        difference=PLANE,
    ),
    diagnosis=Diagnosis(mistake="m", message="d"), traceback=(Frame(path=TEXT, line=1, function=TEXT, text=TEXT),) * 20,
)  # fmt: skip


def large(checks: int, flags: int, snippets: int) -> messages.Graded:
    result = ExerciseResult(
        id="e", title="t", outcome=Outcome.FAILED, points=3.0, max_points=9.0, checks=(CHECK,) * checks,
        output=TEXT, flags=(Flag(path=TEXT, line=1, name=TEXT, reason=TEXT),) * flags,
    )  # fmt: skip
    return messages.Graded(result=result, snippets={str(n): Snippet(code=TEXT * 60) for n in range(snippets)})


@pytest.mark.parametrize("checks", [0, 1, 3, 20, 60])
@pytest.mark.parametrize("flags", [0, 20, 400])
@pytest.mark.parametrize("snippets", [0, 3, 30])
def test_every_result_fits_into_a_frame_and_keeps_its_points(checks, flags, snippets):
    graded = large(checks, flags, snippets)
    data = messages.fitting(graded)
    assert frames.fits(len(data), 0)
    received = messages.decode(data).result
    assert (received.points, received.outcome, len(received.checks)) == (3.0, Outcome.FAILED, checks)
    assert [check.outcome for check in received.checks] == [Outcome.FAILED] * checks
    whole = frames.fits(len(messages.encode(graded)), 0)
    assert whole == (messages.decode(data) == graded)
    left_out = received.flags == () != graded.result.flags or any(c.picture is None for c in received.checks)
    assert ("left out" in received.message) == left_out


def test_other_messages_fit_too():
    for message in (
        messages.CheckEnded(result=dataclasses.replace(CHECK, traceback=CHECK.traceback * 20)),
        messages.NotGraded(reason=TEXT * 300, problems=(Problem(path="x", message="y" * 9000),) * 900),
    ):
        data = messages.fitting(message)
        assert frames.fits(len(data), 0)
        assert type(messages.decode(data)) is type(message)


class Garbled:
    """A grading process, and what starts it, whose messages cannot be read."""

    def __init__(self, answer: bytes | Exception) -> None:
        self._answer = answer

    def open(self, *_: object) -> "Garbled":
        return self

    def send(self, *_: object) -> None: ...

    def close(self) -> None: ...

    def receive(self, _deadline: float) -> tuple[bytes, bytearray]:
        if isinstance(self._answer, Exception):
            raise self._answer
        return self._answer, bytearray()


@pytest.mark.unit  # this dispatcher starts nothing
@pytest.mark.parametrize(
    "answer", [b"\xc1", b"", messages.encode(messages.NotGraded(reason="x"))[:-1], ProtocolError("no frame")]
)
def test_a_message_that_cannot_be_read_ends_one_grading_and_nothing_else(course, answer):
    dispatcher = Dispatcher(1, lazy=True)
    dispatcher._starter = Garbled(answer)
    job = Job(exercise=course.exercises[0], module="m", sources={}, seed=0)
    graded = dispatcher._grade_in(0, job, ignore)
    assert isinstance(graded, messages.NotGraded)
    assert "cannot be read" in graded.reason


HUGE = {
    "list of many tensors": "[torch.full((8, 8), -1.2345678e-30)] * 15000",
    "dict of long keys": "{'k' * 80000 + str(n): n for n in range(12)}",
    "objects with long names": "[type('\U0001f600' * 200, (), {})()] * 19000",
    "keys with tensors": "{str(n) * 999: torch.ones(8, 8) for n in range(300)}",
    "empty tensors with many axes": "[torch.empty((0,) + (1,) * 61 + (2**30, 2**30))] * 19000",
    "itself": "[[[[[[[[['x' * 90000]]]]]]]]] * 9",
}


@pytest.mark.parametrize("name", HUGE)
def test_a_result_of_any_size_is_graded(grade, name):
    source = f"import torch\ndef double(*a, **k): return {HUGE[name]}\ntotal = double\ndef Scale(*a): return double()"
    result = grade(source, rest=False)
    assert result.outcome is Outcome.FAILED
    assert len(messages.encode(messages.Graded(result=result))) < 2**18


def test_the_largest_helpers_are_graded_and_flagged(grade):
    count = MAX_SOURCES_BYTES // 2**20 - 1
    files = {f"big{n}.py": "#" * 2**20 for n in range(count)}
    result = grade("import " + ", ".join(f"big{n}" for n in range(count)) + "\n", files=files)
    assert result.outcome is Outcome.PASSED
    assert [flag.name for flag in result.flags] == ["not reviewed"] * count

"""Quizzes: banks, responses, credit, answers files, computed keys."""

from pathlib import Path
from typing import get_args

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from grader import authoring, quiz
from grader.core.errors import DocumentError
from grader.course import catalog
from grader.quiz.bank import load_banks
from grader.quiz.credit import Rule, choice_credit
from grader.quiz.numeric_answers import read_number
from grader.quiz.responses import ResponseError, read_letters
from grader.quiz.sheet import filled
from grader.quiz.types import ITEM_TYPES
from grader.quiz.types.shape import read_shape

BANK = """\
title: A quiz
section: "1"
items:
  - id: one
    type: single
    objective: choose
    prompt: Which?
    explanation: Because.
    options:
      a: {text: this, feedback: No., misconception: wrong-one}
      b: {text: that, correct: true, feedback: Yes.}
    verify: {b: 1 + 1 == 2}
  - id: some
    type: multi
    points: 2
    objective: choose some
    prompt: Which ones?
    explanation: Because.
    options:
      a: {text: this, correct: true, feedback: Yes.}
      b: {text: that, feedback: Not that., misconception: wrong-some}
      c: {text: these, correct: true, feedback: Yes.}
      d: {text: those, feedback: Not those., misconception: wrong-those}
  - id: how-many
    type: numeric
    objective: count
    prompt: How many?
    explanation: Six times seven.
    key: 42
    verify: 6 * 7
    expected_wrong:
      - {value: 13, feedback: You added., misconception: adds}
  - id: what-shape
    type: shape
    objective: know shapes
    prompt: |
      What shape?

          y = f(x)
    explanation: Two.
    key: [2, 3]
    verify: (2, 3)
    expected_wrong:
      - {value: [3, 2], feedback: Turned round., misconception: transposed}
"""
RIGHT = {"one": "b", "some": ["a", "c"], "how-many": 42, "what-shape": "(2, 3)"}


@pytest.fixture
def bank(tmp_path):
    return load(tmp_path, BANK)


def load(tmp_path: Path, text: str) -> quiz.Bank:
    path = tmp_path / "first.yaml"
    path.write_text(text, encoding="utf-8")
    return quiz.load_bank(path, shown="quizzes/first.yaml")


def graded(bank, text: str):
    return quiz.grade(bank, text, shown="answers/first.yaml")


# --- responses


@pytest.mark.parametrize(
    ("written", "number"),
    [
        ("42", 42), (" 42 ", 42), (42, 42), (0.5, 0.5), ("7/8", 0.875), (".875", 0.875), ("87.5%", 0.875), ("5.", 5),
        ("8.75e-1", 0.875), ("\N{MINUS SIGN}0.875", -0.875), ("-7/8", -0.875), ("1 / 3", 1 / 3),
    ],
)  # fmt: skip
def test_numbers_may_be_written_in_many_ways(written, number):
    assert read_number(written) == number


@pytest.mark.parametrize(
    "written",
    [
        "nan",
        "inf",
        "-inf",
        "1e999",
        "0,875",
        "1,234",
        "9**9**9",
        "7/0",
        "abc",
        "",
        "1" * 10**6,
        True,
        [1],
        "0x10",
        "__import__('os')",
    ],
)
def test_what_is_not_a_number_is_refused(written):
    with pytest.raises(ResponseError):
        read_number(written)


@pytest.mark.parametrize(
    "written",
    ["(1, 8, 32, 32)", "[1, 8, 32, 32]", [1, 8, 32, 32], "1,8,32,32", "1x8x32x32", "1 × 8 × 32 × 32", "torch.Size([1, 8, 32, 32])", "1 8 32 32"],
    ids=str,
)  # fmt: skip
def test_shapes_may_be_written_in_many_ways(written):
    assert read_shape(written) == [1, 8, 32, 32]


@pytest.mark.parametrize(
    "written", ["", "abc", "-1", "(1, 2.5)", [1, -2], [1, "two"], True, "1" * 50, list(range(9)), []]
)
def test_what_is_not_a_shape_is_refused(written):
    with pytest.raises(ResponseError):
        read_shape(written)


@given(st.text(max_size=100))
def test_any_text_is_read_or_refused(text):
    for read in (read_number, read_shape, lambda t: read_letters(t, "abc", several=True)):
        try:
            read(text)
        except ResponseError:
            continue


@given(st.lists(st.integers(0, 999), min_size=1, max_size=8))
def test_a_shape_is_read_as_it_is_printed(sizes):
    assert read_shape(str(tuple(sizes))) == sizes
    assert read_shape(str(sizes)) == sizes


# --- credit


@pytest.mark.parametrize(
    ("chosen", "key", "credit"),
    [
        ("ac", "ac", 1),
        ("a", "ac", 0.5),
        ("acd", "ac", 0.5),
        ("bd", "ac", 0),
        ("abcd", "ac", 0),
        ("", "ac", 0),
        ("ab", "ac", 0),
    ],
)
def test_net_credit_takes_wrong_choices_off(chosen, key, credit):
    assert choice_credit(Rule.NET, chosen, key, 4) == credit


def test_full_marks_for_the_keys(bank, tmp_path):
    result = graded(bank, filled(bank, RIGHT))
    assert (result.points, result.max_points, result.problems) == (5.0, 5.0, ())
    assert all(item.answered for item in result.items)


def test_a_wrong_answer_gets_the_feedback_of_its_misconception(bank, tmp_path):
    wrong = {"one": "a", "some": "a, b", "how-many": "13", "what-shape": [3, 2]}
    result = graded(bank, filled(bank, wrong))
    assert result.points == 0.0
    feedback = {item.id: item.feedback for item in result.items}
    assert feedback["one"] == ("No.",)
    assert feedback["some"][0] == "Not that."
    assert (feedback["how-many"], feedback["what-shape"]) == (("You added.",), ("Turned round.",))
    assert {item.misconceptions for item in result.items} == {
        ("wrong-one",),
        ("wrong-some",),
        ("adds",),
        ("transposed",),
    }


def test_feedback_on_an_unforeseen_number_does_not_give_the_key(bank, tmp_path):
    result = graded(bank, "quiz: first\nanswers: {how-many: 41}\n")
    assert "42" not in " ".join(result.items[2].feedback)


def test_an_empty_sheet_is_unanswered_and_has_no_problem(bank, tmp_path):
    result = graded(bank, quiz.template(bank))
    assert (result.points, result.problems) == (0.0, ())
    assert not any(item.answered for item in result.items)
    assert quiz.grade(bank, None).points == 0.0


ANSWERS = [
    ("quiz: second\nanswers: {one: b}\n", 'answers/first.yaml:1:7: this file says that it answers the quiz "second"', 0),
    ("quiz: first\nanswers:\n  oen: b\n  some: [a, c]\n", 'answers/first.yaml:3:8: the quiz "first" has no item "oen"; did you mean "one"?', 2),
    ("quiz: first\nanswers:\n  one: z\n  some: [a, c]\n", 'answers/first.yaml:3:8: one: "z" is not one of the options: a, b', 2),
    ("quiz: first\nanswers:\n  one: [a, b]\n", "answers/first.yaml:3:8: one: choose one of a, b", 0),
    ("quiz: first\nanswers:\n  how-many: many\n  one: b\n", "answers/first.yaml:3:13: how-many: a number is expected", 1),
    ("quiz: first\nanswers:\n  what-shape: two\n", "answers/first.yaml:3:15: what-shape: a shape is expected", 0),
    ("quiz: first\nanswres:\n  one: b\n", 'answers/first.yaml:2:1: the key "answres" is not known here; did you mean "answers"?', 1),
    ("quiz: first\nanswers:\n  one: b\n  one: a\n", 'answers/first.yaml:4:3: the key "one" stands here twice', 0),
    ("quiz: [first\n", "answers/first.yaml:2:1: is not YAML", 0),
    ("", "answers/first.yaml: is empty", 0),
]  # fmt: skip


@pytest.mark.parametrize(
    ("text", "message", "points"), ANSWERS, ids=[message[19:60] for _, message, _ in ANSWERS]
)
def test_a_malformed_answer_is_reported_with_its_place_and_the_others_are_graded(
    bank, tmp_path, text, message, points
):
    result = graded(bank, text)
    assert result.problems[0].startswith(message)
    assert result.points == points


# --- banks


BANKS = [
    ("id: one", "id: One Item", "quizzes/first.yaml:4:9", "is not an id"),
    ("id: some", "id: one", "quizzes/first.yaml:13:9", "used twice"),
    ("correct: true, feedback: Yes.}\n    verify", "feedback: Yes., misconception: m}\n    verify", "quizzes/first.yaml:10:7", "exactly one option must be right, not 0"),
    (", misconception: wrong-one", "", "quizzes/first.yaml:10:10", 'needs a "misconception"'),
    ("type: numeric", "type: number", "quizzes/first.yaml:24:5", 'did you mean "numeric"?'),
    ("value: 13", "value: 42", "quizzes/first.yaml:32:17", "is right"),
    ("objective: count", "objectve: count", "quizzes/first.yaml:26:5", 'did you mean "objective"?'),
    ("{b: 1 + 1 == 2}", "{z: 1 + 1 == 2}", "quizzes/first.yaml:12:17", "no option z"),
]  # fmt: skip


@pytest.mark.parametrize("key", ["answers", "hints"])
@pytest.mark.parametrize(("count", "problems"), [(20, 20), (21, 21), (20_000, 21)])
def test_twenty_unknown_items_are_named_and_the_others_counted(bank, key, count, problems):
    unknown = "".join(f"  no-such-item-{n}: 1\n" for n in range(count))
    result = quiz.grade(bank, f"quiz: {bank.id}\n{key}:\n{unknown}", shown="answers/mini.yaml")
    assert len(result.problems) == problems
    assert result.problems[0].startswith("answers/mini.yaml:3:")
    if count > 20:
        assert result.problems[-1] == f"answers/mini.yaml: and {count - 20} more"


@pytest.mark.parametrize(("old", "new", "place", "words"), BANKS, ids=[words for *_, words in BANKS])
def test_a_malformed_bank_is_an_error_with_its_place(tmp_path, old, new, place, words):
    assert old in BANK
    with pytest.raises(DocumentError) as caught:
        load(tmp_path, BANK.replace(old, new, 1))
    messages = [str(problem) for problem in caught.value.problems]
    assert any(words in message for message in messages), messages
    assert any(message.startswith(place) for message in messages), messages


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("verify: 6 * 7", "verify: 6 * 8", "the key is 42, but torch says 48"),
        ("verify: (2, 3)", "verify: (3, 2)", "the key is [2, 3], but torch says (3, 2)"),
        ("1 + 1 == 2", "1 + 1 == 3", "option b is marked True, but computed False"),
        ("verify: 6 * 7", "verify: no_such_name", "verify fails: NameError"),
    ],
)
def test_a_key_that_differs_from_its_computation_is_found(tmp_path, old, new, words):
    (problem,) = quiz.verify(load(tmp_path, BANK.replace(old, new)), {})
    assert words in str(problem)


def test_keys_that_are_right_are_no_problem(bank):
    assert quiz.verify(bank, {}) == []


# --- the course's own banks


@pytest.fixture(scope="module")
def course():
    return catalog.load(Path(__file__).parent.parent)


def test_every_section_has_a_bank_and_the_course_uses_every_type(course):
    banks = load_banks(course.quizzes)
    assert [bank.section for bank in banks] == ["1", "2", "3", "4", "5", "6", "7", "8", "9", "10"]
    for bank in banks:
        assert len(bank.items) >= 8
        assert len({item.type for item in bank.items}) >= 5, bank.id
    assert sum(len(bank.items) for bank in banks) >= 100
    used = {item.type for bank in banks for item in bank.items}
    assert used == {name for kind in ITEM_TYPES for name in get_args(kind.model_fields["type"].annotation)}
    assert any(item.params for bank in banks for item in bank.items)


def test_every_key_earns_full_points_through_an_answers_file(course, tmp_path):
    for bank in load_banks(course.quizzes):
        for seed in (0, 1, 4711):
            key = {item.id: item.key_response() for item in bank.sheet(seed)}
            result = graded(bank, filled(bank, key, seed=seed))
            assert (result.points, result.problems) == (bank.max_points, ()), bank.id


def test_choosing_everything_earns_less_than_half(course):
    for bank in load_banks(course.quizzes):
        for item in bank.items:
            if item.type == "multi":
                assert choice_credit(item.credit, item.options, item.key, len(item.options)) < 0.6, (
                    f"{bank.id}: {item.id}"
                )


def test_every_key_that_can_be_computed_is_what_torch_computes(course):
    computed, problems = authoring.check_quizzes(course)
    assert problems == []
    assert computed > 35


@given(
    st.dictionaries(st.sampled_from(["one", "some", "how-many", "what-shape", "none"]), st.text(max_size=30)),
    st.text(max_size=20),
)
def test_any_sheet_is_graded(tmp_path_factory, given_answers, seed):
    bank = load(tmp_path_factory.getbasetemp(), BANK)
    text = yaml.safe_dump({"quiz": "first", "seed": seed, "answers": given_answers})
    for sheet in (text, text.replace("seed:", "#"), seed, f"quiz: first\nhints: {seed}\n"):
        result = graded(bank, sheet)
        assert 0 <= result.points <= result.max_points == 5

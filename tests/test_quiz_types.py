"""Every type of item: what students may write, what it earns, its feedback, and what is refused."""

import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from grader import quiz
from grader.core.errors import DocumentError
from grader.quiz.credit import Rule, choice_credit, order_credit
from grader.quiz.responses import ResponseError
from grader.quiz.sheet import filled
from grader.quiz.text_answers import MAX_LENGTH, check_pattern, matches, near, normal
from grader.quiz.types.code_output import same_output

BANK = """\
title: A quiz
section: "1"
aliases: {relu: [rectified linear unit]}
items:
  - id: verdict
    type: true_false
    objective: judge
    prompt: Pooling learns.
    explanation: It does not.
    key: false
    feedback: Count its parameters.
    misconception: pooling-learns
    reasons:
      a: {text: It is slow., feedback: Speed has no part in it., misconception: slow}
      b: {text: It has no parameters., correct: true, feedback: Yes.}
  - id: memory
    type: numeric
    objective: count bytes
    prompt: How much memory?
    explanation: Four bytes each.
    key: 32
    unit: KiB
    expected_wrong: [{value: 8, feedback: Four bytes each., misconception: one-byte}]
  - id: strict-memory
    type: numeric
    objective: count bytes
    prompt: How much memory?
    explanation: Four bytes each.
    key: 32
    unit: KiB
    unit_required: true
  - id: mean
    type: numeric
    objective: average
    prompt: What is 2 / 3?
    explanation: Two thirds.
    key: 2 / 3
    tolerance: {decimals: 2}
  - id: batch
    type: shape
    objective: know shapes
    prompt: What shape?
    explanation: So.
    key: [N, 64, 7]
  - id: word
    type: text
    objective: name it
    prompt: Which?
    explanation: ReLU.
    accept: [ReLU]
    patterns: ["f[.]relu6?"]
    expected_wrong: [{value: sigmoid, feedback: That one is bounded., misconception: sigmoid}]
  - id: rows
    type: match
    objective: match
    prompt: Match.
    explanation: So.
    rows:
      1: {text: one, key: b, expected_wrong: {c: {feedback: Not that., misconception: swapped}}}
      2: {text: two, key: a}
      3: {text: three, key: a}
      4: {text: four, key: c}
    choices: {a: "0", b: "16", c: "224"}
  - id: sequence
    type: order
    objective: order
    prompt: Order.
    explanation: So.
    parts: {a: one, b: two, c: three, d: four}
    key: [b, d, a, c]
    expected_wrong: [{value: [b, a, d, c], feedback: Swap two., misconception: swapped}]
  - id: gaps
    type: cloze
    points: 3
    objective: fill
    prompt: A [[first]] and a [[second]], which [[third]].
    explanation: So.
    blanks:
      first: {type: shape, key: [20, 28], expected_wrong: [{value: [20, 24], feedback: Pad., misconception: no-padding}]}
      second: {type: numeric, key: 560}
      third: {type: text, accept: [shrinks], choices: [shrinks, grows]}
  - id: prints
    type: code_output
    objective: run
    prompt: What is printed?
    code: print(F.relu(torch.tensor([[-1.0, 0.5, 2.0]])))
    explanation: So.
    key: tensor([[0.0000, 0.5000, 2.0000]])
    expected_wrong: [{value: "[[1, .5, 2]]", feedback: Not the absolute value., misconception: absolute}]
  - id: pooled
    type: grid
    objective: pool
    prompt: Pool.
    explanation: So.
    key: [[6, 8], [3, 4]]
    tolerance: {atol: 0.01}
    expected_wrong: [{value: [[3.25, 5.25], [2, 2]], feedback: Those are averages., misconception: max-is-average}]
"""


@pytest.fixture(scope="module")
def bank(tmp_path_factory):
    path = tmp_path_factory.mktemp("bank") / "first.yaml"
    path.write_text(BANK, encoding="utf-8")
    return quiz.load_bank(path, shown="quizzes/first.yaml")


def load(tmp_path: Path, text: str) -> quiz.Bank:
    path = tmp_path / "first.yaml"
    path.write_text(text, encoding="utf-8")
    return quiz.load_bank(path, shown="quizzes/first.yaml")


def graded(bank, item: str, value: object):
    result = quiz.grade(bank, filled(bank, {item: value}), shown="answers/first.yaml")
    found = next(i for i in result.items if i.id == item)
    return found, result.problems


EARNS = [
    ("verdict", "false, b", 1), ("verdict", [False, "b"], 1), ("verdict", "F B", 1), ("verdict", "no b", 1),
    ("verdict", "false, a", 0.5), ("verdict", "true, b", 0),
    ("memory", 32, 1), ("memory", "32 KiB", 1), ("memory", "32kib", 1), ("memory", "32768 B", 1), ("memory", "0.03125 MiB", 1),
    ("memory", "32.768 kB", 1), ("memory", "32 kB", 0), ("memory", 8, 0),
    ("strict-memory", "32 KiB", 1),
    ("mean", 0.67, 1), ("mean", "2/3", 1), ("mean", "66.7%", 1), ("mean", 0.66, 0), ("mean", ".665", 1),
    ("batch", "(N, 64, 7)", 1), ("batch", ["N", 64, 7], 1), ("batch", [-1, 64, 7], 1), ("batch", "B x 64 x 7", 1),
    ("batch", "(*, 64, 7)", 1), ("batch", "(None, 64, 7)", 1), ("batch", "1x64x7", 0),
    ("word", "ReLU", 1), ("word", " relu. ", 1), ("word", "Rectified   Linear\tUnit", 1), ("word", "\uff32eLU", 1), ("word", '"relu"', 1),
    ("word", "F.relu6", 1), ("word", "F.relu6 it", 0), ("word", "not F.relu", 0), ("word", "F_relu", 0),
    ("rows", "1b 2a 3a 4c", 1), ("rows", "1=b, 2=a, 3=a, 4=c", 1), ("rows", {"1": "b", "2": "a", "3": "a", "4": "c"}, 1),
    ("rows", "b, a, a, c", 1), ("rows", ["b", "a", "a", "c"], 1), ("rows", "1b 2a", 0.5), ("rows", "1c 2a 3a 4c", 0.75),
    ("rows", "a a a a", 0.5), ("rows", "1: b, 2: a", 0.5),
    ("sequence", "b d a c", 1), ("sequence", ["b", "d", "a", "c"], 1), ("sequence", "bdac", 1), ("sequence", "b > d > a > c", 1),
    ("verdict", "false \u2013 b", 1), ("verdict", "False: (b)", 1), ("verdict", "false / \uff42", 1),
    ("rows", "1\u2013b 2\u2014a 3-a 4\u2212c", 1), ("rows", "1\u2192b, 2\u2192a, 3\u2192a, 4\u2192c", 1), ("rows", "\uff11b \uff12a \uff13a \uff14c", 1),
    ("sequence", "b \u2013 d \u2013 a \u2013 c", 1), ("sequence", "b-d-a-c", 1), ("sequence", "b \u2192 d \u2192 a \u2192 c", 1), ("sequence", "b < d < a < c", 1),
    ("pooled", "\uff16 8; 3 4", 1), ("pooled", "6\u20098; 3\u20094", 1), ("gaps", "20 \u00d7 28; 5_60; shrinks", 3), ("memory", "32 kibibytes", 1),
    ("sequence", "b, a, d, c", 0.5), ("sequence", "c a d b", 0), ("sequence", "d a c b", 0.5),
    ("gaps", "20x28; 560; shrinks", 3), ("gaps", {"first": [20, 28], "second": 560, "third": "Shrinks"}, 3),
    ("gaps", [[20, 28], 560, "shrinks"], 3), ("gaps", "20x24; 560; grows", 1), ("gaps", "; 560", 1), ("gaps", {"second": 560, "first": None}, 1),
    ("prints", "tensor([[0.0000, 0.5000, 2.0000]])", 1), ("prints", "[[0, .5, 2]]", 1), ("prints", [[0, 0.5, 2]], 1),
    ("prints", "tensor([[0., 0.5, 2.]], grad_fn=<ReluBackward0>)", 1), ("prints", "[[0  0.5\n2]]", 1), ("prints", "[0, .5, 2]", 0),
    ("prints", "[[1, .5, 2]]", 0), ("prints", "[[0, .5, 2.1]]", 0),
    ("pooled", "6 8; 3 4", 1), ("pooled", "[[6, 8], [3, 4]]", 1), ("pooled", [[6, 8], [3, 4]], 1), ("pooled", "[6 8]\n[3 4]", 1),
    ("pooled", "tensor([[6., 8.], [3., 4.]])", 1), ("pooled", "6.005, 8; 3, 4", 1), ("pooled", ["6 8", "3 4"], 1), ("pooled", "6 8; 3 5", 0.75),
    ("pooled", "6 8 3 4", 0), ("pooled", "3.25 5.25; 2 2", 0),
]  # fmt: skip


@pytest.mark.parametrize(("item", "value", "points"), EARNS, ids=str)
def test_what_a_response_earns(bank, item, value, points):
    found, problems = graded(bank, item, value)
    assert (found.points, problems, found.answered) == (points, (), True)


FEEDBACK = [
    ("verdict", "true, b", "Count its parameters.", "pooling-learns"),
    ("verdict", "false, a", "Speed has no part in it.", "slow"),
    ("memory", 8, "Four bytes each.", "one-byte"),
    ("memory", "8192 B", "Four bytes each.", "one-byte"),
    ("word", "Sigmoid", "That one is bounded.", "sigmoid"),
    ("rows", "1c 2b 3a 4c", "row 1: Not that.", "swapped"),
    ("sequence", "b a d c", "Swap two.", "swapped"),
    ("gaps", "20x24; 561; grows", "first: Pad.", "no-padding"),
    ("prints", "1 .5 2", "Not yet. The goal: run.", None),
    ("prints", "[[1.0, 0.5, 2.0]]", "Not the absolute value.", "absolute"),
    ("pooled", "3.25 5.25; 2 2", "Those are averages.", "max-is-average"),
    ("pooled", "6 8 3 4", "The right matrix has another size.", None),
    ("pooled", "6 8; 4 3", "2 of 4 cells are right.", None),
]


@pytest.mark.parametrize(("item", "value", "feedback", "misconception"), FEEDBACK, ids=str)
def test_a_wrong_answer_gets_its_feedback(bank, item, value, feedback, misconception):
    found, _ = graded(bank, item, value)
    assert found.feedback[0] == feedback
    assert found.misconceptions == ((misconception,) if misconception else ())


@pytest.mark.parametrize(
    ("tolerance", "within", "beyond"),
    [
        ("{rtol: 0.1}", (180, 220), (179, 221)), ("{atol: 3}", (197, 203), (196, 204)), ("{atol: 30, rtol: 0.1}", (170, 230), (169, 231)),
        ("{atol: 3, rtol: 0.1}", (180, 220), (179, 221)), ("{decimals: 0}", (199.5, 200.5), (199.4, 200.6)), ("{decimals: 1}", (200.05, 199.95), (200.06, 199.9)),
    ],
)  # fmt: skip
def test_tolerances(tmp_path, tolerance, within, beyond):
    text = BANK.replace("key: 2 / 3", "key: 200").replace("{decimals: 2}", tolerance)
    bank = load(tmp_path, text)
    assert [graded(bank, "mean", number)[0].points for number in within] == [1, 1]
    assert [graded(bank, "mean", number)[0].points for number in beyond] == [0, 0]


def test_unforeseen_parts_are_named_but_not_their_key(bank):
    assert graded(bank, "rows", "1c 2b 3a 4c")[0].feedback == ("row 1: Not that.", "Not right yet: row 2.")
    assert graded(bank, "gaps", "20x24; 561; grows")[0].feedback[1] == "Not right yet: second, third."


REFUSED = [
    ("verdict", "true", "write true or false and the letter"), ("verdict", "maybe, a", "write true or false"), ("verdict", "true, z", '"z" is not one of the options'),
    ("memory", "32 MACs", '"MACs" is not one of the units B, KiB'), ("memory", "32 furlongs", "is not one of the units"),
    ("memory", "1,024 B", "with a point and without thousands"), ("memory", "0,875", "with a point"), ("memory", "nan KiB", "a number is expected"),
    ("strict-memory", 32, "write the unit too"), ("strict-memory", "32", "write the unit too"),
    ("mean", "nan", "a number is expected"), ("mean", "inf", "a number is expected"), ("mean", "1e999", "a number is expected"), ("mean", "9**9**9", "a number is expected"),
    ("batch", "(64, N, 7)", "a shape is expected"), ("batch", "N", "a shape is expected"), ("batch", "(N 64,7)", "a shape is expected"),
    ("word", "x" * 121, "at most 120 characters"), ("word", ["relu"], "put them in quotes"), ("word", {"relu": 1}, "put them in quotes"),
    ("rows", "1z", '"z" is not one of the choices'), ("rows", "9a", 'there is no row "9"'), ("rows", "b a", "write a letter for each row"),
    ("rows", "1a 1b", "write a letter for each row"), ("rows", "all of them", "write a letter for each row"), ("rows", "1b and 2a", "write a letter for each row"),
    ("rows", "1\u0430 2a 3a 4c", "U+0430 CYRILLIC SMALL LETTER A is another one"), ("sequence", "b d \u0430 c", "U+0430 CYRILLIC SMALL LETTER A"),
    ("verdict", "false, \u0432", "U+0432 CYRILLIC SMALL LETTER VE"), ("rows", {"1": "\u0441"}, "U+0441 CYRILLIC"), ("pooled", "6 8; 3 \u0417", "U+0417 CYRILLIC"),
    ("sequence", "b d a", "write each of a, b, c, d once"), ("sequence", "b d a a", "write each of"), ("sequence", "b d a c c", "write each of"),
    ("gaps", "1;2;3;4", "there are 3 gaps"), ("gaps", {"fourth": 1}, 'there is no gap "fourth"'), ("gaps", "x; 560", "first: a shape is expected"),
    ("gaps", "20x28; 560; sinks", 'third: "sinks" is not one of shrinks, grows'),
    ("prints", {"tensor": 1}, "in quotes"), ("prints", "'", "write what is printed"), ("prints", "x" * 3000, "what is printed"),
    ("pooled", "6 8; 3", "all rows have the same length"), ("pooled", "a b; c d", "a number is expected"), ("pooled", [[]], "a matrix is expected"),
    ("pooled", {"a": 1}, "a matrix is expected"), ("pooled", "1 " * 1000, "a matrix is expected"), ("pooled", [[1, [2]]], "a number is expected"),
]  # fmt: skip


@pytest.mark.parametrize(("item", "value", "message"), REFUSED, ids=lambda v: str(v)[:30])
def test_what_cannot_be_read_is_a_problem_with_its_place_and_no_answer(bank, item, value, message):
    found, problems = graded(bank, item, value)
    assert (found.points, found.answered) == (0, False)
    assert message in problems[0]
    assert problems[0].startswith("answers/first.yaml:")


JSON_LIKE = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=True) | st.text(max_size=30),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=4),
    max_leaves=8,
)


@given(JSON_LIKE)
def test_any_value_is_read_or_refused_by_every_type(bank, value):
    for item in bank.sheet():
        try:
            item.read(value)
        except ResponseError as error:
            assert str(error)


def test_a_number_of_a_million_digits_costs_nothing(bank, tmp_path):
    began = time.process_time()
    for text in ("1" * 200_000, "0." + "1" * 200_000, "[" + "1," * 60_000 + "]"):
        result = quiz.grade(bank, f"quiz: first\nanswers:\n  mean: {text}\n", shown="first.yaml")
        assert result.points == 0
        assert bool(result.problems) is not text.startswith("0.")
    assert time.process_time() - began < 5


def test_a_sheet_with_a_byte_order_mark_and_windows_line_ends_is_read(bank, tmp_path):
    from grader.workspace.answers_file import AnswersFile

    path = tmp_path / "first.yaml"
    path.write_bytes(b"\xef\xbb\xbfquiz: first\r\nanswers:\r\n  word: relu\r\n  verdict: no, b\r\n")
    responses = AnswersFile(bank=bank, path=path).read()
    assert (responses.given, responses.problems) == ({"word": "relu", "verdict": "no, b"}, ())


def test_the_template_explains_every_type_and_is_unanswered(bank):
    text = quiz.template(bank)
    for words in (
        "Write true or false, and the letter of your reason",
        "Write a number (in KiB)",
        "Write a number with its unit, such as KiB",
        "Write a number, rounded to 2 decimals",
        "with N for any batch size",
        "Write a word or two",
        "Write a letter for each row",
        "Write all letters in order",
        "Write what goes into the gaps, in order: first; second; third",
        "[third]: one of: shrinks, grows",
        "A [first] and a [second], which [third].",
        "Write what is printed",
        "print(F.relu(torch.tensor([[-1.0, 0.5, 2.0]])))",
        "Write a matrix, row by row",
    ):
        assert words in text
    result = quiz.grade(bank, text)
    assert (result.points, result.problems) == (0, ())
    assert not any(item.answered for item in result.items)


def test_the_key_of_every_type_earns_everything(bank):
    key = {item.id: item.key_response() for item in bank.sheet()}
    result = quiz.grade(bank, filled(bank, key))
    assert (result.points, result.problems) == (bank.max_points, ())


# --- credit


@pytest.mark.parametrize(
    ("rule", "earned"),
    # 5 options, 2 right: everything, nothing, 1 of 2, both and 1 wrong; 5 options, 4 right: everything
    [
        (Rule.EXACT, (0, 0, 0, 0, 0)),
        (Rule.NET, (0, 0, 0.5, 0.5, 0.75)),
        (Rule.FALSE2, (0, 0, 0.5, 2 / 3, 0.5)),
        (Rule.COVERAGE, (0.4, 0, 0.5, 2 / 3, 0.8)),
        (Rule.EACH, (0.4, 0.6, 0.8, 0.8, 0.8)),
    ],
)
def test_the_five_rules(rule, earned):
    given = [("abcde", "ab"), ("", "ab"), ("a", "ab"), ("abc", "ab"), ("abcde", "abcd")]
    assert [choice_credit(rule, chosen, key, 5) for chosen, key in given] == pytest.approx(earned)


@pytest.mark.parametrize(
    ("rule", "mean"),
    [(Rule.EXACT, 1 / 32), (Rule.NET, 0.11), (Rule.FALSE2, 0.19), (Rule.COVERAGE, 0.27), (Rule.EACH, 0.5)],
)
def test_what_random_choices_earn_on_average(rule, mean):
    subsets = ["".join(c for n, c in enumerate("abcde") if bits >> n & 1) for bits in range(32)]
    earned = [choice_credit(rule, chosen, "ab", 5) for chosen in subsets]
    assert sum(earned) / 32 == pytest.approx(mean, abs=0.006)
    assert all(0 <= credit <= 1 for credit in earned)
    assert max(earned) == choice_credit(rule, "ab", "ab", 5) == 1


@pytest.mark.parametrize("rule", ["exact", "net", "false2", "coverage", "each"])
def test_a_rule_of_an_item_is_used_and_a_blank_earns_nothing(tmp_path, rule):
    options = "\n".join(
        f"      {letter}: {{text: {letter}{letter}, feedback: So., {'correct: true' if letter in 'ab' else 'misconception: m'}}}"
        for letter in "abcde"
    )
    bank = load(
        tmp_path,
        f'title: T\nsection: "1"\nitems:\n  - id: some\n    type: multi\n    credit: {rule}\n'
        f"    objective: o\n    prompt: p\n    explanation: e\n    options:\n{options}\n",
    )
    assert graded(bank, "some", "a, c")[0].points == choice_credit(Rule(rule), "ac", "ab", 5)
    assert quiz.grade(bank, quiz.template(bank)).points == 0


def test_a_random_order_earns_little():
    from itertools import permutations

    earned = [order_credit(order, "abcd") for order in permutations("abcd")]
    assert sum(earned) / len(earned) == pytest.approx(0.23, abs=0.005)
    assert (max(earned), order_credit("dcba", "abcd")) == (1, 0)


# --- words


@pytest.mark.parametrize(
    ("one", "other"),
    [("  ReLU. ", "relu"), ("max\u2011pool", "Max-Pool"), ("\u201cbias\u201d!", "bias"), ("\ufb01lter", "filter"), ("Stra\u00dfe", "STRASSE"), ("a\u00a0 b", "A B")],
)  # fmt: skip
def test_words_that_are_the_same(one, other):
    assert normal(one) == normal(other)


@pytest.mark.parametrize(
    ("written", "word", "is_near"),
    [
        ("convoluton", "convolution", True), ("convolutoin", "convolution", True), ("convolutionn", "convolution", True),
        ("konvolution", "convolution", True), ("batch", "patch", True), ("convolution", "convolution", False),
        ("konvolutoin", "convolution", False), ("relv", "relu", False), ("", "convolution", False),
    ],
)  # fmt: skip
def test_near_misses(written, word, is_near):
    assert near(written, [word]) is is_near


def test_a_near_miss_is_asked_to_check_the_spelling_and_earns_nothing(tmp_path):
    bank = load(tmp_path, BANK.replace("accept: [ReLU]", "accept: [convolution]"))
    found, _ = graded(bank, "word", "Convoluton")
    assert (found.points, found.feedback) == (0, ("Almost: check the spelling.",))


@pytest.mark.parametrize(
    ("pattern", "reason"),
    [
        ("(a+)+", "repeats a group"), ("(a|a)*", "repeats a group"), ("(?:ab){2,}", "repeats a group"), ("([a-z]+)*x", "repeats a group"),
        ("a*b*c*", "more than 2 repetitions"), ("a?b?c?d?e?f?g?h?i?", "8 choices"), (r"(a)\1", "refers back"), ("(?=a)b", r"only \(\?:"),
        ("(?<!a)b", r"only \(\?:"), ("ReLU", "capitals"), ("(a", "not a regular expression"), ("[", "not a regular expression"),
    ],
)  # fmt: skip
def test_a_pattern_that_is_slow_or_useless_is_refused(pattern, reason):
    with pytest.raises(ValueError, match=reason):
        check_pattern(pattern)


@pytest.mark.parametrize(
    "pattern", ["relu6?", r"(max|avg)[- ]?pool(ing)?", r"[a-z]+\.relu", r"\d+x\d+", r"a\*b", "[*+]{2}"]
)
def test_a_pattern_that_is_fine_is_taken(pattern):
    assert check_pattern(pattern) == pattern


def test_the_slowest_pattern_allowed_is_fast():
    slow = check_pattern("a*a*a?a?a?a?a?a?a?a?b")
    began = time.process_time()
    assert not matches("a" * MAX_LENGTH, [slow])
    assert time.process_time() - began < 2


# --- what code prints


@pytest.mark.parametrize(
    ("given", "key", "same"),
    [
        ("torch.Size([1, 8, 32, 32])", "(1, 8, 32, 32)", True), ("tensor(3.)", "3", True), ("tensor(3., dtype=torch.float64)", "3.0", True),
        ("array([1, 2])", "tensor([1, 2])", True), ("true", "True", True), ("1 2", "12", False), ("1.0001", "1", False), ("1225500", "1225501", False),
        ("0.3333", "0.33333334", True), ("0.333", "0.3333", False), ("-.5", "\N{MINUS SIGN}0.5000", True), ("[1, 2], [3]", "[[1, 2], [3]]", False),
        ("nan", "tensor(nan)", True), ("tensor([tensor(1), 2])", "[1, 2]", True), ("ValueError", "valueerror", True), ("a1", "a 1", False),
        ("1,1,0,0", "torch.Size([1, 1, 0, 0])", True), ("1. 2.", "tensor([1., 2.])", True), ("0.5; 1", "(0.5, 1)", True),
        ("1", "[1]", False), ("[1, 2]", "1, 2", False), ("1, 2", "[[1, 2]]", False), ("1, 2, 3", "[1, 2]", False), ("nan, 1", "[nan, 1]", True), ("a, 1", "[a, 1]", False),
        ("1,1,0", "torch.Size([1, 1, 0, 0])", False),
        ("tensor([1., 2.], grad_fn=<MulBackward0>)", "[1, 2]", True), ("1e3", "1000", True), ("tensor(", "[1]", False), ("", "1", False),
    ],
)  # fmt: skip
def test_printed_texts_that_are_equal(given, key, same):
    assert same_output(given, key) is same


@given(st.text(max_size=200))
def test_any_printed_text_is_compared(text):
    assert same_output(text, text)


# --- items that were published and are wrong


CHOICE = """\
title: T
section: "1"
items:
  - id: pick
    type: TYPE
    points: 2
    objective: o
    prompt: p
    explanation: e
    options:
      a: {text: one, correct: true, feedback: Yes.}
      b: {text: two, OPTION}
      c: {text: three, feedback: No., misconception: m}
      d: {text: four, feedback: No., misconception: m}
"""
WRONG = "feedback: No., misconception: m"
RIGHT = "correct: true, feedback: Yes."


@pytest.mark.parametrize(
    ("kind", "option", "void", "chosen", "points"),
    [
        ("single", WRONG, "full", "b", 2), ("single", WRONG, "full", "a", 2), ("single", WRONG, "full", "c", 0),
        ("single", WRONG, "drop", "b", 0), ("single", WRONG, "drop", "a", 2),
        ("multi", RIGHT, "drop", "a", 2), ("multi", RIGHT, "drop", "a, b", 2), ("multi", RIGHT, "drop", "b", 0),
        ("multi", RIGHT, "full", "a", 2), ("multi", RIGHT, "full", "a, b", 2), ("multi", RIGHT, "full", "a, c", 1),
        ("multi", WRONG, "full", "a, b", 2), ("multi", WRONG, "full", "a", 2), ("multi", WRONG, "drop", "a, b", 2),
    ],
)  # fmt: skip
def test_an_option_that_is_void(tmp_path, kind, option, void, chosen, points):
    bank = load(tmp_path, CHOICE.replace("TYPE", kind).replace("OPTION", f"{option}, void: {void}"))
    assert graded(bank, "pick", chosen)[0].points == points
    assert quiz.stress(bank) == []


def test_the_only_right_option_cannot_be_dropped(tmp_path):
    text = CHOICE.replace("TYPE", "single").replace("OPTION", WRONG)
    with pytest.raises(DocumentError, match="every right option is void"):
        load(tmp_path, text.replace("correct: true,", "correct: true, void: drop,"))


@pytest.mark.parametrize(("void", "points", "max_points"), [("drop", 0, 15), ("full", 3, 18)])
def test_a_void_item_counts_for_no_student_or_gives_all_its_points(tmp_path, void, points, max_points):
    bank = load(
        tmp_path,
        BANK.replace("points: 3\n", f"points: 3\n    void: {void}\n").replace(
            "id: word", "id: word\n    points: 6"
        ),
    )
    for sheet in (quiz.template(bank), filled(bank, {"gaps": "20x24; 1; grows"})):
        result = quiz.grade(bank, sheet)
        item = next(item for item in result.items if item.id == "gaps")
        assert (result.points, result.max_points, bank.max_points) == (points, max_points, max_points)
        assert item.misconceptions == ()
        assert "withdrawn" in item.feedback[0] or "Everyone" in item.feedback[0]
    assert "(Withdrawn" in quiz.template(bank)


# --- what is refused as a bank is loaded


MALFORMED = [
    ("key: false", "key: no", '"key" must be true or false'),
    ("feedback: Count its parameters.\n    ", "", 'the key "feedback" is missing'),
    ("correct: true, feedback: Yes.", "feedback: Yes., misconception: m", "must be right, not 0"),
    ("misconception: slow", "misconcepton: slow", 'did you mean "misconception"?'),
    ("unit: KiB\n    expected", "unit: Kib\n    expected", '"Kib" is not one of the units B, KiB'),
    ("    unit: KiB\n    unit_required", "    unit_required", "can only be required where there is"),
    ("{decimals: 2}", "{decimals: 2, atol: 0.1}", "write atol, rtol or both, or else decimals"),
    ("{decimals: 2}", "0.01", '"tolerance" must be a mapping'),
    ("key: 2 / 3", "key: two", 'there is no parameter "two"'),
    ("key: [N, 64, 7]", "key: []", '"key" must not be empty'),
    ("key: [N, 64, 7]", "key: [N, 6.5, 7]", "a size is expected"),
    ("accept: [ReLU]", "accept: []", '"accept" must not be empty'),
    ("accept: [ReLU]", "accept: ['...']", "nothing but punctuation"),
    ("value: sigmoid", "value: F.ReLU", "this expected wrong answer is right"),
    ("value: sigmoid", "value: Rectified linear unit", "this expected wrong answer is right"),
    ("f[.]relu6?", "(f[.])+relu", "repeats a group"),
    ("f[.]relu6?", "F[.]relu", "capitals: it can never match"),
    ("key: b, expected", "key: z, expected", "there is no choice z"),
    ("{c: {feedback", "{b: {feedback", "this expected wrong answer is right"),
    ("{c: {feedback", "{z: {feedback", "there is no choice z"),
    ("      2: {text: two", "      5: {text: two", "number the rows 1, 2, 3"),
    ('b: "16", c', 'b: "0", c', "b has the same text as a"),
    ("choices: {a:", "choices: {d:", "name the choices a, b, c"),
    ("key: [b, d, a, c]", "key: [b, d, a]", "names each of a, b, c, d once"),
    ("key: [b, d, a, c]", "key: [a, b, c, d]", "are in the right order already"),
    ("value: [b, a, d, c]", "value: [b, d, a, c]", "this expected wrong answer is right"),
    ("value: [b, a, d, c]", "value: [b, b, d, c]", "names each of"),
    ("[[third]]", "[[fourth]]", "has a gap [[fourth]]"),
    ("[[third]]", "[[second]]", "must have the gap [[second]] once, and has it 2 times"),
    ("value: [20, 24]", "value: [20, 28]", "this expected wrong answer is right"),
    ("accept: [shrinks]", "accept: [sinks]", "none of the choices is accepted"),
    ("second: {type: numeric", "second: {type: number", 'did you mean "numeric"?'),
    ('value: "[[1, .5, 2]]"', 'value: "[[0, .5, 2.]]"', "this expected wrong answer is right"),
    ("key: tensor([[0.0000, 0.5000, 2.0000]])", 'key: "\'"', "the code must print something"),
    ("key: tensor([[0.0000, 0.5000, 2.0000]])", "key: '" + "1 " * 1500 + "'", "print at most 2000 characters"),
    ("key: [[6, 8], [3, 4]]", "key: [[6, 8], [3]]", "have the same length"),
    ("key: [[6, 8], [3, 4]]", "key: [[6, 8], []]", "must not be empty"),
    ("[[3.25, 5.25], [2, 2]]", "[[6, 8.001], [3, 4]]", "this expected wrong answer is right"),
    ("type: grid", "type: gird", 'did you mean "grid"?'),
    ("id: word", "id: verdict", 'the id "verdict" is used twice'),
    ("id: word\n", "id: word\n    id: words\n", 'the key "id" stands here twice'),
    ("id: word\n", "id: word\n    void: gone\n", '"gone" is none of drop, full'),
    ("id: rows\n", "id: rows\n    credit: some\n", '"some" is none of each, exact'),
    ("id: sequence\n", "id: sequence\n    credit: each\n", '"each" is none of moves, exact'),
    ("key: [[6, 8], [3, 4]]", "key: .nan", '"key" must be a list'),
    ("key: 560", "key: 1e999", "a number is expected"),
    ("key: 560", "key: true", "a number is expected"),
]  # fmt: skip


@pytest.mark.parametrize(("old", "new", "words"), MALFORMED, ids=[new[:40] for _, new, _ in MALFORMED])
def test_a_malformed_item_is_an_error_with_its_place(tmp_path, old, new, words):
    assert old in BANK
    line = BANK[: BANK.index(old)].count("\n") + 1
    with pytest.raises(DocumentError) as caught:
        load(tmp_path, BANK.replace(old, new, 1))
    messages = [str(problem) for problem in caught.value.problems if words in str(problem)]
    assert messages, caught.value.problems
    file, at_line, column, _ = messages[0].split(":", 3)
    assert file == "quizzes/first.yaml"
    assert int(column) > 1
    assert abs(int(at_line) - line) <= 10


# --- keys that torch computes

VERIFIED = [
    ("verdict", "verify: 1 + 1 == 3", "verify: 1 + 1 == 2", "the key is False, but torch says True"),
    ("memory", "verify: torch.zeros(8, 32, 32).nbytes / 1024", "verify: 8 * 32 * 32 / 1024", "the key is 32, but torch says 8.0"),
    ("mean", "verify: 1 - 1 / 3", "verify: 0.67 + 0.01", "but torch says 0.68"),
    ("batch", 'verify: ("N", *torch.zeros(2, 64, 7).shape[1:])', "verify: torch.zeros(2, 64, 7).shape", "the key is ['N', 64, 7], but torch says"),
    ("word", "verify: nn.ReLU().__class__.__name__", "verify: nn.ELU().__class__.__name__", "but torch says ELU"),
    ("rows", 'verify: {1: 4 * 4, 2: "\'0\'", 4: 225 - 1}', "verify: {4: 224 + 1}", "row 4 goes to 224, but torch says 225"),
    ("sequence", "verify: list('bdac')", "verify: list('bdca')", "but torch says ['b', 'd', 'c', 'a']"),
    ("gaps", "verify: {second: 20 * 28, third: \"'shrinks'\"}", "verify: {first: '(20, 24)'}", "first: the key is [20, 28], but torch says (20, 24)"),
    ("pooled", "verify: torch.tensor([[6, 8], [3, 4]])", "verify: torch.tensor([[6, 8], [3, 5]])", "but torch says tensor"),
    ("pooled", "verify: '[[6, 8], [3, 4]]'", "verify: 3 + 4", "but torch says 7"),
    ("memory", "verify: 16 * 2", "verify: nothing", "verify fails: NameError"),
    ("memory", "verify: '32 * (raises(lambda: torch.zeros(2)) == \"\") * (raises(lambda: 1 / 0) == \"ZeroDivisionError\")'", "verify: None", "but torch says None"),
]  # fmt: skip


@pytest.mark.parametrize(("item", "right", "wrong", "message"), VERIFIED, ids=str)
def test_a_key_of_any_type_that_differs_from_its_computation_is_found(tmp_path, item, right, wrong, message):
    import torch

    names = {"torch": torch, "nn": torch.nn, "F": torch.nn.functional}
    text = BANK.replace(f"id: {item}\n", f"id: {item}\n    VERIFY\n")
    assert quiz.verify(load(tmp_path, text.replace("VERIFY", right)), names) == []
    (problem,) = quiz.verify(load(tmp_path, text.replace("VERIFY", wrong)), names)
    assert message in str(problem)
    assert str(problem).startswith("quizzes/first.yaml:")


@pytest.mark.parametrize(
    ("code", "key", "printed"),
    [("print(1)", "2", "'1'"), ("raise ValueError('x')", "KeyError", "'ValueError'"), ("pass", "1", "''")],
)
def test_code_that_prints_something_else_is_found(tmp_path, code, key, printed):
    text = BANK.replace("code: print(F.relu(torch.tensor([[-1.0, 0.5, 2.0]])))", f"code: {code}")
    text = text.replace("key: tensor([[0.0000, 0.5000, 2.0000]])", f"key: '{key}'")
    (problem,) = quiz.verify(load(tmp_path, text), {})
    assert f"the key is '{key}', but the code prints {printed}" in str(problem)
    assert (
        quiz.verify(
            load(
                tmp_path,
                text.replace(f"key: '{key}'", "key: ValueError").replace(code, "x = 1; raise ValueError"),
            ),
            {},
        )
        == []
    )


def test_lines_of_a_paragraph_are_joined_and_code_and_lists_are_not(tmp_path):
    from grader.quiz.sheet import question

    prompt = "prompt: |\n      One\n      two\n      three.\n\n          x = 1\n          y\n\n      - a\n      - b\n      1. c\n\n      End"
    bank = load(tmp_path, BANK.replace("prompt: How much memory?", prompt, 1))
    expected = ["One two three.", "", "    x = 1", "    y", "", "- a", "- b", "1. c", "", "End"]
    assert question(bank.sheet()[1]) == expected

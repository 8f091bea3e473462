"""What people write is read as they mean it: every dash, digit and space, code as it is typed, units in words."""

import sys
import time
import unicodedata
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from grader import quiz
from grader.quiz.numeric_answers import read_number
from grader.quiz.responses import ResponseError, read_letters
from grader.quiz.text_answers import meanings, without_arguments
from grader.quiz.types.code_output import same_output
from grader.quiz.types.grid import read_matrix
from grader.quiz.types.numeric import NumericItem, read_quantity
from grader.quiz.types.shape import read_shape
from grader.quiz.typography import plain
from grader.quiz.units import UNITS, find_unit

EVERY = list(map(chr, range(sys.maxunicode + 1)))
DASHES = [c for c in EVERY if unicodedata.category(c) == "Pd"] + ["\u2212", "\u2043"]
SPACES = [c for c in EVERY if unicodedata.category(c) == "Zs"]
DIGITS = [c for c in EVERY if unicodedata.category(c) == "Nd"]

HEAD = 'title: T\nsection: "1"\nitems:\n'
WORD = """\
  - id: word
    type: text
    objective: name it
    prompt: Which?
    explanation: So.
    accept: [ACCEPT]
    expected_wrong: [{value: WRONG, feedback: Foreseen., misconception: foreseen}]
"""


def text_item(tmp_path: Path, accept: str, wrong: str = "something-else"):
    path = tmp_path / "first.yaml"
    path.write_text(HEAD + WORD.replace("ACCEPT", accept).replace("WRONG", wrong), encoding="utf-8")
    return quiz.load_bank(path).items[0]


# --- numbers


@pytest.mark.parametrize(
    ("written", "number"),
    [
        ("1_000", 1000), ("1_225_500", 1225500), ("10^-3", 0.001), ("10**-3", 0.001), ("10^(-3)", 0.001), ("2^10", 1024),
        ("2 * 10^3", 2000), ("2 x 10^3", 2000), ("1.5 \u00d7 10\u207b\u00b3", 0.0015), ("10\u00b3", 1000), ("3\u00b710^2", 300), ("-2^2", -4),
        ("1 225 500", 1225500), ("1'225'500", 1225500), ("1\u2009225\u202f500.5", 1225500.5), ("1\u00a0000", 1000),
        ("= 28", 28), ("~0.5", 0.5), ("\u2248 0.5", 0.5), ("\u00bd", 0.5), ("3\u20444", 0.75), ("50 percent", 0.5), ("50\uff05", 0.5),
        ("\uff12\uff18", 28), ("\uff0d\uff10\uff0e\uff15", -0.5), ("\U0001d7d0\U0001d7d6", 28), ("\u200b28\ufeff", 28), ("10^3/2", 500),
    ],
)  # fmt: skip
def test_a_number_is_read_as_it_is_meant(written, number):
    assert read_number(written) == pytest.approx(number, rel=1e-12)


@pytest.mark.parametrize("dash", DASHES, ids=unicodedata.name)
def test_every_dash_is_a_minus_sign(dash):
    assert read_number(f"{dash}3") == -3
    assert read_number(f"1e{dash}3") == read_number(f"10^{dash}3") == 0.001
    assert read_matrix(f"{dash}1 2; 3 {dash}4") == [[-1, 2], [3, -4]]
    assert read_shape(f"({dash}1, 64)") == ["N", 64]
    assert same_output(f"tensor([{dash}1., 2.])", "tensor([-1., 2.])")


def test_every_digit_is_a_digit_and_every_space_a_space():
    for digit in DIGITS:
        assert read_number(f"1{digit}.{digit}") == float(
            f"1{unicodedata.digit(digit)}.{unicodedata.digit(digit)}"
        )
        assert read_shape(f"({digit}, 8)") == [unicodedata.digit(digit), 8]
    for space in SPACES:
        assert read_number(f"{space}1{space}/{space}2{space}") == 0.5
        assert read_number(f"1{space}225{space}500") == 1225500
        assert read_quantity(f"32{space}KiB", "KiB", required=True) == 32
        assert read_letters(f"a,{space}c", "abc", several=True) == {"a", "c"}


@pytest.mark.parametrize(
    ("written", "character"),
    [
        ("2O", '"O"'), ("l28", '"l"'), ("28!", '"!"'), ("-x", '"x"'), ("1..2", '"."'), ("28 cats", '"c"'), ("7//8", '"/"'),
        ("\u0417", '"\u0417", U+0417 CYRILLIC CAPITAL LETTER ZE'), ("1\u066b5", '"\u066b", U+066B ARABIC DECIMAL SEPARATOR'),
        ("\u221e", '"\u221e", U+221E INFINITY'), ("2\x07", "U+0007 without a name"), ("10^3x", '"x"'),
    ],
)  # fmt: skip
def test_a_number_that_cannot_be_read_names_the_character(written, character):
    with pytest.raises(ResponseError) as caught:
        read_number(written)
    assert f"the character {character} cannot be read here" in str(caught.value)
    assert "\x07" not in str(caught.value)


@pytest.mark.parametrize(
    "written", ["9^99", "9**99 * 9", "99^99/1", "1e99", "2^-99", "0^-1", "(2", "10^1000", "1" * 59 + "^99"]
)
def test_a_huge_power_is_read_or_refused_at_once(written):
    began = time.process_time()
    try:
        assert read_number(written) < 1e308
    except ResponseError as error:
        assert str(error)
    assert time.process_time() - began < 0.1


# --- units


@pytest.mark.parametrize(
    ("written", "wanted", "number"),
    [
        ("32 KiBs", "KiB", 32), ("32 kibibytes", "KiB", 32), ("32768 bytes", "KiB", 32), ("1 byte", "B", 1), ("2 GBs", "GB", 2),
        ("1_000 parameters", "parameters", 1000), ("1 parameter", "parameters", 1), ("5 params", "parameters", 5), ("3 Param.", "parameters", 3),
        ("7 pixels", "px", 7), ("7 Pixel", "px", 7), ("10^3 multiply-adds", "MACs", 1000), ("3 multiply adds", "MACs", 3), ("3 MAC", "MACs", 3),
        ("2 GMAC", "MACs", 2e9), ("97.6 percent", "%", 97.6), ("97.6\u2009%", "%", 97.6), ("2 seconds", "s", 2), ("3 \u00b5s", "us", 3), ("5ms", "ms", 5),
        ("2 x 10^3 B", "B", 2000),
    ],
)  # fmt: skip
def test_a_unit_may_stand_in_words_and_in_the_plural(written, wanted, number):
    assert read_quantity(written, wanted, required=True) == pytest.approx(number)


@pytest.mark.parametrize(
    ("question", "written", "number"),
    [
        ("How many numbers does nn.Conv2d(12, 30, 5) learn, biases included?", "9030 numbers", 9030),
        ("How many numbers does it learn?", "1 number", 1), ("How many input pixels wide is it?", "7 input pixels", 7),
        ("All are frozen. How many\n  Features has one image?", "800 features.", 800), ("Over how many values is each mean taken?", "100 Values", 100),
        ("How many of the five parameters are frozen by this loop?", "3 parameters", 3), ("How many percent are left?", "50 percent", 50),
        ("How many numbers does it learn, biases included?", "30 biases", None), ("How many numbers does it learn?", "9 thousand", None),
        ("How many numbers does it learn?", "9 thousand numbers", None), ("How many numbers does it learn?", "9030 n", None), ("How large is it?", "7 how", None),
        ("How many numbers does it learn?", "9030 numbers or 9000", None), ("Which share of many numbers is it?", "50 percent", 0.5),
    ],
)  # fmt: skip
def test_what_the_question_counts_may_stand_behind_the_number(question, written, number):
    item = NumericItem(
        id="count", type="numeric", objective="count", prompt=question, key=1, explanation="Count."
    )
    if number is None:
        with pytest.raises(ResponseError):
            item.read(written)
    else:
        assert item.read(written) == number


def test_every_unit_is_read_in_its_plural_too():
    for unit in UNITS:
        assert find_unit(unit) == unit
        if unit != "%" and not unit.endswith("s"):
            assert UNITS[find_unit(f"{unit}s")] == UNITS[unit] or unit == "m"


def test_a_unit_that_cannot_be_read_names_its_strange_character():
    with pytest.raises(ResponseError, match=r'"K\u0456B" is not one of the units .* U\+0456 CYRILLIC'):
        read_quantity("32 K\u0456B", "KiB", required=False)


# --- letters and shapes


@pytest.mark.parametrize(
    ("written", "letters"),
    [
        ("a, c", "ac"), ("a and c", "ac"), ("a & c", "ac"), ("a + c", "ac"), ("ac", "ac"), ("A;C", "ac"), ("\uff41\uff0c\uff43", "ac"), ("(a) (c)", "ac"),
        ('"a", "c"', "ac"), ("a\u3001c", "ac"), ("\u24d0 \u24d2", "ac"), (["\uff41", "c."], "ac"), ("a/c", "ac"),
    ],
)  # fmt: skip
def test_letters_are_read_as_they_are_meant(written, letters):
    assert read_letters(written, "abcd", several=True) == set(letters)


@pytest.mark.parametrize(
    ("written", "message"),
    [("\u0441", "U+0441 CYRILLIC SMALL LETTER ES"), ("a-c", "write every letter: a, c"), ("a\u2013c", "write every letter"), ("e", "not one of the options: a, b, c, d")],
)  # fmt: skip
def test_a_letter_that_cannot_be_read_is_named(written, message):
    with pytest.raises(ResponseError) as caught:
        read_letters(written, "abcd", several=True)
    assert message in str(caught.value)


@pytest.mark.parametrize(
    "written",
    [
        "(1, 8, 1024)", "1 \u00d7 8 \u00d7 1_024", "1X8X1024", "(1; 8; 1024)", "\uff081\uff0c8\uff0c1024\uff09", "[1, 8, 1 024]", "1*8*1024",
        "torch.size([1, 8, 1024])", "shape = (1, 8, 1024)", ["1", 8, "1_024"], "1, 8, 1\u2009024",
    ],
    ids=str,
)  # fmt: skip
def test_a_shape_is_read_as_it_is_meant(written):
    assert read_shape(written) == [1, 8, 1024]


@pytest.mark.parametrize(
    "written",
    ["(N, 8)", "n x 8", "(b, 8)", "[*, 8]", "* x 8", "(\u22121, 8)", "(none, 8)", "batch 8", ["*", 8]],
    ids=str,
)
def test_a_batch_of_any_size_is_read(written):
    assert read_shape(written) == ["N", 8]


@pytest.mark.parametrize(
    ("written", "character"), [("(1, 8, 3Z)", '"Z"'), ("(1, \u2163, 2)", '"\u2163"'), ("(1, 2.5)", '"."')]
)
def test_a_shape_that_cannot_be_read_names_the_character(written, character):
    with pytest.raises(ResponseError, match="the character") as caught:
        read_shape(written)
    assert character in str(caught.value) or "I" in str(caught.value)


# --- words


SAME = [
    ("requires_grad", ["`requires_grad`", "p.requires_grad", ".requires_grad", "REQUIRES_GRAD"]),
    ("requires_grad", ["the requires_grad attribute", "\u201crequires_grad\u201d", "model.layer1.weight.requires_grad", "'.requires_grad'."]),
    ("requires_grad = False", ["requires_grad=False", "p.requires_grad = False", "`param.requires_grad=false`", "requires_grad  =  False."]),
    ("eval", ["eval()", ".eval", ".eval()", "bn.eval()", "layer.eval", "model.bn1.eval( )", "Eval", "the eval method", "`bn.eval()`", "eval ()", "call model.eval()", "Use .eval"]),
    ("ELU", ["torch.nn.ELU", "nn.ELU()", "F.elu", "torch.nn.functional.elu", "F.elu(x)", "nn.ELU(alpha=1.0)", "an ELU", "the ELU function", "elu activation"]),
    ("-inf", ['-float("inf")', 'float("-inf")', "\u2212\u221e", "-math.inf", "-torch.inf", "-np.inf", "minus infinity", "negative infinity", "neg inf", "neg. infinity", "- infinity", "minus inf", "\u2013inf", "float('-infinity')"]),
    ("RuntimeError", ["runtime error", "Runtime-Error", "runtimeerror", "a RuntimeError", "builtins.RuntimeError"]),
    ("TypeError", ["type error"]),
    ("max pooling", ["maxpooling", "max-pooling", "Max\u2011Pooling", "MAX POOLING", "the max pooling layer"]),
    ("train(False)", ["train(False)", "bn.train( False )", ".train(false)"]),
]  # fmt: skip


@pytest.mark.parametrize(("accepted", "written"), SAME, ids=[a for a, _ in SAME])
def test_words_are_compared_by_what_they_say(tmp_path, accepted, written):
    item = text_item(tmp_path, accepted)
    for text in written:
        assert item.mark(item.read(text), {}).credit == 1, text


@pytest.mark.parametrize(
    ("accepted", "written"),
    [
        ("requires_grad", "require_grad"), ("requires_grad", "requires_grad = True"), ("requires_grad", "requires_grad_"), ("eval", "train()"), ("eval", "not eval"),
        ("ELU", "SELU"), ("ELU", "F.gelu"), ("ELU", "F_elu"), ("-inf", "inf"), ("-inf", 'float("inf")'), ("train(False)", "train()"), ("train(False)", "train(True)"),
        ("RuntimeError", "ValueError"), ("ReLU", "leaky ReLU"),
    ],
)  # fmt: skip
def test_words_that_say_something_else_are_wrong(tmp_path, accepted, written):
    item = text_item(tmp_path, accepted)
    assert item.mark(item.read(written), {}).credit == 0


def test_a_foreseen_text_is_recognized_by_the_same_rule_and_goes_first(tmp_path):
    item = text_item(tmp_path, "train", "train(True)")
    assert item.mark("model.train( true )", {}).feedback == ("Foreseen.",)
    assert item.mark("model.train(False)", {}).credit == 1
    other = text_item(tmp_path, "eval", "no_grad")
    assert other.mark("torch.no_grad()", {}).feedback == ("Foreseen.",)


@given(st.text(max_size=130))
def test_any_text_has_a_meaning_at_once_and_twice_the_same(text):
    began = time.process_time()
    found = without_arguments(meanings(text))
    assert 1 <= len(found) <= 2
    assert time.process_time() - began < 0.2
    assert plain(plain(text)) == plain(text) or "^" in plain(text)


@pytest.mark.parametrize(
    "text",
    [
        "a." * 60,
        "e" + "\u0301\u0316" * 31_000,
        "(" * 120,
        "a-" * 60,
        "float(" * 20,
        " " * 119 + "a",
        "f(" * 40 + ")" * 40,
    ],
)
def test_no_text_is_slow(text):
    began = time.process_time()
    for _ in range(10):
        without_arguments(meanings(text))
    assert time.process_time() - began < 0.5


# --- what code prints


@pytest.mark.parametrize(
    "written",
    ["RuntimeError", "runtime error", "Runtime Error", "a RuntimeError", "It raises a RuntimeError.", "raises RuntimeError", "RuntimeError: element 0 of tensors does not require grad", "RuntimeError is raised", "builtins.RuntimeError", "RuntimeError!", "runtime-error"],
)  # fmt: skip
def test_an_exception_is_read_with_words_around_it(written):
    assert same_output(written, "RuntimeError")


@pytest.mark.parametrize(
    "written",
    [
        "ValueError",
        "Error",
        "no RuntimeError",
        "RuntimeWarning",
        "ValueError: not a RuntimeError",
        "1 RuntimeError",
    ],
)
def test_another_exception_is_another_one(written):
    assert not same_output(written, "RuntimeError")


def test_printed_text_may_be_in_other_characters():
    assert same_output("\uff34rue  False", "True False")
    assert same_output("tensor([\uff11., \u22122.])", "tensor([ 1., -2.])")
    assert not same_output("True True", "True False")

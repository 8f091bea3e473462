"""Items drawn from a seed: formulas, parameters, the order of options, and the check with many seeds."""

import subprocess
import sys
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from grader import quiz
from grader.core.errors import DocumentError
from grader.quiz.answers import read_answers
from grader.quiz.draw import Stream
from grader.quiz.formulas import FormulaError, fill, read_formula
from grader.quiz.page import to_html
from grader.quiz.sheet import filled

BANK = """\
title: Draws
section: "1"
items:
  - id: size
    type: numeric
    objective: compute sizes
    params:
      n: {low: 20, high: 40, step: 2}
      k: {choices: [3, 5]}
      p: {value: k // 2}
    where: [n > 22]
    prompt: "{n} pixels, kernel {k}, padding {p}, {{braces}}"
    explanation: "{n} + {2 * p} - {k} + 1"
    hints: ["A kernel of {k}.", {text: "{n + 2 * p} in all.", cost: 0.25}]
    key: n + 2 * p - k + 1
    verify: n
    expected_wrong: [{value: n - k + 1, feedback: "{p} on both sides.", misconception: no-padding}]
  - id: shape
    type: shape
    objective: compute shapes
    params: {c: {low: 2, high: 9}}
    prompt: Shape with {c} channels?
    explanation: e
    key: [1, c, 2 * c]
    verify: (1, c, 2 * c)
  - id: pick
    type: single
    objective: choose
    shuffle: true
    prompt: Pick {literal}.
    explanation: e
    options:
      a: {text: one, feedback: f, misconception: m}
      b: {text: two, correct: true, feedback: f}
      c: {text: three, feedback: f, misconception: m}
      d: {text: four, feedback: f, misconception: m}
"""


def load(tmp_path: Path, text: str = BANK) -> quiz.Bank:
    path = tmp_path / "first.yaml"
    path.write_text(text, encoding="utf-8")
    return quiz.load_bank(path, shown="quizzes/first.yaml")


# --- formulas


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("(n + 2 * p - k) // s + 1", 5), ("n / 4", 2.5), ("n % 4", 2), ("2 ** k", 8), ("-n", -10), ("max(n, k, 12)", 12), ("min(n, k)", 3),
        ("floor(n / 4)", 2), ("ceil(n / 4)", 3), ("abs(k - n)", 7), ("round(n / 3, 2)", 3.33), ("3 < k + 1 <= n", True), (".5", 0.5), ("1e3", 1000),
    ],
)  # fmt: skip
def test_formulas(text, value):
    assert read_formula(text).value({"n": 10, "k": 3, "s": 2, "p": 1}) == value


@pytest.mark.parametrize(
    "text",
    [
        "__import__('os')", "n.real", "n[0]", "lambda: 1", "[n for n in (1,)]", "'a' * 9", "n if n else k", "f'{n}'", "open", "max(n, key=n)", "n and k",
        "(n := 2)", "True", "1j", "n @ k", "n << 9", "", "1 +", "n" * 400, "1" + "+1" * 120, "eval(n)", "(" * 200,
    ],
)  # fmt: skip
def test_what_is_not_a_formula_is_refused(text):
    with pytest.raises(FormulaError):
        read_formula(text).value({"n": 1, "k": 2})


@pytest.mark.parametrize(
    "text",
    [
        "9**9**9",
        "10**65",
        "n / 0",
        "(-8) ** 0.5",
        "1e999",
        "10**10 * 10**10",
        "m",
        "max",
        "floor(1, 2)",
        "max()",
    ],
)
def test_a_formula_without_a_value_is_an_error_at_once(text):
    began = time.perf_counter()
    with pytest.raises(FormulaError):
        read_formula(text).value({"n": 1})
    assert time.perf_counter() - began < 0.5


@given(st.text(alphabet="nk0123456789+-*/%().,<> ", max_size=40))
def test_any_formula_has_a_bounded_value_or_is_refused(text):
    try:
        assert abs(read_formula(text).value({"n": 7, "k": 3})) <= 10**18
    except FormulaError as error:
        assert str(error)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("{n} and {n / 4}", "10 and 2.5"),
        ("{{n}}", "{n}"),
        ("{n / 3}", "3.333333333"),
        ("{n * 1.0}", "10"),
        ("no", "no"),
    ],
)
def test_texts_are_filled(text, shown):
    assert fill(text, {"n": 10}) == shown


@pytest.mark.parametrize("text", ["{n", "n}", "{}", "{m}", "{n!r}", "{n:d}"])
def test_a_text_with_a_stray_brace_or_an_unknown_name_is_refused(text):
    with pytest.raises(FormulaError):
        fill(text, {"n": 10})


# --- draws


def test_a_draw_never_changes():
    """The seeds are in answers files of past terms: another draw would change the questions they answer."""
    stream = Stream("salt", 4711, "item", "name", 0)
    assert [stream.below(100) for _ in range(8)] == [18, 24, 6, 91, 5, 84, 70, 84]
    assert Stream("salt", 4711, "item", "options").shuffled(list("abcdef")) == list("cbdfea")
    assert Stream("salt", 4712, "item", "name", 0).below(10**9) == 907083520


def test_draws_are_even():
    counts = [0] * 7
    for seed in range(7000):
        counts[Stream("salt", seed).below(7)] += 1
    assert max(abs(count - 1000) for count in counts) < 150
    orders = ["".join(Stream("salt", seed).shuffled(list("abc"))) for seed in range(600)]
    assert len(set(orders)) == 6
    assert all(60 < orders.count(order) < 140 for order in set(orders))


def test_the_same_seed_gives_the_same_quiz_in_another_process(tmp_path):
    bank = load(tmp_path)
    code = "import sys; from pathlib import Path; from grader import quiz; import random; random.seed(1)\nsys.stdout.write(quiz.template(quiz.load_bank(Path(sys.argv[1])), 99))"
    for hash_seed in ("1", "2"):
        environment = {"PYTHONHASHSEED": hash_seed, "PYTHONUTF8": "1"}
        done = subprocess.run(
            [sys.executable, "-c", code, str(tmp_path / "first.yaml")],
            capture_output=True,
            check=True,
            text=True,
            env=environment,
        )
        assert done.stdout == quiz.template(bank, 99)
    assert quiz.template(bank, 98) != quiz.template(bank, 99)


def test_numbers_texts_and_hints_are_drawn_together(tmp_path):
    for seed in range(20):
        item = load(tmp_path).sheet(seed)[0]
        n, k, p = (int(word.strip(",")) for word in item.prompt.split() if word.strip(",").isdigit())
        assert n in range(24, 41, 2)
        assert (k, p) in ((3, 1), (5, 2))
        assert (item.key, item.expected_wrong[0].value) == (n, n - k + 1)
        assert (item.hints[0].text, item.hints[1].text) == (f"A kernel of {k}.", f"{n + 2 * p} in all.")
        assert item.prompt.endswith("{braces}")


def test_changing_one_sheet_changes_no_other(tmp_path):
    bank = load(tmp_path)
    first = bank.sheet()
    expected = list(first)
    first.clear()
    assert bank.sheet() == expected == load(tmp_path).sheet()
    assert bank.sheet(1) == load(tmp_path).sheet(1) != expected
    assert bank.sheet() == expected


def test_options_are_shuffled_and_lettered_as_they_are_shown(tmp_path):
    bank = load(tmp_path)
    orders = {tuple(option.text for option in bank.sheet(seed)[2].options.values()) for seed in range(50)}
    assert len(orders) > 10
    assert {frozenset(order) for order in orders} == {frozenset(("one", "two", "three", "four"))}
    for seed in range(20):
        item = bank.sheet(seed)[2]
        assert list(item.options) == list("abcd")
        assert [
            letter for letter, option in item.options.items() if option.text == "two"
        ] == item.key_response()
        assert [bank.items[2].options[letter].text for letter in item.letters] == [
            option.text for option in item.options.values()
        ]
        (right,) = item.key_response()
        for letter in "abcd":
            text = f"quiz: first\nseed: {seed}\ndraw: 2\nanswers: {{pick: {letter}}}\n"
            assert quiz.grade(bank, text).points == (letter == right)
    assert bank.sheet(0)[2].prompt == "Pick {literal}."  # without params a brace is a brace


def test_in_a_sheet_of_the_first_draw_options_keep_their_letters(tmp_path):
    bank = load(tmp_path)
    orders = {"".join(bank.sheet(seed, 1)[2].options) for seed in range(50)}
    assert len(orders) > 10
    assert {frozenset(order) for order in orders} == {frozenset("abcd")}
    for seed in range(20):
        for draw in ("", "draw: 1\n"):
            text = f"quiz: first\nseed: {seed}\n{draw}answers: {{pick: b}}\n"
            assert quiz.grade(bank, text).points == 1


def test_a_sheet_keeps_its_draw(tmp_path):
    bank = load(tmp_path)
    assert "\ndraw: 2\n" in quiz.template(bank, 5)
    assert "draw:" not in filled(bank, {}, seed=5, draw=1)
    for draw, first in ((1, "draw: 1\n"), (1, ""), (2, "draw: 2\n")):
        found = read_answers(bank, f"quiz: first\nseed: 3\n{first}answers: {{pick: b}}\n", shown="x")
        written = filled(bank, found.given, seed=found.seed, draw=found.draw)
        assert read_answers(bank, written, shown="x") == found
        assert found.draw == draw
        page = to_html(bank, found)
        assert ("draw: 2" in page) is (draw == 2)
        assert ("convgrader quiz first 3 draw 2" in page) is (draw == 2)


def test_a_draw_of_a_later_version_is_a_problem(tmp_path):
    result = quiz.grade(load(tmp_path), "quiz: first\ndraw: 3\nanswers: {pick: b}\n", shown="x.yaml")
    assert result.points == 0
    assert result.problems == ('x.yaml:2:7: "draw": this version of the grader knows the draws 1 to 2',)


EARLIER = """\
earlier:
  - {id: shape, until: 1, type: numeric, objective: o, prompt: Old?, explanation: e, key: 7, verify: "8"}
"""


def test_each_sheet_asks_the_items_of_its_draw(tmp_path):
    text = (
        BANK.replace("    objective: compute shapes\n", "    objective: compute shapes\n    since: 2\n")
        + EARLIER
    )
    bank = load(tmp_path, text)
    assert [item.id for item in bank.items] == ["size", "shape", "pick"]
    assert [(item.id, item.type) for item in bank.sheet(0, 1)] == [
        ("size", "numeric"),
        ("pick", "single"),
        ("shape", "numeric"),
    ]
    assert (
        [item.type for item in bank.sheet(0, 2)]
        == [item.type for item in bank.asked()]
        == [
            "numeric",
            "shape",
            "single",
        ]
    )
    assert (bank.item("shape").type, bank.max_points) == ("shape", 3)
    assert quiz.grade(bank, "quiz: first\nanswers: {shape: 7}\n").points == 1
    key = bank.sheet(0)[1].key_response()
    assert quiz.grade(bank, f"quiz: first\ndraw: 2\nanswers: {{shape: '{key}'}}\n").points == 1
    problems = [str(problem) for problem in quiz.verify(bank, {"n": 0, "c": 0})]
    assert any(
        f"first.yaml:{len(text.splitlines())}:" in problem and "torch says 8" in problem
        for problem in problems
    ), problems


def test_an_item_of_another_draw_is_named(tmp_path):
    bank = load(tmp_path, BANK.replace("    shuffle: true\n", "    shuffle: true\n    since: 2\n"))
    result = quiz.grade(bank, "quiz: first\nanswers: {pick: b}\n", shown="x.yaml")
    assert result.problems == ('x.yaml:2:17: the item "pick" is not asked in a sheet of this draw',)
    assert [item.id for item in result.items] == ["size", "shape"]


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("until: 1, ", "", 'shape needs "until", the last draw that asks it'),
        ("key: 7", "key: q", 'there is no parameter "q"'),
        ("id: shape, until: 1", "id: size, until: 1", 'the id "size" is used twice'),
    ],
)
def test_a_malformed_earlier_item_is_refused_with_its_place(tmp_path, old, new, words):
    text = BANK.replace("    type: shape\n", "    type: shape\n    since: 2\n") + EARLIER.replace(old, new)
    with pytest.raises(DocumentError) as caught:
        load(tmp_path, text)
    last = len(text.splitlines())
    assert any(words in str(problem) and f":{last}:" in str(problem) for problem in caught.value.problems)


def test_expressions_go_with_their_options(tmp_path):
    expressions = "    verify: {a: 1 > 2, b: 1 < 2, c: 1 > 2}\n    options:\n"
    bank = load(tmp_path, BANK.replace("    options:\n", expressions))
    for seed in range(20):
        item = bank.sheet(seed)[2]
        assert {letter: "<" in expression for letter, expression in item.verify.items()} == {
            letter: option.correct for letter, option in item.options.items() if option.text != "four"
        }


def test_an_answers_file_carries_all_that_grading_again_needs(tmp_path):
    bank = load(tmp_path)
    for seed in range(10):
        key = {item.id: item.key_response() for item in bank.sheet(seed)}
        text = filled(bank, key, seed=seed)
        assert f"\nseed: {seed}\n" in text
        assert quiz.grade(bank, text).points == 3
    result = quiz.grade(bank, filled(bank, {"size": bank.sheet(1)[0].key_response()}, seed=2))
    assert result.items[0].prompt == bank.sheet(2)[0].prompt


def test_a_sheet_without_a_seed_is_that_of_seed_0(tmp_path):
    bank = load(tmp_path)
    key = bank.sheet(0)[1].key_response()
    assert quiz.grade(bank, f"quiz: first\nanswers: {{shape: '{key}'}}\n").points == 1


def test_the_seed_of_the_course_is_that_of_all_students(tmp_path):
    bank = load(tmp_path, BANK.replace("title: Draws", "title: Draws\nseed: 7"))
    assert quiz.template(bank, 1) == quiz.template(bank, 2)
    assert "seed:" not in quiz.template(bank, 1)
    result = quiz.grade(bank, "quiz: first\nseed: 3\nanswers: {}\n", shown="answers/first.yaml")
    assert result.items[0].prompt == bank.sheet(7)[0].prompt
    assert result.problems == (
        "answers/first.yaml:2:7: the course sets the seed of this quiz, 7; remove this line",
    )


def test_a_salt_draws_anew(tmp_path):
    assert quiz.template(load(tmp_path), 1) != quiz.template(
        load(tmp_path, BANK.replace("title", "salt: x\ntitle", 1)), 1
    )


@pytest.mark.parametrize("seed", ["-1", "x", "1.5", "[1]", str(2**70), "1" * 5000])
def test_an_invalid_seed_is_a_problem(tmp_path, seed):
    result = quiz.grade(
        load(tmp_path), f"quiz: first\nseed: {seed}\nanswers: {{pick: b}}\n", shown="answers/first.yaml"
    )
    assert result.points == 0
    assert result.problems[0].startswith("answers/first.yaml:2:7: ")


def test_a_sheet_that_draws_nothing_has_no_seed(tmp_path):
    text = BANK[: BANK.index("  - id: size")] + BANK[BANK.index("  - id: pick") :].replace(
        "    shuffle: true\n", ""
    )
    assert "seed:" not in quiz.template(load(tmp_path, text), 5)


# --- hints


@pytest.mark.parametrize(("opened", "points"), [(0, 1), (1, 1), (2, 0.75), (9, 0.75)])
def test_opened_hints_cost_their_points(tmp_path, opened, points):
    bank = load(tmp_path)
    right, wrong = bank.sheet(0)[0].key_response(), -1
    text = f"quiz: first\nhints: {{size: {opened}}}\nanswers: {{size: {right}}}\n"
    item = quiz.grade(bank, text).items[0]
    assert item.points == points
    assert ("Hints cost 0.25 of the points." in item.feedback) is (opened > 1)
    assert quiz.grade(bank, text.replace(str(right), str(wrong))).points == 0


def test_hints_of_an_unknown_item_are_a_problem(tmp_path):
    result = quiz.grade(
        load(tmp_path), "quiz: first\nhints: {sise: 1}\nanswers: {pick: b}\n", shown="answers/first.yaml"
    )
    assert result.problems == (
        'answers/first.yaml:2:15: the quiz "first" has no item "sise"; did you mean "size"?',
    )
    assert result.points == 1


# --- what is refused as a bank is loaded


REFUSED = [
    ("key: n + 2 * p - k + 1", "key: n + m", 'there is no parameter "m"', "quizzes/first.yaml:4:5"),
    ("key: n + 2 * p - k + 1", "key: n +", "neither a number nor a formula", "quizzes/first.yaml:15:10"),
    ("key: n + 2 * p - k + 1", "key: open(n)", "uses Call", "quizzes/first.yaml:15:10"),
    ("{n} pixels", "{m} pixels", 'there is no parameter "m"', "quizzes/first.yaml:4:5"),
    ("{n} pixels", "{n pixels", "a single", "quizzes/first.yaml:4:5"),
    ("where: [n > 22]", "where: [n > 90]", 'no draw satisfies "where": n > 90', "quizzes/first.yaml:4:5"),
    ("low: 20, high: 40", "low: 40, high: 20", "low and high are both needed, low first", "quizzes/first.yaml:8:10"),
    ("{value: k // 2}", "{value: k // 2, low: 1}", "write low and high, or choices, or value", "quizzes/first.yaml:10:10"),
    ("step: 2", "setp: 2", 'did you mean "step"?', "quizzes/first.yaml:8:30"),
    ("value: n - k + 1", "value: n", "this expected wrong answer is right", "quizzes/first.yaml:17:30"),
    ("key: [1, c, 2 * c]", "key: [1, c, c / 2]", "is not a size; divide with //", "quizzes/first.yaml:24:17"),
    ("key: [1, c, 2 * c]", "key: [1, c, -1]", "a size is expected", "quizzes/first.yaml:24:17"),
    ("cost: 0.25", "cost: 1.25", "the hints cost more than the item is worth", "quizzes/first.yaml:14:12"),
    ("misconception: no-padding", "misconception: No Padding", "is not an id", "quizzes/first.yaml:17:88"),
    ("id: pick", "id: shape", 'the id "shape" is used twice', "quizzes/first.yaml:26:9"),
    ("text: three", "text: one", "c has the same text as a", "quizzes/first.yaml:35:10"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("old", "new", "words", "place"), REFUSED, ids=[f"{new[:30]}" for _, new, *_ in REFUSED]
)
def test_a_bank_that_cannot_be_drawn_is_refused_with_its_place(tmp_path, old, new, words, place):
    assert old in BANK
    with pytest.raises(DocumentError) as caught:
        load(tmp_path, BANK.replace(old, new, 1))
    messages = [str(problem) for problem in caught.value.problems]
    assert any(words in message and message.startswith(place) for message in messages), messages


# --- the check with many seeds


STRESS = [
    ("value: n - k + 1", "value: 33", "this expected wrong answer is right (seed "),
    ("key: n + 2 * p - k + 1", "key: 10 ** 13 * n", "is too large (seed "),
    ("key: n + 2 * p - k + 1", "key: 100 // (n - 30)", "has no value"),
    ("low: 20, high: 40, step: 2", "low: 24, high: 1000", "only "),
    ("c: {low: 2, high: 9}", "c: {low: 2, high: 2}", "200 seeds give 1 different draws"),
]


@pytest.mark.parametrize(("old", "new", "words"), STRESS, ids=[words for *_, words in STRESS])
def test_what_is_wrong_for_some_seed_is_found(tmp_path, old, new, words):
    assert old in BANK
    text = BANK.replace(old, new, 1)
    if words == "only ":
        text = text.replace("where: [n > 22]", "where: [n < 100]")
    elif words.startswith("this expected"):
        text = text.replace(", step: 2", "")
    try:
        problems = [str(problem) for problem in quiz.stress(load(tmp_path, text))]
    except DocumentError as error:  # one of the first seeds, too
        problems = [f"{problem} (seed " for problem in error.problems]
    assert any(words in problem for problem in problems), problems


def test_a_sound_bank_has_no_problem_and_is_proven_fast(tmp_path):
    began = time.perf_counter()
    assert quiz.stress(load(tmp_path)) == []
    assert time.perf_counter() - began < 3


def test_verify_is_computed_for_several_seeds_with_the_parameters(tmp_path):
    assert quiz.verify(load(tmp_path), {}) == []
    (problem,) = quiz.verify(load(tmp_path, BANK.replace("verify: n", "verify: min(n, 30)")), {})
    assert "but torch says 30 (with n = " in str(problem)
    first = load(tmp_path).sheet(0)[0].key  # right for the first seed, and for some others only
    (problem,) = quiz.verify(load(tmp_path, BANK.replace("verify: n", f"verify: 1 * {first}")), {})
    assert f"but torch says {first} (with n = " in str(problem)


FLAT = """\
title: T
section: "1"
items:
  - id: some
    type: multi
    objective: o
    prompt: p
    explanation: e
    options:
      a: {text: one, correct: true, feedback: f}
      b: {text: two, correct: true, feedback: f}
      c: {text: three, feedback: f, misconception: m}
  - id: number
    type: numeric
    objective: o
    prompt: p
    explanation: e
    key: 1
    tolerance: {atol: 0.1}
    expected_wrong:
      - {value: 2, feedback: f, misconception: m}
      - {value: 2.05, feedback: g, misconception: m}
"""


def test_too_many_right_options_and_hidden_wrong_answers_are_found(tmp_path):
    assert [str(problem) for problem in quiz.stress(load(tmp_path, FLAT))] == [
        "quizzes/first.yaml:10:7: some: 67% of the options are right, so choosing all of them earns too much",
        "quizzes/first.yaml:22:17: number: this wrong answer is the same as one before it",
    ]


@pytest.mark.parametrize(
    ("letters", "found"), [("bbbb", True), ("bbba", True), ("abcb", False), ("bbb", False)]
)
def test_right_options_that_stand_at_one_letter_are_found(tmp_path, letters, found):
    items = ""
    for n, right in enumerate(letters):
        items += f"  - id: item-{n}\n    type: single\n    objective: o\n    prompt: p\n    explanation: e\n    options:\n"
        for letter in "abc":
            what = "correct: true" if letter == right else "misconception: m"
            items += f"      {letter}: {{text: {letter}{letter}, feedback: f, {what}}}\n"
    problems = [str(p) for p in quiz.stress(load(tmp_path, f'title: T\nsection: "1"\nitems:\n{items}'))]
    assert any("right options are b" in problem for problem in problems) is found


def test_a_blank_answer_that_earns_points_is_found(tmp_path, monkeypatch):
    from grader.quiz import credit

    monkeypatch.setitem(credit._RULES, credit.Rule.NET, credit._each)
    problems = [str(problem) for problem in quiz.stress(load(tmp_path, FLAT))]
    assert any("some: a blank answer earns points" in problem for problem in problems)


def test_a_key_that_earns_less_than_everything_is_found(tmp_path, monkeypatch):
    from grader.quiz import credit

    monkeypatch.setitem(credit._RULES, credit.Rule.NET, lambda *_: 0.5)
    assert any(
        "the key earns 0.5 of 1 points" in str(problem) for problem in quiz.stress(load(tmp_path, FLAT))
    )


# --- workspaces


def test_a_workspace_is_drawn_from_one_seed_and_keeps_it(tmp_path, monkeypatch):
    from click.testing import CliRunner

    from grader.cli import grade as command

    monkeypatch.setenv("CONVGRADER_COURSE", str(Path(__file__).parent.parent))
    done = CliRunner().invoke(command, ["init", str(tmp_path / "ada"), "--seed", "99"])
    assert done.exit_code == 0, done.output
    sheets = [path.read_text("utf-8") for path in (tmp_path / "ada" / "answers").glob("*.yaml")]
    seeds = [line for sheet in sheets for line in sheet.splitlines() if line.startswith("seed:")]
    assert len(seeds) >= 2
    assert set(seeds) == {"seed: 99"}
    CliRunner().invoke(command, ["init", str(tmp_path / "ada"), "--seed", "5"])
    assert "seed: 5\n" not in "".join(
        path.read_text("utf-8") for path in (tmp_path / "ada" / "answers").glob("*.yaml")
    )
    CliRunner().invoke(command, ["init", str(tmp_path / "bob")])
    CliRunner().invoke(command, ["init", str(tmp_path / "eve")])
    (bob, eve) = (
        (tmp_path / name / "answers" / "convolution.yaml").read_text("utf-8") for name in ("bob", "eve")
    )
    assert bob != eve  # but for one chance in a million

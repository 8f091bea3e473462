"""Item analysis: its arithmetic against pingouin, statsmodels, scipy and by hand, its limits, and whole classes."""

import json
import math
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from test_statistics import NOON, add, report

from grader.classroom import statistics
from grader.classroom.gradebook import Gradebook
from grader.classroom.late_policy import Policy
from grader.classroom.report import item_remarks
from grader.classroom.statistics import (
    Concern,
    Estimate,
    ItemSummary,
    OptionSummary,
    QuizSummary,
    Share,
    Void,
    psychometrics,
)
from grader.classroom.statistics.gathering import StudentRecord
from grader.classroom.statistics.item_analysis import _concerns, quizzes
from grader.classroom.statistics.response_counts import ItemAnswer, _concern, wrong_responses
from grader.core.model import ItemResult, QuizResult
from grader.course import catalog, fingerprint
from grader.quiz import load_bank

CREDITS = st.sampled_from([0.0, 0.25, 1 / 3, 0.5, 2 / 3, 0.75, 1.0])
ROWS = st.integers(2, 5).flatmap(
    lambda items: st.lists(st.lists(CREDITS, min_size=items, max_size=items), min_size=4, max_size=12)
)
# Six students by four items, worked out by hand below.
TABLE = [[1, 1, 1, 1], [1, 1, 1, 0], [1, 1, 0, 0], [1, 0, 0, 0], [0, 1, 0, 0], [0, 0, 0, 0]]


# --- the arithmetic, against libraries


@pytest.fixture(scope="module")
def pingouin():
    import pingouin  # takes seconds, so only where it is used

    return pingouin


@pytest.fixture(scope="module")
def proportion():
    from statsmodels.stats import proportion  # a dependency of pingouin, which takes seconds too

    return proportion


@settings(max_examples=60, deadline=None)
@given(rows=ROWS)
def test_alpha_and_its_interval_are_those_of_pingouin(pingouin, rows):
    import pandas as pd

    found = psychometrics.alpha(rows)
    if found is None:
        assert not psychometrics.variance([math.fsum(row) for row in rows])
        return
    expected, interval = pingouin.cronbach_alpha(pd.DataFrame(rows, dtype=float))
    assert found == pytest.approx(expected, abs=1e-9)
    own = psychometrics.feldt(found, len(rows), len(rows[0]))
    if own is not None:  # pingouin rounds to three places
        assert (own.low, own.high) == pytest.approx(tuple(interval), abs=5.1e-4, rel=1e-3)


@settings(max_examples=60, deadline=None)
@given(rows=st.lists(st.tuples(CREDITS, CREDITS), min_size=5, max_size=40))
def test_correlations_and_their_intervals_are_those_of_pingouin(pingouin, rows):
    one, other = (list(column) for column in zip(*rows, strict=True))
    r = psychometrics.correlation(one, other)
    if r is None:
        assert len(set(one)) == 1 or len(set(other)) == 1
        return
    interval = psychometrics.fisher(r, len(rows))
    if interval is None:
        assert abs(r) == pytest.approx(1)
        return
    found = pingouin.corr(one, other)
    assert r == pytest.approx(found["r"].iloc[0], abs=1e-9)
    expected = pingouin.compute_esci(stat=r, nx=len(rows), ny=len(rows), eftype="r", decimals=9)
    assert (interval.low, interval.high) == pytest.approx(tuple(expected), abs=1e-6)


@settings(max_examples=100, deadline=None)
@given(n=st.integers(1, 2000), data=st.data())
def test_wilson_is_that_of_statsmodels(proportion, n, data):
    count = data.draw(st.integers(0, n))
    found = psychometrics.wilson(count / n, n)
    expected = proportion.proportion_confint(count, n, method="wilson")
    assert (found.low, found.high) == pytest.approx(expected, abs=1e-9)


@pytest.mark.parametrize("first", [1, 2, 29, 999])
@pytest.mark.parametrize("second", [1, 3, 290, 9990])
@pytest.mark.parametrize("share", [0.001, 0.025, 0.5, 0.975])
def test_quantiles_of_f_are_those_of_scipy(first, second, share):
    from scipy.stats import f

    assert psychometrics.f_quantile(share, first, second) == pytest.approx(
        f.ppf(share, first, second), rel=1e-8
    )


# --- the arithmetic, by hand


def test_alpha_of_six_students_by_hand():
    # totals 4 3 2 1 1 0: variance 13/6; items 4/15, 4/15, 4/15, 1/6 summed 29/30
    assert psychometrics.alpha(TABLE) == pytest.approx(4 / 3 * (1 - (29 / 30) / (13 / 6)))


def test_a_figure_that_does_not_exist_is_none():
    assert psychometrics.mean([]) is None
    assert psychometrics.alpha([]) is None
    assert psychometrics.alpha([[1.0], [0.0]]) is None  # one item
    assert psychometrics.alpha([[1.0, 0.0]]) is None  # one student
    assert psychometrics.alpha([[1.0, 0.0], [0.0, 1.0]]) is None  # equal totals
    assert psychometrics.feldt(1.0, 5, 3) is None
    assert psychometrics.correlation([1.0, 1.0], [0.0, 1.0]) is None
    assert psychometrics.correlation([], []) is None
    assert psychometrics.fisher(0.5, 3) is None
    assert psychometrics.fisher(1.0, 30) is None
    assert psychometrics.ends([0.5, 0.5, 0.5]) is None
    assert psychometrics.ends([0.5]) is None
    assert psychometrics.weighted([1.0], [0.0]) is None


def test_sums_of_thirds_that_are_equal_do_not_vary():
    assert psychometrics.variance([1 / 3 + 1 / 3 + 1 / 3, 1.0, 0.1 + 0.2 + 0.7]) == 0.0


def test_the_error_of_measurement_is_all_of_the_deviation_without_reliability():
    assert psychometrics.error_of_measurement(0.2, 0.75) == pytest.approx(0.1)
    assert psychometrics.error_of_measurement(0.2, 0.0) == 0.2
    assert psychometrics.error_of_measurement(0.2, 1.0) == 0.0


@pytest.mark.parametrize(("n", "places"), [(2, 1), (4, 1), (6, 2), (30, 8), (100, 27)])
def test_the_ends_are_27_percent_rounded_to_whole_students(n, places):
    strong, weak = psychometrics.ends([float(k) for k in range(n)])
    assert strong == [0.0] * (n - places) + [1.0] * places
    assert weak == [1.0] * places + [0.0] * (n - places)


def test_students_with_equal_totals_at_the_cut_share_the_remaining_places():
    strong, weak = psychometrics.ends([4, 3, 3, 1, 0, 0])  # 27 % of 6 are 2
    assert strong == [1, 0.5, 0.5, 0, 0, 0]
    assert weak == [0, 0, 0, 0, 1, 1]
    assert psychometrics.ends([4, 3, 3, 1, 0, 0][::-1])[0] == strong[::-1]


# --- the credit of guessing


BANK = """
title: First
section: "1"
items:
  - {id: pick, type: single, prompt: Which?, objective: o, explanation: e, options: {
      a: {text: one, feedback: f, correct: true}, b: {text: two, feedback: f, misconception: m-b},
      c: {text: three, feedback: f, misconception: m-c}, d: {text: four, feedback: f, misconception: m-d}}}
  - {id: several, type: multi, prompt: Which?, objective: o, explanation: e, options: {
      a: {text: one, feedback: f, correct: true}, b: {text: two, feedback: f, correct: true},
      c: {text: three, feedback: f, misconception: m-c}, d: {text: four, feedback: f, misconception: m-d},
      e: {text: five, feedback: f, misconception: m-e}}}
  - {id: truth, type: true_false, key: true, feedback: f, misconception: m, prompt: Is it?, objective: o, explanation: e,
      reasons: {a: {text: one, feedback: f, correct: true}, b: {text: two, feedback: f, misconception: m-b}}}
  - {id: pairs, type: match, prompt: Match., objective: o, explanation: e, choices: {a: x, b: y, c: z},
      rows: {"1": {text: r, key: a}, "2": {text: s, key: b}}}
  - {id: size, type: numeric, key: 28, prompt: How many?, objective: o, explanation: e,
      expected_wrong: [{value: 27, feedback: f, misconception: off-by-one}]}
  - {id: gaps, type: cloze, prompt: "It is [[size]] and [[kind]].", objective: o, explanation: e, blanks: {
      size: {type: text, accept: [big], choices: [big, small]}, kind: {type: text, accept: [hot], choices: [hot, cold, warm, dry]}}}
"""


@pytest.fixture
def folder(tmp_path) -> Path:
    """A course with one quiz and the miniature exercise."""
    shutil.copytree(Path(__file__).parent / "course", tmp_path / "course")
    (tmp_path / "course" / "quizzes").mkdir()
    (tmp_path / "course" / "quizzes" / "first.yaml").write_text(BANK, encoding="utf-8")
    return tmp_path / "course"


@pytest.mark.parametrize(
    ("item", "share"),
    [
        ("pick", 1 / 4),
        (
            "several",
            3.5 / 32,
        ),  # 1 + six halves (one of the key; both and one wrong) of 32 choices: .11 in the literature
        ("truth", 3 / 8),
        ("pairs", 1 / 3),
        ("gaps", 3 / 8),
        ("size", None),
    ],
)
def test_the_credit_of_guessing(folder, item, share):
    found = load_bank(folder / "quizzes" / "first.yaml").item(item).chance()
    assert found == (None if share is None else pytest.approx(share))


# --- a class


def answer(name: str, credit: float | None, response: str = "", **also: object) -> ItemResult:
    """One item; a credit of None means that it was left out."""
    kinds = {"pick": "single", "several": "multi", "truth": "true_false"}
    return ItemResult(
        **{
            "id": name, "type": kinds.get(name, "numeric"), "prompt": "How many?", "points": 2 * (credit or 0.0),
            "max_points": 2.0, "answered": credit is not None, "response": response, **also,
        }
    )  # fmt: skip


def sheet(*items: ItemResult, quiz: str = "first") -> QuizResult:
    points = math.fsum(item.points for item in items)
    return QuizResult(id=quiz, title="As reported", points=points, max_points=2.0 * len(items), items=items)


def student(*sheets: QuizResult, version: str = "one") -> StudentRecord:
    versions = {found.id: version for found in sheets}
    return StudentRecord(
        student="s", times=(NOON,), mark=None, exercises=(), quizzes=sheets, versions=versions, answered=True
    )


def analyzed(folder: Path, students: list[StudentRecord]) -> QuizSummary:
    (found,) = quizzes(students, catalog.load(folder))
    return found


def graded(*row: float | None) -> QuizResult:
    return sheet(*(answer(f"item-{n}", credit, str(credit)) for n, credit in enumerate(row)))


def test_six_students_by_hand(folder):
    found = analyzed(folder, [student(graded(*row)) for row in TABLE])
    assert (found.id, found.title, found.students, found.outdated, found.group) == ("first", "First", 6, 0, 2)
    assert found.scores.mean == pytest.approx(11 / 24)
    assert found.alpha.value == pytest.approx(4 / 3 * (1 - (29 / 30) / (13 / 6)))
    assert found.error == pytest.approx(math.sqrt(13 / 6) / 4 * math.sqrt(1 - found.alpha.value))
    first, _, _, last = found.items
    assert first.difficulty.value == pytest.approx(4 / 6)
    assert first.discrimination == pytest.approx(
        1 - 0.25
    )  # the weakest: the last, and half of each with one point
    # rests of the first item in thirds: 3 2 1 0 1 0, sum 7, squares 15; credit 1 1 1 1 0 0, sum and squares 4
    assert first.rest.value == pytest.approx((6 - 6 * 4 / 6 * 7 / 6) / math.sqrt(4 / 3 * 41 / 6))
    assert last.discrimination == pytest.approx(0.5)
    assert last.alpha_without == pytest.approx(psychometrics.alpha([row[:3] for row in TABLE]))
    assert not any(item.concerns for item in found.items)  # six students


def test_an_omitted_answer_has_no_credit_and_is_counted(folder):
    (item, *_) = analyzed(
        folder, [student(graded(None, 1)), student(graded(1, 1)), student(graded(0, 0.5))]
    ).items
    assert item.omitted == Share(count=1, of=3)
    assert item.difficulty.value == pytest.approx(1 / 3)


def test_equal_students_or_a_single_item_give_no_figure_and_no_nan(folder):
    for students in ([student(graded(1, 1))] * 40, [student(graded(1, 0))], [student(graded(1))] * 3):
        found = analyzed(folder, students)
        assert (found.alpha, found.error, found.group) == (None, None, 0)
        for item in found.items:
            assert (item.discrimination, item.rest, item.alpha_without) == (None, None, None)


def test_equal_credit_is_a_concern_only_where_totals_differ(folder):
    rows = [graded(1, n % 2, n % 3 / 2) for n in range(40)]
    found = analyzed(folder, [student(row) for row in rows])
    assert found.items[0].rest is None
    assert found.items[0].concerns[0] is Concern.SAME
    assert not any(item.concerns for item in analyzed(folder, [student(graded(1, 1))] * 40).items)


def test_a_void_item_counts_in_no_figure(folder):
    given = answer("item-9", None, points=2.0)
    dropped = answer("item-8", 1.0, "27", points=0.0, max_points=0.0)
    rows = [replace(graded(*row), items=(*graded(*row).items, given, dropped)) for row in TABLE]
    found = analyzed(folder, [student(row) for row in rows])
    plain = analyzed(folder, [student(graded(*row)) for row in TABLE])
    assert (found.alpha, found.scores, found.items[:4]) == (plain.alpha, plain.scores, plain.items)
    assert [item.void for item in found.items[4:]] == ["full", "drop"]
    assert all((item.difficulty, item.rest, item.wrong) == (None, None, ()) for item in found.items[4:])


def test_an_item_that_the_bank_withdrew_is_void_even_where_all_answered(folder):
    path = folder / "quizzes" / "first.yaml"
    path.write_text(BANK.replace("id: size,", "id: size, void: full,"), encoding="utf-8")
    rows = [sheet(answer("size", 1.0), answer("pick", n % 2)) for n in range(4)]
    size, pick = analyzed(folder, [student(row) for row in rows]).items
    assert (size.void, pick.void) == (Void.FULL, None)


def test_a_quiz_of_void_items_has_no_figures(folder):
    found = analyzed(folder, [student(sheet(answer("x", 1.0, points=0.0, max_points=0.0)))] * 3)
    assert (found.scores, found.alpha, found.items[0].void) == (None, None, "drop")


def test_with_different_items_there_is_no_alpha_and_correlations_are_pairwise(folder):
    rows = [graded(*row) for row in TABLE]
    found = analyzed(folder, [student(row) for row in rows] + [student(sheet(answer("item-0", 1.0)))] * 2)
    assert found.alpha is None
    first, second, *_ = found.items
    assert (first.omitted.of, second.omitted.of) == (8, 6)
    # two students have no rest, and take no part in the correlation
    assert first.rest.value == pytest.approx((6 - 6 * 4 / 6 * 7 / 6) / math.sqrt(4 / 3 * 41 / 6))


def test_versions_of_a_quiz_are_never_mixed(folder):
    rows = [student(graded(*row)) for row in TABLE]
    others = [student(graded(0, 0, 0, 1), version="two")] * 5
    found = analyzed(folder, rows + others)
    assert (found.students, found.outdated, found.current) == (6, 5, False)
    assert found.alpha == analyzed(folder, rows).alpha
    now = fingerprint.bank(folder / "quizzes" / "first.yaml")
    assert analyzed(folder, [student(graded(*row), version=now) for row in TABLE]).current


def test_a_quiz_that_the_course_no_longer_has_is_summarized_from_its_results(folder):
    rows = [student(sheet(answer("pick", n % 2, "a"), answer("size", 1), quiz="gone")) for n in range(4)]
    found = analyzed(folder, rows)
    assert (found.id, found.title, found.current) == ("gone", "As reported", False)
    assert (found.items[0].options, found.items[0].chance) == ((), None)
    assert [(one.text, one.given.count) for one in found.items[0].wrong] == [("a", 2)]


# --- options


def picks(letters: str, *, key: str = "a") -> list[StudentRecord]:
    """One student for each letter, from the strongest to the weakest; `-` left it out."""
    rows = []
    for n, letter in enumerate(letters):
        credit = None if letter == "-" else float(letter == key)
        rest = [float(n < place) for place in (len(letters) // 4, len(letters) // 2, len(letters) * 3 // 4)]
        rows.append(
            student(
                sheet(
                    answer("pick", credit, "" if letter == "-" else letter),
                    *(answer(f"item-{k}", got) for k, got in enumerate(rest)),
                )
            )
        )
    return rows


def test_options_are_counted_for_all_strong_and_weak_students(folder):
    a, b, c, d = analyzed(folder, picks("aaaabb-b")).items[0].options
    assert [option.chosen for option in (a, b, c, d)] == [Share(count=n, of=8) for n in (4, 3, 0, 0)]
    assert (a.correct, b.correct, a.text) == (True, False, "one")
    assert (a.strong, a.weak) == (1.0, 0.0)  # two each
    assert (b.strong, b.weak) == (0.0, 0.5)
    assert a.r > 0.8
    assert b.r < 0
    assert c.r is None


def test_a_wrong_key_shows_in_a_rival_option(folder):
    item = analyzed(folder, picks("b" * 15 + "a" * 15 + "c" * 2)).items[0]
    assert {option.id: option.concern for option in item.options} == {
        "a": None, "b": Concern.RIVAL, "c": None, "d": Concern.UNCHOSEN,
    }  # fmt: skip
    assert Concern.REVERSED in item.concerns
    sound = analyzed(folder, picks("a" * 15 + "b" * 15 + "c" * 2)).items[0]
    assert {option.concern for option in sound.options} == {None, Concern.UNCHOSEN}
    assert sound.concerns == ()


def test_with_fewer_than_thirty_nothing_is_remarked(folder):
    item = analyzed(folder, picks("b" * 14 + "a" * 15)).items[0]
    assert item.discrimination < 0
    assert (item.concerns, {option.concern for option in item.options}) == ((), {None})


def test_a_distractor_of_few_students_is_no_rival(folder):
    item = analyzed(folder, picks("b" + "a" * 20 + "c" * 20)).items[0]
    assert item.options[1].r > 0
    assert item.options[1].concern is None


def test_options_of_several_and_of_true_or_false(folder):
    rows = [
        student(sheet(answer("several", 0.5, response), answer("truth", 0.5, verdict), answer("size", n % 2)))
        for n, (response, verdict) in enumerate([("a, c", "true, a"), ("A b", "False, b"), ("z", "no idea")])
    ]
    several, truth, _ = analyzed(folder, rows).items
    assert [option.chosen.count for option in several.options] == [
        2,
        1,
        1,
        0,
        0,
    ]  # z is none of them any more
    assert {option.id: option.chosen.count for option in truth.options} == {
        "true": 1,
        "false": 1,
        "a": 1,
        "b": 1,
    }
    assert [option.correct for option in truth.options] == [True, False, True, False]


def test_letters_as_they_were_shown_are_those_of_the_bank(folder):
    """Students saw the options in different orders; an answer recorded before there were any has none."""
    shown = ["", "abcd", "badc", "dcba"]
    rows = [
        student(sheet(answer("pick", 1.0, "abcd"[letters.index("a") if letters else 0], letters=letters)))
        for letters in shown
    ]
    (item,) = analyzed(folder, rows).items
    assert [option.chosen.count for option in item.options] == [4, 0, 0, 0]


def test_strong_students_on_a_wrong_or_weak_ones_on_a_right_option_of_several(folder):
    rows = [
        student(sheet(answer("several", 0.5, "a, c" if n < 20 else "a, b, d"), answer("x", float(n < 15)), answer("y", float(n < 25))))
        for n in range(40)
    ]  # fmt: skip
    concerns = {option.id: option.concern for option in analyzed(folder, rows).items[0].options}
    assert concerns == {
        "a": None, "b": Concern.AVOIDED, "c": Concern.STRONG, "d": None, "e": Concern.UNCHOSEN,
    }  # fmt: skip


# --- concerns of items


def concerned(folder: Path, first: list[float | None], *others: list[float]) -> tuple[Concern, ...]:
    rows = [student(graded(*row)) for row in zip(first, *others, strict=True)]
    return analyzed(folder, rows).items[0].concerns


def test_hard_flat_omitted_and_reversed_items_have_a_concern(folder):
    ramp = [[float(n < k) for n in range(40)] for k in (10, 20, 30)]
    assert concerned(folder, [float(n < 10) for n in range(40)], *ramp) == (Concern.HARD,)
    assert concerned(folder, [float(n % 2) for n in range(40)], *ramp, *ramp) == (
        Concern.FLAT,
        Concern.LOWERS_ALPHA,
    )
    left = [None if n > 28 else 1.0 for n in range(40)]
    assert concerned(folder, left, *ramp) == (Concern.OMITTED,)
    assert concerned(folder, [float(n >= 20) for n in range(40)], *ramp) == (Concern.REVERSED,)


def test_an_easy_item_need_not_discriminate(folder):
    ramp = [[float(n < k) for n in range(40)] for k in (4, 10, 16, 22, 28, 34)]
    easy = [float(n not in (18, 20)) for n in range(40)]
    assert Concern.FLAT not in concerned(folder, easy, *ramp)
    assert Concern.FLAT in concerned(folder, [float(n not in range(14, 20)) for n in range(40)], *ramp)


def test_no_better_than_guessing(folder):
    item = analyzed(folder, picks("a" * 10 + "b" * 20 + "c" * 10)).items[0]
    assert item.concerns == (Concern.GUESSED,)


def test_draws_of_an_item_are_pooled_and_compared_where_enough_had_the_same(folder):
    prompts = ["3 x 3?"] * 10 + ["5 x 5?"] * 10 + ["7 x 7?"] * 3
    rows = [
        student(sheet(answer("size", float(n < 12), "27", prompt=prompt, misconceptions=("off-by-one",) if n > 15 else ()), answer("x", n % 2)))
        for n, prompt in enumerate(prompts)
    ]  # fmt: skip
    item = analyzed(folder, rows).items[0]
    assert (item.variants.count, item.variants.hardest, item.variants.easiest) == (2, 0.2, 1.0)
    assert [(one.text, one.misconceptions, one.given.count) for one in item.wrong] == [
        ("", ("off-by-one",), 7)
    ]


# --- wrong responses


def written(*responses: str, item: object = None) -> list[tuple[str, int]]:
    answers = [
        ItemAnswer(result=answer("size", 0.0, response), credit=0.0, rest=None, strong=0, weak=0)
        for response in responses
    ]
    return [(one.text, one.given.count) for one in wrong_responses(item, answers, drawn=False)]


def test_wrong_responses_that_mean_the_same_are_one(folder):
    size = load_bank(folder / "quizzes" / "first.yaml").item("size")
    assert written("27", " 27.0", "54/2", "27", "26", item=size) == [("27", 4)]
    assert written("No  Idea", "no idea.", "No Idea", "Nothing") == [("No Idea", 3)]


def test_wrong_responses_are_few_short_and_of_several_students():
    many = [str(n) for n in range(20) for _ in range(10)]
    assert len(written(*many)) == 5
    assert written("x" * 5000, "x" * 5000) == [("x" * 57 + "...", 2)]
    assert written("alone") == []
    assert written(*["two", "two"], *[f"one {n}" for n in range(60)]) == []  # of 62, two are no pattern


# --- limits: just below and just above


@pytest.mark.parametrize(("size", "has_concern"), [(29, False), (30, True)])
def test_concerns_start_at_thirty_students(folder, size, has_concern):
    weak_first = [student(graded(float(n >= size // 2), float(n < 10), float(n < 20))) for n in range(size)]
    assert bool(analyzed(folder, weak_first).items[0].concerns) is has_concern
    options = analyzed(folder, picks("b" * 15 + "a" * (size - 15))).items[0].options
    assert any(option.concern for option in options) is has_concern


CHANCE_R = 1 / math.sqrt(39)  # the standard error of no correlation over 40 students
OPTION = OptionSummary(
    id="b", text="", correct=False, chosen=Share(count=8, of=40), strong=0.4, weak=0.1, r=0.5
)


@pytest.mark.parametrize(
    ("changes", "concern"),
    [
        ({"chosen": Share(count=1, of=40)}, None),  # below one in twenty
        ({"chosen": Share(count=2, of=40)}, Concern.RIVAL),
        ({"r": CHANCE_R - 1e-9}, None),
        ({"r": CHANCE_R + 1e-9}, Concern.RIVAL),
        ({"strong": 0.1}, None),
        ({"strong": 0.1 + 1e-9}, Concern.RIVAL),
    ],
)
def test_the_limits_of_a_concern_about_a_wrong_option(changes, concern):
    assert _concern(replace(OPTION, **changes), None, single=True) is concern


@pytest.mark.parametrize(("key_r", "concern"), [(0.5, Concern.STRONG), (0.5 - 1e-9, Concern.RIVAL)])
def test_a_rival_correlates_more_than_the_key(key_r, concern):
    assert _concern(OPTION, key_r, single=True) is concern


@pytest.mark.parametrize(("r", "concern"), [(-CHANCE_R + 1e-9, None), (-CHANCE_R - 1e-9, Concern.AVOIDED)])
def test_a_right_option_is_avoided_beyond_chance(r, concern):
    avoided = replace(OPTION, correct=True, strong=0.1, weak=0.4, r=r)
    assert _concern(avoided, 0.5, single=False) is concern


ITEM = ItemSummary(
    id="x", type="single", prompt="", void=None, omitted=Share(count=0, of=40), difficulty=None, chance=None,
    discrimination=0.5, rest=Estimate(value=0.5, interval=None), alpha_without=0.6, variants=None, options=(),
    wrong=(), concerns=(),
)  # fmt: skip


@pytest.mark.parametrize(
    ("credit", "changes", "concern", "is_raised"),
    [
        (0.3, {}, Concern.HARD, False),
        (0.299, {}, Concern.HARD, True),
        (0.5, {"discrimination": 0.2}, Concern.FLAT, False),
        (0.5, {"discrimination": 0.199}, Concern.FLAT, True),
        (0.901, {"discrimination": 0.1}, Concern.FLAT, False),
        (0.9, {"discrimination": 0.1}, Concern.FLAT, True),
        (0.5, {"omitted": Share(count=9, of=40)}, Concern.OMITTED, False),
        (0.5, {"omitted": Share(count=10, of=40)}, Concern.OMITTED, True),
        (0.5, {"alpha_without": 0.7049}, Concern.LOWERS_ALPHA, False),
        (0.5, {"alpha_without": 0.7051}, Concern.LOWERS_ALPHA, True),
        (0.446, {"chance": 0.25}, Concern.GUESSED, False),  # 0.25 + 1.96 * 0.1 = 0.446
        (0.445, {"chance": 0.25}, Concern.GUESSED, True),
        (0.5, {"discrimination": 0.0, "rest": Estimate(value=-0.1, interval=None)}, Concern.REVERSED, False),
        (0.5, {"discrimination": -0.01, "rest": Estimate(value=-0.1, interval=None)}, Concern.REVERSED, True),
        (0.5, {"discrimination": -0.01, "rest": Estimate(value=0.0, interval=None)}, Concern.REVERSED, False),
    ],
)
def test_the_limits_of_concerns_about_an_item(credit, changes, concern, is_raised):
    found = list(_concerns(replace(ITEM, **changes), credit, 0.1, 0.7))
    assert (concern in found) is is_raised
    few = replace(ITEM, **changes | {"omitted": Share(count=9, of=29)})
    assert list(_concerns(few, credit, 0.1, 0.7)) == []


@pytest.mark.parametrize(("second", "count"), [(9, None), (10, 2)])
def test_a_draw_is_compared_from_ten_students_on(folder, second, count):
    prompts = ["3 x 3?"] * 10 + ["5 x 5?"] * second
    rows = [student(sheet(answer("size", 1.0, "9", prompt=prompt))) for prompt in prompts]
    variants = analyzed(folder, rows).items[0].variants
    assert (variants and variants.count) == count


@pytest.mark.parametrize(("count", "expected"), [(1, []), (2, [("same", 2)])])
def test_a_wrong_response_needs_two_students(count, expected):
    assert written(*["same"] * count) == expected


@pytest.mark.parametrize(("others", "expected"), [(57, [("same", 3)]), (58, [])])
def test_a_wrong_response_needs_one_student_in_twenty(others, expected):
    assert written(*["same"] * 3, *[f"other {n}" for n in range(others)]) == expected


@pytest.mark.parametrize(("length", "shown"), [(60, "x" * 60), (61, "x" * 57 + "...")])
def test_a_wrong_response_is_cut_after_sixty_characters(length, shown):
    assert written(*["x" * length] * 2) == [(shown, 2)]


@pytest.mark.parametrize(("n", "has_interval"), [(3, False), (4, True)])
def test_a_correlation_has_an_interval_from_four_students_on(n, has_interval):
    assert (psychometrics.fisher(0.5, n) is not None) is has_interval


@pytest.mark.parametrize(("size", "warnings"), [(29, 1), (30, 1), (99, 1), (100, 0)])
def test_cautions_depend_on_the_number_of_students(folder, size, warnings):
    found = analyzed(folder, [student(graded(1.0, float(n % 2))) for n in range(size)])
    texts = item_remarks.cautions(replace(found, current=True))
    assert len(texts) == warnings
    assert any("Fewer than 30" in text for text in texts) is (size < 30)


@pytest.mark.parametrize(("writers", "is_shown"), [(4, False), (5, True)])
def test_an_anonymous_summary_shows_a_response_from_five_students_on(folder, tmp_path, writers, is_shown):
    with Gradebook(tmp_path / "week.db") as book:
        for n in range(20):
            add(book, f"s{n}", report(sheet(answer("size", 0.0, "27" if n < writers else f"x{n}"))))
        whole = statistics.summarize(book, catalog.load(folder), Policy(), title="week")
        found = statistics.anonymous(whole, statistics.pseudonyms(book))
    assert [one.text for one in whole.quizzes[0].items[0].wrong] == ["27"]
    assert [one.text for one in found.quizzes[0].items[0].wrong] == ["27"] * is_shown


# --- any class


def numbers(value: object) -> list[float]:
    if isinstance(value, dict):
        return [found for part in value.values() for found in numbers(part)]
    if isinstance(value, list):
        return [found for part in value for found in numbers(part)]
    return [value] if isinstance(value, float) else []


@settings(max_examples=80, deadline=None)
@given(
    rows=st.lists(st.lists(st.one_of(st.none(), CREDITS), min_size=1, max_size=5), min_size=1, max_size=45)
)
def test_no_figure_is_nan_or_out_of_its_range(rows):
    import msgspec

    folder = Path(__file__).parent / "course"
    found = analyzed(folder, [student(graded(*row)) for row in rows])
    document = msgspec.to_builtins(found)
    json.dumps(document, allow_nan=False)
    assert all(map(math.isfinite, numbers(document)))
    assert found.alpha is None or found.alpha.value <= 1 + 1e-9
    for item in found.items:
        assert 0 <= item.difficulty.interval.low <= item.difficulty.value + 1e-9
        assert item.difficulty.value - 1e-9 <= item.difficulty.interval.high <= 1
        assert item.discrimination is None or -1 <= item.discrimination <= 1
        assert item.rest is None or -1 <= item.rest.value <= 1
        assert item.omitted.count <= item.omitted.of <= found.students


@settings(max_examples=40, deadline=None)
@given(rows=st.lists(st.lists(CREDITS, min_size=3, max_size=3), min_size=2, max_size=12), data=st.data())
def test_the_order_of_students_has_no_effect(rows, data):
    folder = Path(__file__).parent / "course"
    one = analyzed(folder, [student(graded(*row)) for row in rows])
    other = analyzed(folder, [student(graded(*row)) for row in data.draw(st.permutations(rows))])
    for before, after in zip(one.items, other.items, strict=True):
        assert after.discrimination == pytest.approx(before.discrimination)
        assert (after.rest and after.rest.value) == pytest.approx(before.rest and before.rest.value)


# --- from a gradebook


def test_first_answers_count_as_they_were_last_graded(folder, tmp_path):
    course = catalog.load(folder)
    first, second = sheet(answer("size", 0.0, "27")), sheet(answer("size", 1.0, "28"))
    regraded = sheet(answer("size", 0.5, "27"))
    with Gradebook(tmp_path / "week.db") as book:
        add(book, "ada", report(first), 0)
        add(book, "ada", report(second), 1)
        add(book, "ada", report(regraded), 0)  # the first hand-in, graded once more
        add(book, "bob", report(second), 0)
        add(book, "cem", report(sheet(answer("size", None))), 0)
        (found,) = statistics.summarize(book, course, Policy(), title="week").quizzes
    assert found.students == 2  # cem gave no answer
    assert found.items[0].difficulty.value == 0.75
    assert found.items[0].wrong == ()


def test_an_anonymous_summary_holds_no_rare_response_and_none_with_a_name(folder, tmp_path):
    course = catalog.load(folder)
    with Gradebook(tmp_path / "week.db") as book:
        for n in range(14):
            text = "Ada Lovelace!" if n < 6 else "thirty" if n < 12 else "rare"
            add(book, f"Ada-{n} Byron", report(sheet(answer("size", 0.0, text), answer("x", n % 2))))
        whole = statistics.summarize(book, course, Policy(), title="week")
        found = statistics.anonymous(whole, statistics.pseudonyms(book))
    assert {one.text for one in whole.quizzes[0].items[0].wrong} == {"Ada Lovelace!", "thirty", "rare"}
    assert [one.text for one in found.quizzes[0].items[0].wrong] == ["thirty"]

"""The class report: text within its width, a well-formed page, and neither is broken by a hostile name."""

import itertools
import json
import re
import unicodedata
from dataclasses import replace
from datetime import UTC, date, datetime
from functools import cache
from pathlib import Path

import click
import pytest
from click.testing import CliRunner
from test_page import ATTACKS, Page, vocabulary
from test_report import STYLES, poisoned

import grader.classroom.report
from grader.classroom import statistics
from grader.classroom.gradebook import Gradebook
from grader.classroom.late_policy import Keep
from grader.classroom.report import to_html, to_json, to_text
from grader.classroom.report.chart import Column, columns
from grader.classroom.report.class_page import _spans
from grader.classroom.report.class_phrases import lecture_note, moment, percent, seconds
from grader.classroom.report.item_remarks import figure
from grader.classroom.similarity import Block, Excerpt, Pair, Side
from grader.classroom.statistics import (
    CheckSummary,
    ClassSummary,
    Concern,
    Day,
    Estimate,
    ExerciseSummary,
    Interval,
    ItemSummary,
    MisconceptionSummary,
    MistakeSummary,
    OptionSummary,
    QuizSummary,
    Share,
    StudentSummary,
    Tally,
    Variants,
    Void,
    VoidSummary,
    WrongResponse,
    distribution,
)
from grader.cli.stats import stats_command
from grader.core.errors import UsageError
from grader.core.model import Argument, Counterexample, Outcome
from grader.report import Style

pytestmark = pytest.mark.usefixtures("forked_warm_processes")

COURSE = Path(__file__).parent / "course"
NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
SCORES = (0.0, 0.35, 0.38, 0.8, 1.0)
NAMES = ("ada", "bob", "cem", "dan", "eve", "zoe")
STUDENTS = tuple(
    StudentSummary(
        student=name,
        hand_ins=1 + (name == "ada"),
        first=NOON,
        last=NOON.replace(hour=20),
        number=1,
        points=10 * score,
        max_points=10.0,
        score=score,
        days_late=int(name == "bob"),
        penalty_percent=10.0 * (name == "bob"),
        begun=score > 0,
    )
    for name, score in zip(NAMES, SCORES, strict=False)
)


def check(name: str, title: str, passed: int, of: int = 4) -> CheckSummary:
    tallies = (
        Tally(outcome=Outcome.NOT_ATTEMPTED, count=1),
        Tally(outcome=Outcome.RAISED, count=of - passed - 1),
    )
    return CheckSummary(
        id=name,
        title=title,
        max_points=1.5,
        passed=Share(count=passed, of=of),
        not_attempted=Share(count=1, of=of),
        tallies=(*tallies, Tally(outcome=Outcome.PASSED, count=passed)),
    )


POOLING = ExerciseSummary(
    id="pooling",
    title="Pooling by hand, and a title that is long enough to be cut at eighty columns",
    max_points=3.0,
    graded=4,
    full=Share(count=1, of=4),
    not_attempted=Share(count=1, of=4),
    unexplained=Share(count=2, of=4),
    scores=distribution.spread((0.0, 0.5, 0.9, 1.0)),
    seconds=distribution.spread((0.5, 200.0)),
    tallies=(Tally(outcome=Outcome.FAILED, count=3), Tally(outcome=Outcome.PASSED, count=1)),
    checks=(check("test_a", "Windows may overlap", 3), check("test_b", "Padding never wins", 1)),
)
EMPTY = replace(
    POOLING,
    id="relu",
    graded=0,
    scores=None,
    seconds=None,
    tallies=(),
    checks=(),
    unexplained=Share(count=0, of=0),
    full=Share(count=0, of=0),
    not_attempted=Share(count=0, of=0),
)
PLAIN = Counterexample(call="same_padding(1, 2)", expected="0", got="1", smallest=True)
TENSORS = Counterexample(
    call="max_pool2d(x, 2, padding=1)",
    arguments=(Argument(name="x", value="tensor of shape (1, 1, 2, 2)\n-1 -1\n-1 -1"),),
    expected="tensor of shape (1,)\n-1",
    got="tensor of shape (1, 1, 2, 2)\n0 0\n0 0",
)
ZERO = MistakeSummary(
    exercise="pooling",
    id="zero-padding",
    name="max_pool2d",
    message="Zeros in the padding win against negative values: pad with -inf for a maximum.",
    made=Share(count=2, of=4),
    together=1,
    checks=("Padding never wins", "Windows may overlap"),
    example=TENSORS,
)
SHORT = replace(
    ZERO,
    id="size",
    name="same_padding",
    message="One too many.",
    made=Share(count=1, of=4),
    together=0,
    example=PLAIN,
)


def excerpt(path: str, first: int, *text: str) -> Excerpt:
    return Excerpt(path=path, first=first, last=first + len(text) - 1, text=text)


def side(name: str, **others: object) -> Side:
    return Side(**{"student": name, "number": 2, "submitted_at": NOON, "outside": False} | others)


ALIKE = Pair(
    exercise="pooling",
    first=side("ada"),
    second=side("bob", number=1),
    score=0.857,
    function="max_pool2d",
    pieces=31,
    alone=27,
    others=1,
    wording=('comment "pad it so that nothing wins"', 'name "piece"'),
    blocks=(
        Block(
            first=excerpt("exercises/pooling.py", 12, "    for a in range(k):", "        best = f(a)"),
            second=excerpt("pooling.py", 30, "  for b in range(k):", "    top = f(b)"),
            weight=20.0,
        ),
        Block(first=excerpt("a.py", 1, "x" * 200), second=excerpt("a.py", 2, "y"), weight=1.0),
    ),
)
LAST_YEAR = replace(
    ALIKE,
    second=side("zoe", number=0, submitted_at=None, outside=True),
    function="",
    others=0,
    wording=(),
    blocks=(),
)
PICKED = ItemSummary(
    id="default-stride",
    type="single",
    prompt="Which stride does this use?\n\n    nn.MaxPool2d(3)",
    void=None,
    omitted=Share(count=12, of=40),
    difficulty=Estimate(value=0.2, interval=Interval(low=0.105, high=0.348)),
    chance=0.25,
    discrimination=-0.301,
    rest=Estimate(value=-0.25, interval=Interval(low=-0.521, high=0.0041)),
    alpha_without=0.7234,
    variants=None,
    options=(
        OptionSummary(id="a", text="`1`, as always", correct=False, chosen=Share(count=20, of=40), strong=0.8, weak=0.3, r=0.4,
            concern=Concern.RIVAL),
        OptionSummary(id="b", text="3", correct=True, chosen=Share(count=8, of=40), strong=0.1, weak=0.4, r=-0.25),
        *(OptionSummary(id=name, text="it must be given", correct=False, chosen=Share(count=0, of=40), strong=0.0, weak=0.0, r=None,
            concern=Concern.UNCHOSEN) for name in "cd"),
    ),
    wrong=(),
    concerns=(Concern.REVERSED, Concern.GUESSED, Concern.OMITTED, Concern.LOWERS_ALPHA),
)  # fmt: skip
WRITTEN = replace(
    PICKED,
    id="parameters-of-a-convolution-with-groups",
    type="numeric",
    omitted=Share(count=0, of=40),
    difficulty=Estimate(value=0.99, interval=Interval(low=0.97, high=1.0)),
    chance=None,
    rest=Estimate(value=-0.001, interval=None),
    alpha_without=None,
    variants=Variants(count=3, hardest=0.3, easiest=1.0),
    options=(),
    wrong=(
        WrongResponse(text="27", misconceptions=("off-by-one", "no-bias"), given=Share(count=9, of=40)),
        WrongResponse(text="", misconceptions=("floor-vs-ceil",), given=Share(count=3, of=40)),
    ),
    concerns=(),
)
GIVEN = replace(
    PICKED, id="withdrawn-one", void=Void.DROP, difficulty=None, discrimination=None, rest=None, alpha_without=None, options=(), concerns=(),
)  # fmt: skip
ASKED = QuizSummary(
    id="pooling",
    title="Pooling, and what it is for",
    students=40,
    outdated=2,
    current=True,
    group=11,
    scores=distribution.spread((0.25, 0.5, 0.75)),
    alpha=Estimate(value=0.612, interval=Interval(low=0.4, high=0.756)),
    error=0.118,
    items=(PICKED, WRITTEN, GIVEN),
)
FEW = replace(
    ASKED,
    id="relu",
    students=5,
    outdated=0,
    current=False,
    scores=None,
    alpha=None,
    error=None,
    items=(GIVEN,),
)
SUMMARY = ClassSummary(
    title="week4",
    keep=Keep.BEST,
    due=NOON,
    students=STUDENTS,
    void=(
        VoidSummary(student="zoe", exercises=("pooling",), marked=False),
        VoidSummary(student="cem", exercises=("relu", "pooling"), marked=True),
    ),
    max_points=10.0,
    scores=distribution.spread(SCORES),
    histogram=distribution.histogram(SCORES),
    hand_ins=((1, 4), (2, 1)),
    days=(Day(day=date(2026, 2, 16), count=2, late=0), Day(day=date(2026, 3, 1), count=4, late=3)),
    seconds=distribution.spread((1.0, 2.0, 4.0, 95.0, 200.0)),
    exercises=(POOLING, EMPTY),
    mistakes=(ZERO, SHORT, *(replace(SHORT, id=f"slip-{n}", example=None) for n in range(20))),
    misconceptions=tuple(
        MisconceptionSummary(
            id=name,
            items=(("pooling", "a"), ("relu", "b")),
            made=Share(count=3, of=5),
            feedback="Each filter has `one` bias.",
        )
        for name in ("zero-padding", *(f"belief-{n}" for n in range(20)))
    ),
    similar=(ALIKE, LAST_YEAR),
    quizzes=(ASKED, FEW),
)


@cache
def hostile() -> list[ClassSummary]:
    return [poisoned(SUMMARY, text) for text in ATTACKS]


# --- in the terminal


@pytest.mark.parametrize("style", STYLES, ids=str)
@pytest.mark.parametrize(
    "asked", [{}, {"show_all": True}, {"quizzes": ["pooling", "relu"]}], ids=["short", "all", "quizzes"]
)
def test_no_line_is_wider_than_the_terminal_with_any_text(style, asked):
    for summary in (SUMMARY, *hostile()):
        for line in to_text(summary, style, **asked).split("\n"):
            plain = click.unstyle(line)
            wide = sum(2 if unicodedata.east_asian_width(c) in "WF" else 1 for c in plain)
            assert wide <= style.width, line
            assert line == line.rstrip()
            assert style.color or line == plain
            assert style.unicode or line.isascii()
            assert not [
                c for c in plain if unicodedata.category(c) in ("Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp")
            ]
            assert not re.match(r"\s*::", plain)
            assert "##[" not in plain


SAID = [
    "5 students",
    "The best hand-in of each student counts; 10 points can be earned.",
    "Due Sun 2026-03-01 12:00 UTC: 1 of these came late, which costs them 10 % on average.",
    "Median 38 %, mean 50 %",
    "1 of 4",
    "Padding never wins",
    "2 of 4 made this mistake in `max_pool2d`. Zeros in the padding win against negative values: pad with -inf for a maximum.",
    "1 of 4 made this mistake in `same_padding`. One too many. Try it: `same_padding(1, 2)` is 0, and not 1.",
    "tensor of shape (1,): -1",
    "Each filter has `one` bias. In code, 2 of 4 made it too (pooling).",
    "Students by number of hand-ins: 4 once, 1 twice.",
    "3 of 6 hand-ins came late.",
    "Left out: 2 students whose first answers were graded with another version of it.",
    "These answers were graded with another version of the quiz than the course has now, whose key is shown. Run `grade regrade`.",
    "Fewer than 30 students: the figures are unreliable, and items get no remarks.",
    "Fewer than 100 students: read each figure with its interval.",
    "`a` correlates with the rest of the quiz more than the key does: check the key.",
    "Weak students do better on it than strong ones: check the key.",
    "No better than guessing, which earns 25 %.",
    "12 of 40 left it out: is it clear what it asks for?",
    "The quiz measures better without it: alpha would be 0.72.",
    "No student chose `c` or `d`.",
    "0.40 to 0.76",
    "Grading took 4.0 s for the median student, 3 min for the slowest, 5 min for all.",
    "Not graded because of an error in the grader, and not counted here; `grade regrade` tries again: zoe",
    "An earlier attempt counts: the last was not graded in full because of an error in the grader; `grade regrade` tries again: cem",
    "Exercises with an error in the grader: pooling relu",
    "Handed in without any work: ada",
    "A lead to look at, not a verdict",
    "ada and bob",
    "ada and zoe (outside the class)",
    "0.85",
]


@pytest.mark.parametrize("words", SAID)
def test_text_and_page_hold_the_same_sentences(words):
    text = " ".join(to_text(SUMMARY, Style()).split())
    assert words in text
    assert words.replace("`", "") in " ".join(
        re.sub(r"\s+([.,:;)])", r"\1", Page(to_html(SUMMARY)).text).split()
    )


def test_the_terminal_shows_the_most_frequent_and_all_when_asked():
    short, full = (to_text(SUMMARY, Style(), show_all=everything) for everything in (False, True))
    assert "slip-19" not in short
    assert "14 more known mistakes" in short
    assert "15 more misconceptions" in short
    assert "slip-19" in full
    assert "belief-19" in full
    assert "The hardest checks" in short
    assert short.index("Padding never wins") < short.index("Windows may overlap")


@pytest.mark.parametrize(("lines", "cut"), [(8, 0), (9, 1)])
def test_a_value_of_several_lines_is_cut_after_eight(lines, cut):
    tall = replace(TENSORS, got="\n".join(map(str, range(lines))))
    text = to_text(replace(SUMMARY, mistakes=(replace(ZERO, example=tall),)), Style())
    assert text.count("(and more)") == cut


@pytest.mark.parametrize(
    ("count", "more"), [(8, None), (9, "1 more known mistake:"), (10, "2 more known mistakes:")]
)
def test_the_text_shows_at_most_eight_mistakes(count, more):
    mistakes = tuple(replace(SHORT, id=f"slip-{n}", example=None) for n in range(count))
    text = to_text(replace(SUMMARY, mistakes=mistakes), Style())
    assert text.count("slip-") == min(count, 8)
    assert ("more known mistake" in text) is (more is not None)
    assert more is None or more in text


@pytest.mark.parametrize(("count", "collapsed"), [(10, 0), (11, 0), (12, 2)])
def test_the_page_collapses_mistakes_after_ten_unless_it_is_one(count, collapsed):
    mistakes = tuple(replace(SHORT, id=f"slip-{n}", example=None) for n in range(count))
    page = to_html(replace(SUMMARY, mistakes=mistakes))
    assert (f"{collapsed} more known mistakes" in page) is (collapsed > 0)
    assert ("1 more known mistake" in page) is False


@pytest.mark.parametrize(("count", "more"), [(6, False), (7, True)])
def test_the_text_shows_at_most_six_pairs(count, more):
    text = to_text(replace(SUMMARY, similar=(ALIKE,) * count), Style())
    assert text.count("ada and bob") == 6
    assert ("and 1 more." in text) is more


@pytest.mark.parametrize(
    ("value", "text"), [(89.9, "89.9 s"), (90.0, "2 min"), (5399.0, "90 min"), (5400.0, "1.5 h")]
)
def test_a_duration_changes_its_unit_at_90_seconds_and_90_minutes(value, text):
    assert seconds(value) == text


def test_a_long_value_is_cut_with_a_mark():
    tall = replace(TENSORS, got="\n".join(map(str, range(100))), expected="word " * 400)
    text = to_text(replace(SUMMARY, mistakes=(replace(ZERO, example=tall),)), Style())
    assert text.count("(and more)") == 2


IN_FULL = [
    "Cronbach's alpha 0.61 (95 %: 0.40 to 0.76). A student's score in this quiz is known to about 12 percentage points (standard error of measurement).",
    "Cronbach's alpha: n/a. It needs two items and two totals, and the same items for everybody.",
    "-0.52 to 0.00",
    "10 to 35 %",
    "Of 3 draws the hardest earned 30 %, the easiest 100 %.",
    "`1`, as always",
    "off-by-one, no-bias",
    "floor-vs-ceil",
    "parameters-of-a-convolution-with-groups",
    "withdrawn",
]


@pytest.mark.parametrize("words", IN_FULL)
def test_a_quiz_in_full_is_the_same_in_text_and_on_the_page(words):
    text = " ".join(to_text(SUMMARY, Style(), quizzes=["pooling", "relu"]).split())
    assert words in text
    assert words in " ".join(to_text(SUMMARY, Style(), show_all=True).split())
    page = re.sub(r"\s+([.,:;)])", r"\1", Page(to_html(SUMMARY)).text)
    assert words.replace("`", "") in " ".join(page.split())


def test_one_quiz_alone_is_shown_alone():
    text = to_text(SUMMARY, Style(), quizzes=["relu"])
    assert "withdrawn-one" in text
    assert "default-stride" not in text
    assert "Hand-ins" not in text


def test_the_most_serious_remarks_come_first_and_the_rest_is_counted():
    mild = [replace(PICKED, id=f"mild-{n}", concerns=(Concern.HARD,), options=()) for n in range(9)]
    text = to_text(replace(SUMMARY, quizzes=(replace(ASKED, items=(*mild, PICKED)),)), Style())
    assert text.index("default-stride") < text.index("mild-0")
    assert "mild-7" not in text
    assert "2 more items with remarks. `--quiz pooling` shows every item" in " ".join(text.split())


def test_figures_have_two_decimals_and_no_negative_zero():
    assert [figure(number) for number in (-0.001, 0.0, 0.996, -1.0, None)] == [
        "0.00",
        "0.00",
        "1.00",
        "-1.00",
        "n/a",
    ]


# --- the phrases


def test_a_share_is_rounded_down():
    assert [percent(share) for share in (0.9999, 1.0, 0.29, 0.0, None)] == [
        "99 %",
        "100 %",
        "29 %",
        "0 %",
        "n/a",
    ]


def test_durations_and_times_have_a_readable_unit():
    assert [seconds(value) for value in (0.54, 89.0, 91.0, 7200.0)] == ["0.5 s", "89.0 s", "2 min", "2.0 h"]
    assert moment(datetime.fromisoformat("2026-03-01T23:59+01:00")) == "Sun 2026-03-01 23:59 UTC+0100"


@pytest.mark.parametrize(
    ("mistake", "words"),
    [
        (replace(SHORT, made=Share(count=4, of=4)), "All 4 made this mistake in `same_padding`."),
        (replace(SHORT, made=Share(count=1, of=1)), "1 of 1 made this mistake"),
        (replace(SHORT, name="", example=None), "1 of 4 made this mistake in pooling. One too many."),
        (replace(SHORT, example=replace(PLAIN, got="")), "Try it: `same_padding(1, 2)` is 0."),
    ],
)
def test_a_lecture_note_uses_what_is_known(mistake, words):
    assert words in lecture_note(mistake).text


def test_a_call_with_tensors_is_shown_row_by_row():
    note = lecture_note(ZERO)
    assert note.call == "max_pool2d(x, 2, padding=1)"
    assert [name for name, _ in note.rows] == ["x", "right", "mistaken"]


# --- the page


def test_the_page_is_well_formed_and_everything_named_is_there():
    page = Page(to_html(SUMMARY))
    assert not page.problems
    ids = [attributes["id"] for _, attributes in page.elements if "id" in attributes]
    assert len(set(ids)) == len(ids)
    named = {
        attributes["aria-labelledby"] for _, attributes in page.elements if "aria-labelledby" in attributes
    }
    named |= {link["href"].removeprefix("#") for link in page.all("a")}
    assert named <= set(ids)
    levels = [int(name[1]) for name, _ in page.elements if re.fullmatch(r"h\d", name)]
    assert levels[0] == 1
    assert all(after - before <= 1 for before, after in itertools.pairwise(levels))
    assert len(page.all("caption")) == len(page.all("table"))
    assert all(cell["scope"] in ("row", "col") for cell in page.all("th"))


def test_a_hostile_class_changes_no_element_of_the_page():
    known = vocabulary(Page(to_html(SUMMARY)))
    for summary in hostile():
        page = Page(to_html(summary))
        assert not page.problems
        assert vocabulary(page) <= known
        for _, attributes in page.elements:
            assert set(attributes.get("style", "")) <= set("width: 0123456789.%")
            assert attributes.get("href", "#").startswith("#")


def test_pairs_are_named_only_inside_a_collapsed_element():
    section = to_html(SUMMARY).split('<section aria-labelledby="alike">')[1]
    shown, opened = section.split("<details>", 1)
    assert "A lead to look at, not a verdict" in shown
    assert not re.search(r"\bada\b|\bbob\b", shown)
    assert "ada and bob" in opened


def test_every_chart_has_a_description_and_a_table():
    page = Page(
        str(
            columns(
                "Hand-ins",
                ("Day", "Hand-ins", "Late"),
                [
                    Column(label="Monday", short="Mon", count=3, marked=1),
                    Column(label="Tuesday", short="Tue", count=0),
                ],
            )
        )
    )
    (drawing,) = page.all("svg")
    assert (drawing["role"], drawing["aria-label"]) == ("img", "Hand-ins. Monday: 3, of which 1 late.")
    assert "Monday 3 1 Tuesday 0 0" in page.text
    heights = [re.search(r"v-([\d.]+)", part["d"])[1] for part in page.all("path")]
    assert heights == ["100.00", "33.33", "0.00"]


@pytest.mark.parametrize(
    ("last", "counts", "label"),
    [
        (date(2026, 2, 16), [6], "Mon 2026-02-16"),
        (date(2026, 2, 18), [2, 0, 4], "Mon 2026-02-16"),
        (date(2026, 3, 1), [2, *[0] * 12, 4], "Mon 2026-02-16"),
        (date(2026, 3, 2), [2, *[0] * 6, 4], "Mon 2026-02-16 and 1 day more"),
        (date(2027, 2, 16), [2, *[0] * 12, 4], "Mon 2026-02-16 and 26 days more"),
    ],
)
def test_the_days_of_a_term_fit_into_one_chart(last, counts, label):
    days = (Day(day=date(2026, 2, 16), count=2, late=0), Day(day=last, count=4, late=3))
    found = _spans(days)
    assert [column.count for column in found] == counts
    assert sum(column.marked for column in found) == 3
    assert found[0].label == label


def test_every_css_class_of_a_drawing_has_a_fill_color():
    styles = [Path(package.__file__).parent for package in (grader.classroom.report, grader.report)]
    css = "".join(
        (folder / name).read_text("utf-8")
        for folder, name in zip(styles, ("class.css", "page.css"), strict=True)
    )
    used = {name for part in Page(to_html(SUMMARY)).all("path") for name in part["class"].split()}
    assert used == {"column", "marked"}
    assert used <= set(re.findall(r"\.([\w-]+) \{ fill:", css))


def test_an_empty_class_is_a_page_too():
    bare = replace(
        SUMMARY, exercises=(), mistakes=(), misconceptions=(), students=STUDENTS[3:], void=(), due=None
    )
    page = Page(to_html(bare))
    assert not page.problems
    assert "What the code gets wrong" not in page.text
    assert "Needs attention" not in page.text


# --- as JSON


def test_json_holds_every_field_and_times_by_iso_8601():
    document = json.loads(to_json(SUMMARY))
    assert document["format"] == "convgrader/class/1"
    assert document["due"] == "2026-03-01T12:00:00Z"
    assert document["students"][0]["student"] == "ada"
    assert document["exercises"][0]["checks"][1]["passed"] == {"count": 1, "of": 4}
    assert set(document) == {"format", *ClassSummary.__dataclass_fields__}
    assert to_json(SUMMARY).isascii()


# --- the command


@pytest.fixture
def gradebook(tmp_path, monkeypatch):
    from test_statistics import RIGHT, SQUARED, add, item, quiz, report

    monkeypatch.setenv("CONVGRADER_COURSE", str(COURSE))
    path = tmp_path / "week4.db"
    with Gradebook(path) as book:
        add(book, "ada <b>", report(SQUARED, quiz(item("a", points=1.0), item("b"))), -2)
        add(book, "bob\x1b[31m", report(RIGHT), 2)
    return path


def run(*arguments: object) -> str:
    done = CliRunner().invoke(stats_command, [str(argument) for argument in arguments], standalone_mode=False)
    if done.exception is not None:
        raise done.exception
    assert done.return_value == 0
    return done.output


def test_the_command_renders_one_summary_three_ways(gradebook, tmp_path):
    assert run(gradebook).startswith("Class week4" + " " * 59 + "2 students\n")
    assert json.loads(run(gradebook, "--format", "json"))["scores"]["n"] == 2
    assert run(gradebook, "--format", "html", "--output", tmp_path / "class.html") == ""
    assert "<h1>week4" in (tmp_path / "class.html").read_text("utf-8")


def test_the_command_takes_the_policy_of_exports(gradebook):
    options = ("--due", "2026-03-01T12:00+00:00", "--late-per-day", "10", "--format", "json")
    students = json.loads(run(gradebook, *options))["students"]
    assert [student["penalty_percent"] for student in students] == [0.0, 10.0]
    with pytest.raises(UsageError, match="--late-per-day needs --due"):
        run(gradebook, "--late-per-day", "10")


@pytest.mark.parametrize("form", ["text", "html", "json"])
def test_anonymous_output_holds_no_name(gradebook, form):
    assert not re.search(r"\bada\b|\bbob\b", run(gradebook, "--format", form, "--anonymous"))


def test_a_quiz_without_answers_is_refused(gradebook):
    with pytest.raises(
        UsageError, match=r'No student answered a quiz "poolin"\. Quizzes with answers: first'
    ):
        run(gradebook, "--quiz", "poolin")
    assert "first: First" in run(gradebook, "--quiz", "first")


def test_an_unknown_exercise_is_refused(gradebook):
    with pytest.raises(UsageError, match='no exercise "scalin"'):
        run(gradebook, "scalin")
    assert "test_values" not in run(gradebook, "scaling")
    assert "\n  scaling: Scaling\n" in run(gradebook, "scaling")


def test_the_command_never_imports_torch(run_without_torch, gradebook):
    for form in ("text", "html", "json"):
        run_without_torch("stats", gradebook, "--format", form)


def test_an_anonymous_summary_holds_no_name_in_any_record():
    names = {name: f"student {1000 + n}" for n, name in enumerate(NAMES)}
    assert not re.search(r"\b(ada|bob|cem|dan|eve|zoe)\b", to_json(statistics.anonymous(SUMMARY, names)))

"""The limits of the renderers: what has exactly the limit is shown whole, and one more is cut or counted."""

import json
from dataclasses import replace

import pytest
from test_report import POOLING, RICH, check

from grader.core.model import (
    Argument,
    CheckResult,
    Counterexample,
    ExerciseResult,
    Flag,
    Frame,
    ItemResult,
    Outcome,
    Picture,
    QuizResult,
    Report,
)
from grader.report import Style, exercise_text, quizzes_text, to_github, to_gradescope, to_html, to_markdown
from grader.report.github import MOST_ANNOTATIONS
from grader.report.heatmap import PANEL, heatmap
from grader.report.html_markup import text as escaped
from grader.report.scale import LEVELS, Scale, panels, shrunk
from grader.report.text_layout import bar, columns, cut, header, number, shortened, wrap

STYLE = Style(width=200)


def failing(**more: object) -> CheckResult:
    return check("test_a", "A title", Outcome.FAILED, 1, rationale="It is wrong.", **more)


def exercise(*checks: CheckResult, **more: object) -> ExerciseResult:
    most = sum(one.max_points for one in checks)
    return ExerciseResult(
        id="relu", title="ReLU", outcome=Outcome.FAILED, points=0, max_points=most, checks=checks, **more
    )


def report(*exercises: ExerciseResult) -> Report:
    return replace(RICH, exercises=exercises, quizzes=())


def numbered(count: int) -> str:
    return "\n".join(f"line {n}." for n in range(1, count + 1))


def shown_lines(text: str) -> list[int]:
    """Return the numbers of the lines of `numbered` that a text shows."""
    return [n for n in range(1, 60) if f"line {n}." in text]


# --- text


@pytest.mark.parametrize(("count", "last", "cut_off"), [(14, 14, False), (15, 13, True)])
def test_a_value_of_a_counterexample_has_at_most_fourteen_lines(count, last, cut_off):
    example = Counterexample(call="f(x)", arguments=(Argument(name="x", value=numbered(count)),))
    text = exercise_text(exercise(failing(counterexample=example)), STYLE)
    assert shown_lines(text) == list(range(1, last + 1))
    assert ("..." in text) == cut_off


@pytest.mark.parametrize(("count", "last", "cut_off"), [(10, 10, False), (11, 9, True)])
def test_output_has_at_most_ten_lines(count, last, cut_off):
    text = exercise_text(exercise(failing(), output=numbered(count)), STYLE)
    assert shown_lines(text) == list(range(1, last + 1))
    assert ("(and more)" in text) == cut_off


@pytest.mark.parametrize(("count", "last", "cut_off"), [(12, 12, False), (13, 11, True)])
def test_the_code_of_a_question_has_at_most_twelve_lines(count, last, cut_off):
    code = "\n".join(f"    {line}" for line in numbered(count).split("\n"))
    item = ItemResult(
        id="a", type="single", prompt=f"What is it?\n\n{code}", points=0, max_points=1, answered=True
    )
    text = quizzes_text([QuizResult(id="q", title="Q", points=0, max_points=1, items=(item,))], STYLE)
    assert shown_lines(text) == list(range(1, last + 1))
    assert ("(and more)" in text) == cut_off


@pytest.mark.parametrize(("count", "left_out"), [(5, 0), (6, 1)])
def test_a_traceback_has_at_most_five_frames_the_innermost(count, left_out):
    frames = tuple(Frame(path="relu.py", line=n, function="f", text="x") for n in range(1, count + 1))
    text = exercise_text(exercise(failing(traceback=frames)), STYLE)
    assert [n for n in range(1, 9) if f"relu.py:{n} " in text] == list(range(1 + left_out, count + 1))
    assert ("(1 outer lines left out)" in text) == bool(left_out)


@pytest.mark.parametrize(
    ("count", "last", "rest"), [(6, 6, ""), (7, 5, "(and 2 more, all in the JSON report)")]
)
def test_at_most_six_flags_are_listed(count, last, rest):
    flags = tuple(Flag(path="relu.py", line=n, name="open", reason="reads.") for n in range(1, count + 1))
    text = exercise_text(exercise(failing(), flags=flags), STYLE)
    assert [n for n in range(1, 9) if f"relu.py:{n} " in text] == list(range(1, last + 1))
    assert rest in text
    assert ("more, all in" in text) == bool(rest)


@pytest.mark.parametrize(("length", "label"), [(14, "n" * 14), (15, "n" * 13 + "…")])
def test_the_name_of_an_argument_has_at_most_fourteen_columns(length, label):
    example = Counterexample(call="f(x)", arguments=(Argument(name="n" * length, value="3"),))
    text = exercise_text(exercise(failing(counterexample=example)), STYLE)
    assert f"{label}  3" in text


def test_the_narrowest_width_is_forty():
    assert Style(width=40).width == 40
    with pytest.raises(ValueError, match="at least 40 columns, not 39"):
        Style(width=39)


@pytest.mark.parametrize(
    ("text", "expected"),
    [("abcde", "abcde"), ("abcdef", "abcd…"), ("字字x", "字字x"), ("字字字", "字字…"), ("", "")],
)
def test_a_line_is_cut_to_its_columns(text, expected):
    assert cut(text, 5, STYLE) == expected
    assert columns(cut(text, 5, STYLE)) <= 5


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("ab cd", ["ab cd"]),
        ("ab cde", ["ab", "cde"]),
        ("abcde", ["abcde"]),
        ("abcdef", ["abcde", "f"]),
        ("`abcdef`", ["`abcd", "ef`"]),
        ("", []),
    ],
)
def test_text_is_wrapped_at_its_columns(text, expected):
    assert wrap(text, 5, STYLE) == expected


@pytest.mark.parametrize(("length", "whole"), [(1200, True), (1201, False)])
def test_a_line_has_at_most_1200_characters(length, whole):
    assert (STYLE.clean_line("x" * length) == "x" * length) == whole


@pytest.mark.parametrize(
    ("count", "expected"), [(2, ["0", "1"]), (3, ["0", "1", "2"]), (4, ["0", "1", "and 2"])]
)
def test_lines_are_shortened_with_a_count_of_the_rest(count, expected):
    assert shortened([str(n) for n in range(count)], 3, "and {}") == expected


@pytest.mark.parametrize(
    ("value", "expected"),
    [(0.99999, "0.99"), (0.999999999, "1"), (1.0, "1"), (2.5, "2.5"), (1 / 3, "0.33"), (10.0, "10")],
)
def test_a_number_is_cut_and_not_rounded(value, expected):
    assert number(value) == expected


@pytest.mark.parametrize(("points", "full"), [(12.0, True), (11.999, False), (0.0, False)])
def test_a_bar_is_full_only_with_all_points(points, full):
    assert ("░" not in bar(points, 12.0, STYLE)) == full


@pytest.mark.parametrize(("length", "has_title"), [(9, True), (10, False)])
def test_a_title_is_shown_only_where_more_than_eight_columns_are_left(length, has_title):
    # 40 columns less a bar of 12, points of 8 and two blanks are 18
    line = header("n" * length, "A title", 1, 2, Style(width=40))
    assert columns(line) <= 40
    assert (" A" in line) == has_title


# --- pictures


def picture(height: int, width: int) -> Picture:
    plane = tuple(tuple(float(r * width + c) for c in range(width)) for r in range(height))
    zeros = tuple(tuple(0.0 for _ in row) for row in plane)
    return Picture(
        call="f(x)",
        plane="",
        height=height,
        width=width,
        block_height=1,
        block_width=1,
        expected=plane,
        got=plane,
        difference=zeros,
    )


@pytest.mark.parametrize(("size", "side"), [(PANEL, PANEL), (PANEL + 1, (PANEL + 2) // 2)])
def test_a_plane_is_shrunk_only_where_it_is_larger(size, side):
    panel = panels(picture(size, size))[0]
    assert (len(shrunk(panel, PANEL, PANEL)), len(shrunk(panel, PANEL, PANEL)[0])) == (side, side)


@pytest.mark.parametrize(("size", "per_value"), [(11, 2), (12, 1)])
def test_a_plane_of_at_most_eleven_values_has_two_columns_for_each(size, per_value):
    lines = list(heatmap(picture(size, size), Style(width=80, unicode=False)))
    assert len(lines[2][4 : 4 + PANEL].rstrip()) == size * per_value


@pytest.mark.parametrize(
    ("value", "level"),
    [(-1.0, 0), (1.0, LEVELS - 1), (0.0, 5), (1e-9, 6), (-1e-9, 4)],
)
def test_only_zero_has_the_middle_of_a_two_sided_scale(value, level):
    assert Scale(low=-1.0, high=1.0, two_sided=True).level(value) == level


@pytest.mark.parametrize(("value", "level"), [(2.0, 0), (4.0, LEVELS - 1), (3.0, 5)])
def test_a_one_sided_scale_ends_at_its_ends(value, level):
    assert Scale(low=2.0, high=4.0, two_sided=False).level(value) == level


# --- HTML, GitHub, Gradescope


@pytest.mark.parametrize(("length", "whole"), [(20_000, True), (20_001, False)])
def test_a_text_of_a_page_has_at_most_20000_characters(length, whole):
    assert (escaped("x" * length) == "x" * length) == whole
    assert ("(cut here)" in to_html(report(exercise(failing(), output="x" * length)))) != whole


@pytest.mark.parametrize("count", [MOST_ANNOTATIONS, MOST_ANNOTATIONS + 1])
def test_github_gets_at_most_ten_annotations(count):
    checks = [check(f"test_{n}", f"Title {n}.", Outcome.FAILED, 1, rationale="No.") for n in range(count)]
    log = to_github(report(exercise(*checks)), STYLE, "token")
    annotations = [line for line in log.split("\n") if line.startswith("::error")]
    assert len(annotations) == MOST_ANNOTATIONS
    assert ("and 2 more" in annotations[-1]) == (count > MOST_ANNOTATIONS)


@pytest.mark.parametrize(("length", "whole"), [(1000, True), (1001, False)])
def test_a_message_of_an_annotation_has_at_most_1000_characters(length, whole):
    # the message is the rationale, and a line end behind it only where more follows
    log = to_github(report(exercise(replace(failing(), rationale="x" * length))), STYLE, "token")
    (annotation,) = [line for line in log.split("\n") if line.startswith("::error")]
    assert annotation.endswith("x" * 1000) == whole


@pytest.mark.parametrize(("length", "whole"), [(4000, True), (4001, False)])
def test_details_of_a_summary_have_at_most_4000_characters(length, whole):
    text = to_markdown(report(exercise(replace(failing(), rationale="x" * length))))
    assert (f"<pre>{'x' * 4000}</pre>" in text) == whole


def test_a_summary_that_just_fits_is_whole_and_one_byte_less_drops_an_entry():
    subject = report(exercise(failing(), replace(failing(), id="test_b")))
    text = to_markdown(subject)
    needed = len(text.encode()) + 80  # reserved for the line that counts the rest
    assert to_markdown(subject, needed) == text
    smaller = to_markdown(subject, needed - 1)
    assert smaller.count("<details>") == 1
    assert smaller.endswith("1 more did not fit here: read the log.\n")
    assert len(smaller.encode()) <= needed - 1


def test_a_summary_whose_table_does_not_fit_is_empty():
    subject = report(exercise(failing()))
    head = to_markdown(subject).index("\n<details>") + 80
    assert to_markdown(subject, head).startswith("## ")
    assert to_markdown(subject, head - 1) == ""


@pytest.mark.parametrize(("length", "whole"), [(8000, True), (8001, False)])
def test_the_output_of_a_gradescope_test_has_at_most_8000_characters(length, whole):
    written = json.loads(to_gradescope(report(exercise(replace(failing(), rationale="x" * length)))))
    assert (written["tests"][0]["output"] == "x" * length) == whole


def test_the_limits_leave_an_ordinary_report_whole():
    text = exercise_text(POOLING, Style())
    assert "(and more)" not in text
    assert "left out" not in text

"""Pictures: the plane that is selected, the level of each number, and what a terminal draws."""

import math
import re

import click
import pytest
import torch

from grader.core.model import CheckResult, Outcome, Picture
from grader.grading import messages
from grader.grading.engine.feedback.picture import MAX_SIDE, picture
from grader.grading.engine.suite.comparison import Mismatch, assert_matches
from grader.grading.messages import CheckEnded
from grader.report import Style
from grader.report.heatmap import heatmap
from grader.report.scale import LEVELS, Scale, described, panels, shrunk


def drawn(got, expected, **options):
    with pytest.raises(Mismatch) as caught:
        assert_matches(got, expected, check_dtype=False, **options)
    return picture(caught.value, "f(x)")


def of(expected, got, difference=None) -> Picture:
    """A picture of nested rows; the difference is worked out unless given."""
    difference = difference or [
        [g - e for g, e in zip(*rows, strict=True)] for rows in zip(got, expected, strict=True)
    ]
    planes = [tuple(map(tuple, plane)) for plane in (expected, got, difference)]
    sizes = {"height": len(expected), "width": len(expected[0]), "block_height": 1, "block_width": 1}
    return Picture(call="f(x)", plane="", **sizes, expected=planes[0], got=planes[1], difference=planes[2])


# --- what is taken


def test_the_plane_with_the_largest_error_is_taken():
    expected = torch.zeros(2, 3, 4, 5)
    got = expected.clone()
    got[0, 1, 2, 3], got[1, 2, 0, 4] = 0.5, -2.0
    shown = drawn(got, expected)
    assert (shown.plane, shown.height, shown.width) == ("sample 1, channel 2", 4, 5)
    assert (shown.expected[0][4], shown.got[0][4], shown.difference[0][4]) == (0.0, -2.0, -2.0)
    assert sum(value != 0 for row in shown.difference for value in row) == 1


@pytest.mark.parametrize("wild", [math.nan, math.inf, -math.inf])
def test_what_is_not_finite_is_the_largest_error_and_no_number(wild):
    expected = torch.ones(1, 2, 4, 4)
    got = expected.clone()
    got[0, 0] = 9.0
    got[0, 1, 3, 3] = wild
    shown = drawn(got, expected)
    assert shown.plane == "sample 0, channel 1"
    assert (shown.got[3][3], shown.difference[3][3], shown.difference[0][0]) == (None, None, 0.0)


def test_an_infinity_that_is_expected_is_no_error():
    expected = torch.zeros(4, 4)
    expected[0, 0], expected[0, 1] = -math.inf, math.nan
    got = expected.clone()
    got[3, 3] = 1.0
    assert drawn(got, expected).difference[0][:2] == (0.0, 0.0)


def test_a_large_plane_is_drawn_in_blocks_and_loses_no_error():
    expected = torch.arange(100.0).repeat(70, 1)
    got = expected.clone()
    got[69, 99] -= 1000.0
    shown = drawn(got, expected)
    assert (shown.height, shown.width, shown.block_height, shown.block_width) == (70, 100, 3, 4)
    assert (len(shown.expected), len(shown.expected[0])) == (24, 25)
    assert max(len(shown.expected), len(shown.expected[0])) <= MAX_SIDE
    assert shown.expected[0][:2] == (1.5, 5.5)
    assert shown.difference[23][24] == -1000.0


@pytest.mark.parametrize(
    ("got", "expected"),
    [
        (torch.zeros(1, 1, 3, 4), torch.ones(1, 1, 3, 4)),  # twelve numbers, all of them shown
        (torch.zeros(1, 8, 2, 32), torch.ones(1, 8, 2, 32)),
        (torch.zeros(100), torch.ones(100)),
        (torch.zeros(8, 8), torch.ones(8, 9)),
        (None, torch.ones(8, 8)),
        (1.0, 2.0),
    ],
)
def test_there_is_no_picture_where_it_would_show_nothing_more(got, expected):
    assert drawn(got, expected) is None


def test_a_batch_of_vectors_is_no_plane():
    assert drawn(torch.zeros(8, 10), torch.ones(8, 10), axes=("N", "class")) is None
    assert drawn(torch.zeros(8, 10), torch.ones(8, 10)).plane == ""


def test_axes_without_a_name_are_counted():
    got = torch.zeros(1, 2, 1, 4, 4)
    got[0, 1] = 1.0
    assert drawn(got, torch.zeros(1, 2, 1, 4, 4)).plane == "axis 0 0, axis 1 1, axis 2 0"


def test_a_small_plane_of_many_is_drawn_as_their_numbers_are_not_all_shown():
    assert drawn(torch.zeros(4, 4, 3, 3), torch.ones(4, 4, 3, 3)) is not None


@pytest.mark.parametrize("dtype", [torch.bool, torch.int64, torch.float16, torch.float64])
def test_every_dtype_can_be_drawn(dtype):
    assert drawn(torch.zeros(4, 4, dtype=dtype), torch.ones(4, 4, dtype=dtype)).difference[0][0] == -1.0


def test_a_picture_comes_through_from_the_grading_process_as_it_is():
    got = torch.full((4, 4), math.nan)
    result = CheckResult(
        id="a",
        title="A",
        outcome=Outcome.FAILED,
        points=0.0,
        max_points=1.0,
        picture=drawn(got, torch.zeros(4, 4)),
    )
    ended = CheckEnded(result=result)
    assert messages.decode(messages.encode(ended)) == ended


# --- scales


def test_a_scale_with_two_sides_gives_the_middle_to_zero_alone():
    scale = Scale(low=-1.0, high=4.0, two_sided=True)
    levels = [scale.level(value) for value in (-4, -1, -1e-9, 0, 1e-9, 1, 4)]
    assert levels == [0, 4, 4, 5, 6, 6, 10]
    assert scale.ends == (-4.0, 4.0)


def test_a_scale_with_one_side_goes_from_low_to_high():
    scale = Scale(low=2.0, high=3.0, two_sided=False)
    assert [scale.level(value) for value in (2.0, 2.5, 3.0)] == [0, 5, LEVELS - 1]
    assert Scale(low=2.0, high=2.0, two_sided=False).level(2.0) == 5


def test_expected_and_got_share_a_scale_and_the_difference_has_its_own():
    first, second, third = panels(of([[0, 1], [2, 3]], [[0, 1], [2, 30]]))
    assert first.scale == second.scale == Scale(low=0, high=30, two_sided=False)
    assert third.scale == Scale(low=0, high=27, two_sided=True)
    assert panels(of([[-1, 1]], [[-1, 2]]))[0].scale.two_sided


def test_a_plane_too_wide_is_shrunk_by_means_and_differences_by_what_is_farthest_from_zero():
    expected, _, difference = panels(of([[0, 2], [4, 6]], [[0, 2], [4, -3]]))
    assert shrunk(expected, 1, 1) == ((3.0,),)
    assert shrunk(difference, 1, 1) == ((-9,),)
    assert shrunk(expected, 9, 9) == expected.plane


def test_a_sentence_describes_a_panel():
    sentences = [described(panel) for panel in panels(of([[0, 1], [2, 3]], [[0, 1], [2, -5]]))]
    assert sentences == [
        "expected: 2 rows of 2 values from 0 to 3",
        "got: 2 rows of 2 values from -5 to 2",
        "difference: 1 of 4 values wrong; the largest is -8, row 1, column 1",
    ]
    odd = panels(of([[0.0]], [[None]], [[None]]))
    assert [described(panel) for panel in odd][1:] == [
        "got: 1 rows of 1 values from 0 to 0, 1 NaN or infinite",
        "difference: 1 rows of 1 values, 1 of them wrong, 1 NaN or infinite",
    ]


# --- what a terminal draws

RAMP = [[float(row + column) for column in range(24)] for row in range(14)]
TALL = [[1.0] * 3 for _ in range(32)]
SAMPLES = [
    of([[0.0, 1.0, -2.0]] * 5, [[0.0, None, -2.0]] * 5, [[0.0, None, 0.0]] * 5),
    of(RAMP, [[-value for value in row] for row in RAMP]),
    of(TALL, [[value * 1e-30 for value in row] for row in TALL]),
    of([[1e300] * 32] * 32, [[-1e300] * 32] * 32),
]


@pytest.mark.parametrize("sample", SAMPLES, ids=["nan", "ramp", "tall", "huge"])
@pytest.mark.parametrize("unicode", [False, True])
@pytest.mark.parametrize("color", [False, True])
@pytest.mark.parametrize("width", [40, 60, 80, 100])
def test_a_heat_map_fits_and_its_panels_line_up(sample, unicode, color, width):
    lines = [
        click.unstyle(line) for line in heatmap(sample, Style(width=width, color=color, unicode=unicode))
    ]
    assert max(map(len, lines)) <= width
    assert all(line.startswith("    ") and line == line.rstrip() for line in lines)
    assert unicode or "".join(lines).isascii()
    heads = [n for n, line in enumerate(lines) if set(line.split()) <= {"expected", "got", "difference"}]
    fitting = max(1, (width - 2) // 24)
    assert len(heads) == math.ceil(3 / fitting)
    for head in heads:
        starts = [match.start() for match in re.finditer(r"\S+", lines[head])]
        assert starts == [4 + 24 * n for n in range(len(starts))]
        assert all(lines[head + 1][start] != " " == lines[head + 1][start - 1] for start in starts)


def test_colors_are_those_of_the_levels_and_two_rows_share_a_line():
    text = "\n".join(heatmap(of(RAMP, RAMP[::-1]), Style(color=True)))
    assert "▀" in text
    assert re.search(r"\x1b\[38;5;17m\x1b\[48;5;\d+m▀", text)
    small = "\n".join(heatmap(of([[-1.0, 0.0, 1.0]] * 3, [[0.0, 0.0, 0.0]] * 3), Style(color=True)))
    assert "\x1b[38;5;25m██" in small
    assert "\x1b[38;5;255m██████" in small
    assert "\x1b[38;5;130m██" in small


def test_without_color_the_sign_of_a_difference_is_a_character():
    lines = list(heatmap(of([[0.0, 0.0, 4.0, 4.0]] * 3, [[1.0, 0.0, 0.0, 3.0]] * 3), Style()))
    assert lines[2].endswith("+ · ---")
    assert "··" in lines[2]
    assert "██" in lines[2]


# --- limits: just below and just above each


@pytest.mark.parametrize(("side", "block"), [(32, 1), (33, 2), (64, 2), (65, 3)])
def test_a_side_has_at_most_32_cells(side, block):
    expected = torch.zeros(side, 40)
    shown = drawn(expected + 1, expected)
    assert (shown.block_height, len(shown.expected)) == (block, math.ceil(side / block))


@pytest.mark.parametrize(
    ("shape", "is_drawn"), [((2, 9), False), ((3, 6), True), ((3, 5), False), ((4, 4), True)]
)
def test_a_picture_has_three_rows_and_16_cells(shape, is_drawn):
    assert bool(drawn(torch.ones(shape), torch.zeros(shape))) == is_drawn

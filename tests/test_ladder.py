"""The steps of a comparison: the sentence of each, where two tensors differ, by what rule, and what is never claimed."""

import math

import pytest
import torch

from grader.grading.engine.feedback.picture import picture
from grader.grading.engine.suite.comparison import Mismatch
from grader.grading.engine.suite.relation import relation
from grader.suite import assert_matches, assert_shape


def mismatch(got, expected, **options):
    with pytest.raises(Mismatch) as caught:
        assert_matches(got, expected, **options)
    return caught.value


def seeded(*shape):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(7))


IMAGE = seeded(2, 3, 4, 5)
SQUARE = seeded(1, 2, 4, 4)


# --- the right thing in another form

HABITS = [
    ((IMAGE, {"cache": 1}), IMAGE, "is a tuple of 2, where a single tensor is expected: its first item is right"),
    ((1, IMAGE), IMAGE, "its second item is right, so return only that"),
    ([IMAGE[0], IMAGE[1]], IMAGE, "the values are right, so return them in one tensor"),
    ([[1.0, 2.0], [3, 4]], torch.tensor([[1.0, 2.0], [3.0, 4.0]]), "the values are right, so return them in one"),
    (2.5, torch.tensor(2.5), "its value is right, so return it as a tensor, without .item()"),
    (3, torch.tensor(3), "its value is right, so return it as a tensor"),
    (torch.tensor(2.5), 2.5, "its value is right, so turn it into a number"),
    (torch.tensor([3.0]), 3, "its value is right, so turn it into a number"),
    (13.0, 13, "its value is right, and // in place of / keeps whole numbers whole"),
]  # fmt: skip


@pytest.mark.parametrize(("got", "expected", "words"), HABITS, ids=[words for _, _, words in HABITS])
def test_a_right_result_in_another_form_gets_advice(got, expected, words):
    assert words in mismatch(got, expected).rationale


@pytest.mark.parametrize(
    ("got", "expected"),
    [
        ((IMAGE + 1, 1), IMAGE),
        ([[1.0], [2.0, 3.0]], torch.ones(2, 2)),
        ([10**400], torch.ones(1)),
        (2.0, torch.tensor(2.5)),
        (torch.tensor(2.0), 2.5),
        (13.5, 13),
        ((), IMAGE),
        ([[[[[[[[[[1.0]]]]]]]]]], torch.ones(1)),
    ],
)
def test_nothing_is_called_right_that_was_not_compared(got, expected):
    assert "right" not in mismatch(got, expected).rationale


def test_a_shape_check_finds_the_right_item_by_its_shape():
    with pytest.raises(Mismatch, match="its first item is right"):
        assert_shape((torch.zeros(2, 3), 1), (2, 3))


# --- shapes

SHAPES = [
    # expected, what came, what is said
    (
        IMAGE,
        IMAGE.permute(0, 2, 3, 1),
        "its axes are (N, H, W, C), where (N, C, H, W) are expected: channels last",
    ),
    (
        IMAGE,
        IMAGE.permute(0, 2, 3, 1) + 1,
        "its axes look like (N, H, W, C), where (N, C, H, W) are expected",
    ),
    (IMAGE, IMAGE.mT, "height and width are swapped; apart from that the values are right"),
    (IMAGE[0], IMAGE[0].permute(1, 2, 0), "channels last"),
    (IMAGE[0, 0], IMAGE[0, 0].T, "it is transposed"),
    (torch.zeros(2, 3, 1, 1), torch.zeros(2, 3), "the axes of size 1, H and W, are missing; keepdim=True"),
    (torch.zeros(2, 3), torch.zeros(2, 3, 1), "one axis of size 1 is too many"),
    (IMAGE, IMAGE.flatten(1), "the number of values is right, but axes are joined"),
    (IMAGE, IMAGE[0], "it has 3 axes, where 4 are expected: the first axis is missing"),
    (IMAGE, IMAGE[:, :, 1:], "H is 3, not 4"),
    (torch.zeros(3), torch.zeros(()), "it has no axes, where 1 is expected"),
    (torch.zeros(2, 1, 2, 1, 2), torch.zeros(2, 1, 2, 1, 3), "axis 4 is 3, not 2"),
]


@pytest.mark.parametrize(("expected", "got", "words"), SHAPES, ids=[words for _, _, words in SHAPES])
def test_differences_of_shapes_name_the_axes(expected, got, words):
    found = mismatch(got, expected)
    assert f"has the shape {tuple(got.shape)}, not {tuple(expected.shape)}." in found.rationale
    assert words in found.where


def test_a_shape_alone_proves_no_values():
    with pytest.raises(Mismatch) as caught:
        assert_shape(torch.zeros(2, 4, 5, 3), (2, 3, 4, 5))
    assert "look like (N, H, W, C)" in caught.value.where
    assert "right" not in caught.value.where


# --- dtype, NaN and infinity

STEPS = [
    (IMAGE.double(), IMAGE, "has the dtype float64, not float32: numpy makes float64"),
    (IMAGE, IMAGE.double(), "has the dtype float32, not float64: float32 is the default of torch"),
    (IMAGE.long(), IMAGE, "has the dtype int64, not float32: whole numbers have no fractions"),
    (IMAGE > 0, IMAGE, "has the dtype bool, not float32: a comparison gives bool"),
    (torch.tensor([math.inf, 1.0]), torch.ones(2), "holds inf in 1 of 2 places, where finite numbers"),
    (torch.tensor([-math.inf, 1.0]), torch.ones(2), "holds -inf in 1 of 2 places"),
    (torch.tensor([math.nan, math.inf]), torch.ones(2), "holds NaN in 1 of 2 places"),
    (torch.tensor([1.0, 4.5]), torch.ones(2), "is wrong in 1 of 2 places, by up to 3.5."),
    (torch.tensor([1.0]), torch.tensor([-math.inf]), "is 1.0, not -inf."),
    (torch.tensor(2.0), torch.tensor(1.0), "is 2.0, not 1.0."),
    (torch.tensor([2**60 + 1]), torch.tensor([2**60]), "is 1152921504606846977, not 1152921504606846976."),
    (torch.tensor([True]), torch.tensor([False]), "is True, not False."),
    (torch.tensor(math.nan), torch.tensor(2.0), "is nan, not 2.0."),
]


@pytest.mark.parametrize(("got", "expected", "words"), STEPS, ids=[words for _, _, words in STEPS])
def test_each_step_has_its_sentence(got, expected, words):
    assert words in mismatch(got, expected).rationale


@pytest.mark.parametrize(
    "value",
    [
        torch.tensor([math.inf, -math.inf, math.nan]),
        torch.zeros(0, 3),
        torch.tensor(-math.inf),
        torch.tensor([True, False]),
        torch.tensor([2**62]),
        torch.ones(2, dtype=torch.bfloat16),
        float("nan"),
        -math.inf,
    ],
)
def test_a_value_matches_itself(value):
    assert_matches(value, value)


def test_a_tolerance_of_nothing_is_kept():
    assert "is 1.0000000001" in mismatch(1.0000000001, 1.0, rtol=0.0, atol=0.0).rationale


@pytest.mark.parametrize("expected", [1.0, 1, torch.ones(1), "a", (1,), None])
def test_a_number_too_long_to_be_written_is_a_mismatch_like_any_other(expected):
    assert len(mismatch(-(10**10_000), expected).rationale) < 200
    mismatch((10**10_000,), expected)


# --- where

PLACES = [
    ((slice(None), slice(None), slice(None), slice(-2, None)), "only the last 2 columns are wrong"),
    ((slice(None), slice(None), slice(0, 2)), "only the first 2 rows are wrong"),
    ((slice(None), slice(None), slice(1, 3)), "only the rows 1 to 2 are wrong"),
    ((slice(None), slice(None), slice(1, None, 2)), "only every second row is wrong"),
    ((1,), "only the last sample is wrong"),
    ((slice(None), slice(None), slice(None), slice(1, None)), "everything but the first column is wrong"),
    ((slice(None), slice(0, 2)), "everything but the last channel is wrong"),
]


@pytest.mark.parametrize(("index", "words"), PLACES, ids=[words for _, words in PLACES])
def test_runs_of_an_axis_are_named(index, words):
    got = IMAGE.clone()
    got[index] += torch.rand(got[index].shape, generator=torch.Generator().manual_seed(1)) + 1
    assert words in mismatch(got, IMAGE).where


def test_a_border_is_named_by_its_sides():
    got = SQUARE.clone()
    got[..., 0, 1:] += 1
    got[..., 1:, -1] -= seeded(3)
    assert "only the border is wrong, top and right" in mismatch(got, SQUARE).where


# --- by what rule

REVERSED = SQUARE.flip(-1)
POSITIVE = SQUARE.abs() + 0.25
RULES = [
    (SQUARE, -SQUARE, "every sign is flipped"),
    (SQUARE, SQUARE.flip(-1), "flipped left to right"),
    (SQUARE, SQUARE.flip(-2), "flipped upside down"),
    (SQUARE, SQUARE.flip(-1, -2), "rotated by 180 degrees"),
    (SQUARE, SQUARE.mT, "the transpose"),
    (SQUARE, SQUARE.mT.flip(-1), "rotated by 90 degrees"),
    (seeded(5), seeded(5).flip(0), "in reverse order"),
    (SQUARE, SQUARE.clamp(min=0), "what should be negative is 0"),
    (SQUARE, SQUARE.abs(), "what should be negative is positive"),
    (SQUARE.clamp(min=0), SQUARE, "what should be 0 is negative"),
    (SQUARE.clamp(min=0), SQUARE.clamp(min=0) + SQUARE.clamp(max=0) / 100, "what should be 0 is negative"),
    (SQUARE * 3, (SQUARE * 3).trunc(), "the fractions are cut off"),
    (SQUARE * 3, (SQUARE * 3).round(), "the values are rounded to whole numbers"),
    (SQUARE, SQUARE * 4, "every value is 4 times what is expected"),
    (SQUARE, SQUARE - 0.5, "every value is off by -0.5"),
    (SQUARE, torch.zeros_like(SQUARE), "yours is 0 everywhere"),
    (SQUARE, SQUARE.roll(1, -1), "shifted by one column right"),
    (SQUARE, SQUARE.roll(-1, -1), "shifted by one column left"),
    (SQUARE, torch.nn.functional.pad(SQUARE, (0, 0, 1, 0))[..., :-1, :], "shifted by one row down"),
    (SQUARE, SQUARE.roll(-1, -2), "shifted by one row up"),
    (IMAGE, IMAGE[:, [2, 0, 1]], "the channels are in another order: 2, 0, 1"),
    (IMAGE, IMAGE.flip(0), "the samples are in another order: 1, 0"),
    (IMAGE, IMAGE + torch.tensor([1.0, 2.0, -3.0]).view(3, 1, 1), "off by a number of its own: 1, 2, -3"),
    (POSITIVE, POSITIVE * torch.tensor([2.0, 3.0]).view(2, 1, 1), "multiplied by a number of its own: 2, 3"),
    (
        SQUARE,
        SQUARE.flatten()[seeded(32).argsort()].view_as(SQUARE),
        "the same numbers are in other places",
    ),
    (POSITIVE, POSITIVE * (1 + 1e-4 * SQUARE.sign()), "nearly right: off by"),
]


@pytest.mark.parametrize(("expected", "got", "words"), RULES, ids=[words for _, _, words in RULES])
def test_a_simple_rule_is_named(expected, got, words):
    assert words in mismatch(got, expected).where


CLAIMS = ("flipped", "rotated", "transpose", "times", "off by", "shifted", "order", "turned", "places:")


def test_an_unrelated_result_is_given_no_rule():
    for n in range(50):
        generator = torch.Generator().manual_seed(n)
        got, expected = (torch.randn(1, 2, 3, 3, generator=generator) for _ in range(2))
        where = mismatch(got, expected).where
        assert not [claim for claim in CLAIMS if claim in where], where
        assert "first at N 0, C 0, H 0, W 0:" in where


def test_a_wrong_edge_of_a_constant_is_no_shift():
    expected = torch.ones(1, 1, 4, 4)
    got = expected.clone()
    got[..., 0] = 5.0
    where = mismatch(got, expected).where
    assert "only the first column is wrong" in where
    assert "shifted" not in where


def test_a_constant_wrong_by_a_constant_is_described_by_its_numbers():
    where = mismatch(torch.full((2, 2), 4.0), torch.full((2, 2), 2.0)).where
    assert where == "first at row 0, column 0: 4 instead of 2"


@pytest.mark.parametrize("value", [math.inf, -math.inf, math.nan])
def test_places_are_found_among_infinities_too(value):
    expected = torch.full((1, 1, 3, 3), value)
    got = expected.clone()
    got[0, 0, 2] = 1.0
    assert "only the last row is wrong; first at" in mismatch(got, expected).where


def test_the_place_is_computed_on_first_access():
    calls = []
    found = Mismatch("Why.", got=1, expected=2, where=lambda: calls.append(1) or "here")
    assert not calls
    assert (found.where, found.where, len(calls)) == ("here", "here", 1)


DTYPES = (torch.float32, torch.float64, torch.float16, torch.bfloat16, torch.int64, torch.uint8, torch.bool)


def anything(generator):
    """A tensor of any dtype and of up to five axes, some of them empty, some of its values no numbers."""

    def number(high):
        return int(torch.randint(high, (), generator=generator))

    shape = [number(5) for _ in range(number(6))]
    values = torch.randint(-2, 3, shape, generator=generator).double()
    if number(3) == 0 and values.numel():
        values.view(-1)[number(values.numel())] = [math.nan, math.inf, -math.inf][number(3)]
    dtype = DTYPES[number(len(DTYPES))]
    return values.to(dtype) if dtype.is_floating_point else values.nan_to_num(0, 1, -1).abs().to(dtype)


@pytest.mark.parametrize("seed", range(8))
def test_every_pair_of_tensors_ends_in_nothing_or_in_a_mismatch(seed):
    generator = torch.Generator().manual_seed(seed)
    for _ in range(60):
        got, other = anything(generator), anything(generator)
        for expected in (other, other.new_zeros(got.shape), got.flip(list(range(got.dim()))), got.clone()):
            try:
                assert_matches(got, expected, check_dtype=False)
            except Mismatch as found:
                assert found.rationale.endswith(".")
                assert isinstance(found.where, str)
                picture(found, "f(x)")
            else:
                assert got.shape == expected.shape


# --- limits: just below and just above each


def test_the_right_item_is_looked_for_among_eight():
    assert "its eighth item is right" in mismatch((*range(7), IMAGE), IMAGE).rationale
    assert "item is right" not in mismatch((*range(8), IMAGE), IMAGE).rationale


@pytest.mark.parametrize(("depth", "is_named"), [(8, True), (9, False)])
def test_numbers_are_read_from_lists_up_to_eight_deep(depth, is_named):
    nested = 2.0
    for _ in range(depth):
        nested = [nested]
    assert ("the values are right" in mismatch(nested, torch.full((1,) * depth, 2.0)).rationale) == is_named


@pytest.mark.parametrize(
    ("count", "is_named"), [(1, False), (2, True), (2_000_000, True), (2_000_001, False)]
)
def test_a_rule_is_looked_for_in_two_to_two_million_values(count, is_named):
    expected = torch.linspace(1, 2, count, dtype=torch.float64)
    assert bool(relation(expected * 1.0001, expected, ("element",))) == is_named


@pytest.mark.parametrize(("count", "is_named"), [(62_500, True), (62_501, False)])
def test_channels_are_paired_in_at_most_a_million_comparisons(count, is_named):
    expected = torch.randn(4, count, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    found = relation(
        expected[[2, 0, 3, 1]], expected, ("C", "element")
    )  # each of 4 channels with 4 * count values
    assert ("the channels are in another order: 2, 0, 3, 1" in found) == is_named


def test_a_float64_with_the_digits_of_a_float32_is_named():
    thirds = torch.tensor([1.0, 2.0, 100.0], dtype=torch.float64) / 3
    words = "right to 7 digits, as what is computed in float32: float64 has 16"
    assert relation(thirds.float().double(), thirds, ("element",)) == words
    for share, is_named in ((0.9e-9, False), (1.1e-9, True), (4.9e-7, True), (5.1e-7, False)):
        got = thirds + torch.tensor([0, 0, share * 100 / 3], dtype=torch.float64)
        assert (relation(got, thirds, ("element",)) == words) is is_named
    single = thirds.float().double()  # expected values of float32, which has no more digits
    assert "nearly right" in relation(single + 1e-6, single, ("element",))


@pytest.mark.parametrize(("share", "is_named"), [(0.99e-3, True), (1.01e-3, False)])
def test_nearly_right_is_less_than_a_thousandth_of_the_largest_value(share, is_named):
    expected = torch.tensor([1.0, 3.0, 100.0], dtype=torch.float64)
    got = expected + torch.tensor([100 * share, 0, 0], dtype=torch.float64)
    assert ("nearly right" in relation(got, expected, ("element",))) == is_named


@pytest.mark.parametrize(("error", "is_named"), [(0.9e-5, True), (1.3e-5, False)])
def test_a_rule_holds_up_to_a_hundred_thousandth(error, is_named):
    expected = torch.tensor([1.0, 50.0, 1000.0], dtype=torch.float64)
    got = expected.flip(0) * (1 + error)
    assert ("in reverse order" in relation(got, expected, ("element",))) == is_named


def test_six_channels_are_listed():
    for count, words in ((6, "order: 5, 3, 0, 1, 2, 4"), (7, "order: 5, 3, 0, 1, 2, 4, ...")):
        expected = torch.arange(4.0 * count, dtype=torch.float64).reshape(count, 4).square()
        order = [5, 3, 0, 1, 2, 4, 6][:count]
        assert relation(expected[order], expected, ("C", "element")).endswith(words)


@pytest.mark.parametrize(("rows", "is_named"), [(2, False), (3, True)])
def test_a_border_needs_three_rows(rows, is_named):
    expected = torch.randn(1, 1, rows, 5, generator=torch.Generator().manual_seed(0))
    got = expected.clone()
    got[0, 0, [0, -1], 2] += 1
    assert ("border" in mismatch(got, expected).where) == is_named

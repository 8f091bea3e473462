"""Hidden suite of `output_size`. Expected values are worked by hand, or taken from torch's own layers."""

import pytest
import torch
from torch import nn

from grader.suite import assert_matches as assert_exactly
from grader.suite import call, small_inputs


@small_inputs("conv_output_size")
def small_sizes():
    from hypothesis import strategies as st

    kernel, stride = st.integers(1, 4), st.integers(1, 3)
    padding, dilation = st.integers(0, 2), st.integers(1, 3)
    sizes = st.tuples(st.integers(1, 12), kernel, stride, padding, dilation)
    # Only kernels that fit: torch refuses the others.
    fitting = sizes.filter(lambda s: s[0] + 2 * s[3] >= s[4] * (s[1] - 1) + 1)
    return fitting.map(lambda s: call(*s))


@small_inputs("same_padding")
def small_kernels():
    from hypothesis import strategies as st

    return st.builds(
        lambda half, dilation: call(2 * half + 1, dilation), st.integers(0, 3), st.integers(1, 3)
    )


@small_inputs("conv_parameter_count")
def small_layers():
    from hypothesis import strategies as st

    channels = st.integers(1, 4)
    return st.builds(
        lambda i, o, k, bias, groups: call(i * groups, o * groups, k, bias=bias, groups=groups),
        channels, channels, st.integers(1, 3), st.booleans(), st.integers(1, 2),
    )  # fmt: skip


@small_inputs("conv_mult_adds")
def small_work():
    from hypothesis import strategies as st

    some = st.integers(1, 4)
    return st.builds(
        lambda i, o, k, h, w, groups: call(i * groups, o * groups, k, h, w, groups=groups),
        some, some, st.integers(1, 3), some, some, st.integers(1, 2),
    )  # fmt: skip


@small_inputs("receptive_field")
def small_stacks():
    from hypothesis import strategies as st

    layer = st.tuples(st.integers(1, 4), st.integers(1, 3))
    return st.lists(layer, max_size=3).map(call)


def assert_matches(got, expected):
    """Compare whole numbers. A right value of another type passes: its type costs one check for each name, not all."""
    if isinstance(got, torch.Tensor) and got.dim() == 0:
        got = got.item()
    whole = int(got) if isinstance(got, float) and got.is_integer() else got
    assert_exactly(whole, expected, check_dtype=False)


@pytest.mark.points(1)
def test_output_size_is_a_whole_number(student):
    """The output size is an int"""
    assert_exactly(student.conv_output_size(7, 3, 2), 3)


@pytest.mark.points(1)
def test_stride_one(student):
    """A kernel at stride 1 has size - kernel + 1 positions"""
    for size, kernel, expected in ((5, 3, 3), (28, 5, 24), (5, 5, 1), (6, 1, 6), (1000, 15, 986)):
        assert_matches(student.conv_output_size(size, kernel), expected)


@pytest.mark.points(1)
def test_padding_counts_on_both_sides(student):
    """Padding is added on both sides"""
    assert_matches(student.conv_output_size(28, 5, padding=2), 28)
    assert_matches(student.conv_output_size(4, 3, padding=1), 4)
    assert_matches(student.conv_output_size(1, 3, 1, 1), 1)
    assert_matches(student.conv_output_size(5, 3, padding=5), 13)
    assert_matches(student.conv_output_size(1, 1, padding=50), 101)


@pytest.mark.points(1)
def test_a_window_that_sticks_out_is_dropped(student):
    """A window that does not fit entirely is dropped"""
    assert_matches(student.conv_output_size(8, 3, 2), 3)
    assert_matches(student.conv_output_size(9, 2, 4), 2)
    assert_matches(student.conv_output_size(28, 3, stride=2), 13)
    assert_matches(student.conv_output_size(10, 5, 3), 2)  # the second window ends one pixel early
    # Strides larger than the kernel skip pixels.
    assert_matches(student.conv_output_size(7, 2, 3), 2)
    assert_matches(student.conv_output_size(10, 1, 4), 3)
    assert_matches(student.conv_output_size(100, 3, 16), 7)


@pytest.mark.points(1)
def test_dilation_widens_the_reach(student):
    """Dilation widens the reach of the kernel"""
    assert_matches(student.conv_output_size(28, 3, dilation=2), 24)
    assert_matches(student.conv_output_size(7, 3, 1, 0, 3), 1)
    assert_matches(student.conv_output_size(9, 1, dilation=5), 9)
    assert_matches(student.conv_output_size(50, 3, dilation=12), 26)
    assert_matches(student.conv_output_size(100, 4, dilation=30), 10)


@pytest.mark.points(1)
def test_a_kernel_that_does_not_fit_has_no_position(student):
    """A kernel that does not fit has no position"""
    assert_matches(student.conv_output_size(2, 3), 0)
    assert_matches(student.conv_output_size(2, 3, 2), 0)  # int(-1 / 2) is 0, and -1 // 2 is not
    assert_matches(student.conv_output_size(1, 5), 0)
    assert_matches(student.conv_output_size(3, 5, stride=4), 0)
    assert_matches(student.conv_output_size(1, 6, 2, padding=1), 0)
    assert_matches(student.conv_output_size(4, 3, dilation=4), 0)


@pytest.mark.points(1)
def test_sizes_agree_with_torch(student, rng):
    """Twelve drawn settings agree with torch's own convolution"""
    known = [(227, 11, 4, 0, 1, 55), (224, 7, 2, 3, 1, 112), (224, 16, 16, 0, 1, 14)]  # AlexNet, ResNet, ViT
    for *setting, expected in known:
        assert_matches(student.conv_output_size(*setting), expected)
    for _ in range(12):
        drawn = [
            int(torch.randint(low, high, (), generator=rng))
            for low, high in ((1, 8), (1, 10), (0, 6), (1, 7))
        ]
        kernel, stride, padding, dilation = drawn
        reach = dilation * (kernel - 1) + 1
        size = max(reach - 2 * padding, 1) + int(torch.randint(0, 20, (), generator=rng))
        layer = nn.Conv1d(1, 1, kernel, stride, padding, dilation)
        expected = layer(torch.zeros(1, 1, size)).shape[-1]
        assert_matches(student.conv_output_size(size, kernel, stride, padding, dilation), expected)


@pytest.mark.points(1)
def test_same_padding_keeps_the_size(student):
    """Same padding of odd kernels keeps the size"""
    assert_exactly(student.same_padding(5), 2)
    for kernel, expected in ((3, 1), (1, 0), (7, 3), (11, 5), (31, 15)):
        assert_matches(student.same_padding(kernel), expected)


@pytest.mark.points(1)
def test_same_padding_with_dilation(student):
    """Same padding takes dilation into account"""
    assert_matches(student.same_padding(3, 2), 2)
    assert_matches(student.same_padding(5, dilation=3), 6)
    assert_matches(student.same_padding(1, 4), 0)
    assert_matches(student.same_padding(7, 12), 36)


@pytest.mark.points(1)
def test_parameters_of_one_channel(student):
    """LeNet's first convolution has 520 parameters"""
    assert_exactly(student.conv_parameter_count(1, 20, 5), 520)


@pytest.mark.points(1)
def test_parameters_of_many_channels(student):
    """A filter reaches through all input channels"""
    assert_matches(student.conv_parameter_count(20, 50, 5), 25050)
    assert_matches(student.conv_parameter_count(3, 8, 3), 224)
    assert_matches(student.conv_parameter_count(3, 96, 11), 34944)
    assert_matches(student.conv_parameter_count(256, 64, 1), 16448)
    assert_matches(student.conv_parameter_count(64, 1, 1), 65)
    assert_matches(student.conv_parameter_count(5, 3, 1), 18)


@pytest.mark.points(2)
def test_parameters_with_bias_and_groups(student):
    """Bias and groups change the number of parameters"""
    for groups, with_bias, without in ((1, 584, 576), (2, 296, 288), (8, 80, 72)):
        assert_matches(student.conv_parameter_count(8, 8, 3, groups=groups), with_bias)
        assert_matches(student.conv_parameter_count(8, 8, 3, bias=False, groups=groups), without)
    assert_matches(student.conv_parameter_count(8, 4, 3, bias=False), 288)
    assert_matches(student.conv_parameter_count(8, 16, 3, groups=8), 160)
    assert_matches(student.conv_parameter_count(128, 128, 3, False, 32), 4608)
    layer = nn.Conv2d(6, 4, 3, groups=2)
    assert_matches(student.conv_parameter_count(6, 4, 3, True, 2), sum(p.numel() for p in layer.parameters()))


@pytest.mark.points(1)
def test_work_of_a_convolution(student):
    """Every output value is one dot product"""
    assert_exactly(student.conv_mult_adds(1, 20, 5, 28, 28), 392_000)
    assert_matches(student.conv_mult_adds(3, 8, 3, 4, 5), 4320)
    assert_matches(student.conv_mult_adds(3, 8, 1, 5, 4), 480)
    assert_matches(student.conv_mult_adds(64, 1, 1, 1, 1), 64)
    assert_matches(student.conv_mult_adds(5, 2, 3, 4, 4), 1440)
    assert_matches(student.conv_mult_adds(512, 512, 3, 56, 56), 7_398_752_256)  # more than 32 bits hold


@pytest.mark.points(2)
def test_work_with_groups(student):
    """Groups divide the work"""
    assert_matches(student.conv_mult_adds(8, 8, 3, 2, 3, groups=8), 432)
    assert_matches(student.conv_mult_adds(6, 4, 1, 1, 2, groups=2), 24)
    assert_matches(student.conv_mult_adds(64, 64, 3, 7, 5, 32), 40_320)


@pytest.mark.points(1)
def test_field_is_a_whole_number(student):
    """The field is an int, and of no layer one pixel"""
    assert_exactly(student.receptive_field([(3, 2), (2, 1)]), 5)
    assert_exactly(student.receptive_field([]), 1)


@pytest.mark.points(1)
def test_field_of_stride_one_layers(student):
    """Stacked 3 x 3 layers see 3, 5, 7 pixels"""
    for layers in (1, 2, 3, 10):
        assert_matches(student.receptive_field([(3, 1)] * layers), 2 * layers + 1)
    assert_matches(student.receptive_field([(1, 1)]), 1)
    assert_matches(student.receptive_field([(2, 1), (11, 1), (4, 1)]), 15)


@pytest.mark.points(2)
def test_field_with_strides(student):
    """Strides of earlier layers multiply, pooling and 1 x 1 layers included"""
    # 3, then 3 + 4 * 2 = 11, then 11 + 1 * 2 * 3 = 17.
    assert_matches(student.receptive_field([(3, 2), (5, 3), (2, 1)]), 17)
    assert_matches(student.receptive_field([(5, 2), (3, 1)]), 9)
    assert_matches(student.receptive_field([(3, 2)] * 3), 15)
    assert_matches(student.receptive_field([(5, 1), (2, 2), (5, 1), (2, 2)]), 16)
    assert_matches(student.receptive_field([(1, 2), (3, 1)]), 5)  # 1 + 0 * 1 + 2 * 2
    assert_matches(student.receptive_field([(2, 2)] * 12), 4096)
    assert_matches(student.receptive_field([(11, 4), (3, 2), (5, 1)]), 51)  # 11, 11 + 2 * 4, 19 + 4 * 8
    assert_matches(student.receptive_field([(3, 5), (3, 7), (2, 1)]), 48)  # 3, 3 + 2 * 5, 13 + 1 * 35
    vgg = [layers * [(3, 1)] + [(2, 2)] for layers in (2, 2, 3, 3, 3)]  # VGG-16: published as 212
    assert_matches(student.receptive_field([layer for block in vgg for layer in block]), 212)

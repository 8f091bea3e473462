"""The course has a known mistake for each of the 84 that were seen in real code, by their number in the research notes."""

import re
from pathlib import Path

import pytest

from grader.course import catalog
from grader.course.known_mistakes import read_mistakes

ROOT = Path(__file__).parents[1]

# Where a function of the course has no such argument, the row names another mistake with the same misconception.
SEEN = {
    # conv_output_size
    1: ("output_size", "no-floor"),
    2: ("output_size", "ceil-or-round"),
    3: ("output_size", "pad-once"),
    4: ("output_size", "missing-plus-one"),
    5: ("output_size", "size-over-stride"),
    6: (
        "pooling",
        "square-assumed",
    ),  # computes the width from the height: conv_output_size takes one axis at a time
    7: ("output_size", "dilation-times-kernel"),
    # conv_parameter_count
    8: ("output_size", "no-bias"),
    9: ("output_size", "no-in-channels"),
    10: ("output_size", "bias-per-weight-plane"),
    11: (
        "output_size",
        "counts-parameters",
    ),  # mixes up weights and operations, which the course counts in two functions
    12: ("freezing", "counts-buffers-too"),
    # receptive_field
    13: ("output_size", "sum-of-kernels"),
    14: ("output_size", "own-stride"),
    15: ("output_size", "previous-stride-only"),
    16: ("output_size", "pooling-ignored"),
    17: ("output_size", "dilation-twice"),
    # conv2d
    18: ("convolution", "flipped-kernel"),
    19: ("convolution", "stride-not-in-index"),
    20: ("convolution", "reads-unpadded"),
    21: ("convolution", "slice-to-minus-zero"),
    22: ("convolution", "always-one"),
    23: ("convolution", "pads-all-axes"),
    24: ("convolution", "square-assumed"),
    25: ("convolution", "keeps-the-last-channel"),
    26: ("convolution", "bias-for-each-channel"),
    27: ("convolution", "rejects-what-does-not-divide"),
    28: ("convolution", "returns-none"),
    # max_pool2d
    29: ("pooling", "zero-init"),
    30: ("pooling", "integer-result"),
    31: ("pooling", "default-stride-one"),
    32: ("pooling", "keeps-cut-off-windows"),
    33: ("pooling", "divisible-only"),
    34: ("pooling", "transposed"),
    35: ("pooling", "channel-axis-vanishes"),
    36: ("pooling", "builtin-max"),
    # avg_pool2d
    37: ("pooling", "divides-by-nonzeros"),
    38: ("pooling", "window-as-stride"),
    # relu and its relatives
    39: ("relu", "in-place"),
    40: ("relu", "max-trick"),
    41: ("relu", "sign"),
    42: ("relu", "hard-coded-slope"),
    43: ("relu", "exp-overflow"),
    44: ("relu", "missing-minus-one"),
    45: ("relu", "tanh-for-erf"),
    46: ("relu", "sigmoid-1702"),
    47: ("relu", "at-zero"),
    48: ("relu", "aliases-gradient"),
    49: ("relu", "no-chain"),
    # batch_norm2d
    50: ("batchnorm", "unbiased-forward"),
    51: ("batchnorm", "biased-running"),
    52: ("batchnorm", "momentum-reversed"),
    53: ("batchnorm", "reshape-no-permute"),
    54: ("batchnorm", "axis-zero-only"),
    55: ("batchnorm", "eval-uses-batch"),
    56: ("batchnorm", "eps-outside"),
    57: ("batchnorm", "running-in-locals"),
    58: ("batchnorm", "std-in-running-var"),
    # layer_norm, instance_norm, group_norm
    59: ("normalization", "last-axis-only"),
    60: ("normalization", "annotated-transformer"),
    61: ("normalization", "layer-times-eps"),
    62: ("normalization", "instance-no-mean"),
    63: ("normalization", "interleaved"),
    64: ("normalization", "group-unbiased"),
    # lenet
    65: ("lenet", "no-padding"),
    66: ("lenet", "no-activation-between-linear"),
    67: ("lenet", "softmax-inside"),
    68: ("lenet", "batch-in-view"),
    69: ("lenet", "flatten-all"),
    70: ("lenet", "name-typo"),
    71: ("lenet", "average-pooling"),
    # freeze
    72: ("freezing", "require-grad-typo"),
    73: ("freezing", "module-attribute"),
    74: ("freezing", "flags-only"),
    75: ("freezing", "train-undoes-eval"),
    76: ("freezing", "substring"),
    77: ("freezing", "stops-inside-the-layer"),
    78: ("freezing", "counts-tensors-not-layers"),
    79: ("freezing", "all-parameters"),
    80: ("freezing", "stale-gradient"),
    81: ("freezing", "freezes-after-replacing"),
    82: ("freezing", "counts-all"),
    83: ("freezing", "counts-tensors"),
    84: ("freezing", "freezes-all-norms"),
}

# Habits in real code: return values, arguments and names that differ, by the number in the same notes.
HABITS = {
    1: [("batchnorm", "returns-statistics"), ("batchnorm", "running-in-locals"), ("batchnorm", "plain-attributes")],
    2: [("batchnorm", "momentum-reversed"), ("batchnorm", "biased-running"), ("batchnorm", "momentum-reversed-and-biased")],
    3: [("pooling", "numpy-inside"), ("pooling", "returns-numpy"), ("relu", "always-float64"), ("batchnorm", "always-float64")],
    5: [("pooling", "no-stride-argument"), ("pooling", "stride-required"), ("pooling", "default-stride-one")],
    6: [("pooling", "unpacks-fewer-axes"), ("pooling", "channels-last"), ("batchnorm", "unpacks-fewer-axes")],
    7: [("pooling", "with-cache"), ("relu", "with-cache"), ("relu", "with-intermediates"), ("batchnorm", "returns-cache")],
    8: [("batchnorm", "grad-mode-decides"), ("batchnorm", "of-the-book")],
    9: [("normalization", "last-axis-only"), ("normalization", "layer-affine-per-channel")],
    10: [("relu", "tanh-for-erf"), ("relu", "sigmoid-1702")],
    11: [("freezing", "substring"), ("freezing", "counts-tensors-not-layers"), ("freezing", "train-undoes-eval")],
    12: [("lenet", "network-of-lecun"), ("lenet", "no-padding"), ("lenet", "original-sizes"), ("lenet", "with-dropout"), ("lenet", "log-softmax-inside")],
    13: [("pooling", "transposed")],
}  # fmt: skip

PAIRS = sorted(set(SEEN.values()) | {pair for pairs in HABITS.values() for pair in pairs})


def known(exercise: str) -> set[str]:
    return {listed.id for listed in read_mistakes(ROOT / "solutions" / exercise / "mistakes.py")}


def test_every_number_has_a_row():
    assert list(SEEN) == list(range(1, 85))


@pytest.mark.parametrize(("exercise", "mistake"), PAIRS, ids=[f"{e}-{m}" for e, m in PAIRS])
def test_the_course_has_it(exercise, mistake):
    assert mistake in known(exercise)


def test_every_message_says_what_to_do():
    """Two sentences, or one with a colon: what the code does, and what to do instead, in 20 to 220 characters."""
    poor = [
        f"{exercise.id}: {listed.id}"
        for exercise in catalog.load(ROOT).exercises
        for listed in read_mistakes(exercise.folder / "mistakes.py")
        if not (20 <= len(listed.message) <= 220 and re.search(r"[.:;?,] ", listed.message) and listed.message.endswith((".", "?", ")")))
    ]  # fmt: skip
    assert not poor

"""What the suites of a course import.

A suite imports `assert_matches` and `assert_shape` for what a call returns, and `usable` for the values in it;
`assert_gradient`, `assert_parameter_gradients` and `assert_inputs_unchanged` for its other effects; `layer_by_layer`,
which adds a table of shapes to a failure of a whole model; and `small_inputs` with `call` for the small calls that the
search for a counterexample tries. `student` and `rng` are its fixtures; `points`, `requires` and `reveal` its marks.
"""

from grader.grading.engine.suite.comparison import Mismatch, assert_matches, assert_shape, usable
from grader.grading.engine.suite.effects import (
    assert_gradient,
    assert_inputs_unchanged,
    assert_parameter_gradients,
)
from grader.grading.engine.suite.layers import layer_by_layer
from grader.grading.engine.suite.small_inputs import PackedCall, call, small_inputs

__all__ = [
    "Mismatch",
    "PackedCall",
    "assert_gradient",
    "assert_inputs_unchanged",
    "assert_matches",
    "assert_parameter_gradients",
    "assert_shape",
    "call",
    "layer_by_layer",
    "small_inputs",
    "usable",
]

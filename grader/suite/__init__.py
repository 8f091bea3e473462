"""Runs a hidden pytest suite in the trusted process, and what suites are written with.

A suite imports `assert_matches` and `assert_shape` for what a call returns; `assert_gradient`,
`assert_parameter_gradients` and `assert_inputs_unchanged` for what it does besides; `layer_by_layer`, which adds a
table of shapes to what a whole model fails; and `small_inputs` with `call` to say which small calls to try when a
counterexample is sought. `student` and `rng` are its fixtures; `points`, `requires` and `reveal` its marks.
"""

from collections.abc import Callable
from typing import TypeVar

from grader.suite.comparison import Mismatch, assert_matches, assert_shape
from grader.suite.effects import assert_gradient, assert_inputs_unchanged, assert_parameter_gradients
from grader.suite.layers import layer_by_layer

__all__ = [
    "SMALL_INPUTS",
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
]

PackedCall = tuple[tuple[object, ...], dict[str, object]]
Strategy = TypeVar("Strategy", bound=Callable[[], object])

# Filled while a suite is imported. A grading process imports exactly one suite, so one table is enough.
SMALL_INPUTS: dict[str, Callable[[], object]] = {}


def call(*args: object, **kwargs: object) -> PackedCall:
    """Pack the arguments of one call."""
    return args, kwargs


def small_inputs(name: str) -> Callable[[Strategy], Strategy]:
    """Register a function that returns a Hypothesis strategy of packed calls of the student's `name`.

    The function imports Hypothesis itself, so that gradings without a failure never pay for it.
    """

    def register(strategy: Strategy) -> Strategy:
        SMALL_INPUTS[name] = strategy
        return strategy

    return register

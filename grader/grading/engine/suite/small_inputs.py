"""The small calls that a suite offers to the search for a counterexample."""

from collections.abc import Callable
from typing import TypeVar

PackedCall = tuple[tuple[object, ...], dict[str, object]]
Strategy = TypeVar("Strategy", bound=Callable[[], object])

# Filled while a suite is imported. A grading process imports exactly one suite, so one table is enough.
SMALL_INPUTS: dict[str, Callable[[], object]] = {}


def call(*args: object, **kwargs: object) -> PackedCall:
    """Pack the arguments of one call."""
    return args, kwargs


def small_inputs(name: str) -> Callable[[Strategy], Strategy]:
    """Register a function that returns a Hypothesis strategy of packed calls of the student's `name`.

    The function imports Hypothesis itself, so that gradings without a failure never import it.
    """

    def register(strategy: Strategy) -> Strategy:
        SMALL_INPUTS[name] = strategy
        return strategy

    return register

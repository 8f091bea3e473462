"""Composes two mistakes in one name into one piece of code, where that is possible.

Classes that inherit from the reference are combined by multiple inheritance: one overrides what the other does not, and
`super()` reaches the other. A function that calls the reference's own calls the other mistake instead.
"""

from collections.abc import Callable

from grader.course.known_mistakes import Mistake
from grader.grading.engine.feedback.replay import Replayer


def compositions(replayer: Replayer, one: Mistake, other: Mistake) -> list[Callable[..., object]]:
    """Return the compositions of two mistakes in one name; none where neither calls nor inherits the reference's."""
    orders = ((one, other), (other, one))
    if isinstance(replayer.reference[one.name], type):
        made = [_class(replayer, *order) for order in orders]
    else:
        made = [_function(replayer, *order) for order in orders]
    return [code for code in made if code is not None]


def _class(replayer: Replayer, first: Mistake, second: Mistake) -> Callable[..., object] | None:
    reference = replayer.reference[first.name]
    bases = (first.variant, second.variant)
    assert isinstance(reference, type)
    if not all(isinstance(base, type) and issubclass(base, reference) for base in bases):
        return None
    try:
        return type(reference.__name__, bases, {})  # type: ignore[arg-type]
    except TypeError:  # no method resolution order fits both
        return None


def _function(replayer: Replayer, outer: Mistake, inner: Mistake) -> Callable[..., object] | None:
    if not replayer.delegates(outer.name, outer.variant):
        return None
    name = outer.name
    return replayer.bound(name, outer.variant, replayer.bound(name, inner.variant))

"""Returns NaN, which is equal to nothing."""

from honest import halve, largest


def halve(x):
    return [x * float("nan")]

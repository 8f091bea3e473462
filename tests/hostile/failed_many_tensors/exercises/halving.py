"""Returns 10**4 tensors."""

from honest import halve, largest


def halve(x):
    return [x] * 10**4

"""Returns a generator that never ends."""

from honest import halve, largest


def halve(x):
    return iter(int, 1)

"""Returns a list of 10**6."""

from honest import halve, largest


def halve(x):
    return [0] * 10**6

"""Returns a string of 10**8."""

from honest import halve, largest


def halve(x):
    return "a" * 10**8

"""Makes a string of 10**9."""

from honest import halve, largest


def halve(x):
    return "a" * 10**9

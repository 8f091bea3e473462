"""Returns a number of 10**6 digits."""

from honest import halve, largest


def halve(x):
    return 10 ** (10**6)

"""A zip with a member whose path is absolute."""

from honest import halve, largest


def halve(x):
    return x / 2

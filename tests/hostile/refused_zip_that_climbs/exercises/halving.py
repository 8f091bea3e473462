"""A zip with a member whose path leads out of it by `..`."""

from honest import halve, largest


def halve(x):
    return x / 2

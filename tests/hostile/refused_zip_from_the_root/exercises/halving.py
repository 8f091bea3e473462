"""A zip whose member starts at the root."""

from honest import halve, largest


def halve(x):
    return x / 2

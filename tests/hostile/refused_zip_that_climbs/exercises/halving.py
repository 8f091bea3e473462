"""A zip whose member climbs out."""

from honest import halve, largest


def halve(x):
    return x / 2

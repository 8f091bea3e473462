"""Calls itself for ever."""

from honest import halve, largest


def halve(x):
    return halve(x)

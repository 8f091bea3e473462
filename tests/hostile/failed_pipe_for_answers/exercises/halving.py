"""Hands in a pipe as answers."""

from honest import halve, largest


def halve(x):
    return None

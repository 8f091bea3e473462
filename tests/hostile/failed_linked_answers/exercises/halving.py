"""Hands in a link to the key as answers."""

from honest import halve, largest


def halve(x):
    return None

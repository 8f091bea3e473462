"""Loops."""

from honest import halve, largest


def halve(x):
    while True:
        pass

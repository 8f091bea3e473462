"""Raises a message of 10**7."""

from honest import halve, largest


def halve(x):
    raise ValueError("a" * 10**7)

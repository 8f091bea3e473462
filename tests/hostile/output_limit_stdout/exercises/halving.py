"""Floods one stream."""

from honest import halve, largest


def halve(x):
    while True:
        print("a" * 1000)

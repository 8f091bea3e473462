"""Floods the other stream."""

import sys
from honest import halve, largest


def halve(x):
    while True:
        sys.stderr.write("a" * 1000)

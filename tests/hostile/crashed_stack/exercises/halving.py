"""Overflows the stack of C."""

import sys
from honest import halve, largest


def halve(x):
    sys.setrecursionlimit(10**9)
    return max([x], key=halve)

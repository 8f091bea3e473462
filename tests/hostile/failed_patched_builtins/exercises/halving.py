"""Replaces builtins that Python itself uses."""

import builtins
from honest import halve, largest


builtins.abs = builtins.sum = builtins.max = lambda *_, **__: 0
builtins.AssertionError = builtins.Exception = ValueError


def halve(x):
    return -x

"""Loops where Python cannot interrupt it."""

import re
from honest import halve, largest


def halve(x):
    re.match("(a+)+$", "a" * 64 + "b")

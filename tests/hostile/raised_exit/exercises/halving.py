"""Calls sys.exit."""

import sys
from honest import halve, largest


def halve(x):
    sys.exit(0)

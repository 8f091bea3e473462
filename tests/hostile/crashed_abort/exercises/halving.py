"""Aborts."""

import os
from honest import halve, largest


def halve(x):
    os.abort()

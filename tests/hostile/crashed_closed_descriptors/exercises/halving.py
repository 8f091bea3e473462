"""Closes every descriptor."""

import os
from honest import halve, largest


def halve(x):
    os.closerange(0, 4096)
    return x / 2

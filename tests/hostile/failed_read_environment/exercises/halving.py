"""Prints its environment."""

import os
from honest import halve, largest


def halve(x):
    print(dict(os.environ))
    return None

"""Reads from an empty stdin, again and again."""

import os
from honest import halve, largest


def halve(x):
    while True:
        os.read(0, 1)

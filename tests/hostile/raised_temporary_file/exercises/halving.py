"""Writes where everybody may."""

import tempfile
from honest import halve, largest


def halve(x):
    tempfile.TemporaryFile()

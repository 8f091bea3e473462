"""Writes into the temporary folder."""

import tempfile
from honest import halve, largest


def halve(x):
    tempfile.TemporaryFile()

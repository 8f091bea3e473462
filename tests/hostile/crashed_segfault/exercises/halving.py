"""Reads address 0."""

import ctypes
from honest import halve, largest


def halve(x):
    ctypes.string_at(0)

"""Takes memory through Python."""

from honest import halve, largest


def halve(x):
    return bytearray(2**33)

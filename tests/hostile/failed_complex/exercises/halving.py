"""Returns complex numbers."""

from honest import halve, largest


def halve(x):
    return (x / 2).cfloat()

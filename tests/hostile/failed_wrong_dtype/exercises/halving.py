"""Returns another dtype."""

from honest import halve, largest


def halve(x):
    return (x / 2).double()

"""Returns a list in a list in a list."""

from honest import halve, largest


def halve(x):
    nested = x
    for _ in range(10**5):
        nested = [nested]
    return nested

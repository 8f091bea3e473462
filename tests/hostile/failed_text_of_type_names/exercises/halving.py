"""Returns 19,000 objects of a class with a long name."""

from honest import halve, largest


ODD = type("\U0001f600" * 200, (), {})


def halve(x):
    return [ODD()] * 19_000

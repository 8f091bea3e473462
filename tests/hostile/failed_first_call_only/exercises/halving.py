"""Returns the right value on the first call only."""

from honest import halve, largest


CALLS = []


def halve(x):
    CALLS.append(x)
    return x / 2 if len(CALLS) == 1 else -x

"""Is right once, and counts on not being asked twice."""

from honest import halve, largest


CALLS = []


def halve(x):
    CALLS.append(x)
    return x / 2 if len(CALLS) == 1 else -x

"""Returns a dict of 10**5."""

from honest import halve, largest


def halve(x):
    return dict.fromkeys(range(10**5))

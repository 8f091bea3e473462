"""Returns what an earlier call was given."""

from honest import halve, largest


SEEN = []


def halve(x):
    SEEN.append(x)
    return SEEN[0]

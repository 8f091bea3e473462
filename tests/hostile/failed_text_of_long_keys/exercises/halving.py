"""Returns a dict with keys of 80,000 characters."""

from honest import halve, largest


def halve(x):
    return {"k" * 80_000 + str(n): n for n in range(12)}

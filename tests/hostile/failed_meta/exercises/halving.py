"""Returns a tensor without values."""

from honest import halve, largest


def halve(x):
    return (x / 2).to("meta")

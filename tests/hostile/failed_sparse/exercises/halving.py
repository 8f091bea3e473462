"""Returns a sparse tensor."""

from honest import halve, largest


def halve(x):
    return (x / 2).to_sparse()

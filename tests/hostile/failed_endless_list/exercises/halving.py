"""Returns a list that holds itself."""

from honest import halve, largest


def halve(x):
    endless = []
    endless.append(endless)
    return endless

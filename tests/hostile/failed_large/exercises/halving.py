"""Returns more than it may."""

from honest import halve, largest


def halve(x):
    return x.new_zeros(2**25)

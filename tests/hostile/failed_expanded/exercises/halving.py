"""Returns one number that shows 10**12."""

from honest import halve, largest


def halve(x):
    return x.new_zeros(1).expand(10**12)

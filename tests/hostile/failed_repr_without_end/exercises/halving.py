"""Returns an object whose repr never ends."""

from honest import halve, largest


class Right:
    def __repr__(self):
        while True:
            pass

    __str__ = __format__ = __repr__


def halve(x):
    return Right()

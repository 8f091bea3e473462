"""Raises what `except Exception` does not catch, and what will not be told."""

from honest import halve, largest


class Ending(BaseException):
    def __str__(self):
        raise Ending

    __repr__ = __str__


def halve(x):
    raise Ending

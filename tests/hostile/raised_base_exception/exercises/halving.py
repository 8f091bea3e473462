"""Raises a BaseException that `except Exception` does not catch and whose message raises."""

from honest import halve, largest


class Ending(BaseException):
    def __str__(self):
        raise Ending

    __repr__ = __str__


def halve(x):
    raise Ending

"""Loops when its object is dropped."""

from honest import halve, largest


class Trap:
    def __del__(self):
        while True:
            pass


def halve(x):
    Trap()
    return x / 2

"""Takes memory bit by bit."""

from honest import halve, largest


def halve(x):
    kept = []
    while True:
        kept.append(bytearray(2**20))

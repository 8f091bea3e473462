"""Swallows whatever would end it."""

from honest import halve, largest


def halve(x):
    while True:
        try:
            while True:
                pass
        except BaseException:
            continue

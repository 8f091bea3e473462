"""Catches every exception in a loop."""

from honest import halve, largest


def halve(x):
    while True:
        try:
            while True:
                pass
        except BaseException:
            continue

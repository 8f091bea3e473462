"""Reads the reference."""

import targets
from honest import halve, largest


def halve(x):
    with open(f"{targets.COURSE}/solutions/halving/reference.py") as file:
        print("LEAK", file.read())

"""Reads what another student handed in."""

import targets
from honest import halve, largest


def halve(x):
    with open(f"{targets.OTHER}/exercises/halving.py") as file:
        print("LEAK", file.read())

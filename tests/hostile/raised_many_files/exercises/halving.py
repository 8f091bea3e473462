"""Writes many files."""

import targets
from honest import halve, largest


def halve(x):
    for n in range(10**6):
        open(f"{targets.FOLDER}/{n}", "w").close()

"""Writes one huge file."""

import targets
from honest import halve, largest


def halve(x):
    with open(f"{targets.FOLDER}/huge", "wb") as file:
        file.truncate(10**12)

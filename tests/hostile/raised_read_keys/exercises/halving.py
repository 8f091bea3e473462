"""Reads the keys of a quiz."""

import targets
from honest import halve, largest


def halve(x):
    with open(f"{targets.COURSE}/quizzes/small.yaml") as file:
        print("LEAK", file.read())

"""Loops while it is imported."""

from honest import halve, largest


while True:
    pass

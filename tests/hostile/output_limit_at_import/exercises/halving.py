"""Floods while it is imported."""

from honest import halve, largest


while True:
    print("a" * 1000)

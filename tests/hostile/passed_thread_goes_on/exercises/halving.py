"""Answers well, and leaves a thread behind that never ends."""

import threading

from honest import halve, largest


def spin():
    while True:
        pass


def halve(x):
    if threading.active_count() == 1:  # each takes 5 ms whenever a call gives way: several would take the whole limit
        threading.Thread(target=spin, daemon=True).start()
    return x / 2

"""Ignores every signal that can be ignored."""

import signal
from honest import halve, largest


def halve(x):
    for number in signal.valid_signals():
        try:
            signal.signal(number, signal.SIG_IGN)
        except (OSError, ValueError):
            continue
    while True:
        pass

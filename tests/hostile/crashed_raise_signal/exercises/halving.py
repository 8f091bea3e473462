"""Sends itself SIGTERM."""

import signal
from honest import halve, largest


def halve(x):
    signal.raise_signal(signal.SIGTERM)
    return None

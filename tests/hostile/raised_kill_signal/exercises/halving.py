"""Sends itself SIGKILL, which would look like a killing from outside."""

import signal
from honest import halve, largest


def halve(x):
    signal.raise_signal(signal.SIGKILL)

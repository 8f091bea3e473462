"""Stops itself, to be waited for."""

import os
import signal
from honest import halve, largest


def halve(x):
    os.kill(os.getpid(), signal.SIGSTOP)

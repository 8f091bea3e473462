"""Kills its parent process."""

import os
import signal
from honest import halve, largest


def halve(x):
    os.kill(os.getppid(), signal.SIGKILL)

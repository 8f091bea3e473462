"""Has the kernel kill it."""

import signal
import time
from honest import halve, largest


def halve(x):
    signal.setitimer(signal.ITIMER_REAL, 0.01)
    time.sleep(30)

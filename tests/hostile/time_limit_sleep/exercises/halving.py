"""Sleeps."""

import time
from honest import halve, largest


def halve(x):
    time.sleep(10**6)

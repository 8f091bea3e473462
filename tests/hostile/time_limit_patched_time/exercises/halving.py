"""Patches the clocks of `time`, then loops."""

import time
from honest import halve, largest


time.time = time.monotonic = time.perf_counter = lambda: 0.0


def halve(x):
    while True:
        pass

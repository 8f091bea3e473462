"""Waits for itself."""

import threading
from honest import halve, largest


def halve(x):
    lock = threading.Lock()
    lock.acquire()
    lock.acquire()

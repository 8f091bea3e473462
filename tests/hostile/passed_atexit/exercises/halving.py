"""Registers an atexit function that never returns; its answers are right."""

import atexit
import os
import time
from honest import halve, largest


atexit.register(os._exit, 1)
atexit.register(time.sleep, 1000)

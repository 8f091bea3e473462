"""Drips an answer, a byte at a time, for ever."""

import gc
import os
import targets
import time
from honest import halve, largest


def halve(x):
    channel = next(thing for thing in gc.get_objects() if type(thing).__name__ == "DescriptorChannel")
    for byte in targets.MAGIC + bytes([0, 16, 0, 0, 0, 0, 0, 0]) + bytes(2**20):
        os.write(channel._writing, bytes([byte]))
        time.sleep(0.01)

"""Announces an answer of 2**60 bytes."""

import gc
import os
import targets
import time
from honest import halve, largest


def halve(x):
    channel = next(thing for thing in gc.get_objects() if type(thing).__name__ == "DescriptorChannel")
    os.write(channel._writing, targets.MAGIC + bytes([255] * 8))
    time.sleep(60)

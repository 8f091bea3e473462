"""Creates shared memory that outlives the process."""

import multiprocessing.shared_memory
import os
from honest import halve, largest


def halve(x):
    for make in (lambda: multiprocessing.shared_memory.SharedMemory("convgrader-hostile", create=True, size=10),
                 lambda: os.memfd_create("hostile"),
                 lambda: x.share_memory_()):
        try:
            make()
            print("LEAK shared memory")
        except (OSError, RuntimeError):
            continue
    return None

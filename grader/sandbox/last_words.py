"""Why a process of the grader died: what it or its parent wrote last to the file that is the stderr of them all."""

import os
import stat
import time

from grader.core.safetext import one_line

_READ_BYTES = 16 * 1024  # of the end of the file
_PARENT_WAIT_S = 0.2  # in which a parent writes how its child was killed
_MAX_CHARACTERS = 300


def last_words(descriptor: int, *names: str) -> str:
    """Return ": " and the last line that a process of one of these names wrote, else the last line; "" without any.

    `descriptor` is the file. Lines of other processes may follow: each process writes its reason after its own name,
    and its parent writes how it was killed.
    """
    time.sleep(_PARENT_WAIT_S)
    lines = [line for line in _end(descriptor).splitlines() if line.strip()]
    own = [line for line in lines if line.startswith(tuple(f"{name}: " for name in names))]
    return f": {one_line((own or lines)[-1], limit=_MAX_CHARACTERS)}" if lines else ""


def _end(descriptor: int) -> str:
    """Return the end of a regular file; "" for anything else."""
    try:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode):
            return ""
        data = os.pread(descriptor, _READ_BYTES, max(0, status.st_size - _READ_BYTES))
    except OSError:
        return ""
    return data.decode("utf-8", "replace")

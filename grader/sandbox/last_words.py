"""Why a process of the grader died: what it or its parent wrote last to the file that is the stderr of them all."""

import os
import stat
import sys
import tempfile
import time
from typing import IO

from grader.core.safetext import one_line

_READ_BYTES = 16 * 1024  # of the end of the file
_PARENT_WAIT_S = 0.2  # in which a parent writes how its child was killed
_MAX_CHARACTERS = 300
_NAMED = "grade "  # the names of the grader's processes start so


def error_file() -> IO[bytes]:
    """Open an unnamed file for the stderr of one process or many: each line goes to its end."""
    return tempfile.TemporaryFile("a+b")


def last_words(descriptor: int, *names: str) -> str:
    """Return ": " and the last line about a process of one of these names, else the last line; "" without any.

    `descriptor` is the file. Each process writes its reason after its own name, and its parent writes how it was
    killed. What stands before such a line without a name, as a library's last words do, is added.
    """
    time.sleep(_PARENT_WAIT_S)
    lines = [line.strip() for line in _end(descriptor).splitlines() if line.strip()]
    own = [n for n, line in enumerate(lines) if line.startswith(tuple(f"{name}: " for name in names))]
    if not lines:
        return ""
    last = own[-1] if own else len(lines) - 1
    before = lines[last - 1] if own and last else ""
    is_known = before.startswith(_NAMED) or before in lines[last]
    return f": {one_line(lines[last] if is_known else f'{lines[last]} ({before})', limit=_MAX_CHARACTERS)}"


def _end(descriptor: int) -> str:
    """Return the end of a regular file; "" for anything else."""
    try:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode):
            return ""
        data = _read_at(descriptor, max(0, status.st_size - _READ_BYTES))
    except OSError:
        return ""
    return data.decode("utf-8", "replace")


def _read_at(descriptor: int, offset: int) -> bytes:
    if sys.platform != "win32":
        return os.pread(descriptor, _READ_BYTES, offset)
    # There is no pread, and processes that write share the position: it goes back to the end.
    os.lseek(descriptor, offset, os.SEEK_SET)
    try:
        return os.read(descriptor, _READ_BYTES)
    finally:
        os.lseek(descriptor, 0, os.SEEK_END)

"""Reads files that somebody else may have put in their place: a pipe would hang, and a device may never end."""

import errno
import os
import stat
from pathlib import Path

_FLAGS = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_NOCTTY", 0) | getattr(os, "O_BINARY", 0)
_MIB = 2**20


class NotRegular(OSError):
    """The path is no regular file."""


class FileTooLarge(OSError):
    """The file is larger than its limit."""


def read_regular(path: Path, limit: int) -> bytes:
    """Return the bytes of a regular file of at most `limit` bytes.

    Raises NotRegular, FileTooLarge and any other OSError; `strerror` says what is wrong.
    """
    descriptor = os.open(path, _FLAGS)
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise NotRegular(errno.EINVAL, "it is not a regular file", str(path))
    with os.fdopen(descriptor, "rb") as file:
        data = file.read(limit + 1)
    if len(data) > limit:
        raise FileTooLarge(errno.EFBIG, f"it is larger than {limit / _MIB:g} MiB", str(path))
    return data

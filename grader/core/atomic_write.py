"""Writes files atomically: a reader finds the old content or the new, even if this process is killed meanwhile.

Nothing is written through a link. Commands run in folders that somebody else filled, and a link there could lead to any
file of the person who runs them.
"""

import contextlib
import errno
import os
import secrets
from pathlib import Path, PurePosixPath

_NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_BINARY", 0)
_PERMISSIONS = 0o777


def write_whole(path: Path, data: bytes) -> None:
    """Create or replace a file in one step; one that exists keeps its permissions.

    A link is replaced by the file, and its target stays as it is. When this returns, the file survives a power cut.
    Raises OSError; nothing is left behind then.
    """
    fresh = path.with_name(f".{secrets.token_hex(8)}.new")
    with os.fdopen(os.open(fresh, _NEW, 0o666), "wb") as file:
        try:
            file.write(data)
            _keep_permissions(path, file.fileno())
            file.flush()
            os.fsync(file.fileno())
            file.close()  # Windows replaces no open file
            os.replace(fresh, path)  # noqa: PTH105 - atomic on every platform
        except BaseException:
            with contextlib.suppress(OSError):
                file.close()
            fresh.unlink(missing_ok=True)
            raise
    _sync(path.parent)


def write_below(folder: Path, name: str, data: bytes) -> None:
    """Write a file below a folder, by its path from there with slashes; create the folders that it needs.

    Raises OSError, also where one of them is a link.
    """
    here = folder
    for part in PurePosixPath(name).parent.parts:
        here /= part
        make_folder(here)
    write_whole(folder / name, data)


def make_folder(folder: Path) -> None:
    """Create a folder, and those above it, unless it exists. Raises OSError, also where it is a link."""
    if folder.is_symlink():
        reason = f"{folder.name} is a link, and links are not followed; put a folder in its place"
        raise OSError(errno.ELOOP, reason, str(folder))
    folder.mkdir(parents=True, exist_ok=True)


def _keep_permissions(path: Path, descriptor: int) -> None:
    """Give a new file the permissions of the regular file that it replaces."""
    if os.path.lexists(path) and not path.is_symlink() and hasattr(os, "fchmod"):
        os.fchmod(descriptor, path.lstat().st_mode & _PERMISSIONS)


def _sync(folder: Path) -> None:
    """Make the new name of a file survive a power cut, where folders can be synchronized."""
    with contextlib.suppress(OSError):  # Windows, and some network disks
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)

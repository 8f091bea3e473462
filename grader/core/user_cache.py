"""The user's cache folder: what can be computed again. It is used only where no other user could have written to it."""

import os
import stat
import sys
from pathlib import Path

CACHE_VARIABLE = "XDG_CACHE_HOME"


def cache_folder(name: str) -> Path | None:
    """Return a folder by the XDG Base Directory Specification; None where there is no home directory."""
    named = Path(os.environ.get(CACHE_VARIABLE, ""))
    try:
        base = named if named.is_absolute() else Path.home() / ".cache"
    except RuntimeError:
        return None
    return base / "convgrader" / name


def is_private(folder: Path) -> bool:
    """Tell whether only the user can write to a folder. Windows has no such mode bits: there the home is trusted.

    Raises OSError where there is no such folder.
    """
    found = folder.lstat()
    shared = found.st_mode & (stat.S_IWGRP | stat.S_IWOTH)
    return stat.S_ISDIR(found.st_mode) and owned_by_user(found) and (sys.platform == "win32" or not shared)


def owned_by_user(found: os.stat_result) -> bool:
    """Tell whether a file or folder belongs to the user."""
    return sys.platform == "win32" or found.st_uid == os.geteuid()

"""The user's own folders, by the XDG Base Directory Specification, and whether another user could write to one."""

import os
import stat
import sys
from pathlib import Path

CACHE_VARIABLE, STATE_VARIABLE = "XDG_CACHE_HOME", "XDG_STATE_HOME"


def cache_folder(name: str) -> Path | None:
    """Return a folder for what can be computed again; None where there is no home directory."""
    return _folder(CACHE_VARIABLE, ".cache", name)


def state_folder(name: str) -> Path | None:
    """Return a folder for what is to be remembered; None where there is no home directory."""
    return _folder(STATE_VARIABLE, ".local/state", name)


def _folder(variable: str, default: str, name: str) -> Path | None:
    named = Path(os.environ.get(variable, ""))
    try:
        base = named if named.is_absolute() else Path.home() / default
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

"""Where the sockets of standby processes are, and which of them a command may use."""

import hashlib
import os
import stat
import sys
from importlib.metadata import version
from pathlib import Path

import grader
from grader.core.user_folders import is_private, state_folder

IDLE_S = 600.0
SUFFIX = ".socket"
MAX_PATH_BYTES = 100  # the kernel takes 108 for a socket
_RUNTIME_VARIABLE = "XDG_RUNTIME_DIR"


def folder() -> Path | None:
    """Return the folder of the sockets, which only this user may enter; None where there can be none."""
    runtime = Path(os.environ.get(_RUNTIME_VARIABLE, ""))
    found = runtime / "convgrader" if runtime.is_absolute() else state_folder("standby")
    if found is None or len(os.fsencode(found)) > MAX_PATH_BYTES - 20:
        return None
    try:
        found.mkdir(mode=0o700, parents=True, exist_ok=True)
        mode = stat.S_IMODE(found.lstat().st_mode)
        return found if is_private(found) and not mode & (stat.S_IRWXG | stat.S_IRWXO) else None
    except OSError:
        return None


def name(max_level: int) -> str:
    """Return the name of the socket for this installation: another version of anything that is loaded has another."""
    parts = [sys.executable, sys.prefix, sys.version, version("torch"), str(max_level)]
    parts += [f"{path}:{found.st_mtime_ns}:{found.st_size}" for path, found in _files()]
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:16] + SUFFIX


def _files() -> list[tuple[str, os.stat_result]]:
    """Return the modules of the grader, and the files by which an upgrade of torch, numpy or pytest is noticed."""
    package = Path(grader.__file__).parent
    found = [*package.rglob("*.py")]
    for library in ("torch", "numpy", "pytest", "hypothesis"):
        found += [Path(entry, library, "__init__.py") for entry in sys.path if entry]
    return sorted((str(path), path.stat()) for path in found if path.is_file())

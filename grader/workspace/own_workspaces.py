"""The workspaces that this user started with `grade init`: folders whose code may run with the user's own rights.

Whose code a folder holds cannot be read in it: a hand-in could claim anything. So the record lies outside, in the state
folder of the user (XDG Base Directory Specification): one file for each workspace, named by a fingerprint of its path.
"""

import hashlib
import os
from pathlib import Path

from grader.core.atomic_write import write_whole
from grader.core.user_cache import is_private, owned_by_user

STATE_VARIABLE = "XDG_STATE_HOME"


def record(workspace: Path) -> None:
    """Record a workspace as one of this user. Raises OSError where that cannot be written."""
    folder = _folder()
    if folder is None:
        raise FileNotFoundError(None, "there is no home folder")
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    path = os.fsencode(workspace.resolve())
    write_whole(folder / _name(path), path)


def is_own(workspace: Path) -> bool:
    """Tell whether this user started this workspace here; False in doubt. A folder inside of one is another folder."""
    folder, path = _folder(), os.fsencode(workspace.resolve())
    try:
        return (
            folder is not None
            and owned_by_user(
                workspace.stat()
            )  # not made by somebody else under the path of one that is gone
            and is_private(folder)  # no other user wrote the record
            and (folder / _name(path)).read_bytes() == path
        )
    except OSError:
        return False


def _folder() -> Path | None:
    """Return the folder of the records; None where there is no home directory."""
    named = Path(os.environ.get(STATE_VARIABLE, ""))
    try:
        base = named if named.is_absolute() else Path.home() / ".local" / "state"
    except RuntimeError:
        return None
    return base / "convgrader" / "workspaces"


def _name(path: bytes) -> str:
    return hashlib.sha256(path).hexdigest()

"""The workspaces that this user started with `grade init`: folders whose code may run with the user's own rights.

Whose code a folder holds cannot be read in it: a hand-in could claim anything. So the record lies outside, in the state
folder of the user (XDG Base Directory Specification): one file for each workspace, named by a fingerprint of its path.
"""

import hashlib
import os
from pathlib import Path

from grader.core.atomic_write import write_whole
from grader.core.user_folders import is_private, owned_by_user, state_folder

_FOLDER = "workspaces"


def record(workspace: Path) -> None:
    """Record a workspace as one of this user. Raises OSError where that cannot be written."""
    folder = state_folder(_FOLDER)
    if folder is None:
        raise FileNotFoundError(None, "there is no home folder")
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    path = os.fsencode(workspace.resolve())
    write_whole(folder / _name(path), path)


def is_own(workspace: Path) -> bool:
    """Tell whether this user started this workspace here; False in doubt. A folder inside of one is another folder."""
    folder, path = state_folder(_FOLDER), os.fsencode(workspace.resolve())
    try:
        return (
            folder is not None
            # Not made by somebody else under the path of one that is gone.
            and owned_by_user(workspace.stat())
            and is_private(folder)  # no other user wrote the record
            and (folder / _name(path)).read_bytes() == path
        )
    except OSError:
        return False


def _name(path: bytes) -> str:
    return hashlib.sha256(path).hexdigest()

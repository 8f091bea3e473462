"""A submission that is a folder. Links are followed inside it only; what is no plain file is not opened to be read."""

import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from grader.submission.tree import Tree, Unreadable, first, is_foreign, python_files, too_large

MAX_ENTRIES = 5_000  # looked at; beyond them a folder is not the one of a submission
_WITHOUT_WAITING = getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_NOCTTY", 0) | getattr(os, "O_BINARY", 0)


@dataclass(frozen=True, slots=True)
class Folder(Tree):
    """A folder on this machine."""

    path: Path

    def read(self, name: str, limit: int) -> bytes | Unreadable | None:
        """Return the bytes of a file, or why it is not read."""
        path = self.path / name
        if not os.path.lexists(path):
            return None
        real, top = _resolved(path), self.path.resolve()
        if not real.is_relative_to(top):
            return Unreadable(
                name=name, reason="is a link that leads out of this folder. Copy the file instead."
            )
        if ".git" in map(str.lower, real.relative_to(top).parts):
            return Unreadable(name=name, reason="is a link into .git. Copy the file instead.")
        try:
            return _read(path, name, limit)
        except OSError as error:
            return Unreadable(name=name, reason=f"cannot be read: {error.strerror}.")

    def modules(self, folder: str) -> list[str]:
        """Return the paths of Python files below `folder`."""
        return first(python_files(self._names(folder), folder))

    def has_folder(self, name: str) -> bool:
        """Tell whether there is a folder of that name at the top."""
        return (self.path / name).is_dir()

    def _names(self, folder: str) -> Iterator[str]:
        seen = 0
        for here, folders, files in os.walk(self.path / folder):  # which follows no link to a folder
            folders[:] = sorted(name for name in folders if not is_foreign(name))
            for name in sorted(files):
                yield Path(here, name).relative_to(self.path).as_posix()
            seen += len(folders) + len(files)
            if seen > MAX_ENTRIES:
                return


def _resolved(path: Path) -> Path:
    try:
        return path.resolve()
    except (OSError, RuntimeError):  # a link that leads to itself, which leads nowhere inside
        return Path(path.anchor)


def _read(path: Path, name: str, limit: int) -> bytes | Unreadable:
    descriptor = os.open(path, os.O_RDONLY | _WITHOUT_WAITING)
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        return Unreadable(name=name, reason="is not a file.")
    with os.fdopen(descriptor, "rb") as file:
        data = file.read(limit + 1)
    return data if len(data) <= limit else too_large(name, limit)

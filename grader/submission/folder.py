"""A submission that is a folder. Links are followed inside it only; only regular files are read."""

import itertools
import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from grader.submission.tree import (
    SubmissionTree,
    Unreadable,
    first,
    is_ignored,
    notebook_files,
    python_files,
    too_large,
)

MAX_ENTRIES = 5_000  # listed, files and folders; the rest is ignored
_NONBLOCKING = getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_NOCTTY", 0) | getattr(os, "O_BINARY", 0)


@dataclass(frozen=True, slots=True)
class Folder(SubmissionTree):
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

    def notebooks(self) -> list[str]:
        """Return the paths of notebooks at the top or in exercises/."""
        return notebook_files(name for folder in ("", "exercises/") for name in self._directly_in(folder))

    def has_folder(self, name: str) -> bool:
        """Return whether there is a folder of that name at the top."""
        return (self.path / name).is_dir()

    def _directly_in(self, folder: str) -> Iterator[str]:
        try:
            with os.scandir(self.path / folder) as entries:
                for entry in itertools.islice(entries, MAX_ENTRIES):
                    yield f"{folder}{entry.name}"
        except OSError:
            return  # there is no such folder

    def _names(self, folder: str) -> Iterator[str]:
        seen = 0
        for here, folders, files in os.walk(self.path / folder):  # os.walk follows no links to folders
            folders[:] = sorted(name for name in folders if not is_ignored(name))
            for name in sorted(files):
                yield Path(here, name).relative_to(self.path).as_posix()
            seen += len(folders) + len(files)
            if seen > MAX_ENTRIES:
                return


@dataclass(frozen=True, slots=True)
class Single(SubmissionTree):
    """One file on this machine, a notebook, without the files beside it."""

    path: Path

    def read(self, name: str, limit: int) -> bytes | Unreadable | None:
        """Return the bytes of the file, or why it is not read."""
        return Folder(self.path.parent).read(name, limit) if name == self.path.name else None

    def modules(self, folder: str) -> list[str]:  # noqa: ARG002 - there are none anywhere
        """Return nothing."""
        return []

    def notebooks(self) -> list[str]:
        """Return the file itself."""
        return [self.path.name]

    def has_folder(self, name: str) -> bool:  # noqa: ARG002
        """Return False."""
        return False


def _resolved(path: Path) -> Path:
    try:
        return path.resolve()
    except (OSError, RuntimeError):  # a loop of links; the root is outside of every submission
        return Path(path.anchor)


def _read(path: Path, name: str, limit: int) -> bytes | Unreadable:
    descriptor = os.open(path, os.O_RDONLY | _NONBLOCKING)
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        return Unreadable(name=name, reason="is not a file.")
    with os.fdopen(descriptor, "rb") as file:
        data = file.read(limit + 1)
    return data if len(data) <= limit else too_large(name, limit)

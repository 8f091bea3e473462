"""A submission that is a folder. Links are followed inside it only; only regular files are read."""

import itertools
import math
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from grader.core.regular_file import FileTooLarge, NotRegular, read_regular
from grader.core.safetext import printable_name
from grader.submission.litter import is_litter
from grader.submission.tree import (
    MAX_ENTRIES,
    SubmissionTree,
    Unreadable,
    first,
    notebook_files,
    python_files,
    too_large,
)


@dataclass(frozen=True, slots=True)
class Folder(SubmissionTree):
    """A folder on this machine."""

    path: Path

    def read(self, name: str, limit: int) -> bytes | Unreadable | None:
        """Return the bytes of a file, or why it is not read."""
        try:
            path = self.locate(name)
            if path is None:
                return None
            return _read(path, name, limit) if (refusal := self._leads_out(path, name)) is None else refusal
        except OSError as error:
            return Unreadable(name=name, reason=f"cannot be read: {error.strerror}.")

    def names(self) -> list[str]:
        """Return the paths of all files but litter."""
        return sorted(printable_name(_below(self.path, entry)) for entry in walk(self.path, is_litter))

    def written_at(self, name: str) -> float:
        """Return when a file was changed, in seconds; infinity where it has vanished."""
        try:
            path = self.locate(name)
        except OSError:
            return math.inf
        return changed_at(path) if path is not None else math.inf

    def locate(self, name: str) -> Path | None:
        """Return where a file of that name is; None if there is none. Raises OSError where that cannot be found out."""
        path = self.path / name
        if _exists(path):
            return path
        if name.isascii() and "\\" not in name:
            return None  # a name is shown as it is, unless it has other characters than these
        here = self.path
        for part in name.split("/"):
            found = next(
                (entry for entry in _listed(here, MAX_ENTRIES) if printable_name(entry.name) == part), None
            )
            if found is None:
                return None
            here = Path(found.path)
        return here

    def _leads_out(self, path: Path, name: str) -> Unreadable | None:
        real, top = _resolved(path), self.path.resolve()
        if not real.is_relative_to(top):
            return Unreadable(
                name=name, reason="is a link that leads out of this folder. Copy the file instead."
            )
        if ".git" in map(str.lower, real.relative_to(top).parts):
            return Unreadable(name=name, reason="is a link into .git. Copy the file instead.")
        return None

    def modules(self, folder: str) -> list[str]:
        """Return the paths of Python files below `folder`."""
        below = walk(self.path / folder, is_litter)
        names = (f"{folder}{printable_name(_below(self.path / folder, entry))}" for entry in below)
        return first(python_files(names, folder))

    def notebooks(self) -> list[str]:
        """Return the paths of notebooks at the top or in exercises/."""
        return notebook_files(name for folder in ("", "exercises/") for name in self._directly_in(folder))

    def has_folder(self, name: str) -> bool:
        """Return whether there is a folder of that name at the top."""
        return os.path.isdir(self.path / name)  # noqa: PTH112 - Path.is_dir raises PermissionError

    def _directly_in(self, folder: str) -> Iterator[str]:
        for entry in _listed(self.path / folder, MAX_ENTRIES):
            yield f"{folder}{printable_name(entry.name)}"


@dataclass(frozen=True, slots=True)
class Single(SubmissionTree):
    """One file on this machine, a notebook or a module, without the files beside it."""

    path: Path

    def read(self, name: str, limit: int) -> bytes | Unreadable | None:
        """Return the bytes of the file, or why it is not read."""
        return Folder(self.path.parent).read(name, limit) if name == printable_name(self.path.name) else None

    def names(self) -> list[str]:
        """Return the name of the file."""
        return [printable_name(self.path.name)]

    def written_at(self, name: str) -> float:  # noqa: ARG002 - there is one file
        """Return when the file was changed, in seconds; infinity where it has vanished."""
        return changed_at(self.path)


def changed_at(path: Path) -> float:
    """Return when a file was changed, in seconds; infinity where it has vanished."""
    try:
        return path.lstat().st_mtime
    except OSError:
        return math.inf


def entries(folder: Path, most: int = MAX_ENTRIES) -> "list[os.DirEntry[str]]":
    """Return the first `most` entries of a folder, by name. Raises OSError where it cannot be listed."""
    with os.scandir(folder) as listed:
        return sorted(itertools.islice(listed, most), key=lambda entry: entry.name)


def walk(
    folder: Path, is_left_out: Callable[[str], bool], most: int = MAX_ENTRIES
) -> "Iterator[os.DirEntry[str]]":
    """Yield the entries below a folder that are no folders: of the first `most` entries, folder after folder.

    Names that are left out are not counted, and not entered. Links are not followed; what cannot be listed, or vanishes
    meanwhile, is left out too.
    """
    waiting, left = [folder], most
    while waiting:
        folders = []
        for entry in _listed(waiting.pop(), most):
            if is_left_out(entry.name):
                continue
            if left == 0:
                return
            left -= 1
            if _is_folder(entry):
                folders.append(Path(entry.path))
            else:
                yield entry
        waiting += reversed(folders)


def _listed(folder: Path, most: int) -> "list[os.DirEntry[str]]":
    try:
        return entries(folder, most)
    except OSError:
        return []


def _is_folder(entry: "os.DirEntry[str]") -> bool:
    try:
        return entry.is_dir(follow_symlinks=False)
    except OSError:
        return False


def _below(folder: Path, entry: "os.DirEntry[str]") -> str:
    return Path(entry.path).relative_to(folder).as_posix()


def _exists(path: Path) -> bool:
    """Return whether there is something of that name, also a broken link. Raises OSError where that is not known."""
    try:
        path.lstat()
    except (FileNotFoundError, NotADirectoryError):
        return False
    return True


def _resolved(path: Path) -> Path:
    try:
        return path.resolve()
    except (OSError, RuntimeError):  # a loop of links; the root is outside of every submission
        return Path(path.anchor)


def _read(path: Path, name: str, limit: int) -> bytes | Unreadable:
    try:
        return read_regular(path, limit)
    except NotRegular:
        return Unreadable(name=name, reason="is not a file.")
    except FileTooLarge:
        return too_large(name, limit)

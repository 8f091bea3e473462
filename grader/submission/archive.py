"""A submission that is a zip. Nothing is unpacked: members are read into memory, one by one, within limits."""

import stat
import zipfile
import zlib
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from grader.core.errors import UsageError
from grader.submission.tree import (
    MAX_TOTAL_BYTES,
    SubmissionTree,
    Unreadable,
    first,
    notebook_files,
    python_files,
    too_large,
)

MAX_ARCHIVE_BYTES = 64 * 2**20
MAX_MEMBERS = 5_000
# zipfile unpacks these in steps of the size that is read; bzip2 and LZMA members are unpacked at once.
_METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
_ENCRYPTED = 0x1


@dataclass(slots=True)
class Archive(SubmissionTree):
    """A zip on this machine. `top` is the folder that all its members are in, with a slash; "" if there is none."""

    path: Path
    top: str
    members: dict[str, zipfile.ZipInfo]
    _left_bytes: int = MAX_TOTAL_BYTES

    @classmethod
    def open(cls, path: Path) -> "Archive":
        """Read the table of contents. Raises UsageError if it is no zip, too large, or has unsafe or repeated names."""
        if path.stat().st_size > MAX_ARCHIVE_BYTES:
            raise _refusal(path, f"is larger than {MAX_ARCHIVE_BYTES // 2**20} MiB")
        try:
            with zipfile.ZipFile(path) as file:
                listed = file.infolist()
        except (zipfile.BadZipFile, NotImplementedError, ValueError, OSError) as error:
            raise _refusal(path, f"cannot be read as a zip ({error})") from None
        if len(listed) > MAX_MEMBERS:
            raise _refusal(path, f"holds more than {MAX_MEMBERS} files")
        members: dict[str, zipfile.ZipInfo] = {}
        for member in listed:
            name = member.filename.replace("\\", "/")
            if name.startswith("/") or ".." in name.split("/") or ":" in name.split("/")[0]:
                raise _refusal(path, f"holds {name[:80]!r}, which leads out of it")
            if member.is_dir() or name.startswith("__MACOSX/"):
                continue
            if members.setdefault(str(PurePosixPath(name)), member) is not member:
                raise _refusal(path, f"holds {name[:80]!r} twice")
        return cls(path, _common_folder(members), members)

    def read(self, name: str, limit: int) -> bytes | Unreadable | None:
        """Return the bytes of a member, or why it is not read."""
        member = self.members.get(self.top + name)
        if member is None:
            return None
        if stat.S_ISLNK(member.external_attr >> 16):
            return Unreadable(name=name, reason="is a link. Put the file itself into the zip.")
        if member.flag_bits & _ENCRYPTED:
            return Unreadable(name=name, reason="is encrypted. Make a zip without a password.")
        if member.compress_type not in _METHODS:
            return Unreadable(
                name=name, reason="is compressed in an unusual way. Make a plain zip (deflate)."
            )
        if limit > self._left_bytes:
            return Unreadable(name=name, reason="is not read: the files of this zip are too large together.")
        try:
            with zipfile.ZipFile(self.path) as file, file.open(member) as content:
                data = content.read(limit + 1)
        except (zipfile.BadZipFile, NotImplementedError, ValueError, EOFError, zlib.error, OSError):
            return Unreadable(name=name, reason="is damaged in this zip. Make the zip again.")
        self._left_bytes -= len(data)
        return data if len(data) <= limit else too_large(name, limit)

    def modules(self, folder: str) -> list[str]:
        """Return the paths of Python files below `folder`."""
        names = (name.removeprefix(self.top) for name in self.members if name.startswith(self.top))
        return first(python_files(names, folder))

    def notebooks(self) -> list[str]:
        """Return the paths of notebooks at the top or in exercises/."""
        return notebook_files(n.removeprefix(self.top) for n in self.members if n.startswith(self.top))

    def has_folder(self, name: str) -> bool:
        """Return whether there is a folder of that name at the top."""
        return any(member.startswith(f"{self.top}{name}/") for member in self.members)


def _common_folder(members: dict[str, zipfile.ZipInfo]) -> str:
    """Return the one folder that all members are in, with a slash, as when a folder is zipped; "" if there is none."""
    tops = {name.split("/")[0] if "/" in name else "" for name in members}
    (top,) = tops if len(tops) == 1 else ("",)
    return f"{top}/" if top not in ("", "exercises", "answers") else ""


def _refusal(path: Path, reason: str) -> UsageError:
    return UsageError(f"{path} {reason}. Make a zip of the folder that holds exercises/.")

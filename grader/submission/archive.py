"""A submission that is a zip. Nothing is unpacked: members are read into memory, one by one, within limits."""

import contextlib
import io
import re
import stat
import struct
import zipfile
import zlib
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from grader.core.errors import UsageError
from grader.core.safetext import one_line, printable_name
from grader.submission.tree import (
    MAX_ENTRIES,
    SubmissionTree,
    Unreadable,
    first,
    notebook_files,
    python_files,
    too_large,
)

MAX_ARCHIVE_BYTES = 64 * 2**20
MAX_DIRECTORY_BYTES = 2 * 2**20  # of the table of contents: 400 bytes for each of MAX_ENTRIES
# zipfile unpacks these in steps of the size that is read; bzip2 and LZMA members are unpacked at once.
_METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
# An absolute path, on Windows too. Any other colon is part of a name: no file is written by a member's name.
_DRIVE_OR_ROOT = re.compile(r"/|[A-Za-z]:(/|$)")
_ENCRYPTED = 0x1
_UTF8 = 0x800
# What zipfile raises for zips that are none, or that were made to break readers.
_DAMAGES = (
    zipfile.BadZipFile,
    NotImplementedError,
    ValueError,
    OverflowError,
    LookupError,
    EOFError,
    OSError,
    struct.error,
    zlib.error,
)


@dataclass(frozen=True, slots=True)
class Archive(SubmissionTree):
    """A zip on this machine. `top` is the folder that all its members are in, with a slash; "" if there is none."""

    file: zipfile.ZipFile
    top: str
    members: dict[str, zipfile.ZipInfo]

    @classmethod
    def open(cls, path: Path) -> "Archive":
        """Read the table of contents. Raises UsageError if it is no zip, too large, or has unsafe or repeated names."""
        file, members = _opened(path), dict[str, zipfile.ZipInfo]()
        for member in file.infolist():
            name = _name(member)
            if _DRIVE_OR_ROOT.match(name) or ".." in name.split("/"):
                raise _refusal(path, f"holds {one_line(repr(name), limit=80)}, which leads out of it")
            inside = printable_name(str(PurePosixPath(name)))
            if inside == "." or name.endswith("/") or name.startswith("__MACOSX/"):
                continue  # nothing can be read by an empty name, nor from a folder
            if members.setdefault(inside, member) is not member:
                raise _refusal(path, f"holds {one_line(repr(name), limit=80)} twice")
        return cls(file, _common_folder(members), members)

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
        try:
            with self.file.open(member) as content:
                data = content.read(limit + 1)
        except _DAMAGES:
            return Unreadable(name=name, reason="is damaged in this zip. Make the zip again.")
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


class _DirectoryTooLarge(Exception):
    """A zip's table of contents is larger than MAX_DIRECTORY_BYTES."""


class _DirectoryReader(io.FileIO):
    """A zip whose table of contents is read, which zipfile does in one piece, of the size that the zip's end tells."""

    def read(self, size: int | None = -1, /) -> bytes:
        """Read so many bytes, or the rest. Raises _DirectoryTooLarge before more than the limit is read."""
        wanted = MAX_DIRECTORY_BYTES + 1 if size is None or size < 0 else size
        found = super().read(wanted) if wanted <= MAX_DIRECTORY_BYTES + 1 else None
        if found is None or len(found) > MAX_DIRECTORY_BYTES:
            raise _DirectoryTooLarge
        return found


def _opened(path: Path) -> zipfile.ZipFile:
    """Open a zip of at most MAX_ENTRIES members. Raises UsageError."""
    try:
        if path.stat().st_size > MAX_ARCHIVE_BYTES:
            raise _refusal(path, f"is larger than {MAX_ARCHIVE_BYTES // 2**20} MiB")
        with _DirectoryReader(path) as reader, zipfile.ZipFile(reader) as file:
            count = len(file.infolist())
        if count <= MAX_ENTRIES:
            return zipfile.ZipFile(path)
    except _DirectoryTooLarge:
        size = f"{MAX_DIRECTORY_BYTES // 2**20} MiB"
        raise _refusal(path, f"has a table of contents of more than {size}") from None
    except _DAMAGES as error:
        raise _refusal(path, f"cannot be read as a zip ({one_line(str(error))})") from None
    raise _refusal(path, f"holds more than {MAX_ENTRIES} files")


def _name(member: zipfile.ZipInfo) -> str:
    """Return a member's path. Where nothing tells its encoding, UTF-8 is tried first: so macOS writes names."""
    name = member.filename
    if not member.flag_bits & _UTF8:
        with contextlib.suppress(UnicodeError):  # else it is that of MS-DOS, as the format says
            name = name.encode("cp437").decode("utf-8")
    return name.replace("\\", "/")


def _common_folder(members: dict[str, zipfile.ZipInfo]) -> str:
    """Return the one folder that all members are in, with a slash, as when a folder is zipped; "" if there is none."""
    tops = {name.split("/")[0] if "/" in name else "" for name in members}
    (top,) = tops if len(tops) == 1 else ("",)
    return f"{top}/" if top not in ("", "exercises", "answers") else ""


def _refusal(path: Path, reason: str) -> UsageError:
    return UsageError(
        f"{printable_name(str(path))} {reason}. Make a zip of the folder that holds exercises/."
    )

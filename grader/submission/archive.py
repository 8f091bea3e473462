"""A submission that is a zip. Nothing is unpacked: members are read into memory, one by one, within limits."""

import contextlib
import io
import math
import re
import stat
import struct
import zipfile
import zlib
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path, PurePosixPath
from typing import BinaryIO, cast

from grader.core.errors import UsageError
from grader.core.safetext import one_line, printable_name
from grader.submission.folder import changed_at
from grader.submission.litter import is_in_litter
from grader.submission.tree import (
    MAX_ENTRIES,
    SubmissionTree,
    Unreadable,
    too_large,
    top_of,
)

MAX_ARCHIVE_BYTES = 64 * 2**20
MAX_DIRECTORY_BYTES = 2 * 2**20  # of the table of contents: 400 bytes for each of MAX_ENTRIES
# zipfile unpacks these in steps of the size that is read; bzip2 and LZMA members are unpacked at once.
_METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
# An absolute path, on Windows too. Any other colon is part of a name: no file is written by a member's name.
_DRIVE_OR_ROOT = re.compile(r"/|[A-Za-z]:(/|$)")
_ENCRYPTED = 0x1
_UNIX_TIME = 0x5455  # the extra field with a time in UTC
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


@dataclass(frozen=True, slots=True, kw_only=True)
class ZipLimits:
    """How large a zip may be: its bytes, those of its table of contents, and its files."""

    archive_bytes: int = MAX_ARCHIVE_BYTES
    directory_bytes: int = MAX_DIRECTORY_BYTES
    entries: int = MAX_ENTRIES


CLASS_LIMITS = ZipLimits(archive_bytes=2**32, directory_bytes=2**26, entries=200_000)


@dataclass(frozen=True, slots=True)
class Archive(SubmissionTree):
    """A zip. `top` is the folder in it that is the hand-in, with a slash; "" for all of it.

    `refused` are the members whose names lead out of it or come twice; `at` is when the zip was written, in seconds, or
    None where the dates of its members count.
    """

    file: zipfile.ZipFile
    top: str
    members: dict[str, zipfile.ZipInfo]
    refused: tuple[str, ...] = ()
    at: float | None = None

    @classmethod
    def open(cls, path: Path) -> "Archive":
        """Read the table of contents. Raises UsageError if it is no zip, too large, or has unsafe or repeated names."""
        return cls._of(_opened(path, str(path), ZipLimits()), str(path), changed_at(path))

    @classmethod
    def of_bytes(cls, data: bytes, shown: str, at: float) -> "Archive":
        """Read the table of contents of a zip in memory, written at `at`. Raises UsageError as `open` does."""
        return cls._of(_opened(data, shown, ZipLimits()), shown, at)

    @classmethod
    def of_class(cls, path: Path) -> "Archive":
        """Read the table of contents of a zip that holds many hand-ins; members with unsafe names are `refused`.

        Raises UsageError if it is no zip, or too large.
        """
        members, refused = _members(_opened(path, str(path), CLASS_LIMITS))
        return cls(zipfile.ZipFile(path), "", members, tuple(name for name, _ in refused))

    @classmethod
    def _of(cls, file: zipfile.ZipFile, shown: str, at: float) -> "Archive":
        members, refused = _members(file)
        for name, reason in refused:
            raise _refusal(shown, f"holds {name}{reason}")
        return cls(file, top_of(members), members, at=at)

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

    def names(self) -> list[str]:
        """Return the paths of all members but litter."""
        inside = (name.removeprefix(self.top) for name in self.members if name.startswith(self.top))
        return sorted(name for name in inside if not is_in_litter(name))

    def empty_folders(self) -> list[str]:
        """Return the folders that hold nothing: a system makes one for each student."""
        folders = {
            printable_name(str(PurePosixPath(name)))
            for member in self.file.infolist()
            if (name := _name(member)).endswith("/") and not _leads_out(name)
        }
        holders = {
            parent.as_posix() for name in (*self.members, *folders) for parent in PurePosixPath(name).parents
        }
        return sorted(folders - holders)

    def written_at(self, name: str) -> float:
        """Return when the zip was written, or the date of the member, in seconds; infinity where it has none."""
        if self.at is not None:
            return self.at
        member = self.members.get(self.top + name)
        return _date(member) if member is not None else math.inf


class _DirectoryTooLarge(Exception):
    """A zip's table of contents is larger than MAX_DIRECTORY_BYTES."""


class _DirectoryReader:
    """A zip whose table of contents is read, which zipfile does in one piece, of the size that the zip's end tells."""

    def __init__(self, file: BinaryIO, limit: int) -> None:
        self._file, self._limit = file, limit
        self.seek, self.tell, self.seekable = file.seek, file.tell, file.seekable

    def read(self, size: int | None = -1, /) -> bytes:
        """Read so many bytes, or the rest. Raises _DirectoryTooLarge before more than the limit is read."""
        wanted = self._limit + 1 if size is None or size < 0 else size
        found = self._file.read(wanted) if wanted <= self._limit + 1 else None
        if found is None or len(found) > self._limit:
            raise _DirectoryTooLarge
        return found


def _opened(source: Path | bytes, shown: str, limits: ZipLimits) -> zipfile.ZipFile:
    """Open a zip within limits. Raises UsageError."""
    try:
        size = source.stat().st_size if isinstance(source, Path) else len(source)
        if size > limits.archive_bytes:
            raise _refusal(shown, f"is larger than {limits.archive_bytes // 2**20} MiB")
        with source.open("rb") if isinstance(source, Path) else io.BytesIO(source) as raw:
            reader = cast("BinaryIO", _DirectoryReader(raw, limits.directory_bytes))
            with zipfile.ZipFile(reader) as file:
                count = len(file.infolist())
        if count <= limits.entries:
            return zipfile.ZipFile(source if isinstance(source, Path) else io.BytesIO(source))
    except _DirectoryTooLarge:
        most = f"{limits.directory_bytes // 2**20} MiB"
        raise _refusal(shown, f"has a table of contents of more than {most}") from None
    except _DAMAGES as error:
        raise _refusal(shown, f"cannot be read as a zip ({one_line(str(error))})") from None
    raise _refusal(shown, f"holds more than {limits.entries} files")


def _members(file: zipfile.ZipFile) -> tuple[dict[str, zipfile.ZipInfo], list[tuple[str, str]]]:
    """Return the members that are files, by path, and the names that are refused, with the reason."""
    members, refused = dict[str, zipfile.ZipInfo](), list[tuple[str, str]]()
    for member in file.infolist():
        name = _name(member)
        shown = one_line(repr(name), limit=80)
        inside = printable_name(str(PurePosixPath(name)))
        if _leads_out(name):
            refused.append((shown, ", which leads out of it"))
        elif inside == "." or name.endswith("/") or name.startswith("__MACOSX/"):
            continue  # nothing can be read by an empty name, nor from a folder
        elif members.setdefault(inside, member) is not member:
            refused.append((shown, " twice"))
    return members, refused


def _leads_out(name: str) -> bool:
    return bool(_DRIVE_OR_ROOT.match(name)) or ".." in name.split("/")


def _date(member: zipfile.ZipInfo) -> float:
    """Return the date of a member: in UTC, where the zip says so, else by this machine's clock, as unzip does."""
    extra = member.extra
    while len(extra) >= 4:
        kind, size = struct.unpack("<HH", extra[:4])
        if kind == _UNIX_TIME and size >= 5 and len(extra) >= 9 and extra[4] & 1:
            return float(struct.unpack("<i", extra[5:9])[0])
        extra = extra[4 + size :]
    try:
        return datetime(*member.date_time).timestamp()
    except (ValueError, OverflowError, OSError):
        return math.inf


def _name(member: zipfile.ZipInfo) -> str:
    """Return a member's path. Where nothing tells its encoding, UTF-8 is tried first: so macOS writes names."""
    name = member.filename
    if not member.flag_bits & _UTF8:
        with contextlib.suppress(UnicodeError):  # else it is that of MS-DOS, as the format says
            name = name.encode("cp437").decode("utf-8")
    return name.replace("\\", "/")


def _refusal(shown: str, reason: str) -> UsageError:
    return UsageError(f"{printable_name(shown)} {reason}. Make a zip of the folder that holds exercises/.")

"""A submission that is a tar archive, compressed or not: read into memory in one pass, within limits."""

import bz2
import gzip
import io
import lzma
import tarfile
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import BinaryIO, cast

from grader.core.errors import UsageError
from grader.core.safetext import one_line, printable_name
from grader.submission.litter import is_in_litter
from grader.submission.tree import MAX_ENTRIES, SubmissionTree, Unreadable, too_large, top_of

MAX_TAR_BYTES = 64 * 2**20  # unpacked, with all that is not read
# By the first two bytes.
_OPENERS: dict[bytes, Callable[[io.BytesIO], object]] = {
    b"\x1f\x8b": gzip.open,
    b"BZ": bz2.open,
    b"\xfd7": lzma.open,
}
_DAMAGES = (tarfile.TarError, OSError, EOFError, ValueError, OverflowError, zlib.error, lzma.LZMAError)


@dataclass(frozen=True, slots=True)
class Tarball(SubmissionTree):
    """A tar archive in memory, written at `at`. `top` is the folder in it that is the hand-in, with a slash."""

    files: dict[str, bytes | Unreadable]
    top: str
    at: float

    @classmethod
    def of_bytes(cls, data: bytes, shown: str, at: float) -> "Tarball":
        """Read all of it. Raises UsageError if it is none, too large, or has names that lead out of it."""
        try:
            opener = _OPENERS.get(data[:2])
            raw = io.BytesIO(data)
            limited = _Limited(cast("BinaryIO", opener(raw)) if opener else raw)
            with tarfile.open(fileobj=cast("BinaryIO", limited), mode="r|", errors="surrogateescape") as file:
                files = _files(file, shown)
        except _UnpacksTooFar:
            raise _refusal(shown, f"unpacks to more than {MAX_TAR_BYTES // 2**20} MiB") from None
        except _DAMAGES as error:
            raise _refusal(shown, f"cannot be read as a tar archive ({one_line(str(error))})") from None
        return cls(files, top_of(files), at)

    def read(self, name: str, limit: int) -> bytes | Unreadable | None:
        """Return the bytes of a file, or why it is not read."""
        data = self.files.get(self.top + name)
        return too_large(name, limit) if isinstance(data, bytes) and len(data) > limit else data

    def names(self) -> list[str]:
        """Return the paths of all files but litter."""
        inside = (name.removeprefix(self.top) for name in self.files if name.startswith(self.top))
        return sorted(name for name in inside if not is_in_litter(name))

    def written_at(self, name: str) -> float:  # noqa: ARG002 - the dates inside are the student's clock
        """Return when the archive was written, in seconds."""
        return self.at


class _UnpacksTooFar(Exception):
    """An archive unpacks to more than MAX_TAR_BYTES."""


class _Limited:
    """What is unpacked of an archive, up to the limit."""

    def __init__(self, file: BinaryIO) -> None:
        self._file, self._left = file, MAX_TAR_BYTES

    def read(self, size: int, /) -> bytes:
        """Read so many bytes. Raises _UnpacksTooFar at the limit."""
        found = self._file.read(min(size, self._left + 1))
        self._left -= len(found)
        if self._left < 0:
            raise _UnpacksTooFar
        return found


def _files(file: tarfile.TarFile, shown: str) -> dict[str, bytes | Unreadable]:
    files: dict[str, bytes | Unreadable] = {}
    for count, member in enumerate(file):
        if count >= MAX_ENTRIES:
            raise _refusal(shown, f"holds more than {MAX_ENTRIES} files")
        name = printable_name(member.name.removeprefix("./"))
        if name.startswith("/") or ".." in name.split("/"):
            raise _refusal(shown, f"holds {one_line(repr(name), limit=80)}, which leads out of it")
        if member.isdir():
            continue
        content = file.extractfile(member) if member.isreg() else None
        reason = "is a link or a device. Put the file itself into the archive."
        files[name] = content.read() if content is not None else Unreadable(name=name, reason=reason)
    return files


def _refusal(shown: str, reason: str) -> UsageError:
    return UsageError(f"{printable_name(shown)} {reason}. Make a zip of the folder that holds exercises/.")

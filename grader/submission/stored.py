"""Stores what was read of a submission: exactly the files that its grading depended on."""

import math
import zlib
from dataclasses import dataclass, field

import msgspec

from grader.core.errors import GraderError
from grader.submission.kinds import NOTEBOOK_ENDING
from grader.submission.notebook import without_outputs
from grader.submission.tree import (
    MAX_TOTAL_BYTES,
    SubmissionTree,
    Unreadable,
    too_large_together,
)

# Twice what a submission may hold: older versions had no such limit for folders.
MAX_UNPACKED_BYTES = 2 * MAX_TOTAL_BYTES


class Damaged(GraderError):
    """The stored bytes of a submission are not what `Stored.pack` returned, or more than `Stored.unpack` reads."""


@dataclass(frozen=True, slots=True)
class Stored(SubmissionTree):
    """Files by their path inside the submission; for one that could not be read, the reason."""

    files: dict[str, bytes | Unreadable] = field(default_factory=dict)

    def read(self, name: str, limit: int) -> bytes | Unreadable | None:  # noqa: ARG002 - checked when it was read
        """Return the bytes of a file, or why it is not read."""
        return self.files.get(name)

    def names(self) -> list[str]:
        """Return the paths of the files."""
        return sorted(self.files)

    def written_at(self, name: str) -> float:  # noqa: ARG002
        """Return infinity: the time of a hand-in is stored beside it."""
        return math.inf

    @property
    def size(self) -> int:
        """The bytes of all names and contents."""
        return sum(_size(name, file) for name, file in self.files.items())

    def pack(self) -> bytes:
        """Return the files as bytes, which do not depend on the order in which they were read.

        Raises Damaged where `unpack` could not read them: never for what a `Recording` kept.
        """
        plain = msgspec.msgpack.encode(sorted((n, _parts(f)) for n, f in self.files.items()))
        if len(plain) > MAX_UNPACKED_BYTES:
            raise Damaged(
                f"This hand-in has more than {MAX_UNPACKED_BYTES // 2**20} MiB, and cannot be stored."
            )
        return zlib.compress(plain, 9)

    @classmethod
    def unpack(cls, data: bytes) -> "Stored":
        """Read what `pack` returned. Raises Damaged for any other bytes."""
        unpacking = zlib.decompressobj()
        try:
            plain = unpacking.decompress(data, MAX_UNPACKED_BYTES)
            files = msgspec.msgpack.decode(plain, type=list[tuple[str, tuple[bytes, str, bool]]])
        except (zlib.error, msgspec.MsgspecError, UnicodeDecodeError) as error:
            too_large = f"it has more than {MAX_UNPACKED_BYTES // 2**20} MiB"
            reason = too_large if unpacking.unconsumed_tail else error
            raise Damaged(f"A stored hand-in cannot be read: {reason}.") from None
        return cls({name: _file(name, *parts) for name, parts in files})


@dataclass(slots=True)
class Recording(SubmissionTree):
    """Reads another tree, each file and list once, and keeps what was read: at most MAX_TOTAL_BYTES, names included."""

    tree: SubmissionTree
    kept: Stored = field(default_factory=Stored)
    _names: list[str] | None = None
    _modules: dict[str, list[str]] = field(default_factory=dict)
    _notebooks: list[str] | None = None

    def read(self, name: str, limit: int) -> bytes | Unreadable | None:
        """Return the bytes of a file, or why it is not read; each file is read once."""
        if name not in self.kept.files:
            data = self.tree.read(name, limit)
            if data is None:
                return None
            if name.endswith(NOTEBOOK_ENDING) and isinstance(data, bytes):
                data = without_outputs(data, name)
            fits = self.kept.size + _size(name, data) <= MAX_TOTAL_BYTES
            self.kept.files[name] = data if fits else too_large_together(name, MAX_TOTAL_BYTES)
        return self.kept.files[name]

    def names(self) -> list[str]:
        """Return the paths of all files but litter."""
        if self._names is None:
            self._names = self.tree.names()
        return self._names

    def written_at(self, name: str) -> float:
        """Return when a file was written, in seconds; infinity where that is not known."""
        return self.tree.written_at(name)

    def modules(self, folder: str) -> list[str]:
        """Return the paths of Python files below `folder`."""
        if folder not in self._modules:
            self._modules[folder] = self.tree.modules(folder)
        return self._modules[folder]

    def notebooks(self) -> list[str]:
        """Return the paths of notebooks at the top or in exercises/."""
        if self._notebooks is None:
            self._notebooks = self.tree.notebooks()
        return self._notebooks

    def has_folder(self, name: str) -> bool:
        """Return whether there is a folder of that name at the top."""
        return self.tree.has_folder(name)


def _size(name: str, file: bytes | Unreadable) -> int:
    return len(name.encode()) + (len(file) if isinstance(file, bytes) else 0)


def _parts(file: bytes | Unreadable) -> tuple[bytes, str, bool]:
    return (file, "", True) if isinstance(file, bytes) else (b"", file.reason, file.attempted)


def _file(name: str, data: bytes, reason: str, attempted: bool) -> bytes | Unreadable:
    return Unreadable(name=name, reason=reason, attempted=attempted) if reason else data

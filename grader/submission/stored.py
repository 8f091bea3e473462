"""Stores what was read of a submission: exactly the files that its grading depended on."""

import zlib
from dataclasses import dataclass, field

import msgspec

from grader.submission.tree import (
    MAX_TOTAL_BYTES,
    SubmissionTree,
    Unreadable,
    first,
    notebook_files,
    python_files,
)

_MAX_UNPACKED_BYTES = 4 * MAX_TOTAL_BYTES  # answers and notebooks come on top of modules


@dataclass(frozen=True, slots=True)
class Stored(SubmissionTree):
    """Files by their path inside the submission; for one that could not be read, the reason."""

    files: dict[str, bytes | Unreadable] = field(default_factory=dict)

    def read(self, name: str, limit: int) -> bytes | Unreadable | None:  # noqa: ARG002 - checked when it was read
        """Return the bytes of a file, or why it is not read."""
        return self.files.get(name)

    def modules(self, folder: str) -> list[str]:
        """Return the paths of Python files below `folder`."""
        return first(python_files(self.files, folder))

    def notebooks(self) -> list[str]:
        """Return the paths of notebooks at the top or in exercises/."""
        return notebook_files(self.files)

    def has_folder(self, name: str) -> bool:
        """Return whether there is a folder of that name at the top."""
        return any(path.startswith(f"{name}/") for path in self.files)

    def pack(self) -> bytes:
        """Return the files as bytes, which do not depend on the order in which they were read."""
        return zlib.compress(msgspec.msgpack.encode(sorted((n, _parts(f)) for n, f in self.files.items())), 9)

    @classmethod
    def unpack(cls, data: bytes) -> "Stored":
        """Read what `pack` returned."""
        plain = zlib.decompressobj().decompress(data, _MAX_UNPACKED_BYTES)
        files = msgspec.msgpack.decode(plain, type=list[tuple[str, tuple[bytes, str, bool]]])
        return cls({name: _file(name, *parts) for name, parts in files})


@dataclass(frozen=True, slots=True)
class Recording(SubmissionTree):
    """Reads another tree, and keeps what was read."""

    tree: SubmissionTree
    kept: Stored = field(default_factory=Stored)

    def read(self, name: str, limit: int) -> bytes | Unreadable | None:
        """Return the bytes of a file, or why it is not read; each file is read once."""
        if name not in self.kept.files:
            data = self.tree.read(name, limit)
            if data is None:
                return None
            self.kept.files[name] = data
        return self.kept.files[name]

    def modules(self, folder: str) -> list[str]:
        """Return the paths of Python files below `folder`."""
        return self.tree.modules(folder)

    def notebooks(self) -> list[str]:
        """Return the paths of notebooks at the top or in exercises/."""
        return self.tree.notebooks()

    def has_folder(self, name: str) -> bool:
        """Return whether there is a folder of that name at the top."""
        return self.tree.has_folder(name)


def _parts(file: bytes | Unreadable) -> tuple[bytes, str, bool]:
    return (file, "", True) if isinstance(file, bytes) else (b"", file.reason, file.attempted)


def _file(name: str, data: bytes, reason: str, attempted: bool) -> bytes | Unreadable:
    return Unreadable(name=name, reason=reason, attempted=attempted) if reason else data

"""The cache of `grade check`: findings without problems, by the key of everything they depend on.

It is in the user's cache folder. A process that can write there could forge an entry, so an entry is used only if
folder and file belong to the user, other users cannot write to the folder, and the header matches key and content.
Where the cache cannot be read or written, everything is checked as if it were empty.
"""

import contextlib
import os
import stat
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Protocol, TypeVar

import msgspec

from grader.core.atomic_write import write_whole
from grader.core.user_folders import cache_folder, is_private, owned_by_user
from grader.course import fingerprint

KEPT_DAYS = 60
MAX_ENTRY_BYTES = 2**20
_FORMAT = "convgrader/sound/1"


class Findings(Protocol):
    """The result of a check."""

    @property
    def passed(self) -> bool:
        """Tell whether there is no problem."""


Subject = TypeVar("Subject")
Found = TypeVar("Found", bound=Findings)


class VerifiedCache:
    """Findings without problems, one file per key. With `fresh` the cache is written but never read."""

    def __init__(self, folder: Path | None = None, *, fresh: bool = False) -> None:
        self._folder = folder if folder is not None else cache_folder("check")
        self._fresh = fresh

    def read(self, key: str, kind: type[Found]) -> Found | None:
        """Return the findings for this key; None where there are none, or the entry cannot be trusted."""
        if self._folder is None or self._fresh:
            return None
        try:
            if not is_private(self._folder):
                return None
            head, _, body = _read_entry(self._folder / key).partition(b"\n")
            if head.decode("ascii") != _header(key, kind, body):
                return None
            found = msgspec.json.decode(body, type=kind)
        except (OSError, ValueError, msgspec.MsgspecError):
            return None
        with contextlib.suppress(OSError):
            os.utime(self._folder / key)  # so that _delete_old keeps an entry that is in use
        return found if found.passed else None

    def write(self, key: str, found: Findings) -> None:
        """Store findings. A failure to write is ignored: the check then runs again the next time."""
        if self._folder is None:
            return
        body = msgspec.json.encode(found)
        try:
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            if is_private(self._folder):
                write_whole(self._folder / key, _header(key, type(found), body).encode() + b"\n" + body)
                self._delete_old()
        except OSError:
            return  # a full disk, a read-only folder, a file in its place

    def _delete_old(self) -> None:
        assert self._folder is not None
        oldest = time.time() - KEPT_DAYS * 86400
        for path in self._folder.iterdir():
            if path.lstat().st_mtime < oldest:
                path.unlink(missing_ok=True)


def check_with_cache(
    cache: VerifiedCache,
    subjects: Sequence[Subject],
    kind: type[Found],
    key: Callable[[Subject, str], str],
    check: Callable[[Sequence[Subject]], Iterator[Found]],
) -> Iterator[tuple[Found, bool]]:
    """Yield the findings of each subject and whether they come from the cache; store those without problems.

    `key` returns the cache key of a subject, given the fingerprint of the engine. `check` gets all subjects that are
    not in the cache in one call, so that they are graded side by side.
    """
    engine = fingerprint.engine_now()
    keys = [key(subject, engine) for subject in subjects]
    cached = [cache.read(text, kind) for text in keys]
    checked = check([subject for subject, found in zip(subjects, cached, strict=True) if found is None])
    for subject, before, found in zip(subjects, keys, cached, strict=True):
        if found is not None:
            yield found, True
            continue
        fresh = next(checked)
        # A file that changed during the check may have been read in both versions: store nothing for it.
        if fresh.passed and key(subject, fingerprint.engine_now()) == before:
            cache.write(before, fresh)
        yield fresh, False


def _header(key: str, kind: type, body: bytes) -> str:
    """Return the first line of an entry: a hash over format, kind, key and content."""
    return fingerprint.of(_FORMAT, kind.__name__, key, body.decode("utf-8", "replace"))


def _read_entry(path: Path) -> bytes:
    """Return the bytes of a regular file that belongs to the user, up to MAX_ENTRY_BYTES. Raises OSError."""
    found = path.lstat()
    if not stat.S_ISREG(found.st_mode) or found.st_size > MAX_ENTRY_BYTES or not owned_by_user(found):
        raise OSError(f"{path} is not an entry of this cache")
    return path.read_bytes()

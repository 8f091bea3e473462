"""The cache of a comparison: what was read of each text, in a file of the user's cache folder.

It is not in the gradebook, since reading a gradebook must not change it. It holds parts of students' solutions, so
`grade erase` deletes it. Where it cannot be used, everything is read again.
"""

import contextlib
import sqlite3
from collections.abc import Iterator, Mapping
from pathlib import Path

from grader.core.user_folders import cache_folder, is_private
from grader.course import fingerprint

MAX_BYTES = 2**29
_LOCK_TIMEOUT_S = 5.0


class PieceCache:
    """An open cache: values by key. Use `open_cache`."""

    def __init__(self, path: Path) -> None:
        """Open or create it. Raises sqlite3.Error."""
        self._db = sqlite3.connect(path, timeout=_LOCK_TIMEOUT_S)
        self._db.execute(
            "CREATE TABLE IF NOT EXISTS pieces (key TEXT PRIMARY KEY, value BLOB NOT NULL) WITHOUT ROWID"
        )

    def cached(self, key: str) -> bytes | None:
        """Return the value stored under a key, if any."""
        with contextlib.suppress(sqlite3.Error):
            found = self._db.execute("SELECT value FROM pieces WHERE key = ?", (key,)).fetchone()
            return found[0] if found and isinstance(found[0], bytes) else None
        return None

    def keep(self, results: Mapping[str, bytes]) -> None:
        """Store values under their keys. A failure is ignored: they are computed again the next time."""
        with contextlib.suppress(sqlite3.Error), self._db:
            self._db.executemany("INSERT OR REPLACE INTO pieces VALUES (?, ?)", results.items())

    def close(self) -> None:
        """Close it."""
        self._db.close()


@contextlib.contextmanager
def open_cache() -> Iterator[PieceCache | None]:
    """Open the cache of this version of the grader, and delete those of others; None where there can be none."""
    with contextlib.ExitStack() as stack:
        cache = None
        with contextlib.suppress(OSError, sqlite3.Error):
            cache = _open()
        if cache is not None:
            stack.callback(cache.close)
        yield cache


def _open() -> PieceCache | None:
    folder = cache_folder("similar")
    if folder is None:
        return None
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    if not is_private(folder):
        return None
    path = folder / f"{fingerprint.engine()}.db"
    for other in folder.iterdir():
        if not other.name.startswith(path.name) or other.stat().st_size > MAX_BYTES:
            other.unlink()
    return PieceCache(path)


def delete_cache() -> None:
    """Delete the caches of all versions. Raises OSError."""
    folder = cache_folder("similar")
    if folder is not None and folder.is_dir() and is_private(folder):
        for path in folder.iterdir():
            path.unlink()

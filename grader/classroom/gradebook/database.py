"""The database of a gradebook as a file: transactions that wait for the lock, errors of the whole, a private copy."""

import contextlib
import shutil
import sqlite3
from pathlib import Path
from types import TracebackType

from grader.core.errors import GraderError

LOCK_TIMEOUT_S = 60.0
_ENDINGS = ("", "-wal", "-journal")  # the database, and what a writer has not merged into it yet
_COPIES = 5


class GradebookUnusable(GraderError):
    """The gradebook as a whole cannot be used: a full disk, a lock that is never released, a damaged file."""


def is_unusable(error: BaseException) -> bool:
    """Tell whether an error is about a gradebook as a whole, and not about one row of it."""
    return (
        isinstance(error, GradebookUnusable | sqlite3.OperationalError)
        or type(error) is sqlite3.DatabaseError
    )


class Transaction:
    """A transaction that takes the write lock when it begins. Raises GraderError where it cannot get it in time."""

    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db

    def __enter__(self) -> None:
        try:
            self._db.execute("BEGIN IMMEDIATE")
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode != sqlite3.SQLITE_BUSY:
                raise
            raise GradebookUnusable(
                f"Another process has locked the gradebook for {LOCK_TIMEOUT_S:g} s. Try again when it has ended."
            ) from None

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is None:
            self._db.execute("COMMIT")
        elif self._db.in_transaction:  # SQLite itself rolls back after some errors, such as a full disk
            self._db.execute("ROLLBACK")


def copy_files(path: Path, folder: Path) -> Path:
    """Copy a database with what its last changes are in, and return the copy. Raises OSError.

    A process that writes it meanwhile changes sizes or times: then the copy is made again.
    """
    for attempt in range(_COPIES):
        copy = folder / str(attempt)
        before = _stamps(path)
        for ending in before:
            with contextlib.suppress(FileNotFoundError):  # it was just closed; the times say so
                shutil.copyfile(f"{path}{ending}", f"{copy}{ending}")
        if _stamps(path) == before:
            return copy
    raise OSError(f"another process writes it all the time, and {_COPIES} copies were none of one moment")


def _stamps(path: Path) -> dict[str, tuple[int, int]]:
    """Return time and size of each file that a database consists of, by the ending of its name."""
    found = {}
    for ending in _ENDINGS:
        with contextlib.suppress(FileNotFoundError):
            stat = Path(f"{path}{ending}").stat()
            found[ending] = (stat.st_mtime_ns, stat.st_size)
    return found


def text_of(data: bytes) -> str:
    """Return a stored text. A damaged one must not end the query that reads it: its bytes become lone surrogates."""
    return data.decode("utf-8", "surrogateescape")

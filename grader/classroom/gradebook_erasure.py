"""Removes one person's data from a gradebook, and records that it did. The steps of `Gradebook.erase`.

Attempts are protected by triggers; these are lifted inside the transaction that deletes, and put back in it.
"""

import hashlib
import secrets
import sqlite3
from datetime import UTC, datetime

_SALT_BYTES = 16
_SCRYPT = {"n": 2**14, "r": 8, "p": 1, "dklen": 32}  # 16 MiB and 50 ms a guess, against lists of names
_READABLE = "typeof(salt) = 'blob' AND typeof(name_hash) = 'blob'"  # SQLite stores any type in any column
# Each table with attempts, and the rows of one student in it; attempts go last, since the others refer to them.
_OF_STUDENT = {
    "checks": "attempt IN (SELECT id FROM attempts WHERE student = ?)",
    "parts": "attempt IN (SELECT id FROM attempts WHERE student = ?)",
    "attempts": "student = ?",
}


def delete(db: sqlite3.Connection, student: str, *, reason: str, by: str) -> int:
    """Delete a student's rows in an open transaction, record the erasure, and return how many attempts there were.

    What others handed in too stays. The cache of results is emptied: it does not say whose files a result is of.
    """
    (attempts,) = db.execute("SELECT count(*) FROM attempts WHERE student = ?", (student,)).fetchone()
    guards = db.execute(
        "SELECT name, sql FROM sqlite_master WHERE type = 'trigger' AND tbl_name IN ('attempts', 'checks', 'parts')"
    ).fetchall()
    for name, _ in guards:
        db.execute(f'DROP TRIGGER "{name}"')
    for table, rows in _OF_STUDENT.items():
        db.execute(f"DELETE FROM {table} WHERE {rows}", (student,))  # noqa: S608 - names of this module
    for _, statement in guards:
        db.execute(statement)
    db.execute("DELETE FROM contents WHERE submission NOT IN (SELECT submission FROM attempts)")
    db.execute("DELETE FROM results")
    salt = secrets.token_bytes(_SALT_BYTES)
    db.execute(
        "INSERT INTO erasures (erased_at, erased_by, reason, attempts, salt, name_hash) VALUES (?, ?, ?, ?, ?, ?)",
        (datetime.now(UTC).isoformat(), by, reason, attempts, salt, _hash(student, salt)),
    )
    return int(attempts)


def is_recorded(db: sqlite3.Connection, student: str) -> bool:
    """Tell whether a student of this name was erased; records that are damaged do not say."""
    found = db.execute(f"SELECT salt, name_hash FROM erasures WHERE {_READABLE}").fetchall()  # noqa: S608 - no outside text
    return any(_hash(student, salt) == name_hash for salt, name_hash in found)


def damaged(db: sqlite3.Connection) -> int:
    """Return the number of records that do not say who was erased."""
    (found,) = db.execute(f"SELECT count(*) FROM erasures WHERE NOT ({_READABLE})").fetchone()  # noqa: S608 - no outside text
    return int(found)


def scrub(db: sqlite3.Connection) -> bool:
    """Write the file anew, so that no deleted byte stays in it or beside it; tell whether that was possible.

    It is not while another process has the gradebook open.
    """
    try:
        db.execute("VACUUM")
        (busy, _, _) = db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
    except sqlite3.OperationalError as error:
        if error.sqlite_errorcode not in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
            raise
        return False
    return not busy


def _hash(student: str, salt: bytes) -> bytes:
    """Return a slow hash of a name: it answers "was this person erased?", and does not give the name away."""
    return hashlib.scrypt(student.encode("utf-8", "surrogatepass"), salt=salt, **_SCRYPT)

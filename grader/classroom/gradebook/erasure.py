"""Removes one person's data from a gradebook, and records that it did. The steps of `Gradebook.erase`.

What was recorded is protected by triggers; these are lifted inside the transaction that deletes, and put back in it.
"""

import hashlib
import secrets
import sqlite3
from datetime import UTC, datetime

_SALT_BYTES = 16
_SCRYPT = {"n": 2**14, "r": 8, "p": 1, "dklen": 32}  # 16 MiB and 50 ms a guess, against lists of names
_READABLE = "typeof(salt) = 'blob' AND typeof(name_hash) = 'blob'"  # SQLite stores any type in any column
# The rows of one student, in an order in which no row refers to one that is gone.
_OF_STUDENT = (
    "DELETE FROM checks WHERE verdict IN (SELECT verdict FROM erased)",
    "DELETE FROM parts WHERE verdict IN (SELECT verdict FROM erased)",
    "DELETE FROM repeats WHERE verdict IN (SELECT verdict FROM erased)",
    "DELETE FROM verdicts WHERE id IN (SELECT verdict FROM erased)",
    "DELETE FROM hand_ins WHERE id IN (SELECT hand_in FROM erased)",
)
# What nothing refers to any more. A cached result does not say whose files it is of.
_UNUSED = (
    "DELETE FROM contents WHERE submission NOT IN (SELECT submission FROM hand_ins)",
    "DELETE FROM cache WHERE result NOT IN (SELECT result FROM parts WHERE result IS NOT NULL)",
    "DELETE FROM results WHERE id NOT IN (SELECT result FROM parts WHERE result IS NOT NULL)",
)


def delete(db: sqlite3.Connection, student: str, *, reason: str, by: str) -> int:
    """Delete a student's rows in an open transaction, record the erasure, and return how many hand-ins there were.

    What others handed in too stays. Of the cache of results only what verdicts of others consist of stays.
    """
    (count,) = db.execute("SELECT count(*) FROM hand_ins WHERE student = ?", (student,)).fetchone()
    guards = db.execute(
        "SELECT name, sql FROM sqlite_master WHERE type = 'trigger' AND tbl_name <> 'erasures'"
    ).fetchall()
    for name, _ in guards:
        db.execute(f'DROP TRIGGER "{name}"')
    db.execute(
        "CREATE TEMP TABLE erased AS SELECT h.id AS hand_in, v.id AS verdict FROM hand_ins h "
        "LEFT JOIN verdicts v ON v.hand_in = h.id WHERE student = ?",
        (student,),
    )
    for statement in (*_OF_STUDENT, *_UNUSED, "DROP TABLE erased"):
        db.execute(statement)
    for _, statement in guards:
        db.execute(statement)
    salt = secrets.token_bytes(_SALT_BYTES)
    db.execute(
        "INSERT INTO erasures (erased_at, erased_by, reason, attempts, salt, name_hash) VALUES (?, ?, ?, ?, ?, ?)",
        (datetime.now(UTC).isoformat(), by, reason, count, salt, _hash(student, salt)),
    )
    return int(count)


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

"""The results of exercises and quizzes in a gradebook: each is stored once, compressed, whatever refers to it.

Verdicts consist of results, and the cache of gradings refers to them. A row is known by the digest of its bytes.
"""

import functools
import sqlite3
import zlib
from collections.abc import Mapping
from typing import TypeVar

import msgspec

from grader.core.model import ExerciseResult, Isolation, QuizResult, Versions
from grader.course import fingerprint
from grader.report import part_from_json, part_to_json

_MAX_RESULT_BYTES = 64 * 2**20  # of the JSON of one result
_LEVEL = 9
_MOST_KNOWN = 256  # results in memory
_Part = TypeVar("_Part", ExerciseResult, QuizResult)


class _GradedWith(msgspec.Struct, frozen=True, kw_only=True):
    """How a cached result was graded."""

    isolation: Isolation
    versions: Versions


class CachedResult(msgspec.Struct, frozen=True, kw_only=True):
    """A result in the cache, with the isolation and the versions it was graded with."""

    result: ExerciseResult
    isolation: Isolation
    versions: Versions


def store(db: sqlite3.Connection, part: ExerciseResult | QuizResult) -> int:
    """Store a result, if it is not there yet, and return its id."""
    return store_json(db, part_to_json(part))


def store_json(db: sqlite3.Connection, text: str) -> int:
    """Store the JSON of a result, if it is not there yet, and return its id.

    One of which the bytes are damaged stays, and is stored once more.
    """
    row = _packed(text)
    found = db.execute("SELECT id FROM results WHERE digest = ? AND result = ?", row).fetchone()
    if found:
        return int(found[0])
    return db.execute("INSERT INTO results (digest, result) VALUES (?, ?)", row).lastrowid or 0


@functools.lru_cache(maxsize=_MOST_KNOWN)
def _packed(text: str) -> tuple[str, bytes]:
    """Return the digest and the bytes of a result. Many are those of the whole class: a quiz without an answer."""
    data = zlib.compress(text.encode("ascii"), _LEVEL)
    return fingerprint.of(data.hex()), data


class Results:
    """The results of one gradebook. Those that many verdicts share are read once."""

    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db
        self._known: dict[
            str, ExerciseResult | QuizResult
        ] = {}  # by digest: an id may be used again after an erasure

    def are_intact(self, verdict: object) -> bool:
        """Tell whether every part of a verdict has a result whose bytes are those that were stored."""
        rows = self._db.execute("SELECT result FROM parts WHERE verdict = ?", (verdict,)).fetchall()
        return all(self._is_intact(number) for (number,) in rows)

    def _is_intact(self, number: object) -> bool:
        digest = self._column("digest", number)
        return digest in self._known or _is_stored(digest, self._column("result", number))

    def load(self, number: object, kind: type[_Part]) -> _Part:
        """Return the result with this id. Raises ValueError where it is missing or damaged."""
        digest = self._column("digest", number)
        known = self._known.get(digest) if isinstance(digest, str) else None
        if isinstance(known, kind):
            return known
        found = _load(digest, self._column("result", number), kind)
        if len(self._known) >= _MOST_KNOWN:
            self._known.clear()
        self._known[str(digest)] = found
        return found

    def _column(self, name: str, number: object) -> object:
        """Return a column of a result, None where there is no such result: SQLite stores any type in any column."""
        if not isinstance(number, int):
            return None
        found = self._db.execute(f"SELECT {name} FROM results WHERE id = ?", (number,)).fetchone()  # noqa: S608 - own names
        return found[0] if found else None


def _is_stored(digest: object, data: object) -> bool:
    return isinstance(data, bytes) and fingerprint.of(data.hex()) == digest


def _load(digest: object, data: object, kind: type[_Part]) -> _Part:
    """Return a stored result. Raises ValueError where it is damaged."""
    if not isinstance(data, bytes) or not _is_stored(digest, data):
        raise ValueError("a result is missing, or not that which was stored")
    return part_from_json(_decompressed(data), kind)


def _decompressed(data: bytes) -> str:
    unpacking = zlib.decompressobj()
    try:
        text = unpacking.decompress(data, _MAX_RESULT_BYTES)
    except zlib.error as error:
        raise ValueError(f"a result cannot be decompressed: {error}") from None
    if not unpacking.eof:
        raise ValueError(f"a result is cut off, or has more than {_MAX_RESULT_BYTES // 2**20} MiB")
    return text.decode("ascii")


def version(db: sqlite3.Connection, parts: Mapping[str, str]) -> int:
    """Store a version of the course, if it is not there yet, and return its id.

    `parts` are the fingerprints of exercises and quizzes by their kind and id, such as "exercise scaling".
    """
    named = [text for name in sorted(parts) for text in (name, parts[name])]
    whole = fingerprint.of(*named)
    added = db.execute("INSERT OR IGNORE INTO versions (fingerprint) VALUES (?)", (whole,))
    (found,) = db.execute("SELECT id FROM versions WHERE fingerprint = ?", (whole,)).fetchone()
    if added.rowcount:
        rows = [(found, *name.split(" ", 1), print_) for name, print_ in parts.items()]
        db.executemany("INSERT INTO version_parts VALUES (?, ?, ?, ?)", rows)
    return int(found)


# --- the cache


def cached(db: sqlite3.Connection, key: str) -> CachedResult | None:
    """Return the cached result of a key; None without one, or where it is damaged."""
    query = "SELECT digest, results.result, origin FROM cache JOIN results ON results.id = cache.result WHERE key = ?"
    found = db.execute(query, (key,)).fetchone()
    if found is None:
        return None
    digest, data, origin = found
    try:
        how = msgspec.json.decode(origin, type=_GradedWith)
        result = _load(digest, data, ExerciseResult)
    except (ValueError, TypeError, OverflowError, RecursionError):
        return None
    return CachedResult(result=result, isolation=how.isolation, versions=how.versions)


def is_cached(db: sqlite3.Connection, key: str) -> bool:
    """Tell whether there is a result under a key, readable or not."""
    return db.execute("SELECT 1 FROM cache WHERE key = ?", (key,)).fetchone() is not None


def keep(db: sqlite3.Connection, found: Mapping[str, CachedResult]) -> None:
    """Cache results under their keys. Equal keys mean equal results: one stays unless another was isolated better."""
    for key, one in found.items():
        origin = msgspec.json.encode(_GradedWith(isolation=one.isolation, versions=one.versions)).decode()
        db.execute(
            "INSERT INTO cache VALUES (?, ?, ?, ?) ON CONFLICT (key) DO UPDATE SET "
            "result = excluded.result, level = excluded.level, origin = excluded.origin "
            "WHERE excluded.level > level",
            (key, store(db, one.result), one.isolation.level, origin),
        )


def forget(db: sqlite3.Connection, key: str) -> None:
    """Remove a key from the cache, as its result cannot be read."""
    db.execute("DELETE FROM cache WHERE key = ?", (key,))

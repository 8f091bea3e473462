"""The step from schema 2 to 3: attempts become hand-ins and their verdicts.

`grade regrade` of the earlier version appended an attempt with the same files and the same time as the last one. Such
attempts are verdicts of one hand-in. All others are hand-ins of their own: also files that were handed in again, at
another time or after others. Hand-ins are numbered from 1 for each student.

What is damaged is moved as it is. A report that does not fit its rows stays whole in its verdict.
"""

import sqlite3
from collections.abc import Mapping
from dataclasses import dataclass

from grader.classroom.gradebook import results, rows
from grader.report import split

_OLD = ("attempts", "parts", "checks", "contents")
_COPIED = (
    "conditions", "graded_at", "points", "max_points", "score", "void", "isolation_level", "seed", "grader", "torch",
    "python",
)  # fmt: skip


def set_aside(db: sqlite3.Connection) -> None:
    """Give the old tables other names, and drop their triggers and the cache of results."""
    triggers = "SELECT name FROM sqlite_master WHERE type = 'trigger' AND tbl_name IN ('attempts', 'parts', 'checks')"
    for (name,) in db.execute(triggers).fetchall():
        db.execute(f'DROP TRIGGER "{name}"')
    db.execute("DROP TABLE results")
    for table in _OLD:
        db.execute(f"ALTER TABLE {table} RENAME TO old_{table}")


def move(db: sqlite3.Connection) -> None:
    """Fill the new tables from the old ones, and drop those."""
    db.execute("INSERT INTO contents SELECT ifnull(submission, x''), ifnull(content, x'') FROM old_contents")
    for place in _places(db):
        _move_attempt(db, place)
    for table in ("old_checks", "old_parts", "old_attempts", "old_contents"):
        db.execute(f"DROP TABLE {table}")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Place:
    """Where an attempt goes: verdict `number` of a hand-in, whose id is that of its first attempt."""

    attempt: int
    hand_in: int
    hand_in_number: int
    number: int


def _places(db: sqlite3.Connection) -> list[_Place]:
    """Return the places of all attempts, in the order in which they were added."""
    last: dict[object, tuple[object, _Place]] = {}
    found = []
    query = "SELECT id, quote(student), quote(submission), quote(submitted_at) FROM old_attempts ORDER BY id"
    for attempt, student, *identity in db.execute(query):
        before_identity, before = last.get(student, (None, None))
        if before is None:
            place = _Place(attempt=attempt, hand_in=attempt, hand_in_number=1, number=1)
        elif before_identity == identity:
            place = _Place(
                attempt=attempt,
                hand_in=before.hand_in,
                hand_in_number=before.hand_in_number,
                number=before.number + 1,
            )
        else:
            place = _Place(
                attempt=attempt, hand_in=attempt, hand_in_number=before.hand_in_number + 1, number=1
            )
        last[student] = identity, place
        found.append(place)
    return found


def _move_attempt(db: sqlite3.Connection, place: _Place) -> None:
    if place.hand_in == place.attempt:
        db.execute(
            "INSERT INTO hand_ins SELECT id, ifnull(student, x''), ?, ifnull(submission, x''), "
            "ifnull(submitted_at, x'') FROM old_attempts WHERE id = ?",
            (place.hand_in_number, place.attempt),
        )
    head, stored = _split_report(db, place.attempt)
    copied = ", ".join(f"ifnull({name}, x'')" for name in _COPIED)
    db.execute(
        f"INSERT INTO verdicts (id, hand_in, number, version, {', '.join(_COPIED)}, report) "  # noqa: S608 - own names
        f"SELECT id, ?, ?, ?, {copied}, coalesce(?, report, x'') FROM old_attempts WHERE id = ?",
        (place.hand_in, place.number, _version(db, place.attempt), head, place.attempt),
    )
    _move_parts(db, place.attempt, stored)


def _split_report(
    db: sqlite3.Connection, attempt: int
) -> tuple[str | None, dict[tuple[str, str], tuple[int, int]]]:
    """Store the parts of a report; return its head, and the position and the result of each part by kind and id.

    Where the report cannot be read, or its parts are not those that have rows, there is no head, and nothing is stored.
    """
    (text,) = db.execute("SELECT report FROM old_attempts WHERE id = ?", (attempt,)).fetchone()
    named = db.execute("SELECT kind, part FROM old_parts WHERE attempt = ?", (attempt,)).fetchall()
    try:
        head, exercises, quizzes = split(text)
    except (ValueError, TypeError, OverflowError, RecursionError):
        return None, {}
    parts = [
        (kind, name, position, part)
        for kind, found in (("exercise", exercises), ("quiz", quizzes))
        for position, (name, part) in enumerate(found.items())
    ]
    if {(kind, name) for kind, name, _, _ in parts} != set(named):
        return None, {}
    return head, {
        (kind, name): (position, results.store_json(db, part)) for kind, name, position, part in parts
    }


def _move_parts(
    db: sqlite3.Connection, attempt: int, stored: Mapping[tuple[str, str], tuple[int, int]]
) -> None:
    """Move the rows of parts and checks. Those that break a rule of the schema say nothing: they are left out."""
    query = "SELECT rowid, kind, part FROM old_parts WHERE attempt = ? ORDER BY rowid"
    for number, (row, kind, part) in enumerate(db.execute(query, (attempt,)).fetchall()):
        position, result = stored.get((kind, part), (number, None))
        db.execute(
            "INSERT OR IGNORE INTO parts SELECT attempt, kind, part, ?, outcome, points, max_points, ? "
            "FROM old_parts WHERE rowid = ?",
            (position, result, row),
        )
    db.execute(
        'INSERT OR IGNORE INTO checks SELECT attempt, exercise, "check", outcome, points, max_points, mistake '
        "FROM old_checks WHERE attempt = ?",
        (attempt,),
    )


def _version(db: sqlite3.Connection, attempt: int) -> int:
    """Return the version of the course that an attempt was graded with, by the fingerprints that can be read."""
    query = "SELECT kind, part, fingerprint FROM old_parts WHERE attempt = ?"
    found = [row for row in db.execute(query, (attempt,)) if all(map(_is_text, row))]
    return results.version(
        db, {f"{kind} {part}": text for kind, part, text in found if kind in ("exercise", "quiz")}
    )


def _is_text(value: object) -> bool:
    return isinstance(value, str) and rows.is_valid(value)

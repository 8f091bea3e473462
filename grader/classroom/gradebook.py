"""The gradebook: every attempt of a class in one SQLite file, appended and never changed, and a cache of results.

Several processes may write to one file: each addition is a transaction that waits for the write lock. It is on disk
when `add` returns, so that a run that is killed loses no finished result.

A file can be damaged, or written by something else. A row that cannot be read costs that row: it is skipped, and named
in `Gradebook.damaged`. An error of the file as a whole, such as a full disk, is a `GradebookUnusable`.

To read, use `Gradebook.reading`: not a byte of the file changes then.
"""

import contextlib
import hashlib
import secrets
import shutil
import sqlite3
import tempfile
from collections.abc import Callable, Collection, Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from types import MappingProxyType, TracebackType
from typing import Self, TypeGuard, TypeVar

from grader.classroom import gradebook_erasure, gradebook_rows
from grader.classroom.gradebook_rows import Attempt, AttemptFingerprints, DamagedRow, HandIn
from grader.core.errors import GraderError, UsageError
from grader.core.model import Outcome, Report, Score
from grader.core.safetext import one_line
from grader.report import to_json

__all__ = [
    "Attempt",
    "AttemptFingerprints",
    "DamagedRow",
    "Gradebook",
    "GradebookUnusable",
    "HandIn",
    "is_unusable",
]

_APPLICATION_ID = 0x436F6E76  # "Conv"; SQLite's header field for the application of a file
_LOCK_TIMEOUT_S = 60.0

# One script for each schema version: a file of version n is migrated by those from index n on.
_MIGRATIONS = (
    """
    CREATE TABLE attempts (
        id INTEGER PRIMARY KEY,
        student TEXT NOT NULL,
        number INTEGER NOT NULL,
        submission TEXT NOT NULL REFERENCES contents (submission),
        conditions TEXT NOT NULL,
        submitted_at TEXT NOT NULL,
        graded_at TEXT NOT NULL,
        points REAL NOT NULL,
        max_points REAL NOT NULL,
        score REAL NOT NULL,
        void INTEGER NOT NULL,
        isolation_level INTEGER NOT NULL,
        seed INTEGER NOT NULL,
        grader TEXT NOT NULL,
        torch TEXT NOT NULL,
        python TEXT NOT NULL,
        report TEXT NOT NULL,
        UNIQUE (student, number)
    );
    CREATE TABLE parts (
        attempt INTEGER NOT NULL REFERENCES attempts (id),
        kind TEXT NOT NULL CHECK (kind IN ('exercise', 'quiz')),
        part TEXT NOT NULL,
        fingerprint TEXT NOT NULL,
        outcome TEXT NOT NULL,
        points REAL NOT NULL,
        max_points REAL NOT NULL,
        PRIMARY KEY (attempt, kind, part)
    );
    CREATE TABLE checks (
        attempt INTEGER NOT NULL REFERENCES attempts (id),
        exercise TEXT NOT NULL,
        "check" TEXT NOT NULL,
        outcome TEXT NOT NULL,
        points REAL NOT NULL,
        max_points REAL NOT NULL,
        mistake TEXT NOT NULL,
        PRIMARY KEY (attempt, exercise, "check")
    );
    CREATE TABLE contents (submission TEXT PRIMARY KEY, content BLOB NOT NULL) WITHOUT ROWID;
    CREATE TABLE results (key TEXT PRIMARY KEY, result BLOB NOT NULL) WITHOUT ROWID;
    CREATE TRIGGER attempts_stay BEFORE UPDATE ON attempts BEGIN SELECT RAISE(ABORT, 'attempts are never changed'); END;
    CREATE TRIGGER attempts_kept BEFORE DELETE ON attempts BEGIN SELECT RAISE(ABORT, 'attempts are never removed'); END;
    CREATE TRIGGER parts_stay BEFORE UPDATE ON parts BEGIN SELECT RAISE(ABORT, 'attempts are never changed'); END;
    CREATE TRIGGER parts_kept BEFORE DELETE ON parts BEGIN SELECT RAISE(ABORT, 'attempts are never removed'); END;
    CREATE TRIGGER checks_stay BEFORE UPDATE ON checks BEGIN SELECT RAISE(ABORT, 'attempts are never changed'); END;
    CREATE TRIGGER checks_kept BEFORE DELETE ON checks BEGIN SELECT RAISE(ABORT, 'attempts are never removed'); END;
    """,
    """
    CREATE TABLE settings (name TEXT PRIMARY KEY, value NOT NULL) WITHOUT ROWID;
    CREATE TABLE erasures (
        id INTEGER PRIMARY KEY,
        erased_at TEXT NOT NULL,
        erased_by TEXT NOT NULL,
        reason TEXT NOT NULL,
        attempts INTEGER NOT NULL,
        salt BLOB NOT NULL,
        name_hash BLOB NOT NULL
    );
    CREATE TRIGGER erasures_stay BEFORE UPDATE ON erasures BEGIN SELECT RAISE(ABORT, 'erasures are never changed'); END;
    CREATE TRIGGER erasures_kept BEFORE DELETE ON erasures BEGIN SELECT RAISE(ABORT, 'erasures are never removed'); END;
    """,
)


_COLUMNS = "student, number, submission, conditions, submitted_at, graded_at, report"
_WITH_CONTENTS = "FROM attempts LEFT JOIN contents USING (submission)"
_HAND_INS = f"SELECT student, number, submission, submitted_at, content {_WITH_CONTENTS}"


_ENDINGS = ("", "-wal", "-journal")  # the database, and what a writer has not merged into it yet
_COPIES = 5
_SEED, _SECRET = "seed", "secret"  # settings
_SEED_BITS = 53  # a number that every reader of JSON holds exactly
_Row = TypeVar("_Row")


class GradebookUnusable(GraderError):
    """The gradebook as a whole cannot be used: a full disk, a lock that is never released, a damaged file."""


def is_unusable(error: BaseException) -> bool:
    """Tell whether an error is about a gradebook as a whole, and not about one row of it."""
    return (
        isinstance(error, GradebookUnusable | sqlite3.OperationalError)
        or type(error) is sqlite3.DatabaseError
    )


class Gradebook:
    """An open gradebook. Use it as a context manager, and in one thread only, as SQLite demands.

    `damaged` holds the rows that were skipped because they cannot be read.
    """

    def __init__(self, path: Path, *, shown: Path | None = None) -> None:
        """Open the gradebook at `path`, or create one. Errors name it `shown`.

        Raises UsageError where the file is not a gradebook, GraderError where a newer version wrote it.
        """
        self._path = shown or path
        self.damaged: list[DamagedRow] = []
        try:
            self._db = sqlite3.connect(path, timeout=_LOCK_TIMEOUT_S, isolation_level=None)
        except sqlite3.Error as error:
            raise self._unusable(error) from None
        try:
            self._db.text_factory = _text
            self._db.execute("PRAGMA foreign_keys = ON")
            self._migrate()
            self._db.execute("PRAGMA journal_mode = WAL")  # readers and a writer do not wait for each other
            self._db.execute("PRAGMA synchronous = FULL")  # an attempt survives a power cut
        except sqlite3.Error as error:
            self._db.close()
            raise self._unusable(error) from None
        except GraderError:
            self._db.close()
            raise

    @classmethod
    @contextlib.contextmanager
    def reading(cls, path: Path) -> Iterator[Self]:
        """Open a private copy of the gradebook at `path`, and delete it at the end.

        SQLite cannot read a gradebook of an older version, or one that another process writes, without writing beside
        or into it. Raises what opening it raises, and UsageError where it cannot be copied.
        """
        with tempfile.TemporaryDirectory(prefix="convgrader-") as folder:
            try:
                copy = _copy(path, Path(folder))
            except OSError as error:
                raise UsageError(
                    f"{path} cannot be copied to {folder}, to be read there: {error.strerror or error}."
                ) from None
            with cls(copy, shown=path) as book:
                yield book

    def _unusable(self, error: sqlite3.Error) -> UsageError:
        message = f"{self._path} cannot be used as a gradebook: {error}. Name another file, or a new one."
        return UsageError(message)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._db.close()
        if isinstance(error, sqlite3.Error) and is_unusable(error):
            raise GradebookUnusable(
                f"{self._path} cannot be used any more: {error}. What was recorded before stays. Free some space, or "
                "restore a backup, and run the same command again."
            ) from None

    def _rows(self, read: Callable[..., _Row], query: str, values: tuple[object, ...] = ()) -> Iterator[_Row]:
        """Yield what `read` makes of each row; skip and name those that it cannot read."""
        for row in self._db.execute(query, values):
            try:
                yield read(*row)
            except DamagedRow as damaged:
                self.skip(damaged)

    def skip(self, damaged: DamagedRow) -> None:
        """Remember a row that is skipped, once."""
        if all((known.student, str(known)) != (damaged.student, str(damaged)) for known in self.damaged):
            self.damaged.append(damaged)

    def _migrate(self) -> None:
        with _Transaction(self._db):
            (version,) = self._db.execute("PRAGMA user_version").fetchone()
            (application,) = self._db.execute("PRAGMA application_id").fetchone()
            (tables,) = self._db.execute("SELECT count(*) FROM sqlite_master").fetchone()
            if tables and application != _APPLICATION_ID:
                raise UsageError(f"{self._path} is the database of another application. Name another file.")
            if version > len(_MIGRATIONS):
                raise GraderError(
                    f"{self._path} was written by a newer convgrader (schema {version}; this one knows "
                    f"{len(_MIGRATIONS)}). Install that version, or name another file."
                )
            for script in _MIGRATIONS[version:]:
                for statement in _statements(script):
                    self._db.execute(statement)
            self._db.execute(f"PRAGMA user_version = {len(_MIGRATIONS)}")
            self._db.execute(f"PRAGMA application_id = {_APPLICATION_ID}")

    # --- attempts

    def add(
        self,
        student: str,
        report: Report,
        *,
        submission: str,
        content: bytes,
        conditions: str,
        submitted_at: datetime,
        parts: Mapping[str, str],
        results: Mapping[str, bytes] = MappingProxyType({}),
    ) -> int:
        """Append an attempt and return its number.

        `content` is the packed hand-in, and `submission` its fingerprint; `parts` maps exercises and quizzes to their
        fingerprints. `results` go into the cache, in the same transaction, since each transaction waits for the disk.
        """
        with _Transaction(self._db):
            self._keep(results)
            self._db.execute("INSERT OR IGNORE INTO contents VALUES (?, ?)", (submission, content))
            number = self.last_number(student) + 1
            row = {
                "student": student,
                "number": number,
                "submission": submission,
                "conditions": conditions,
                "submitted_at": submitted_at.astimezone(UTC).isoformat(),
                "graded_at": datetime.now(UTC).isoformat(),
                "points": report.points,
                "max_points": report.max_points,
                "score": report.score,
                "void": not report.final,
                "isolation_level": report.isolation.level,
                "seed": report.seed,
                "grader": report.versions.grader,
                "torch": report.versions.torch,
                "python": report.versions.python,
                "report": to_json(report, indent=None),
            }
            marks = ", ".join(f":{name}" for name in row)
            added = self._db.execute(f"INSERT INTO attempts ({', '.join(row)}) VALUES ({marks})", row)  # noqa: S608 - no outside text
            self._add_details(added.lastrowid or 0, report, parts)
        return number

    def _add_details(self, attempt: int, report: Report, parts: Mapping[str, str]) -> None:
        rows = [("exercise", e.id, str(e.outcome), e.points, e.max_points) for e in report.exercises]
        rows += [("quiz", q.id, "", q.points, q.max_points) for q in report.quizzes]
        self._db.executemany(
            "INSERT INTO parts VALUES (?, ?, ?, ?, ?, ?, ?)",
            [
                (attempt, kind, part, parts[f"{kind} {part}"], outcome, points, most)
                for kind, part, outcome, points, most in rows
            ],
        )
        self._db.executemany(
            "INSERT INTO checks VALUES (?, ?, ?, ?, ?, ?, ?)",
            [
                (
                    attempt,
                    e.id,
                    c.id,
                    c.outcome,
                    c.points,
                    c.max_points,
                    c.diagnosis.mistake if c.diagnosis else "",
                )
                for e in report.exercises
                for c in e.checks
            ],
        )

    def attempts(self, student: str | None = None) -> Iterator[Attempt]:
        """Yield the attempts of a student, or of all, by student and number, without those that are damaged."""
        query = f"SELECT {_COLUMNS} FROM attempts"  # noqa: S608 - no outside text
        where, values = (" WHERE student = ?", (student,)) if student is not None else ("", ())
        yield from self._rows(gradebook_rows.attempt, f"{query}{where} ORDER BY student, number", values)

    def is_current(self, student: str, conditions: str, required_level: int) -> bool:
        """Return whether grading again would give the last attempt: same conditions, isolated enough, nothing void."""
        query = (
            "SELECT conditions = ? AND isolation_level >= ? AND typeof(isolation_level) = 'integer' AND NOT void "
            "FROM attempts WHERE student = ? ORDER BY number DESC LIMIT 1"
        )
        found = self._db.execute(query, (conditions, required_level, student)).fetchone()
        return bool(found and found[0])

    def scores(self, exercises: Collection[str] = ()) -> Iterator[Score]:
        """Yield the points of each attempt, in all or in these exercises, by student and number.

        Attempts that are damaged are left out.
        """
        points, source, values = "attempts.points, attempts.max_points, void", "attempts", tuple(exercises)
        if exercises:
            are_numbers = (
                "min(typeof(p.points) IN ('integer', 'real') AND typeof(p.max_points) IN ('integer', 'real'))"
            )
            sums = (f"CASE WHEN {are_numbers} THEN sum(p.{name}) END" for name in ("points", "max_points"))
            points = f"{', '.join(sums)}, max(p.outcome = ?)"
            marks = ", ".join("?" * len(exercises))
            source += (
                f" JOIN parts p ON p.attempt = id AND kind = 'exercise' AND part IN ({marks}) GROUP BY id"
            )
            values = (Outcome.INTERNAL_ERROR, *exercises)
        columns = f"student, number, submission, submitted_at, {points}, report"
        query = f"SELECT {columns} FROM {source} ORDER BY student, number"  # noqa: S608 - no outside text
        yield from self._rows(gradebook_rows.score, query, values)

    def content(self, attempt: Attempt) -> bytes:
        """Return the packed hand-in of an attempt. Raises DamagedRow."""
        query = f"{_HAND_INS} WHERE student = ? AND number = ?"
        (row,) = self._db.execute(query, (attempt.student, attempt.number)).fetchall()
        return gradebook_rows.hand_in(*row).content

    def last_hand_in(self, student: str) -> HandIn:
        """Return what a student handed in last. Raises DamagedRow, and LookupError where there is nothing."""
        row = self._db.execute(
            f"{_HAND_INS} WHERE student = ? ORDER BY number DESC LIMIT 1", (student,)
        ).fetchone()
        if row is None:
            raise LookupError(student)
        return gradebook_rows.hand_in(*row)

    def secret(self) -> bytes:
        """Return a number that cannot be known without the gradebook, and never changes: a hash of the first hand-in.

        Where that was erased, `erase` has stored it.
        """
        if isinstance(kept := self._setting(_SECRET), bytes):
            return kept
        query = f"SELECT coalesce(content, submission) {_WITH_CONTENTS} ORDER BY id LIMIT 1"
        (found,) = self._db.execute(query).fetchone() or (b"",)
        first = found if isinstance(found, bytes) else str(found).encode("utf-8", "surrogateescape")
        return hashlib.sha256(first).digest()

    def hand_ins(self) -> Iterator[HandIn]:
        """Yield every hand-in, by student and number; one that was graded several times comes once.

        It has the number of the first attempt. Those that are damaged are left out.
        """
        firsts = (
            "WHERE id IN (SELECT min(id) FROM attempts GROUP BY student, submission) ORDER BY student, number"
        )
        yield from self._rows(gradebook_rows.hand_in, f"{_HAND_INS} {firsts}")

    def fingerprints(self, student: str) -> list[AttemptFingerprints]:
        """Return the fingerprints of a student's attempts, by number."""
        query = (
            "SELECT number, submission, part, fingerprint FROM attempts LEFT JOIN parts ON attempt = id "
            "AND kind = 'quiz' AND typeof(part) = 'text' AND typeof(fingerprint) = 'text' "
            "WHERE student = ? AND typeof(number) = 'integer' ORDER BY number"
        )
        submissions: dict[int, str] = {}
        quizzes: dict[int, dict[str, str]] = {}
        for number, submission, quiz, fingerprint in self._db.execute(query, (student,)):
            submissions[number] = submission
            quizzes.setdefault(number, {}).update({quiz: fingerprint} if quiz is not None else {})
        return [
            AttemptFingerprints(number=n, submission=digest, quizzes=quizzes[n])
            for n, digest in submissions.items()
        ]

    def students(self) -> list[str]:
        """Return the students who have an attempt, by name; a name that cannot be read is skipped."""
        query = "SELECT student, min(number) FROM attempts GROUP BY student ORDER BY student"
        return list(self._rows(gradebook_rows.student_name, query))

    def arrivals(self) -> list[str]:
        """Return the students in the order of their first attempts, which later additions do not change."""
        query = "SELECT student, min(number) FROM attempts GROUP BY student ORDER BY min(id)"
        return list(self._rows(gradebook_rows.student_name, query))

    def attempt(self, student: str, number: int) -> Attempt:
        """Return one attempt. Raises DamagedRow, and LookupError where there is none."""
        query = f"SELECT {_COLUMNS} FROM attempts WHERE student = ? AND number = ?"  # noqa: S608 - no outside text
        found = self._db.execute(query, (student, number)).fetchone()
        if found is None:
            raise LookupError(f"{student} has no attempt {number}")
        return gradebook_rows.attempt(*found)

    def last(self, student: str) -> Attempt:
        """Return a student's last attempt. Raises DamagedRow, and LookupError where there is none."""
        query = f"SELECT {_COLUMNS} FROM attempts WHERE student = ? ORDER BY number DESC LIMIT 1"  # noqa: S608 - no outside text
        found = self._db.execute(query, (student,)).fetchone()
        if found is None:
            raise LookupError(student)
        return gradebook_rows.attempt(*found)

    def last_number(self, student: str) -> int:
        """Return the number of a student's last attempt, also of one whose row is damaged; 0 where there is none."""
        query = (
            "SELECT coalesce(max(number), 0) FROM attempts "
            "WHERE student = ? AND typeof(number) = 'integer' AND number BETWEEN 0 AND ?"
        )
        (found,) = self._db.execute(query, (student, gradebook_rows.MAX_NUMBER)).fetchone()
        return int(found)

    # --- the seed, and other settings

    def seed(self, wanted: int | None = None) -> int:
        """Return the seed of the inputs: `wanted`, else that of this gradebook.

        It is settled once: as that of the latest attempt where an older version graded some, so that a regrade changes
        only what the course changed; else as `wanted`; else as a secret number, drawn here. Raises GradebookUnusable
        where it is damaged: another one would change the results of the class.
        """
        with _Transaction(self._db):
            own = self._setting(_SEED)
            if own is None:
                last = self._db.execute("SELECT seed FROM attempts ORDER BY id DESC LIMIT 1").fetchone()
                drawn = secrets.randbits(_SEED_BITS) if wanted is None else wanted
                own = last[0] if last else drawn
                if _is_seed(own):
                    self._set(_SEED, own)
        if wanted is not None:
            return wanted
        if not _is_seed(own):
            raise GradebookUnusable(
                f"The seed that is stored in {self._path} is damaged. Restore a backup, or give the seed: --seed N."
            )
        return own

    def _setting(self, name: str) -> object:
        found = self._db.execute("SELECT value FROM settings WHERE name = ?", (name,)).fetchone()
        return found[0] if found else None

    def _set(self, name: str, value: int | bytes) -> None:
        self._db.execute("INSERT OR REPLACE INTO settings VALUES (?, ?)", (name, value))

    # --- privacy

    def erase(self, student: str, *, reason: str, by: str) -> int:
        """Remove all that is stored of a student, and record when, who did it and why; return the number of attempts.

        Of the name only a salted hash is recorded. Where the student was erased before, only the file is written anew.
        Raises UsageError where there is nothing of this student, GradebookUnusable where another process has the file
        open: what is deleted may then still be in it, until this is called again.
        """
        if not gradebook_rows.is_valid(student):
            raise UsageError(f"{one_line(student)} has no attempt in {self._path}.")
        attempts = 0
        self._db.execute("PRAGMA secure_delete = ON")
        with _Transaction(self._db):
            if self._db.execute("SELECT 1 FROM attempts WHERE student = ?", (student,)).fetchone():
                if self._setting(_SECRET) is None and self.arrivals()[:1] == [student]:
                    self._set(_SECRET, self.secret())  # pseudonyms depend on it
                attempts = gradebook_erasure.delete(self._db, student, reason=reason, by=by)
            elif not gradebook_erasure.is_recorded(self._db, student):
                damaged = gradebook_erasure.damaged(self._db)
                unknown = f" {damaged} records of erasures are damaged and may be of them." if damaged else ""
                raise UsageError(f"{one_line(student)} has no attempt in {self._path}.{unknown}")
        if not gradebook_erasure.scrub(self._db):
            raise GradebookUnusable(
                f"The data was deleted, but another process has {self._path} open, so that its bytes may still be in "
                "the file. End that process, and run the same command again."
            )
        return attempts

    # --- the cache of results

    def cached(self, key: str) -> bytes | None:
        """Return the cached result of a key, if any."""
        found = self._db.execute("SELECT result FROM results WHERE key = ?", (key,)).fetchone()
        return found[0] if found and isinstance(found[0], bytes) else None

    def keep(self, results: Mapping[str, bytes]) -> None:
        """Cache results under their keys. An existing one stays, since equal keys mean equal results."""
        with _Transaction(self._db):
            self._keep(results)

    def forget(self, key: str) -> None:
        """Remove a cached result that cannot be read."""
        with _Transaction(self._db):
            self._db.execute("DELETE FROM results WHERE key = ?", (key,))

    def _keep(self, results: Mapping[str, bytes]) -> None:
        self._db.executemany("INSERT OR IGNORE INTO results VALUES (?, ?)", results.items())


def _is_seed(value: object) -> TypeGuard[int]:
    """Tell whether a stored value can be a seed: any whole number that --seed takes."""
    return isinstance(value, int)


class _Transaction:
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
                f"Another process has locked the gradebook for {_LOCK_TIMEOUT_S:g} s. Try again when it has ended."
            ) from None

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is None:
            self._db.execute("COMMIT")
        elif self._db.in_transaction:  # SQLite itself rolls back after some errors, such as a full disk
            self._db.execute("ROLLBACK")


def _copy(path: Path, folder: Path) -> Path:
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


def _text(data: bytes) -> str:
    """Return a stored text. A damaged one must not end the query that reads it: its bytes become lone surrogates."""
    return data.decode("utf-8", "surrogateescape")


def _statements(script: str) -> Iterator[str]:
    """Yield the statements of a script one by one: executescript would commit the open transaction."""
    statement = ""
    for line in script.splitlines(keepends=True):
        statement += line
        if sqlite3.complete_statement(statement):
            yield statement
            statement = ""

"""The gradebook: every attempt of a class in one SQLite file, appended and never changed, and a cache of results.

One file serves several writers: each addition is a transaction that waits for its turn. What was added is on disk when
`add` returns, so that a run that is killed loses nothing that was finished.
"""

import sqlite3
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from types import MappingProxyType, TracebackType
from typing import Self

from grader.core.errors import GraderError, UsageError
from grader.core.model import Outcome, Report, Score
from grader.report import from_json, to_json

_APPLICATION = 0x436F6E76  # "Conv": SQLite's place for whose file this is
_WAIT_S = 60.0

# One script for each schema version: a file of version n is brought up to date by those from n on.
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
)


_COLUMNS = "student, number, submission, conditions, submitted_at, graded_at, report"


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """One numbered grading of one student's work.

    `submission` is the fingerprint of what was handed in, `conditions` that of everything the report depends on.
    Times are UTC.
    """

    student: str
    number: int
    submission: str
    conditions: str
    submitted_at: datetime
    graded_at: datetime
    report: Report


@dataclass(frozen=True, slots=True, kw_only=True)
class HandIn:
    """What a student handed in once, packed; `number` is that of the first attempt that graded it."""

    student: str
    number: int
    submitted_at: datetime
    content: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Grading:
    """What one attempt graded: the fingerprints of what was handed in, and of each quiz."""

    number: int
    submission: str
    quizzes: Mapping[str, str]


class Gradebook:
    """An open gradebook. Use it as a context manager, and in one thread."""

    def __init__(self, path: Path) -> None:
        """Open the gradebook at `path`, or begin one. Raises UsageError where there is something else."""
        self._path = path
        try:
            self._db = sqlite3.connect(path, timeout=_WAIT_S, isolation_level=None)
        except sqlite3.Error as error:
            raise self._unusable(error) from None
        try:
            self._db.execute("PRAGMA foreign_keys = ON")
            self._migrate()
            self._db.execute("PRAGMA journal_mode = WAL")  # readers and a writer do not wait for each other
            self._db.execute("PRAGMA synchronous = FULL")  # what was added survives a power cut
        except sqlite3.Error as error:
            self._db.close()
            raise self._unusable(error) from None
        except GraderError:
            self._db.close()
            raise

    def _unusable(self, error: sqlite3.Error) -> UsageError:
        message = f"{self._path} cannot be used as a gradebook: {error}. Name another file, or a new one."
        return UsageError(message)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._db.close()

    def _migrate(self) -> None:
        with _Transaction(self._db):
            (version,) = self._db.execute("PRAGMA user_version").fetchone()
            (owner,) = self._db.execute("PRAGMA application_id").fetchone()
            (tables,) = self._db.execute("SELECT count(*) FROM sqlite_master").fetchone()
            if tables and owner != _APPLICATION:
                raise UsageError(f"{self._path} is a database of something else. Name another file.")
            if version > len(_MIGRATIONS):
                raise GraderError(
                    f"{self._path} was written by a newer convgrader (schema {version}; this one knows "
                    f"{len(_MIGRATIONS)}). Install that version, or name another file."
                )
            for script in _MIGRATIONS[version:]:
                for statement in _statements(script):
                    self._db.execute(statement)
            self._db.execute(f"PRAGMA user_version = {len(_MIGRATIONS)}")
            self._db.execute(f"PRAGMA application_id = {_APPLICATION}")

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

        `content` is what was handed in, packed, and `submission` its fingerprint; `parts` maps exercises and quizzes to
        theirs. `results` are for the cache: in the same transaction, as each waits for the disk.
        """
        with _Transaction(self._db):
            self._keep(results)
            self._db.execute("INSERT OR IGNORE INTO contents VALUES (?, ?)", (submission, content))
            query = "SELECT coalesce(max(number), 0) + 1 FROM attempts WHERE student = ?"
            (number,) = self._db.execute(query, (student,)).fetchone()
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
                "void": any(e.outcome is Outcome.INTERNAL_ERROR for e in report.exercises),
                "isolation_level": report.isolation.level,
                "seed": report.seed,
                "grader": report.versions.grader,
                "torch": report.versions.torch,
                "python": report.versions.python,
                "report": to_json(report, indent=None),
            }
            marks = ", ".join(f":{name}" for name in row)
            added = self._db.execute(f"INSERT INTO attempts ({', '.join(row)}) VALUES ({marks})", row)  # noqa: S608 - our names
            self._add_details(added.lastrowid or 0, report, parts)
        return int(number)

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
        """Yield the attempts of a student, or of all, by student and number."""
        query = f"SELECT {_COLUMNS} FROM attempts"  # noqa: S608 - our names
        where, values = (" WHERE student = ?", (student,)) if student is not None else ("", ())
        for row in self._db.execute(f"{query}{where} ORDER BY student, number", values):
            yield _attempt(*row)

    def is_current(self, student: str, conditions: str, required_level: int) -> bool:
        """Tell whether a student's last attempt is what grading again would give: nothing void, isolated enough."""
        query = (
            "SELECT conditions = ? AND isolation_level >= ? AND NOT void FROM attempts "
            "WHERE student = ? ORDER BY number DESC LIMIT 1"
        )
        found = self._db.execute(query, (conditions, required_level, student)).fetchone()
        return bool(found and found[0])

    def scores(self, exercises: Collection[str] = ()) -> Iterator[Score]:
        """Yield what each attempt earned, or what it earned in these exercises, by student and number."""
        columns = "student, number, submitted_at, attempts.points, attempts.max_points, void"
        source, values = "attempts", tuple(exercises)
        if exercises:
            columns = "student, number, submitted_at, sum(p.points), sum(p.max_points), max(p.outcome = ?)"
            marks = ", ".join("?" * len(exercises))
            source += (
                f" JOIN parts p ON p.attempt = id AND kind = 'exercise' AND part IN ({marks}) GROUP BY id"
            )
            values = (Outcome.INTERNAL_ERROR, *exercises)
        query = f"SELECT {columns} FROM {source} ORDER BY student, number"  # noqa: S608 - our names
        for student, number, submitted, points, most, void in self._db.execute(query, values):
            yield Score(
                student=student,
                number=number,
                submitted_at=datetime.fromisoformat(submitted),
                points=points,
                max_points=most,
                void=bool(void),
            )

    def content(self, attempt: Attempt) -> bytes:
        """Return what was handed in, packed."""
        query = "SELECT content FROM contents WHERE submission = ?"
        (found,) = self._db.execute(query, (attempt.submission,)).fetchone()
        return bytes(found)

    def hand_ins(self) -> Iterator[HandIn]:
        """Yield everything that was handed in, by student and number; the same work once."""
        query = (
            "SELECT student, number, submitted_at, content FROM attempts JOIN contents USING (submission) "
            "WHERE id IN (SELECT min(id) FROM attempts GROUP BY student, submission) ORDER BY student, number"
        )
        for student, number, submitted, content in self._db.execute(query):
            at = datetime.fromisoformat(submitted)
            yield HandIn(student=student, number=number, submitted_at=at, content=content)

    def gradings(self, student: str) -> list[Grading]:
        """Return what was graded of a student, by number, without the reports."""
        query = (
            "SELECT number, submission, part, fingerprint FROM attempts "
            "LEFT JOIN parts ON attempt = id AND kind = 'quiz' WHERE student = ? ORDER BY number"
        )
        submissions: dict[int, str] = {}
        quizzes: dict[int, dict[str, str]] = {}
        for number, submission, quiz, fingerprint in self._db.execute(query, (student,)):
            submissions[number] = submission
            quizzes.setdefault(number, {}).update({quiz: fingerprint} if quiz is not None else {})
        return [Grading(number=n, submission=found, quizzes=quizzes[n]) for n, found in submissions.items()]

    def students(self) -> list[str]:
        """Return who has an attempt."""
        return [
            name for (name,) in self._db.execute("SELECT DISTINCT student FROM attempts ORDER BY student")
        ]

    def arrivals(self) -> list[str]:
        """Return who has an attempt, in the order in which their first ones were added: an order that stays."""
        query = "SELECT student FROM attempts GROUP BY student ORDER BY min(id)"
        return [name for (name,) in self._db.execute(query)]

    def attempt(self, student: str, number: int) -> Attempt:
        """Return one attempt. Raises LookupError where there is none."""
        query = f"SELECT {_COLUMNS} FROM attempts WHERE student = ? AND number = ?"  # noqa: S608 - our names
        found = self._db.execute(query, (student, number)).fetchone()
        if found is None:
            raise LookupError(f"{student} has no attempt {number}")
        return _attempt(*found)

    def last(self, student: str) -> Attempt:
        """Return a student's last attempt. Raises LookupError where there is none."""
        query = f"SELECT {_COLUMNS} FROM attempts WHERE student = ? ORDER BY number DESC LIMIT 1"  # noqa: S608 - our names
        found = self._db.execute(query, (student,)).fetchone()
        if found is None:
            raise LookupError(student)
        return _attempt(*found)

    # --- the cache of results

    def cached(self, key: str) -> bytes | None:
        """Return the result kept under a key."""
        found = self._db.execute("SELECT result FROM results WHERE key = ?", (key,)).fetchone()
        return found[0] if found else None

    def keep(self, results: Mapping[str, bytes]) -> None:
        """Keep results under their keys. One that is there already stays: equal keys, equal results."""
        with _Transaction(self._db):
            self._keep(results)

    def _keep(self, results: Mapping[str, bytes]) -> None:
        self._db.executemany("INSERT OR IGNORE INTO results VALUES (?, ?)", results.items())


class _Transaction:
    """All or nothing, and alone: it takes the write lock when it begins, and waits for it."""

    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db

    def __enter__(self) -> None:
        self._db.execute("BEGIN IMMEDIATE")

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._db.execute("ROLLBACK" if kind else "COMMIT")


def _attempt(
    student: str, number: int, submission: str, conditions: str, submitted: str, graded: str, report: str
) -> Attempt:
    return Attempt(
        student=student,
        number=number,
        submission=submission,
        conditions=conditions,
        submitted_at=datetime.fromisoformat(submitted),
        graded_at=datetime.fromisoformat(graded),
        report=from_json(report),
    )


def _statements(script: str) -> Iterator[str]:
    """Yield the statements of a script one by one: executescript would end the transaction they belong to."""
    statement = ""
    for line in script.splitlines(keepends=True):
        statement += line
        if sqlite3.complete_statement(statement):
            yield statement
            statement = ""

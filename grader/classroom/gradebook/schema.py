"""The tables of a gradebook: one migration for each schema version. A file of version n gets those from index n on."""

import sqlite3
from collections.abc import Callable, Iterator

from grader.classroom.gradebook import separation

ATTEMPTS = """
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
    """

SETTINGS_AND_ERASURES = """
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
    """

# A hand-in is what came at one time, a verdict one grading of it; a repeat is a later grading that gave the same.
# A version is that of the course. Results are stored once, however many verdicts consist of them.
HAND_INS_AND_VERDICTS = """
    CREATE TABLE contents (submission TEXT PRIMARY KEY, content BLOB NOT NULL);
    CREATE TABLE versions (id INTEGER PRIMARY KEY, fingerprint TEXT NOT NULL UNIQUE);
    CREATE TABLE version_parts (
        version INTEGER NOT NULL REFERENCES versions (id),
        kind TEXT NOT NULL CHECK (kind IN ('exercise', 'quiz')),
        part TEXT NOT NULL,
        fingerprint TEXT NOT NULL,
        PRIMARY KEY (version, kind, part)
    ) WITHOUT ROWID;
    CREATE TABLE results (id INTEGER PRIMARY KEY, digest TEXT NOT NULL, result BLOB NOT NULL);
    CREATE INDEX results_by_digest ON results (digest);
    CREATE TABLE cache (
        key TEXT PRIMARY KEY,
        result INTEGER NOT NULL REFERENCES results (id),
        level INTEGER NOT NULL,
        origin TEXT NOT NULL
    ) WITHOUT ROWID;
    CREATE TABLE hand_ins (
        id INTEGER PRIMARY KEY,
        student TEXT NOT NULL,
        number INTEGER NOT NULL,
        submission TEXT NOT NULL REFERENCES contents (submission),
        submitted_at TEXT NOT NULL,
        UNIQUE (student, number)
    );
    CREATE TABLE verdicts (
        id INTEGER PRIMARY KEY,
        hand_in INTEGER NOT NULL REFERENCES hand_ins (id),
        number INTEGER NOT NULL,
        version INTEGER NOT NULL REFERENCES versions (id),
        conditions TEXT NOT NULL,
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
        UNIQUE (hand_in, number)
    );
    CREATE TABLE repeats (
        id INTEGER PRIMARY KEY,
        verdict INTEGER NOT NULL REFERENCES verdicts (id),
        version INTEGER NOT NULL REFERENCES versions (id),
        conditions TEXT NOT NULL,
        graded_at TEXT NOT NULL
    );
    CREATE INDEX repeats_of_verdict ON repeats (verdict);
    CREATE TABLE parts (
        verdict INTEGER NOT NULL REFERENCES verdicts (id),
        kind TEXT NOT NULL CHECK (kind IN ('exercise', 'quiz')),
        part TEXT NOT NULL,
        position INTEGER NOT NULL,
        outcome TEXT NOT NULL,
        points REAL NOT NULL,
        max_points REAL NOT NULL,
        result INTEGER REFERENCES results (id),
        PRIMARY KEY (verdict, kind, part)
    ) WITHOUT ROWID;
    CREATE TABLE checks (
        verdict INTEGER NOT NULL REFERENCES verdicts (id),
        exercise TEXT NOT NULL,
        "check" TEXT NOT NULL,
        outcome TEXT NOT NULL,
        points REAL NOT NULL,
        max_points REAL NOT NULL,
        mistake TEXT NOT NULL,
        PRIMARY KEY (verdict, exercise, "check")
    ) WITHOUT ROWID;
    CREATE VIEW newest AS
        SELECT h.id, h.student, h.number, h.submission, h.submitted_at, v.id AS verdict, v.number AS verdict_number,
            coalesce(r.version, v.version) AS version, coalesce(r.conditions, v.conditions) AS conditions,
            v.graded_at, v.points, v.max_points, v.void, v.isolation_level, v.seed, v.report
        FROM hand_ins h
        LEFT JOIN verdicts v ON v.id = (SELECT max(id) FROM verdicts WHERE hand_in = h.id)
        LEFT JOIN repeats r ON r.id = (SELECT max(id) FROM repeats WHERE verdict = v.id);
    """

GUARDED = ("hand_ins", "verdicts", "repeats", "parts", "checks", "results", "versions", "version_parts")


def guards() -> str:
    """Return the triggers that protect what was recorded."""
    return "".join(
        f"CREATE TRIGGER {table}_stay BEFORE UPDATE ON {table} BEGIN "
        f"SELECT RAISE(ABORT, '{table} are never changed'); END;\n"
        f"CREATE TRIGGER {table}_kept BEFORE DELETE ON {table} BEGIN "
        f"SELECT RAISE(ABORT, '{table} are never removed'); END;\n"
        for table in GUARDED
    )


def _separate_verdicts(db: sqlite3.Connection) -> None:
    """Make hand-ins and verdicts of attempts. The cache of results is dropped: another version cannot use it."""
    separation.set_aside(db)
    run(db, HAND_INS_AND_VERDICTS)
    separation.move(db)
    run(db, guards())


MIGRATIONS: tuple[str | Callable[[sqlite3.Connection], None], ...] = (
    ATTEMPTS,
    SETTINGS_AND_ERASURES,
    _separate_verdicts,
)


def migrate(db: sqlite3.Connection, version: int) -> None:
    """Bring a database of this schema version to the newest, in the open transaction."""
    for migration in MIGRATIONS[version:]:
        if isinstance(migration, str):
            run(db, migration)
        else:
            migration(db)
    db.execute(f"PRAGMA user_version = {len(MIGRATIONS)}")


def run(db: sqlite3.Connection, script: str) -> None:
    """Execute the statements of a script one by one: executescript would commit the open transaction."""
    for statement in _statements(script):
        db.execute(statement)


def _statements(script: str) -> Iterator[str]:
    statement = ""
    for line in script.splitlines(keepends=True):
        statement += line
        if sqlite3.complete_statement(statement):
            yield statement
            statement = ""

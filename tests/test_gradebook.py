"""The gradebook: verdicts are appended and never changed, several writers wait, old files are migrated."""

import contextlib
import itertools
import shutil
import sqlite3
import subprocess
import sys
import textwrap
import threading
import zlib
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from click.testing import CliRunner

from grader.classroom import report as class_report
from grader.classroom import similarity, statistics
from grader.classroom.gradebook import (
    CachedResult,
    DamagedRow,
    Gradebook,
    GradebookUnusable,
    HandIn,
    database,
    erasure,
    schema,
)
from grader.classroom.late_policy import Keep, Policy
from grader.classroom.statistics import pseudonyms
from grader.cli.erase import erase_command
from grader.core.errors import GraderError, UsageError
from grader.core.model import (
    CheckResult,
    Diagnosis,
    ExerciseResult,
    Isolation,
    Outcome,
    QuizResult,
    Report,
    Versions,
)
from grader.course import catalog, fingerprint
from grader.report import Style

pytestmark = pytest.mark.usefixtures("forked_warm_processes")

COURSE = catalog.load(Path(__file__).parent / "course")
OLD_GRADEBOOK = Path(__file__).parent / "old_files" / "class.db"
CONTENT = b"what ada handed in"
SUBMISSION = fingerprint.of(CONTENT.hex())
NOW = datetime(2026, 11, 25, 12, tzinfo=UTC)
CHECK = CheckResult(
    id="test_values",
    title="Values",
    outcome=Outcome.FAILED,
    points=0.0,
    max_points=2.0,
    diagnosis=Diagnosis(mistake="squares", message="Twice x is x + x."),
)
EXERCISE = ExerciseResult(
    id="scaling", title="Scaling", outcome=Outcome.FAILED, points=1.0, max_points=3.0, checks=(CHECK,)
)
REPORT = Report(
    points=2.0,
    max_points=5.0,
    score=0.4,
    isolation=Isolation(level=2),
    versions=Versions(grader="0", torch="2", python="3"),
    seed=7,
    exercises=(EXERCISE,),
    quizzes=(QuizResult(id="first", title="First", points=1.0, max_points=2.0),),
)
PARTS = {"exercise scaling": "print of scaling", "quiz first": "print of first"}


@pytest.fixture
def path(tmp_path):
    return tmp_path / "course.db"


CACHED = CachedResult(result=EXERCISE, isolation=Isolation(level=2), versions=REPORT.versions)


def add(
    book: Gradebook,
    student: str = "ada",
    report: Report = REPORT,
    conditions: str = "c",
    hours: float = 0,
    **more,
) -> int:
    """Add a verdict on what a student handed in at NOW, or hours later; return the number of the hand-in."""
    return book.add(
        student,
        report,
        submission=SUBMISSION,
        content=CONTENT,
        conditions=conditions,
        submitted_at=NOW + timedelta(hours=hours),
        parts=PARTS,
        **more,
    ).number


def test_a_verdict_is_read_as_it_was_added(path):
    with Gradebook(path) as book:
        assert add(book) == 1
    with Gradebook(path) as book:
        (verdict,) = book.verdicts()
    assert (verdict.student, verdict.hand_in, verdict.number, verdict.submission, verdict.conditions) == (
        "ada",
        1,
        1,
        SUBMISSION,
        "c",
    )
    assert verdict.submitted_at == NOW
    assert verdict.graded_at.tzinfo is not None
    assert verdict.report == REPORT
    with Gradebook(path) as book:
        (hand_in,) = book.ids("ada")
        assert book.hand_in(hand_in).content == b"what ada handed in"


HARDER = replace(REPORT, points=1.0, score=0.2)


def test_hand_ins_are_numbered_by_student_and_verdicts_by_hand_in(path):
    with Gradebook(path) as book:
        assert [add(book), add(book, "bob"), add(book, hours=1), add(book, report=HARDER)] == [1, 1, 2, 1]
        found = [(v.student, v.hand_in, v.number) for v in book.verdicts()]
        assert found == [("ada", 1, 1), ("ada", 1, 2), ("ada", 2, 1), ("bob", 1, 1)]
        assert [v.hand_in for v in book.verdicts("ada")] == [1, 1, 2]
        assert book.students() == ["ada", "bob"]
        assert book.last("ada").hand_in == 2
        assert book.verdict("ada", 1).report == HARDER
        with pytest.raises(LookupError):
            book.last("eve")


def test_what_was_handed_in_at_another_time_is_another_hand_in_and_a_grading_is_none(path):
    with Gradebook(path) as book:
        for hours in (0, 2, 1, 2, 0):
            add(book, hours=hours, report=replace(REPORT, seed=int(hours)))
        assert [(v.hand_in, v.report.seed) for v in book.verdicts()] == [(1, 0), (2, 2), (3, 1)]


def test_a_verdict_that_repeats_the_last_one_is_none(path):
    slower = replace(REPORT, exercises=(replace(EXERCISE, duration_s=9.0),))
    with Gradebook(path) as book:
        add(book)
        for report in (slower, replace(REPORT, isolation=Isolation(level=1))):
            add(book, report=report, conditions="other")
            assert len(list(book.verdicts())) == 1
        (hand_in,) = book.ids("ada")
        assert book.is_current(hand_in, "other", 2)
        assert not book.is_current(hand_in, "c", 2), "the course is another one since then"
        for report in (
            HARDER,
            replace(HARDER, seed=8),
            replace(HARDER, seed=8, isolation=Isolation(level=3)),
            REPORT,
        ):
            count = len(list(book.verdicts()))
            add(book, report=report)
            assert len(list(book.verdicts())) == count + 1


def test_a_verdict_is_current_while_conditions_are_equal_nothing_is_void_and_isolation_suffices(path):
    void = replace(REPORT, exercises=(replace(EXERCISE, outcome=Outcome.INTERNAL_ERROR),))
    with Gradebook(path) as book:
        assert not book.is_current(1, "one", 0)
        add(book, conditions="one")
        (hand_in,) = book.ids("ada")
        assert book.is_current(hand_in, "one", 2)
        assert not book.is_current(hand_in, "one", 3)
        add(book, conditions="two", report=HARDER)
        assert not book.is_current(hand_in, "one", 0)
        add(book, conditions="three", report=void)
        assert not book.is_current(hand_in, "three", 0)


def test_every_part_and_check_has_a_row(path):
    with Gradebook(path) as book:
        add(book)
    db = sqlite3.connect(path)
    assert db.execute("SELECT kind, part, position, outcome, points, max_points FROM parts").fetchall() == [
        ("exercise", "scaling", 0, "failed", 1.0, 3.0),
        ("quiz", "first", 0, "", 1.0, 2.0),
    ]
    assert db.execute("SELECT kind, part, fingerprint FROM version_parts").fetchall() == [
        ("exercise", "scaling", "print of scaling"),
        ("quiz", "first", "print of first"),
    ]
    assert db.execute(
        'SELECT exercise, "check", outcome, points, max_points, mistake FROM checks'
    ).fetchall() == [("scaling", "test_values", "failed", 0.0, 2.0, "squares")]
    assert db.execute(
        "SELECT isolation_level, seed, grader, torch, python, score FROM verdicts"
    ).fetchall() == [(2, 7, "0", "2", "3", 0.4)]
    db.close()


@pytest.mark.parametrize("table", schema.GUARDED)
@pytest.mark.parametrize("statement", ["UPDATE {} SET {} = 99", "DELETE FROM {}"])
def test_what_was_recorded_can_be_neither_changed_nor_removed(path, table, statement):
    with Gradebook(path) as book:
        add(book)
        add(book, conditions="d")
    db = sqlite3.connect(path)
    (column,) = db.execute(f"SELECT name FROM pragma_table_info('{table}') LIMIT 1").fetchone()
    with pytest.raises(sqlite3.IntegrityError, match=f"{table} are never"):
        db.execute(statement.format(table, column))
    db.close()


def test_adding_a_verdict_is_atomic(path):
    twice = replace(REPORT, exercises=(replace(EXERCISE, checks=(CHECK, CHECK)),))
    with Gradebook(path) as book:
        with pytest.raises(sqlite3.IntegrityError):
            add(book, report=twice)
        assert list(book.verdicts()) == book.ids("ada") == []
        assert add(book) == 1


def test_results_are_cached_under_their_keys_and_a_better_isolated_one_replaces_another(path):
    other = replace(EXERCISE, message="other")
    with Gradebook(path) as book:
        assert book.cached("k") is None
        book.keep({"k": CACHED})
        for level in (1, 2):
            book.keep(
                {"k": CachedResult(result=other, isolation=Isolation(level=level), versions=CACHED.versions)}
            )
    with Gradebook(path) as book:
        assert book.cached("k") == CACHED
        better = CachedResult(result=other, isolation=Isolation(level=3), versions=CACHED.versions)
        book.keep({"k": better})
        assert book.cached("k") == better


def test_results_are_cached_in_the_transaction_of_their_verdict(path):
    twice = replace(REPORT, exercises=(replace(EXERCISE, checks=(CHECK, CHECK)),))
    with Gradebook(path) as book:
        with pytest.raises(sqlite3.IntegrityError):
            add(book, report=twice, fresh={"key": CACHED})
        assert book.cached("key") is None
        add(book, fresh={"key": CACHED})
        assert book.cached("key") == CACHED


def test_equal_results_are_stored_once(path):
    with Gradebook(path) as book:
        for hours in range(3):
            add(book, hours=hours, fresh={"key": CACHED})
        book.keep({"other": CACHED})
    with contextlib.closing(sqlite3.connect(path)) as db:
        assert db.execute("SELECT count(*) FROM results").fetchone() == (2,)


def test_several_writers_lose_nothing(path):
    code = textwrap.dedent(
        f"""
        import sys
        sys.path.insert(0, {str(__file__.rpartition("/")[0])!r})
        from test_gradebook import REPORT, add
        from pathlib import Path
        from grader.classroom.gradebook import Gradebook
        with Gradebook(Path({str(path)!r})) as book:
            for n in range(20):
                add(book, sys.argv[1], hours=n)
                add(book, "everybody", hours=n + 20 * int(sys.argv[1][-1]))
        """
    )
    writers = [subprocess.Popen([sys.executable, "-c", code, f"student {n}"]) for n in range(4)]
    assert [writer.wait(timeout=120) for writer in writers] == [0, 0, 0, 0]
    with Gradebook(path) as book:
        numbers = [verdict.hand_in for verdict in book.verdicts("everybody")]
        assert numbers == list(range(1, 81))
        assert sum(1 for _ in book.verdicts()) == 160


def test_an_older_file_is_migrated_and_keeps_its_verdicts(path, monkeypatch):
    with Gradebook(path) as book:
        add(book)
    newer = (*schema.MIGRATIONS, "ALTER TABLE verdicts ADD COLUMN remark TEXT NOT NULL DEFAULT '';")
    monkeypatch.setattr(schema, "MIGRATIONS", newer)
    with Gradebook(path) as book:
        assert [verdict.report for verdict in book.verdicts()] == [REPORT]
        add(book, hours=1)
    db = sqlite3.connect(path)
    assert db.execute("PRAGMA user_version").fetchone() == (len(newer),)
    assert db.execute("SELECT remark FROM verdicts").fetchall() == [("",), ("",)]
    db.close()


def test_a_migration_that_fails_changes_nothing(path, monkeypatch):
    with Gradebook(path) as book:
        add(book)
    broken = (*schema.MIGRATIONS, "ALTER TABLE verdicts ADD COLUMN remark TEXT;\nSELECT * FROM nowhere;")
    with monkeypatch.context() as patch:
        patch.setattr(schema, "MIGRATIONS", broken)
        with pytest.raises(UsageError, match="nowhere"):
            Gradebook(path)
    with Gradebook(path) as book:
        assert [verdict.hand_in for verdict in book.verdicts()] == [1]


def test_a_newer_file_is_refused_and_not_changed(path, monkeypatch):
    Gradebook(path).__exit__(None, None, None)
    before = path.read_bytes()
    monkeypatch.setattr(schema, "MIGRATIONS", ())
    with pytest.raises(GraderError, match="written by a newer convgrader"):
        Gradebook(path)
    assert path.read_bytes() == before


def test_another_file_is_refused_and_not_changed(tmp_path):
    text = tmp_path / "notes.txt"
    text.write_text("a text, and no database " * 100, encoding="utf-8")
    with pytest.raises(UsageError, match="cannot be used as a gradebook"):
        Gradebook(text)
    assert text.read_text(encoding="utf-8").startswith("a text")
    other = tmp_path / "other.db"
    db = sqlite3.connect(other)
    db.execute("CREATE TABLE bookmarks (url TEXT)")
    db.close()
    with pytest.raises(UsageError, match="the database of another application"):
        Gradebook(other)
    with pytest.raises(UsageError, match="cannot be used as a gradebook"):
        Gradebook(tmp_path / "nowhere" / "course.db")


@pytest.mark.parametrize(("extra", "is_newer"), [(-1, False), (0, False), (1, True)])
def test_a_schema_version_is_refused_from_the_first_newer_one_on(path, extra, is_newer):
    Gradebook(path).__exit__(None, None, None)
    db = sqlite3.connect(path)
    known = len(schema.MIGRATIONS)
    version = known + extra
    if extra < 0:  # the oldest file: one without tables
        version = 0
        for kind, name in db.execute(
            "SELECT type, name FROM sqlite_master WHERE type IN ('table', 'view')"
        ).fetchall():
            db.execute(f"DROP {kind} {name}")
    db.execute(f"PRAGMA user_version = {version}")
    db.commit()
    db.close()
    if is_newer:
        with pytest.raises(GraderError, match=f"schema {version}; this one knows {known}"):
            Gradebook(path)
    else:
        with Gradebook(path) as book:
            assert add(book) == 1


@pytest.mark.parametrize("held_s", [0.1, None], ids=["released in time", "never released"])
def test_a_writer_waits_for_the_lock_until_the_timeout(path, monkeypatch, held_s):
    monkeypatch.setattr(database, "LOCK_TIMEOUT_S", 20.0 if held_s else 0.2)
    with Gradebook(path) as book:
        other = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
        other.execute("BEGIN IMMEDIATE")
        if held_s:
            release = threading.Timer(held_s, other.execute, ["ROLLBACK"])
            release.start()
            assert add(book) == 1
            release.join()
        else:
            with pytest.raises(GraderError, match=r"locked the gradebook for 0\.2 s"):
                add(book)
            other.execute("ROLLBACK")
            assert list(book.verdicts()) == []
        other.close()


# --- reading changes nothing


def everything(folder: Path) -> dict[str, tuple[bytes, int]]:
    return {path.name: (path.read_bytes(), path.stat().st_mtime_ns) for path in folder.iterdir()}


@pytest.mark.parametrize("state", ["closed", "open in another process", "of the first version"])
def test_reading_changes_no_byte_of_the_file_and_its_folder(path, state):
    if state == "of the first version":
        shutil.copy(OLD_GRADEBOOK, path)
    else:
        with Gradebook(path) as book:
            add(book)
    with contextlib.ExitStack() as stack:
        if state == "open in another process":
            add(stack.enter_context(Gradebook(path)), "bob")  # in the write-ahead log only
        before = everything(path.parent)
        with Gradebook.reading(path) as book:
            students = book.students()
            assert len(list(book.verdicts())) >= len(list(book.scores())) >= len(students)
            book.keep({"k": CACHED})
        assert everything(path.parent) == before
    expected = {"closed": ["ada"], "open in another process": ["ada", "bob"]}
    assert students == expected.get(state, ["ada", "ben", "cleo"])


def test_what_changes_while_it_is_copied_is_copied_again(path, monkeypatch):
    with Gradebook(path) as book:
        add(book)
        copyfile, copied = shutil.copyfile, []

        def and_add(source, target):
            copied.append(source)
            copyfile(source, target)
            if len(copied) == 1:
                add(book, "bob")

        monkeypatch.setattr(shutil, "copyfile", and_add)
        with Gradebook.reading(path) as copy:
            assert copy.students() == ["ada", "bob"]
        monkeypatch.setattr(shutil, "copyfile", lambda *names: add(book) and copyfile(*names))
        with (
            pytest.raises(UsageError, match="another process writes it all the time"),
            Gradebook.reading(path),
        ):
            pass


# --- damaged rows are skipped and named


def damage(path: Path, statement: str, *values: object) -> None:
    """Change what a gradebook protects, as a broken disk would."""
    db = sqlite3.connect(path)
    for (name,) in db.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'").fetchall():
        db.execute(f"DROP TRIGGER {name}")
    db.execute(statement, values)
    db.commit()
    db.close()


OF_BOB = " WHERE hand_in = (SELECT id FROM hand_ins WHERE student = 'bob')"
WHERE_BOB = " WHERE student = 'bob'"
DAMAGES = {
    "no verdict": ("DELETE FROM verdicts" + OF_BOB, ()),
    "no result": ("DELETE FROM results WHERE id = (SELECT max(result) FROM parts)", ()),
    "another result": (
        "UPDATE results SET result = (SELECT result FROM results) WHERE id = (SELECT max(result) FROM parts)",
        (),
    ),
    "no JSON": ("UPDATE verdicts SET report = '{' || report" + OF_BOB, ()),
    "no UTF-8": ("UPDATE verdicts SET report = CAST(? AS TEXT)" + OF_BOB, (b"\xff\xfe",)),
    "a blob": ("UPDATE verdicts SET report = ?" + OF_BOB, (b"\0",)),
    "nested": ("UPDATE verdicts SET report = ?" + OF_BOB, ("[" * 100_000,)),
    "a future format": ("UPDATE verdicts SET report = replace(report, 'report/1', 'report/9')" + OF_BOB, ()),
    "fields missing": ("""UPDATE verdicts SET report = '{"format": "convgrader/report/1"}'""" + OF_BOB, ()),
    "no time": ("UPDATE hand_ins SET submitted_at = 'yesterday'" + WHERE_BOB, ()),
    "no offset": ("UPDATE hand_ins SET submitted_at = '2026-03-01T00:00:00'" + WHERE_BOB, ()),
    "year 1": ("UPDATE hand_ins SET submitted_at = '0001-01-01T00:00:00+00:00'" + WHERE_BOB, ()),
    "year 9999": ("UPDATE hand_ins SET submitted_at = '9999-12-31T23:59:59+00:00'" + WHERE_BOB, ()),
}


@pytest.mark.parametrize("kind", DAMAGES)
def test_a_damaged_attempt_is_skipped_and_named(path, kind):
    with Gradebook(path) as book:
        for student in ("ada", "cyd", "bob"):
            add(book, student, report=replace(REPORT, quizzes=(replace(REPORT.quizzes[0], title=student),)))
    statement, values = DAMAGES[kind]
    damage(path, statement, *values)
    with Gradebook.reading(path) as book:
        assert [verdict.student for verdict in book.verdicts()] == ["ada", "cyd"]
        scores = [score.student for score in book.scores()]
        assert set(scores) >= {"ada", "cyd"}
        chosen = [score.student for score in book.scores(["scaling"])]
        assert set(chosen) >= {"ada", "cyd"}
        statistics.summarize(book, COURSE, Policy(), title="t")
        assert {damaged.student for damaged in book.damaged} == {"bob"}
        assert all(str(damaged).isprintable() for damaged in book.damaged)
        with pytest.raises(DamagedRow):
            book.last("bob")
        assert book.last_number("bob") == 1


@pytest.mark.parametrize("points", ["'many'", "x'00'", "9e999"])
def test_points_that_are_no_number_do_not_count(path, points):
    with Gradebook(path) as book:
        for student in ("ada", "bob"):
            add(book, student)
    damage(path, f"UPDATE verdicts SET points = {points}{OF_BOB}")
    with Gradebook.reading(path) as book:
        assert [score.student for score in book.scores()] == ["ada"]
        assert [str(damaged) for damaged in book.damaged] == [
            "attempt 1 in the gradebook cannot be read: its points are not numbers"
        ]


def columns() -> list[tuple[str, str]]:
    """Return every column of every table, by the schema itself."""
    with contextlib.closing(sqlite3.connect(":memory:")) as db:
        schema.migrate(db, 0)
        tables = [name for (name,) in db.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        return [(table, row[1]) for table in tables for row in db.execute(f"PRAGMA table_info({table})")]


# SQL: of every storage class, and what a number, a time, a name or a document is not.
VALUES = (
    "NULL", "0", "-1", "1", "9223372036854775807", "-9223372036854775808", "0.5", "1e308", "-1e308", "9e999", "-9e999",
    "''", "'x'", "'1'", "'a' || char(10) || '::error::b'", "char(0)", "CAST(x'ff' AS TEXT)", "x''", "x'ff'", "x'31'",
    "printf('%.*c', 100000, '9')", "'null'", "'{}'", "'9999-12-31T23:59:59Z'",
)  # fmt: skip


def replace_value(path: Path, table: str, column: str, value: str, row: int) -> bool:
    """Replace the value in a column of one row, past every rule of the schema; tell whether SQLite takes it."""
    with contextlib.closing(sqlite3.connect(path)) as db:
        for (name,) in db.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'").fetchall():
            db.execute(f"DROP TRIGGER {name}")
        db.execute("PRAGMA writable_schema = ON")
        db.execute(
            "UPDATE sqlite_master SET sql = replace(replace(sql, ' NOT NULL', ''), ' CHECK (kind IN (', ' CHECK (1 OR kind IN (')"
        )
        db.commit()
    with contextlib.closing(sqlite3.connect(path)) as db:
        (count,) = db.execute(f"SELECT count(*) FROM {table}").fetchone()
        assert count > 0, table
        (key,) = db.execute(f"SELECT * FROM pragma_table_info('{table}') WHERE pk = 1").fetchall()[:1]
        try:
            db.execute(
                f'UPDATE {table} SET "{column}" = {value} WHERE "{key[1]}" = '
                f'(SELECT "{key[1]}" FROM {table} LIMIT 1 OFFSET {row % count})'
            )
        except sqlite3.IntegrityError:
            return False
        db.commit()
    return True


def read_everything(book: Gradebook) -> None:
    """Read a gradebook as `stats`, `similar`, `export`, `class` and `regrade` do."""
    for chosen in ((), ("scaling",)):
        Policy().marks(book.scores(chosen))
        Policy(keep=Keep.LAST, due=NOW, per_day_percent=10).marks(book.scores(chosen))
        statistics.summarize(book, COURSE, Policy(), title="t", chosen=chosen)
    summary = statistics.summarize(book, COURSE, Policy(), title="t")
    for one in (summary, statistics.anonymous(summary, pseudonyms(book))):
        assert class_report.to_text(one, Style(), show_all=True, quizzes=())
        assert class_report.to_html(one)
        assert class_report.to_json(one)
    list(book.hand_ins())
    for student in book.students():
        with contextlib.suppress(DamagedRow):
            book.last(student)
        for hand_in in book.ids(student):
            for read in (book.verdict_on, book.graded_with, lambda found: book.hand_in(found).open()):
                with contextlib.suppress(DamagedRow):
                    read(hand_in)
            book.is_current(hand_in, "c", 2)
            book.is_intact(hand_in)
            assert book.regrade(hand_in, HARDER, conditions="e", parts=PARTS).is_new in (True, False)
        book.quiz_versions(student, 1)
        assert isinstance(book.last_number(student), int)
    assert isinstance(book.newest_version(), int)
    list(book.verdicts())
    assert isinstance(book.cached("key"), CachedResult | None)
    with contextlib.suppress(GradebookUnusable):
        assert isinstance(book.seed(), int)
    assert book.seed(5) == 5
    add(book, "new")
    for student in ("absent", "ada"):
        with contextlib.suppress(UsageError):
            book.erase(student, reason="asked", by="me")
    assert all(str(damaged).isprintable() and len(str(damaged)) < 500 for damaged in book.damaged)


@pytest.fixture(scope="module")
def whole(tmp_path_factory) -> Path:
    """A gradebook with rows in every table."""
    path = tmp_path_factory.mktemp("whole") / "class.db"
    with Gradebook(path) as book:
        for student in ("ada", "bob", "cyd", "gone"):
            check = replace(CHECK, title=f"Of {student}")  # or one damaged result would be that of all
            exercise = replace(EXERCISE, checks=(check,))
            quiz = replace(REPORT.quizzes[0], title=f"Of {student}")
            add(book, student, replace(REPORT, exercises=(exercise,), quizzes=(quiz,)), fresh={"key": CACHED})
            add(book, student, replace(REPORT, exercises=(exercise,), quizzes=(quiz,)), conditions="d")
        book.seed()
        book.erase("gone", reason="asked", by="me")
        book.keep({"key": CACHED})
    return path


@pytest.mark.cold  # takes a minute
@pytest.mark.parametrize(("table", "column"), columns())
def test_any_value_in_any_column_is_named_and_skipped_at_most(whole, path, monkeypatch, table, column):
    monkeypatch.setattr(erasure, "_SCRYPT", {"n": 2, "r": 1, "p": 1, "dklen": 32})
    taken = 0
    for value, row in zip(VALUES, itertools.cycle((0, 1))):
        path.unlink(missing_ok=True)
        shutil.copyfile(whole, path)
        if replace_value(path, table, column, value, row):
            taken += 1
            with Gradebook(path) as book:
                try:
                    read_everything(book)
                except Exception as error:
                    raise AssertionError(f"{table}.{column} = {value} in row {row}") from error
    assert taken > 1


@pytest.mark.parametrize("table_column_value", [
    ("hand_ins", "student", "x'ff'"), ("hand_ins", "number", "'x'"), ("verdicts", "report", "'{}'"),
    ("verdicts", "points", "-1e308"), ("verdicts", "max_points", "1e308"), ("hand_ins", "submitted_at", "7"),
])  # fmt: skip
def test_what_is_skipped_is_named_and_the_others_are_read(whole, path, table_column_value):
    shutil.copyfile(whole, path)
    assert replace_value(path, *table_column_value, row=2)
    with Gradebook.reading(path) as book:
        assert [score.student for score in book.scores()].count("ada") >= 1
        assert len(book.damaged) == 1


@pytest.mark.parametrize("seed", ["'x'", "0.5", "x'31'", "9e999"])
def test_a_damaged_seed_is_never_replaced_by_another(whole, path, seed):
    shutil.copyfile(whole, path)
    assert replace_value(path, "settings", "value", seed, row=0)
    with Gradebook(path) as book:
        assert book.seed(5) == 5
        with pytest.raises(GradebookUnusable, match="The seed that is stored in"):
            book.seed()


@pytest.mark.parametrize("seed", [-(2**63), -1, 0, 2**63 - 1])
def test_a_seed_that_was_given_is_that_of_the_gradebook_from_then_on(path, seed):
    with Gradebook(path) as book:
        assert book.seed(seed) == seed
        assert book.seed() == seed


CONTENT_DAMAGES = {
    "missing": ("DELETE FROM contents WHERE submission = ?", ()),
    "of another": ("UPDATE contents SET content = ? WHERE submission = ?", (b"other",)),
    "text": ("UPDATE contents SET content = ? WHERE submission = ?", ("text",)),
    "empty": ("UPDATE contents SET content = ? WHERE submission = ?", (b"",)),
}


@pytest.mark.parametrize("kind", CONTENT_DAMAGES)
def test_damaged_files_are_skipped_and_named(path, kind):
    with Gradebook(path) as book:
        add(book)
        other = b"what bob handed in"
        book.add("bob", REPORT, submission=fingerprint.of(other.hex()), content=other, conditions="c",
                 submitted_at=NOW, parts=PARTS)  # fmt: skip
    statement, values = CONTENT_DAMAGES[kind]
    damage(path, statement, *values, fingerprint.of(other.hex()))
    with Gradebook.reading(path) as book:
        assert [hand_in.student for hand_in in book.hand_ins()] == ["ada"]
        assert [damaged.student for damaged in book.damaged] == ["bob"]
        (hand_in,) = book.ids("bob")
        with pytest.raises(DamagedRow, match="its files are"):
            book.hand_in(hand_in)


def test_files_that_cannot_be_unpacked_are_a_damaged_row():
    for content in (b"", b"no zlib", zlib.compress(b"\xc1"), zlib.compress(b"\x91\x01")):
        with pytest.raises(DamagedRow, match="its files: "):
            HandIn(student="bob", number=1, submitted_at=NOW, content=content).open()


# --- the seed


def test_the_seed_is_drawn_once_and_another_holds_for_one_run(path):
    with Gradebook(path) as book:
        drawn = book.seed()
    with Gradebook(path) as book:
        assert book.seed(5) == 5
        assert book.seed() == drawn
    with Gradebook(Path(":memory:")) as book:
        assert book.seed() not in (0, drawn)


def test_the_first_seed_that_is_given_is_kept(path):
    with Gradebook(path) as book:
        assert (book.seed(71), book.seed(), book.seed(3), book.seed()) == (71, 71, 3, 71)


def test_a_gradebook_of_an_older_version_keeps_the_seed_of_its_attempts(path):
    with Gradebook(path) as book:
        add(book)
    assert REPORT.seed == 7
    with Gradebook(path) as book:
        assert (book.seed(), book.seed(3), book.seed()) == (7, 3, 7)


# --- privacy


NAME, WORK = "Ada Lovelace-Byron", b"a solution that only she wrote " * 300


def fill(path: Path) -> None:
    with Gradebook(path) as book:
        report = replace(REPORT, exercises=(replace(EXERCISE, output=f"printed by {NAME}"),))
        cached = CachedResult(
            result=report.exercises[0], isolation=CACHED.isolation, versions=CACHED.versions
        )
        for student, content in (("bob", CONTENT), (NAME, WORK), ("cyd", CONTENT), (NAME, CONTENT)):
            book.add(student, report if student == NAME else REPORT, submission=fingerprint.of(content.hex()),
                     content=content, conditions="c", submitted_at=NOW, parts=PARTS,
                     fresh={student: cached})  # fmt: skip


def bytes_of(folder: Path) -> bytes:
    return b"".join(path.read_bytes() for path in folder.iterdir())


@pytest.mark.parametrize("is_open", [False, True], ids=["closed", "with a log"])
def test_nothing_of_an_erased_person_stays_in_the_file_or_its_log(path, is_open):
    fill(path)
    assert NAME.encode() in bytes_of(path.parent)
    assert WORK[:200] in bytes_of(path.parent)
    with Gradebook(path) as book:
        if is_open:
            add(book, NAME, hours=1)
        assert book.erase(NAME, reason="asked for", by="root") == 2 + is_open
        left = bytes_of(path.parent)
        assert NAME.encode() not in left
        assert b"Lovelace" not in left
        assert WORK[:20] not in left
        assert book.students() == ["bob", "cyd"]
        assert {hand_in.content for hand_in in book.hand_ins()} == {CONTENT}, "which she handed in too"
        assert book.damaged == []
    assert NAME.encode() not in bytes_of(path.parent)


def test_an_erasure_is_recorded_without_the_name_and_stays(path):
    fill(path)
    with Gradebook(path) as book:
        book.erase(NAME, reason="ticket 17", by="root")
        assert book.erase(NAME, reason="again", by="root") == 0
        with pytest.raises(UsageError, match="eve has no attempt"):
            book.erase("eve", reason="", by="root")
    db = sqlite3.connect(path)
    (row,) = db.execute(
        "SELECT erased_at, erased_by, reason, attempts, length(salt) FROM erasures"
    ).fetchall()
    assert row[1:] == ("root", "ticket 17", 2, 16)
    assert datetime.fromisoformat(row[0]).tzinfo is not None
    for statement in ("DELETE FROM erasures", "UPDATE erasures SET reason = ''", "DELETE FROM verdicts"):
        with pytest.raises(sqlite3.IntegrityError, match="never"):
            db.execute(statement)
    db.close()


def test_who_was_erased_can_hand_in_again_and_pseudonyms_of_the_others_stay(path):
    with Gradebook(path) as book:
        for student in (NAME, "bob", "cyd"):
            add(book, student)
        before = pseudonyms(book)
        book.erase(NAME, reason="asked for", by="root")
        assert pseudonyms(book) == {name: before[name] for name in ("bob", "cyd")}
        assert add(book, NAME) == 1


def test_an_erasure_while_another_process_reads_says_what_is_missing(path, monkeypatch):
    monkeypatch.setattr(database, "LOCK_TIMEOUT_S", 0.2)
    fill(path)
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN")
    other.execute("SELECT count(*) FROM verdicts").fetchone()
    with Gradebook(path) as book:
        with pytest.raises(GradebookUnusable, match="its bytes may still be in the file"):
            book.erase(NAME, reason="asked for", by="root")
        other.close()
        assert book.erase(NAME, reason="asked for", by="root") == 0
        assert NAME.encode() not in bytes_of(path.parent)


def test_an_erasure_that_fails_changes_nothing(path, monkeypatch):
    fill(path)

    def fail(*_):
        raise ValueError

    monkeypatch.setattr(erasure, "_hash", fail)
    with Gradebook(path) as book:
        with pytest.raises(ValueError, match=r"^$"):
            book.erase(NAME, reason="asked for", by="root")
        assert len(list(book.verdicts())) == 4
    db = sqlite3.connect(path)
    for table in schema.GUARDED:
        with (
            pytest.raises(sqlite3.IntegrityError, match="never")
            if table != "repeats"
            else contextlib.nullcontext()
        ):
            db.execute(f"DELETE FROM {table}")
    db.close()


NAMES = [
    # the name, the reason, and whether the reason holds the name
    ("a", "asked", False),
    ("ada", "of an adaptive tutor, ticket 17", False),
    ("ada", "canada", False),
    ("ada", "ADA asked", True),
    ("ada", "asked by (ada).", True),
    ("ada", "file ada_b, ada@example.org", True),
    ("7", "ticket 17", False),
    ("7", "ticket 7", True),
    ("jo.", "asked by jo.", True),
    ("(x)", "asked by (x)", True),
    ("José", "Jose\N{COMBINING ACUTE ACCENT} asked", True),
    ("straße", "of STRASSE", True),
    ("ada lovelace", "Ada Lovelace asked", True),
    ("[a-z]+", "asked", False),
]


@pytest.mark.parametrize(("student", "reason", "is_named"), NAMES)
def test_the_reason_of_an_erasure_is_refused_where_it_holds_the_name_as_a_word(
    path, student, reason, is_named, monkeypatch
):
    monkeypatch.setattr(similarity, "delete_cache", lambda: None)
    with Gradebook(path) as book:
        add(book, student)
    done = CliRunner().invoke(erase_command, [str(path), student, "--reason", reason])
    with Gradebook(path) as book:
        assert bool(book.students()) is is_named
    assert ("holds the name" in str(done.exception)) is is_named

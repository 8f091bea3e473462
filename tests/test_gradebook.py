"""The gradebook: attempts are appended and never changed, several writers wait, old files are migrated."""

import sqlite3
import subprocess
import sys
import textwrap
import threading
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from grader.classroom import gradebook as gradebook_module
from grader.classroom.gradebook import Gradebook
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
from grader.course import fingerprint

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


def add(book: Gradebook, student: str = "ada", report: Report = REPORT, conditions: str = "c", **more) -> int:
    return book.add(
        student,
        report,
        submission=SUBMISSION,
        content=CONTENT,
        conditions=conditions,
        submitted_at=NOW,
        parts=PARTS,
        **more,
    )


def test_an_attempt_is_read_as_it_was_added(path):
    with Gradebook(path) as book:
        assert add(book) == 1
    with Gradebook(path) as book:
        (attempt,) = book.attempts()
    assert (attempt.student, attempt.number, attempt.submission, attempt.conditions) == (
        "ada",
        1,
        SUBMISSION,
        "c",
    )
    assert attempt.submitted_at == NOW
    assert attempt.graded_at.tzinfo is not None
    assert attempt.report == REPORT
    with Gradebook(path) as book:
        assert book.content(attempt) == b"what ada handed in"


def test_attempts_are_numbered_by_student(path):
    with Gradebook(path) as book:
        assert [add(book), add(book, "bob"), add(book)] == [1, 1, 2]
        assert [(a.student, a.number) for a in book.attempts()] == [("ada", 1), ("ada", 2), ("bob", 1)]
        assert [a.number for a in book.attempts("ada")] == [1, 2]
        assert book.students() == ["ada", "bob"]
        assert book.last("ada").number == 2
        with pytest.raises(LookupError):
            book.last("eve")


def test_an_attempt_is_current_while_conditions_are_equal_nothing_is_void_and_isolation_suffices(path):
    void = replace(REPORT, exercises=(replace(EXERCISE, outcome=Outcome.INTERNAL_ERROR),))
    with Gradebook(path) as book:
        assert not book.is_current("ada", "one", 0)
        add(book, conditions="one")
        assert book.is_current("ada", "one", 2)
        assert not book.is_current("ada", "one", 3)
        assert not book.is_current("bob", "one", 0)
        add(book, conditions="two")
        assert not book.is_current("ada", "one", 0)
        add(book, conditions="three", report=void)
        assert not book.is_current("ada", "three", 0)


def test_every_part_and_check_has_a_row(path):
    with Gradebook(path) as book:
        add(book)
    db = sqlite3.connect(path)
    assert db.execute(
        "SELECT kind, part, fingerprint, outcome, points, max_points FROM parts"
    ).fetchall() == [
        ("exercise", "scaling", "print of scaling", "failed", 1.0, 3.0),
        ("quiz", "first", "print of first", "", 1.0, 2.0),
    ]
    assert db.execute(
        'SELECT exercise, "check", outcome, points, max_points, mistake FROM checks'
    ).fetchall() == [("scaling", "test_values", "failed", 0.0, 2.0, "squares")]
    assert db.execute(
        "SELECT isolation_level, seed, grader, torch, python, score FROM attempts"
    ).fetchall() == [(2, 7, "0", "2", "3", 0.4)]
    db.close()


@pytest.mark.parametrize("table", ["attempts", "parts", "checks"])
@pytest.mark.parametrize("statement", ["UPDATE {} SET points = 99", "DELETE FROM {}"])
def test_attempts_can_be_neither_changed_nor_removed(path, table, statement):
    with Gradebook(path) as book:
        add(book)
    db = sqlite3.connect(path)
    with pytest.raises(sqlite3.IntegrityError, match="attempts are never"):
        db.execute(statement.format(table))
    db.close()


def test_adding_an_attempt_is_atomic(path):
    twice = replace(REPORT, exercises=(replace(EXERCISE, checks=(CHECK, CHECK)),))
    with Gradebook(path) as book:
        with pytest.raises(sqlite3.IntegrityError):
            add(book, report=twice)
        assert list(book.attempts()) == []
        assert add(book) == 1


def test_results_are_cached_under_their_keys_and_the_first_stays(path):
    with Gradebook(path) as book:
        assert book.cached("k") is None
        book.keep({"k": b"one", "l": b"two"})
        book.keep({"k": b"other"})
    with Gradebook(path) as book:
        assert (book.cached("k"), book.cached("l")) == (b"one", b"two")


def test_results_are_cached_in_the_transaction_of_their_attempt(path):
    results = {"key": b"result"}
    twice = replace(REPORT, exercises=(replace(EXERCISE, checks=(CHECK, CHECK)),))
    with Gradebook(path) as book:
        with pytest.raises(sqlite3.IntegrityError):
            add(book, report=twice, results=results)
        assert book.cached("key") is None
        add(book, results=results)
        assert book.cached("key") == b"result"


def test_several_writers_lose_nothing(path):
    code = textwrap.dedent(
        f"""
        import sys
        sys.path.insert(0, {str(__file__.rpartition("/")[0])!r})
        from test_gradebook import REPORT, add
        from pathlib import Path
        from grader.classroom.gradebook import Gradebook
        with Gradebook(Path({str(path)!r})) as book:
            for _ in range(20):
                add(book, sys.argv[1])
                add(book, "everybody")
        """
    )
    writers = [subprocess.Popen([sys.executable, "-c", code, f"student {n}"]) for n in range(4)]
    assert [writer.wait(timeout=120) for writer in writers] == [0, 0, 0, 0]
    with Gradebook(path) as book:
        numbers = [attempt.number for attempt in book.attempts("everybody")]
        assert numbers == list(range(1, 81))
        assert sum(1 for _ in book.attempts()) == 160


def test_an_older_file_is_migrated_and_keeps_its_attempts(path, monkeypatch):
    with Gradebook(path) as book:
        add(book)
    newer = (
        *gradebook_module._MIGRATIONS,
        "ALTER TABLE attempts ADD COLUMN remark TEXT NOT NULL DEFAULT '';",
    )
    monkeypatch.setattr(gradebook_module, "_MIGRATIONS", newer)
    with Gradebook(path) as book:
        assert [attempt.report for attempt in book.attempts()] == [REPORT]
        add(book)
    db = sqlite3.connect(path)
    assert db.execute("PRAGMA user_version").fetchone() == (2,)
    assert db.execute("SELECT remark FROM attempts").fetchall() == [("",), ("",)]
    db.close()


def test_a_migration_that_fails_changes_nothing(path, monkeypatch):
    with Gradebook(path) as book:
        add(book)
    broken = (
        *gradebook_module._MIGRATIONS,
        "ALTER TABLE attempts ADD COLUMN remark TEXT;\nSELECT * FROM nowhere;",
    )
    with monkeypatch.context() as patch:
        patch.setattr(gradebook_module, "_MIGRATIONS", broken)
        with pytest.raises(UsageError, match="nowhere"):
            Gradebook(path)
    with Gradebook(path) as book:
        assert [attempt.number for attempt in book.attempts()] == [1]


def test_a_newer_file_is_refused_and_not_changed(path, monkeypatch):
    Gradebook(path).__exit__(None, None, None)
    before = path.read_bytes()
    monkeypatch.setattr(gradebook_module, "_MIGRATIONS", ())
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
    known = len(gradebook_module._MIGRATIONS)
    version = known + extra
    if extra < 0:  # an older file, here one without tables
        for (table,) in db.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall():
            db.execute(f"DROP TABLE {table}")
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
    monkeypatch.setattr(gradebook_module, "_LOCK_TIMEOUT_S", 20.0 if held_s else 0.2)
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
            assert list(book.attempts()) == []
        other.close()

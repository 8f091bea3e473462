"""A gradebook with damaged rows, through every command that reads it: each is named and skipped, the others count.

Commands that only read change no byte, neither of the gradebook nor beside it.
"""

import csv
import json
import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from test_gradebook import damage, everything
from test_statistics import RIGHT, SQUARED, add, report

from grader.classroom import similarity
from grader.classroom.gradebook import Gradebook
from grader.cli import grade
from grader.cli.erase import erase_command
from grader.cli.regrade import regrade_command
from grader.core.errors import UsageError
from grader.core.user_folders import CACHE_VARIABLE
from grader.course import fingerprint
from grader.submission import Stored

pytestmark = pytest.mark.usefixtures("forked_warm_processes")

COURSE = Path(__file__).parent / "course"
REFERENCE = (COURSE / "solutions" / "scaling" / "reference.py").read_text(encoding="utf-8")
COPY = "\n\ndef double(x):\n    first = [v for v in x.flatten()]\n    return sum([v + v for v in first if v is not None])\n"

# Each way to damage the rows of bob, and the commands that meet it.
WAYS = {
    "report": ("UPDATE verdicts SET report = '{' WHERE hand_in = :hand_in", {"stats", "export", "dry"}),
    "format": (
        "UPDATE verdicts SET report = replace(report, 'report/1', 'report/9') WHERE hand_in = :hand_in",
        {"stats", "export", "dry"},
    ),
    "fields": (
        """UPDATE verdicts SET report = '{"format": "convgrader/report/1"}' WHERE hand_in = :hand_in""",
        {"dry"},  # the points and the results of exercises and quizzes are elsewhere
    ),
    "number": (
        "UPDATE hand_ins SET number = -3 WHERE student = 'bob'",
        {"stats", "similar", "export", "dry"},
    ),
    "missing": ("DELETE FROM contents WHERE submission = :bob", {"stats", "similar", "dry"}),
    "digest": ("UPDATE contents SET content = x'00' WHERE submission = :bob", {"stats", "similar", "dry"}),
    "zlib": (
        "UPDATE hand_ins SET submission = :broken WHERE student = 'bob'",
        {"stats", "similar", "dry"},
    ),
}
BROKEN = b"no zlib"
COMMANDS = {
    "stats": ["stats", "BOOK", "--format", "json"],
    "similar": ["similar", "BOOK", "--format", "json"],
    "anonymous": ["similar", "BOOK", "--format", "json", "--anonymous"],
    "export": ["export", "nbgrader", "BOOK", "--output", "OUT"],
}


@pytest.fixture
def book(tmp_path, monkeypatch) -> Path:
    """A gradebook of three students, one with two attempts."""
    monkeypatch.setenv("CONVGRADER_COURSE", str(COURSE))
    path = tmp_path / "books" / "week.db"
    path.parent.mkdir()
    with Gradebook(path) as opened:
        for student, graded in (("ada", RIGHT), ("bob", SQUARED), ("cyd", RIGHT)):
            text = f"{REFERENCE}{COPY if student != 'cyd' else ''}\n# {student}\n"
            content = Stored({"exercises/scaling.py": text.encode()}).pack()
            add(opened, student, report(graded), content=content)
    return path


def run(path: Path, *words: str) -> Result:
    places = {"BOOK": str(path), "OUT": str(path.parent.parent / "out")}
    return CliRunner().invoke(grade, [places.get(word, word) for word in words], standalone_mode=False)


def spoil(path: Path, way: str) -> None:
    statement, _ = WAYS[way]
    with sqlite3.connect(path) as db:
        bob, hand_in = db.execute("SELECT submission, id FROM hand_ins WHERE student = 'bob'").fetchone()
        db.execute("INSERT INTO contents VALUES (?, ?)", (fingerprint.of(BROKEN.hex()), BROKEN))
    db.close()
    statement = (
        statement.replace(":bob", f"'{bob}'")
        .replace(":hand_in", str(hand_in))
        .replace(":broken", f"'{fingerprint.of(BROKEN.hex())}'")
    )
    damage(path, statement)


@pytest.mark.parametrize("command", COMMANDS)
def test_commands_that_read_change_no_byte(book, command):
    before = everything(book.parent)
    for _ in range(2):  # with an empty and with a full cache
        done = run(book, *COMMANDS[command])
        assert done.exception is None, done.exception
        assert done.return_value == 0
    assert everything(book.parent) == before


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize("way", WAYS)
def test_a_damaged_row_is_named_and_the_others_are_read(book, command, way):
    spoil(book, way)
    done = run(book, *COMMANDS[command])
    assert done.exception is None, done.exception
    _, concerned = WAYS[way]
    is_concerned = command.replace("anonymous", "similar") in concerned
    assert done.return_value == int(is_concerned)
    named = [line for line in done.stderr.splitlines() if line.startswith("skipped, ")]
    assert [line.rpartition(": ")[2] for line in named] == ["bob"] * is_concerned
    if command == "stats":
        students = {one["student"] for one in json.loads(done.stdout)["students"]}
        assert students >= {"ada", "cyd"}
        assert ("bob" in students) == (way in {"fields", "missing", "digest", "zlib"}), (
            "his points can be read"
        )
    elif command == "export":
        with (book.parent.parent / "out").open(encoding="utf-8") as file:
            assert {row["student_id"] for row in csv.DictReader(file)} >= {"ada", "cyd"}


def test_a_damaged_cache_is_read_again(book, monkeypatch):
    before = run(book, *COMMANDS["similar"]).stdout
    with similarity.open_cache() as cache:
        keys = [key for (key,) in cache._db.execute("SELECT key FROM pieces")]
        assert keys
        cache.keep(dict.fromkeys(keys, b"\xc1"))
    assert run(book, *COMMANDS["similar"]).stdout == before


@pytest.mark.parametrize("way", ["a file in its place", "not a database", "writable by others"])
def test_without_a_usable_cache_everything_is_read(book, tmp_path, monkeypatch, way):
    before = run(book, *COMMANDS["similar"]).stdout
    monkeypatch.setenv(CACHE_VARIABLE, str(tmp_path / "cache"))
    folder = tmp_path / "cache" / "convgrader" / "similar"
    folder.parent.mkdir(parents=True)
    if way == "a file in its place":
        folder.write_text("mine")
    else:
        folder.mkdir(mode=0o700)
        (folder / f"{fingerprint.engine()}.db").write_text("no database " * 1000)
        folder.chmod(0o777 if way == "writable by others" else 0o700)
    done = run(book, *COMMANDS["similar"])
    assert (done.exception, done.stdout) == (None, before)


# --- grading again


@pytest.fixture
def regrade(dispatcher, monkeypatch) -> Callable[..., Result]:
    """Run `grade regrade` with the shared warm process."""
    from grader.classroom import remote_worker

    monkeypatch.setattr(remote_worker, "_dispatcher", dispatcher)
    monkeypatch.setattr(remote_worker, "stop", lambda: None)

    def run(path: Path, *words: str) -> Result:
        options = [str(path), "--executor", "local", "--require-isolation", "0", *words]
        return CliRunner().invoke(regrade_command, options, standalone_mode=False)

    return run


@pytest.mark.warm
@pytest.mark.parametrize("way", WAYS)
def test_a_regrade_names_what_is_damaged_and_grades_the_others(book, regrade, way):
    spoil(book, way)
    done = regrade(book)
    assert done.exception is None, done.exception
    (line,) = [line for line in done.stdout.splitlines() if "bob" in line]
    assert len([line for line in done.stdout.splitlines() if "ada" in line or "cyd" in line]) == 2
    if way in {"report", "format", "fields"}:  # what was handed in is whole
        assert line.startswith("damaged -> ")
        assert done.return_value == 0
        assert run(book, *COMMANDS["stats"]).return_value == 0, "the newest verdict counts"
        assert regrade(book).stdout == "0 of 3 hand-ins changed.\n"
    else:
        number = -3 if way == "number" else 1
        assert line.startswith(f"not graded  bob: attempt {number} in the gradebook cannot be read: ")
        assert done.return_value == 1


@pytest.mark.warm
def test_a_damaged_cached_result_is_graded_again(book, regrade):
    assert regrade(book).return_value == 0
    damage(book, "UPDATE results SET result = ?", b"\xc1")
    done = regrade(book)
    assert (done.exception, done.return_value) == (None, 0)
    assert run(book, *COMMANDS["stats"]).return_value == 0
    with Gradebook(book) as opened:
        assert [opened.last_number(student) for student in opened.students()] == [1, 1, 1]


# --- privacy


def test_an_erased_person_is_in_no_file_of_the_grader(book, tmp_path, monkeypatch):
    cache = tmp_path / "cache"
    monkeypatch.setenv(CACHE_VARIABLE, str(cache))
    run(book, *COMMANDS["similar"])
    assert list((cache / "convgrader" / "similar").iterdir())
    words = [str(book), "ada", "--reason", "asked for"]
    done = CliRunner().invoke(erase_command, words, standalone_mode=False)
    assert (done.exception, done.output) == (None, f"ada: 1 attempts erased from {book}.\n")
    assert not list((cache / "convgrader" / "similar").iterdir())
    students = json.loads(run(book, *COMMANDS["stats"]).stdout)["students"]
    assert [one["student"] for one in students] == ["bob", "cyd"]
    assert "erased before" in CliRunner().invoke(erase_command, words, standalone_mode=False).output


@pytest.mark.parametrize("reason", ["", "  ", "ADA asked for it"])
def test_a_reason_is_needed_and_holds_no_name(book, reason):
    before = everything(book.parent)
    words = [str(book), "ada", "--reason", reason]
    done = CliRunner().invoke(erase_command, words, standalone_mode=False)
    assert isinstance(done.exception, UsageError)
    assert "--reason" in str(done.exception)
    assert everything(book.parent) == before


@pytest.mark.parametrize("reason", ["r\udcff", "a\nb\x1b", "x" * 1001])
def test_a_reason_that_cannot_be_kept_is_refused_and_nothing_is_erased(book, reason):
    before = everything(book.parent)
    done = CliRunner().invoke(erase_command, [str(book), "ada", "--reason", reason], standalone_mode=False)
    assert isinstance(done.exception, UsageError)
    assert "--reason" in str(done.exception)
    assert everything(book.parent) == before

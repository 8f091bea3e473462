"""Hand-ins and verdicts: whatever is handed in and graded in whatever order, the newest verdict of a hand-in counts.

Old gradebooks, in which a regrade was one more attempt, become the same: tests/old_files/regraded/make.py says how the
one that is used here came to be.
"""

import contextlib
import csv
import os
import shutil
import sqlite3
import subprocess
import sys
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec
import pytest
from click.testing import CliRunner, Result
from hypothesis import given, settings
from hypothesis import strategies as st

from grader.classroom import batch, course_versions, remote_worker, similarity, statistics
from grader.classroom.gradebook import Gradebook, results, schema, separation
from grader.classroom.late_policy import Keep, Policy
from grader.classroom.remote_worker import WorkResult
from grader.cli import grade
from grader.core.errors import UsageError
from grader.core.model import ExerciseResult, Isolation, Outcome, QuizResult, Report, Versions
from grader.course import catalog, fingerprint
from grader.course.catalog import COURSE_VARIABLE
from grader.grading import messages
from grader.report import from_json
from grader.submission import Stored

pytestmark = pytest.mark.usefixtures("forked_warm_processes")

OLD = Path(__file__).parent / "old_files" / "regraded" / "class.db"
COURSE = Path(__file__).parent / "course"
NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


# --- random classes against a model


def graded(points: float, most: float, *, void: bool = False) -> Report:
    outcome = Outcome.INTERNAL_ERROR if void else Outcome.FAILED
    earned = 0.0 if void else points
    exercise = ExerciseResult(id="scaling", title="", outcome=outcome, points=earned, max_points=most)
    return Report(
        points=earned, max_points=most, score=earned / most, isolation=Isolation(level=2),
        versions=Versions(grader="0", torch="2", python="3"), seed=7, exercises=(exercise,),
    )  # fmt: skip


@dataclass
class Model:
    """What should be in a gradebook: of each student, the files and the time of each hand-in, and all its verdicts."""

    hand_ins: dict[str, list[tuple[int, int]]] = field(default_factory=dict)
    verdicts: dict[tuple[str, int], list[tuple[float, float, bool]]] = field(default_factory=dict)

    def hand_in(self, student: str, what: tuple[int, int]) -> int:
        own = self.hand_ins.setdefault(student, [])
        if what not in own:
            own.append(what)
        return own.index(what) + 1

    def grade(self, student: str, number: int, verdict: tuple[float, float, bool]) -> None:
        verdicts = self.verdicts.setdefault((student, number), [])
        if verdicts[-1:] != [verdict]:
            verdicts.append(verdict)

    def mark(self, student: str, keep: Keep, per_day: float) -> tuple[int, float] | None:
        """Return the hand-in that counts and its points: of equally good ones the earliest."""
        found = []
        for number, (_, hours) in enumerate(self.hand_ins[student], 1):
            points, most, void = self.verdicts[student, number][-1]
            days = max(0, -(-hours // 24))
            found.append((hours, number, void, points / most * (1 - min(1, days * per_day / 100)), points))
        found.sort()
        if keep is Keep.LAST:
            found = found[-1:]
        whole = [one for one in found if not one[2]]
        if not whole:
            return None
        best = max(whole, key=lambda one: one[3])
        return best[1], best[4]


STUDENTS = st.sampled_from(["ada", "bob"])
RESULTS = st.tuples(st.sampled_from([0.0, 2.0, 5.0]), st.sampled_from([5.0, 6.0]), st.booleans())
STEPS = st.one_of(
    st.tuples(st.just("class"), STUDENTS, st.tuples(st.integers(0, 2), st.integers(-30, 40)), RESULTS),
    st.tuples(st.just("regrade"), STUDENTS, st.integers(0, 5), RESULTS),
)


@settings(max_examples=60, deadline=None)
@given(st.lists(STEPS, min_size=1, max_size=14), st.sampled_from(Keep), st.sampled_from([0.0, 10.0]))
def test_any_sequence_of_hand_ins_and_regrades_gives_the_marks_of_a_model(steps, keep, per_day):
    model = Model()
    with Gradebook(Path(":memory:")) as book:
        for kind, student, which, (points, most, void) in steps:
            result = (0.0 if void else points, most, void)
            report = graded(points, most, void=void)
            parts = {"exercise scaling": f"out of {most}"}
            if kind == "class":
                content = str(which[0]).encode()
                recorded = book.add(
                    student, report, submission=fingerprint.of(content.hex()), content=content, conditions="c",
                    submitted_at=NOON + timedelta(hours=which[1]), parts=parts,
                )  # fmt: skip
                number = model.hand_in(student, which)
                assert recorded.number == number
            elif student in model.hand_ins:
                ids = book.ids(student)
                number = which % len(ids) + 1
                book.regrade(ids[number - 1], report, conditions="c", parts=parts)
            else:
                continue
            model.grade(student, number, result)
        policy = Policy(keep=keep, due=NOON, per_day_percent=per_day)
        scores = list(book.scores())
        marks = {mark.student: (mark.number, mark.raw_points) for mark in policy.marks(scores)}
        expected = {student: model.mark(student, keep, per_day) for student in model.hand_ins}
        assert marks == {student: mark for student, mark in expected.items() if mark is not None}
        found = {
            (student, number): len([v for v in book.verdicts(student) if v.hand_in == number])
            for student, number in model.verdicts
        }
        assert found == {key: len(verdicts) for key, verdicts in model.verdicts.items()}
        if scores:
            sorted_marks = course_versions.sort(policy.marks(scores), scores, book.newest_version())
            assert {mark.max_points for mark in sorted_marks.usable} <= {sorted_marks.max_points}
            assert len(sorted_marks.usable) + len(sorted_marks.off_scale) == len(marks)


# --- gradebooks in which a regrade was an attempt


OF_OLD = "SELECT student, number, submission, submitted_at, graded_at, conditions, seed, report FROM attempts ORDER BY id"
# Student, hand-in, day of March, and its verdicts: the numbers that they had as attempts.
PLACES = [
    ("ada", 1, 2, [1]), ("ada", 2, 3, [2, 3, 4]), ("ada", 3, 2, [5]),
    ("bob", 1, 2, [1]), ("bob", 2, 3, [2, 3, 4]), ("bob", 3, 4, [5]),
    ("cyd", 1, 2, [1, 2, 3]),
    ("dee", 1, 2, [1, 2, 3]),
    ("eve", 1, 2, [1, 2, 3]),
]  # fmt: skip


@pytest.fixture(params=[1, 2], ids=["schema 1", "schema 2"])
def old(request, tmp_path) -> Path:
    """A copy of the old gradebook; schema 1 had no settings and no erasures."""
    path = tmp_path / "books" / "class.db"
    path.parent.mkdir()
    shutil.copy(OLD, path)
    if request.param == 1:
        with contextlib.closing(sqlite3.connect(path)) as db:
            for table in ("settings", "erasures"):
                db.execute(f"DROP TABLE {table}")
            db.execute("PRAGMA user_version = 1")
            db.commit()
    return path


def old_rows(path: Path) -> dict[tuple[str, int], tuple]:
    with contextlib.closing(sqlite3.connect(path)) as db:
        return {(student, number): rest for student, number, *rest in db.execute(OF_OLD)}


def test_attempts_of_a_regrade_become_verdicts_of_one_hand_in_and_nothing_of_them_is_lost(old):
    before = old_rows(old)
    with Gradebook(old) as book:
        found = list(book.verdicts())
        assert book.damaged == []
        hand_ins = {name: [book.hand_in(one) for one in book.ids(name)] for name in book.students()}
    expected = [
        (student, hand_in, n, *before[student, attempt])
        for student, hand_in, _, attempts in PLACES
        for n, attempt in enumerate(attempts, 1)
    ]
    assert [
        (
            v.student,
            v.hand_in,
            v.number,
            v.submission,
            v.submitted_at.isoformat(),
            v.graded_at.isoformat(),
            v.conditions,
        )
        for v in found
    ] == [row[:7] for row in expected]
    assert [v.report for v in found] == [from_json(row[-1]) for row in expected]
    assert [(name, one.number, one.submitted_at.day) for name, own in hand_ins.items() for one in own] == [
        place[:3] for place in PLACES
    ]
    assert all(one.open().tree.files for own in hand_ins.values() for one in own)


def test_the_marks_of_an_old_gradebook_are_those_of_the_newest_verdicts(old):
    with Gradebook.reading(old) as book:
        best, last = (Policy(keep=keep).marks(book.scores()) for keep in (Keep.BEST, Keep.LAST))
    # The hand-in of eve was void when it was graded last: until it is graded again, she has no mark.
    assert [(m.student, m.number, m.points) for m in best] == [
        ("ada", 1, 13.0), ("bob", 2, 10.0), ("cyd", 1, 1.0), ("dee", 1, 10.0),
    ]  # fmt: skip
    assert [(m.student, m.number, m.points) for m in last] == [
        ("ada", 2, 10.0), ("bob", 3, 10.0), ("cyd", 1, 1.0), ("dee", 1, 10.0),
    ]  # fmt: skip


def test_reading_an_old_gradebook_changes_no_byte(old):
    before = old.read_bytes()
    with Gradebook.reading(old) as book:
        assert len(list(book.verdicts())) == 19
    assert old.read_bytes() == before
    assert [path.name for path in old.parent.iterdir()] == ["class.db"]


@pytest.mark.parametrize("after", [0, 1, 7, 18])
def test_a_migration_that_fails_leaves_the_old_gradebook(old, monkeypatch, after):
    before, moved = old_rows(old), []
    original = separation._move_attempt

    def failing(db, place):
        if len(moved) == after:
            raise sqlite3.OperationalError("database or disk is full")
        moved.append(place)
        original(db, place)

    with monkeypatch.context() as patch:
        patch.setattr(separation, "_move_attempt", failing)
        with pytest.raises(UsageError, match="full"):
            Gradebook(old)
    assert old_rows(old) == before
    with Gradebook(old) as book:
        assert len(list(book.verdicts())) == len(before)


OLD_DAMAGES = {
    "no JSON": "UPDATE attempts SET report = '{' || report",
    "no text": "UPDATE attempts SET report = x'00ff'",
    "not UTF-8": "UPDATE attempts SET report = CAST(x'ff' AS TEXT)",
    "a future format": "UPDATE attempts SET report = replace(report, 'report/1', 'report/9')",
    "an exercise renamed": """UPDATE attempts SET report = replace(report, '"id": "scaling"', '"id": "other"')""",
    "no parts": "DELETE FROM parts",
    "parts of no kind": "UPDATE parts SET part = x'ff'",
    "no contents": "DELETE FROM contents",
    "no time": "UPDATE attempts SET submitted_at = 'yesterday'",
    "no student": "UPDATE attempts SET student = x'ff'",
    "no UTF-8 in a name": "UPDATE attempts SET student = CAST(x'ff' AS TEXT)",
    "no fingerprint": "UPDATE parts SET fingerprint = x'00'",
}


def reports(path: Path, rows: str) -> set[bytes]:
    """Return the stored reports of these rows, whatever bytes they are."""
    with contextlib.closing(sqlite3.connect(path)) as db:
        return {bytes(data) for (data,) in db.execute(f"SELECT CAST(report AS BLOB) FROM {rows}")}


@pytest.mark.parametrize("kind", OLD_DAMAGES)
def test_what_is_damaged_in_an_old_gradebook_costs_its_row_and_is_kept(old, kind):
    of_cyd = {
        "parts": "attempt IN (SELECT id FROM attempts WHERE student = 'cyd')",
        "contents": "submission IN (SELECT submission FROM attempts WHERE student = 'cyd')",
        "attempts": "student = 'cyd'",
    }
    (table,) = (name for name in of_cyd if f" {name}" in OLD_DAMAGES[kind])
    with contextlib.closing(sqlite3.connect(old)) as db:
        for (trigger,) in db.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'").fetchall():
            db.execute(f"DROP TRIGGER {trigger}")
        with contextlib.suppress(sqlite3.IntegrityError):  # two attempts of one number: the first is enough
            db.execute(OLD_DAMAGES[kind].replace("UPDATE", "UPDATE OR IGNORE") + f" WHERE {of_cyd[table]}")
        db.commit()
    raw = reports(old, "attempts WHERE student = 'cyd'")
    with Gradebook(old) as book:
        others = [score for score in book.scores() if score.student != "cyd"]
        assert len(others) == 8
        found = [verdict.student for verdict in book.verdicts()]
        assert [name for name in found if name in ("ada", "bob", "dee", "eve")] == [
            *["ada"] * 5, *["bob"] * 5, *["dee"] * 3, *["eve"] * 3,
        ]  # fmt: skip
        for hand_in in book.ids("cyd"):
            with contextlib.suppress(Exception):
                book.hand_in(hand_in)
    if "report" in OLD_DAMAGES[kind] and kind != "a future format":
        assert raw
        assert raw <= reports(old, "verdicts")


def test_every_command_reads_an_old_gradebook_and_an_erasure_leaves_no_byte(old, tmp_path, monkeypatch):
    monkeypatch.setenv(COURSE_VARIABLE, str(COURSE))
    before, out = old.read_bytes(), tmp_path / "out"
    for words, text in (
        (("stats", old, "--format", "json"), '"student": "dee"'),
        (("similar", old, "--format", "json"), '"format": "convgrader/similar'),
        (("export", "nbgrader", old, "--output", out), "4 marks out of 16"),
        (("export", "moodle", old, "--output", out), "4 marks out of 16"),
    ):
        done = CliRunner().invoke(grade, [str(word) for word in words], standalone_mode=False)
        assert done.exception is None, done.exception
        assert text in done.stdout
    assert old.read_bytes() == before
    with Gradebook(old) as book:
        assert book.erase("bob", reason="asked", by="me") == 3
        assert book.damaged == []
        assert [verdict.student for verdict in book.verdicts()].count("bob") == 0
        assert len(list(book.verdicts())) == 14
    left = b"".join(path.read_bytes() for path in old.parent.iterdir())
    assert b"bob" not in left
    with Gradebook(old) as book:
        assert Policy().mark(score for score in book.scores() if score.student == "ada").points == 13.0


# --- the command


QUIZ = (Path(__file__).parent / "old_files" / "quizzes" / "first.yaml").read_text(encoding="utf-8")
REFERENCE = (COURSE / "solutions" / "scaling" / "reference.py").read_text(encoding="utf-8")
WRONG = "\n\ndef double(x):\n    return x * x\n"
GRADING = ("--executor", "local", "--jobs", "1", "--require-isolation", "0")


@dataclass(frozen=True)
class Class:
    """A course that a test may change, what is handed in, and the commands of an instructor."""

    folder: Path

    @property
    def book(self) -> Path:
        return self.folder / "class.db"

    @property
    def bank(self) -> Path:
        return self.folder / "course" / "quizzes" / "first.yaml"

    @property
    def suite(self) -> Path:
        return self.folder / "course" / "solutions" / "scaling" / "test_scaling.py"

    def hand_in(self, student: str, text: str, *, day: int) -> None:
        folder = self.folder / "in" / student
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "scaling.py").write_text(text, encoding="utf-8")
        at = (NOON + timedelta(days=day)).timestamp()
        for path in (*folder.rglob("*"), folder):
            os.utime(path, (at, at))

    def run(self, *words: object) -> Result:
        done = CliRunner().invoke(grade, [str(word) for word in words], standalone_mode=False)
        assert done.exception is None, done.exception
        return done

    def grade(self, *words: object) -> Result:
        return self.run("class", self.folder / "in", "--gradebook", self.book, *GRADING, *words)

    def regrade(self, *words: object) -> Result:
        return self.run("regrade", self.book, *GRADING, *words)

    def marks(self, *policy: object) -> dict[str, tuple[str, str]]:
        done = self.run("export", "nbgrader", self.book, "--output", self.folder / "out.csv", *policy)
        assert done.return_value == 0, done.output
        with (self.folder / "out.csv").open(encoding="utf-8", newline="") as file:
            return {row["student_id"]: (row["score"], row["max_score"]) for row in csv.DictReader(file)}

    def verdicts(self) -> list[tuple[str, int, int, float]]:
        with Gradebook.reading(self.book) as book:
            return [(v.student, v.hand_in, v.number, v.report.points) for v in book.verdicts()]

    def void_the_item(self) -> None:
        self.bank.write_text(QUIZ.replace("id: size", "id: size\n    void: full"), encoding="utf-8")

    def ask_more(self) -> None:
        title = '"""Every value is doubled"""'
        text = self.suite.read_text("utf-8")
        assert title in text
        self.suite.write_text(text.replace(title, f"{title}\n    assert False, 'harder'"), encoding="utf-8")


@pytest.fixture
def made(tmp_path, monkeypatch, dispatcher) -> Class:
    """A class in which ada hands in twice, the better work first, and bob once; graded by the shared warm process."""
    monkeypatch.setattr(remote_worker, "_dispatcher", dispatcher)
    monkeypatch.setattr(remote_worker, "stop", lambda: None)
    ignored = shutil.ignore_patterns("__pycache__")
    course = shutil.copytree(COURSE, tmp_path / "course", ignore=ignored)
    monkeypatch.setenv(COURSE_VARIABLE, str(course))
    found = Class(tmp_path)
    found.bank.parent.mkdir()
    found.bank.write_text(QUIZ, encoding="utf-8")
    found.hand_in("ada", REFERENCE, day=0)
    found.hand_in("bob", f"{REFERENCE}# bob\n", day=0)
    found.grade("--seed", 71)
    found.hand_in("ada", REFERENCE + WRONG, day=1)
    found.grade()
    assert found.marks() == {"ada": ("13.0", "16.0"), "bob": ("13.0", "16.0")}
    return found


@pytest.mark.warm
def test_a_voided_item_lifts_the_best_hand_in_and_a_harder_suite_lowers_it(made):
    made.void_the_item()
    done = made.regrade("--dry-run")
    assert done.output.splitlines()[-1] == "3 of 3 hand-ins would change."
    assert "13/16 -> 14/16  ada (attempt 1)" in done.output
    assert "13/16 -> 14/16  bob\n" in done.output
    assert len(made.verdicts()) == 3
    assert made.regrade().output == done.output.replace("would change", "changed")
    assert made.marks() == {"ada": ("14.0", "16.0"), "bob": ("14.0", "16.0")}
    made.ask_more()
    made.regrade()
    assert made.marks() == {"ada": ("10.0", "16.0"), "bob": ("10.0", "16.0")}
    with Gradebook.reading(made.book) as book:
        assert [(student, book.last_number(student)) for student in book.students()] == [
            ("ada", 2),
            ("bob", 1),
        ]
    done = made.run("export", "moodle", made.book, "--output", made.folder / "moodle.csv")
    text = (made.folder / "moodle.csv").read_text("utf-8")
    assert text.count("Attempt 1: 10.00 of 16.00 points.") == 2, (
        "an attempt is a hand-in, however often it was graded"
    )


@pytest.mark.warm
def test_an_unchanged_result_is_no_verdict_and_the_next_run_grades_nothing(made, monkeypatch):
    made.suite.write_text(made.suite.read_text("utf-8") + "\n# Only a comment.\n", encoding="utf-8")
    before = made.verdicts()
    assert made.regrade().output == "0 of 3 hand-ins changed.\n"
    assert made.verdicts() == before
    monkeypatch.setattr(batch, "perform", pytest.fail)
    monkeypatch.setattr(results, "_decompressed", pytest.fail)  # nor is any report read
    assert made.regrade().output == made.regrade("--dry-run").output.replace("would change", "changed")
    monkeypatch.undo()


@pytest.mark.warm
def test_each_hand_in_is_graded_with_its_own_seed(made):
    made.hand_in("bob", f"{REFERENCE}# bob again\n", day=2)
    made.grade("--seed", 5)
    made.void_the_item()
    made.regrade()
    with Gradebook.reading(made.book) as book:
        newest = [(name, n, book.verdict(name, n).report.seed) for name in ("ada", "bob") for n in (1, 2)]
        assert newest == [("ada", 1, 71), ("ada", 2, 5), ("bob", 1, 71), ("bob", 2, 5)]
    made.regrade("ada", "--seed", 9)
    with Gradebook.reading(made.book) as book:
        assert [book.verdict("ada", n).report.seed for n in (1, 2)] == [9, 9]


@pytest.mark.warm
def test_marks_of_one_export_are_on_one_scale(made):
    made.bank.write_text(QUIZ.replace("id: size", "id: size\n    points: 3"), encoding="utf-8")
    made.regrade("bob")
    done = made.run("export", "moodle", made.book, "--output", made.folder / "out.csv")
    assert done.return_value == 1
    assert "not written, 16 points were possible, and not 18: graded with another version" in done.stderr
    assert "run `grade regrade`, then export again: ada" in done.stderr
    assert "1 marks out of 18" in done.stdout
    made.regrade()
    assert {most for _, most in made.marks().values()} == {"18.0"}


@pytest.mark.warm
def test_marks_of_an_earlier_version_are_counted_until_they_are_graded_again(made):
    made.suite.write_text(made.suite.read_text("utf-8") + "\n# Only a comment.\n", encoding="utf-8")
    made.regrade("bob")
    words = "1 mark is of an earlier version of the course. `grade regrade`"
    for command in (
        ("export", "moodle", made.book, "--output", made.folder / "out.csv"),
        ("stats", made.book),
    ):
        assert words in made.run(*command).stderr
    made.regrade()
    assert "version" not in made.run("stats", made.book).stderr


@pytest.mark.warm
def test_a_void_verdict_counts_until_a_later_one_replaces_it(made, monkeypatch):
    made.suite.write_text(made.suite.read_text("utf-8") + "\n# Only a comment.\n", encoding="utf-8")

    def failing(data: bytes) -> bytes:
        done = msgspec.msgpack.decode(remote_worker.perform(data), type=WorkResult)
        died = (messages.encode(messages.NotGraded(reason="the grading process died")),)
        return msgspec.msgpack.encode(msgspec.structs.replace(done, endings=died))

    with monkeypatch.context() as patch:
        patch.setattr(batch, "perform", failing)
        assert made.regrade("bob").return_value == 3
    done = made.run("export", "moodle", made.book, "--output", made.folder / "out.csv")
    assert done.return_value == 3
    assert "not graded, because of an error in the grader" in done.stderr
    assert "not final -> 13/16  bob" in made.regrade().output
    assert made.marks() == {"ada": ("13.0", "16.0"), "bob": ("13.0", "16.0")}


@pytest.mark.cold
def test_a_regrade_that_is_killed_loses_nothing_and_the_next_one_goes_on(made):
    for n in range(8):
        made.hand_in(f"s{n}", f"{REFERENCE}\n\nimport time\n\ntime.sleep(0.2)\n# {n}\n", day=0)
    made.grade()
    before = made.verdicts()
    made.void_the_item()
    made.ask_more()
    command = [sys.executable, "-m", "grader", "regrade", str(made.book), "--jobs", "1"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as run:
        line = ""
        while "  s" not in line:
            line = run.stdout.readline()
        run.kill()
    half = made.verdicts()
    assert set(before) < set(half)
    assert len(half) < 2 * len(before)
    subprocess.run(command, check=True, capture_output=True, timeout=240)
    done = made.verdicts()
    assert set(half) < set(done)
    assert [number for _, _, number, _ in done] == [1, 2] * len(before)


@pytest.mark.warm
def test_a_gradebook_holds_eight_kib_for_a_hand_in(made):
    """Measured between two sizes of a class, as a file has some pages whatever it holds."""

    def size(count: int) -> int:
        for n in range(count):
            made.hand_in(f"s{n:02}", f"{REFERENCE}\n# {n}\n" + (WRONG if n % 10 == 0 else ""), day=0)
        made.grade()
        with contextlib.closing(sqlite3.connect(made.book)) as db:
            db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        return made.book.stat().st_size

    small, large = size(10), size(40)
    assert (large - small) / 30 <= 8 * 1024


def test_what_is_not_needed_is_not_decompressed(tmp_path, monkeypatch):
    course, read = catalog.load(COURSE), []
    scaling, other = graded(2.0, 5.0).exercises[0], graded(1.0, 5.0).exercises[0]
    with Gradebook(tmp_path / "class.db") as book:
        for n, student in enumerate(("ada", "bob", "cyd")):
            exercises = (replace(scaling, duration_s=n), replace(other, id="other", duration_s=n))
            quiz = QuizResult(id="first", title="Of all", points=0.0, max_points=2.0)
            report = replace(graded(3.0, 12.0), exercises=exercises, quizzes=(quiz,))
            content = Stored({"scaling.py": student.encode()}).pack()
            for hours in (0, 1):
                book.add(
                    student, report, submission=fingerprint.of(content.hex()), content=content, conditions="c",
                    submitted_at=NOON + timedelta(hours=hours),
                    parts=dict.fromkeys(("exercise scaling", "exercise other", "quiz first"), "print"),
                )  # fmt: skip
    original = results._load

    def counted(digest, data, kind):
        found = original(digest, data, kind)
        read.append(found.id)
        return found

    monkeypatch.setattr(results, "_load", counted)
    with Gradebook.reading(tmp_path / "class.db") as book:
        marks = Policy().marks(book.scores())
        course_versions.sort(marks, book.scores(), book.newest_version())
        assert len(list(similarity.of_class(book, "scaling"))) == len(marks) == 3
        assert read == [], "for points, files and versions"
        statistics.summarize(book, course, Policy(), title="t", chosen=("scaling",))
        assert read == ["scaling"] * 3
        read.clear()
        statistics.summarize(book, course, Policy(), title="t")
        assert sorted(read) == ["first", *["other"] * 3], (
            "what all share is read once, what was read not again"
        )


# --- the schema


def test_a_new_schema_has_a_trigger_for_every_table_but_the_cache_the_contents_and_the_settings():
    with contextlib.closing(sqlite3.connect(":memory:")) as db:
        schema.migrate(db, 0)
        tables = {name for (name,) in db.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
        guarded = {
            name for (name,) in db.execute("SELECT tbl_name FROM sqlite_master WHERE type = 'trigger'")
        }
    assert tables - guarded == {"cache", "contents", "settings"}


def test_a_report_whose_parts_are_incomplete_is_damaged(tmp_path):
    path = tmp_path / "class.db"
    shutil.copy(OLD, path)
    with Gradebook(path):
        pass
    with contextlib.closing(sqlite3.connect(path)) as db:
        for (trigger,) in db.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'").fetchall():
            db.execute(f"DROP TRIGGER {trigger}")
        db.execute("DELETE FROM parts WHERE kind = 'quiz' AND verdict = 1")
        db.commit()
    with Gradebook(path) as book:
        assert len(list(book.verdicts("ada"))) == 4
        assert [str(damaged) for damaged in book.damaged] == [
            "attempt 1 in the gradebook cannot be read: The parts of this report have other maximum points than 16."
        ]
        assert replace(book.verdict("ada", 2), number=1).report.max_points == 16

"""An open gradebook: hand-ins, the verdicts on them and a cache of results in one SQLite file.

A hand-in is what a student handed in at one time; a verdict is one grading of it, and the newest counts. Both are
appended and never changed. A grading that gives the newest verdict once more is recorded as a repeat of it.

Several processes may write to one file: each addition is a transaction that waits for the write lock. It is on disk
when `add` returns, so that a run that is killed loses no finished result.

A file can be damaged, or written by something else. A row that cannot be read costs that row: it is skipped, and named
in `Gradebook.damaged`. An error of the file as a whole, such as a full disk, is a `GradebookUnusable`.

To read, use `Gradebook.reading`: not a byte of the file changes then.
"""

import contextlib
import hashlib
import secrets
import sqlite3
import tempfile
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from types import MappingProxyType, TracebackType
from typing import Self, TypeGuard, TypeVar

from grader.classroom.gradebook import database, erasure, recording, results, rows, schema
from grader.classroom.gradebook.database import GradebookUnusable, Transaction
from grader.classroom.gradebook.results import CachedResult, Results
from grader.classroom.gradebook.rows import DamagedRow, HandIn, Parts, Verdict
from grader.core.errors import GraderError, UsageError
from grader.core.model import ExerciseResult, Outcome, QuizResult, Report, Score
from grader.core.safetext import one_line
from grader.report import say_the_same

_APPLICATION_ID = 0x436F6E76  # "Conv"; SQLite's header field for the application of a file

_VERDICTS = """
    SELECT h.student, h.number, v.number, h.submission, v.conditions, h.submitted_at, v.graded_at, v.report, v.id
    FROM verdicts v JOIN hand_ins h ON h.id = v.hand_in
    """
_NEWEST = """
    SELECT student, number, verdict_number, submission, conditions, submitted_at, graded_at, report, verdict
    FROM newest
    """
_WITH_CONTENTS = "FROM hand_ins LEFT JOIN contents USING (submission)"
_HAND_INS = f"SELECT student, number, submission, submitted_at, content {_WITH_CONTENTS}"

_SEED, _SECRET = "seed", "secret"  # settings
_SEED_BITS = 53  # a number that every reader of JSON holds exactly
_Row = TypeVar("_Row")


@dataclass(frozen=True, slots=True, kw_only=True)
class Recorded:
    """What a grading added: to the student's hand-in `number`, a verdict unless it equals the last one."""

    number: int
    is_new: bool


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
            self._db = sqlite3.connect(path, timeout=database.LOCK_TIMEOUT_S, isolation_level=None)
        except sqlite3.Error as error:
            raise self._unusable(error) from None
        self._results = Results(self._db)
        try:
            self._db.text_factory = database.text_of
            self._migrate()
            self._db.execute("PRAGMA foreign_keys = ON")  # not before: a damaged file must be migrated too
            self._db.execute("PRAGMA journal_mode = WAL")  # readers and a writer do not wait for each other
            self._db.execute("PRAGMA synchronous = FULL")  # a verdict survives a power cut
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
                copy = database.copy_files(path, Path(folder))
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
        if isinstance(error, sqlite3.Error) and database.is_unusable(error):
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
        with Transaction(self._db):
            (version,) = self._db.execute("PRAGMA user_version").fetchone()
            (application,) = self._db.execute("PRAGMA application_id").fetchone()
            (tables,) = self._db.execute("SELECT count(*) FROM sqlite_master").fetchone()
            if tables and application != _APPLICATION_ID:
                raise UsageError(f"{self._path} is the database of another application. Name another file.")
            if version > len(schema.MIGRATIONS):
                raise GraderError(
                    f"{self._path} was written by a newer convgrader (schema {version}; this one knows "
                    f"{len(schema.MIGRATIONS)}). Install that version, or name another file."
                )
            schema.migrate(self._db, version)
            self._db.execute(f"PRAGMA application_id = {_APPLICATION_ID}")

    # --- adding

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
        fresh: Mapping[str, CachedResult] = MappingProxyType({}),
    ) -> Recorded:
        """Append a verdict on what a student handed in at this time, and the hand-in itself where it is new.

        `content` is the packed hand-in, and `submission` its fingerprint; `parts` maps exercises and quizzes to their
        fingerprints. `fresh` results go into the cache in the same transaction, since each waits for the disk.
        """
        with Transaction(self._db):
            hand_in = self.find(student, submission, submitted_at)
            if hand_in is None:
                self._db.execute("INSERT OR IGNORE INTO contents VALUES (?, ?)", (submission, content))
                hand_in = recording.insert(
                    self._db,
                    "hand_ins",
                    student=student,
                    number=self.last_number(student) + 1,
                    submission=submission,
                    submitted_at=submitted_at.astimezone(UTC).isoformat(),
                )
            return self._add_verdict(hand_in, report, conditions, parts, fresh)

    def regrade(
        self,
        hand_in: int,
        report: Report,
        *,
        conditions: str,
        parts: Mapping[str, str],
        fresh: Mapping[str, CachedResult] = MappingProxyType({}),
    ) -> Recorded:
        """Append a verdict on the hand-in with this id, as `add` does."""
        with Transaction(self._db):
            return self._add_verdict(hand_in, report, conditions, parts, fresh)

    def _add_verdict(
        self,
        hand_in: int,
        report: Report,
        conditions: str,
        parts: Mapping[str, str],
        fresh: Mapping[str, CachedResult],
    ) -> Recorded:
        results.keep(self._db, fresh)
        version, now = results.version(self._db, parts), datetime.now(UTC).isoformat()
        (number,) = self._db.execute("SELECT number FROM hand_ins WHERE id = ?", (hand_in,)).fetchone()
        if (repeated := self._repeated(hand_in, report)) is not None:
            recording.insert(
                self._db,
                "repeats",
                verdict=repeated,
                version=version,
                conditions=conditions,
                graded_at=now,
            )
            return Recorded(number=number, is_new=False)
        recording.add_verdict(
            self._db, hand_in, report, version=version, conditions=conditions, graded_at=now
        )
        return Recorded(number=number, is_new=True)

    def _repeated(self, hand_in: int, report: Report) -> int | None:
        """Return the id of the newest verdict on a hand-in, if a report says the same, isolated no better."""
        row = self._db.execute(f"{_NEWEST} WHERE id = ?", (hand_in,)).fetchone()
        try:
            before = self._verdict(*row).report
        except DamagedRow:
            return None
        same = say_the_same(before, report) and before.isolation.level >= report.isolation.level
        return int(row[-1]) if same else None

    # --- verdicts

    def _verdict(self, *row: object) -> Verdict:
        """Return the verdict of a row. Raises DamagedRow."""
        *columns, verdict = row
        parts = self._parts(verdict, lambda _kind, _part: True, *row[:2])
        return rows.verdict(columns, parts)

    def _parts(
        self, verdict: object, wanted: Callable[[str, str], bool], student: object, number: object
    ) -> Parts:
        """Return the wanted results that a verdict consists of. Raises DamagedRow."""
        query = (
            "SELECT kind, part, result FROM parts WHERE verdict = ? AND result IS NOT NULL ORDER BY position"
        )
        exercises, quizzes = [], []
        try:
            for kind, part, result in self._db.execute(query, (verdict,)).fetchall():
                if not wanted(kind, part):
                    continue
                if kind == "exercise":
                    exercises.append(self._results.load(result, ExerciseResult))
                else:
                    quizzes.append(self._results.load(result, QuizResult))
        except (ValueError, TypeError, OverflowError, RecursionError) as error:
            raise DamagedRow(student, number, str(error)) from None
        return Parts(exercises=tuple(exercises), quizzes=tuple(quizzes))

    def verdicts(self, student: str | None = None) -> Iterator[Verdict]:
        """Yield all verdicts on the hand-ins of a student, or of all.

        They come by student, hand-in and number. Those that are damaged are left out.
        """
        where, values = (" WHERE h.student = ?", (student,)) if student is not None else ("", ())
        yield from self._rows(self._verdict, f"{_VERDICTS}{where} ORDER BY h.student, h.number, v.id", values)

    def verdict(self, student: str, hand_in: int) -> Verdict:
        """Return the verdict that counts on a hand-in. Raises DamagedRow, and LookupError where there is none."""
        found = self._db.execute(f"{_NEWEST} WHERE student = ? AND number = ?", (student, hand_in)).fetchone()
        if found is None:
            raise LookupError(f"{student} has no attempt {hand_in}")
        return self._verdict(*found)

    def verdict_on(self, hand_in: int) -> Verdict:
        """Return the verdict that counts on the hand-in with this id. Raises DamagedRow and LookupError."""
        found = self._db.execute(f"{_NEWEST} WHERE id = ?", (hand_in,)).fetchone()
        if found is None:
            raise LookupError(str(hand_in))
        return self._verdict(*found)

    def last(self, student: str) -> Verdict:
        """Return the verdict on a student's last hand-in. Raises DamagedRow, and LookupError where there is none."""
        query = f"{_NEWEST} WHERE student = ? ORDER BY number DESC LIMIT 1"
        found = self._db.execute(query, (student,)).fetchone()
        if found is None:
            raise LookupError(student)
        return self._verdict(*found)

    def parts(self, student: str, hand_in: int, wanted: Callable[[str, str], bool]) -> Parts:
        """Return results of the verdict that counts on a hand-in: those `wanted`, by kind and id. Reads no others.

        Raises DamagedRow, and LookupError where there is none.
        """
        query = "SELECT verdict, report FROM newest WHERE student = ? AND number = ?"
        found = self._db.execute(query, (student, hand_in)).fetchone()
        if found is None:
            raise LookupError(f"{student} has no attempt {hand_in}")
        verdict, head = found
        if rows.is_whole(head):
            report = self.verdict(student, hand_in).report
            return Parts(
                exercises=tuple(e for e in report.exercises if wanted("exercise", e.id)),
                quizzes=tuple(q for q in report.quizzes if wanted("quiz", q.id)),
            )
        return self._parts(verdict, wanted, student, hand_in)

    def is_current(self, hand_in: int, conditions: str, required_level: int) -> bool:
        """Tell whether grading a hand-in again would give its newest verdict.

        That is so under the same conditions, where it was isolated enough and nothing is void. `hand_in` is an id.
        """
        query = (
            "SELECT conditions = ? AND isolation_level >= ? AND typeof(isolation_level) = 'integer' AND NOT void "
            "FROM newest WHERE id = ?"
        )
        found = self._db.execute(query, (conditions, required_level, hand_in)).fetchone()
        return bool(found and found[0])

    def is_intact(self, hand_in: int) -> bool:
        """Tell whether the newest verdict on the hand-in with this id can be read, by its bytes alone."""
        found = self._db.execute("SELECT verdict, report FROM newest WHERE id = ?", (hand_in,)).fetchone()
        return found is not None and not rows.is_whole(found[1]) and self._results.are_intact(found[0])

    def scores(self, exercises: Collection[str] = ()) -> Iterator[Score]:
        """Yield the points of each hand-in, in all or in these exercises, by student and number.

        They are those of its newest verdict. Hand-ins that are damaged are left out.
        """
        points, source, values = "n.points, n.max_points, void", "newest n", tuple(exercises)
        if exercises:
            are_numbers = (
                "min(typeof(p.points) IN ('integer', 'real') AND typeof(p.max_points) IN ('integer', 'real'))"
            )
            sums = (f"CASE WHEN {are_numbers} THEN sum(p.{name}) END" for name in ("points", "max_points"))
            points = f"{', '.join(sums)}, max(p.outcome = ?)"
            marks = ", ".join("?" * len(exercises))
            source += (
                f" JOIN parts p USING (verdict) WHERE kind = 'exercise' AND part IN ({marks}) GROUP BY id"
            )
            values = (Outcome.INTERNAL_ERROR, *exercises)
        columns = f"student, number, submitted_at, version, {points}, report"
        query = f"SELECT {columns} FROM {source} ORDER BY student, number"  # noqa: S608 - no outside text
        yield from self._rows(rows.score, query, values)

    def newest_version(self) -> int:
        """Return the version of the course that something was graded with last; 0 without any."""
        query = (
            "SELECT version FROM (SELECT version, graded_at FROM verdicts UNION ALL SELECT version, graded_at FROM "
            "repeats) WHERE typeof(version) = 'integer' ORDER BY graded_at DESC LIMIT 1"
        )
        (found,) = self._db.execute(query).fetchone() or (0,)
        return int(found)

    def quiz_versions(self, student: str, hand_in: int) -> dict[str, str]:
        """Return the fingerprint of each quiz as of the newest grading of a hand-in."""
        query = (
            "SELECT part, fingerprint FROM newest JOIN version_parts USING (version) WHERE student = ? AND number = ? "
            "AND kind = 'quiz' AND typeof(part) = 'text' AND typeof(fingerprint) = 'text'"
        )
        return dict(self._db.execute(query, (student, hand_in)))

    # --- hand-ins

    def hand_in(self, hand_in: int) -> HandIn:
        """Return the hand-in with this id. Raises DamagedRow, and LookupError where there is none."""
        row = self._db.execute(f"{_HAND_INS} WHERE id = ?", (hand_in,)).fetchone()
        if row is None:
            raise LookupError(str(hand_in))
        return rows.hand_in(*row)

    def hand_ins(self) -> Iterator[HandIn]:
        """Yield what every student handed in, by student and number; files that were handed in twice come once.

        They have the number of the first time. Those that are damaged are left out.
        """
        firsts = (
            "WHERE id IN (SELECT min(id) FROM hand_ins GROUP BY student, submission) ORDER BY student, number"
        )
        yield from self._rows(rows.hand_in, f"{_HAND_INS} {firsts}")

    def ids(self, student: str) -> list[int]:
        """Return the ids of a student's hand-ins in the order of their numbers, also of those that are damaged."""
        query = "SELECT id FROM hand_ins WHERE student = ? ORDER BY number, id"
        return [found for (found,) in self._db.execute(query, (student,))]

    def find(self, student: str, submission: str, submitted_at: datetime) -> int | None:
        """Return the id of what a student handed in at this time, by its fingerprint; None where it is new."""
        query = "SELECT max(id) FROM hand_ins WHERE student = ? AND submission = ? AND submitted_at = ?"
        at = submitted_at.astimezone(UTC).isoformat()
        (found,) = self._db.execute(query, (student, submission, at)).fetchone()
        return None if found is None else int(found)

    def graded_with(self, hand_in: int) -> int:
        """Return the seed of the newest verdict on the hand-in with this id. Raises DamagedRow."""
        query = "SELECT student, number, seed FROM newest WHERE id = ?"
        (row,) = self._db.execute(query, (hand_in,)).fetchall()
        student, number, seed = row
        if not _is_seed(seed):
            raise DamagedRow(student, number, "the seed that it was graded with is not a number")
        return seed

    def students(self) -> list[str]:
        """Return the students who handed in, by name; a name that cannot be read is skipped."""
        query = "SELECT student, min(number) FROM hand_ins GROUP BY student ORDER BY student"
        return list(self._rows(rows.student_name, query))

    def arrivals(self) -> list[str]:
        """Return the students in the order of their first hand-ins, which later additions do not change."""
        query = "SELECT student, min(number) FROM hand_ins GROUP BY student ORDER BY min(id)"
        return list(self._rows(rows.student_name, query))

    def last_number(self, student: str) -> int:
        """Return the number of a student's last hand-in, also of one whose row is damaged; 0 where there is none."""
        query = (
            "SELECT coalesce(max(number), 0) FROM hand_ins "
            "WHERE student = ? AND typeof(number) = 'integer' AND number BETWEEN 0 AND ?"
        )
        (found,) = self._db.execute(query, (student, rows.MAX_NUMBER)).fetchone()
        return int(found)

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

    # --- the seed, and other settings

    def seed(self, wanted: int | None = None) -> int:
        """Return the seed of the inputs: `wanted`, else that of this gradebook.

        It is settled once: as that of the latest verdict where an older version graded some, so that a regrade changes
        only what the course changed; else as `wanted`; else as a secret number, drawn here. Raises GradebookUnusable
        where it is damaged: another one would change the results of the class.
        """
        with Transaction(self._db):
            own = self._setting(_SEED)
            if own is None:
                last = self._db.execute("SELECT seed FROM verdicts ORDER BY id DESC LIMIT 1").fetchone()
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
        """Remove all that is stored of a student, and record when, who did it and why; return the number of hand-ins.

        Of the name only a salted hash is recorded. Where the student was erased before, only the file is written anew.
        Raises UsageError where there is nothing of this student, GradebookUnusable where another process has the file
        open: what is deleted may then still be in it, until this is called again.
        """
        if not rows.is_valid(student):
            raise UsageError(f"{one_line(student)} has no attempt in {self._path}.")
        attempts = 0
        self._db.execute("PRAGMA secure_delete = ON")
        with Transaction(self._db):
            if self._db.execute("SELECT 1 FROM hand_ins WHERE student = ?", (student,)).fetchone():
                if self._setting(_SECRET) is None and self.arrivals()[:1] == [student]:
                    self._set(_SECRET, self.secret())  # pseudonyms depend on it
                attempts = erasure.delete(self._db, student, reason=reason, by=by)
            elif not erasure.is_recorded(self._db, student):
                damaged = erasure.damaged(self._db)
                unknown = f" {damaged} records of erasures are damaged and may be of them." if damaged else ""
                raise UsageError(f"{one_line(student)} has no attempt in {self._path}.{unknown}")
        if not erasure.scrub(self._db):
            raise GradebookUnusable(
                f"The data was deleted, but another process has {self._path} open, so that its bytes may still be in "
                "the file. End that process, and run the same command again."
            )
        return attempts

    # --- the cache of results

    def cached(self, key: str) -> CachedResult | None:
        """Return the cached result of a key, if any. One that cannot be read is removed from the cache."""
        found = results.cached(self._db, key)
        if found is None and results.is_cached(self._db, key):
            with Transaction(self._db):
                results.forget(self._db, key)
        return found

    def keep(self, found: Mapping[str, CachedResult]) -> None:
        """Cache results under their keys."""
        with Transaction(self._db):
            results.keep(self._db, found)


def _is_seed(value: object) -> TypeGuard[int]:
    """Tell whether a stored value can be a seed: any whole number that --seed takes."""
    return isinstance(value, int)

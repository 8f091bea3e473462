"""A class at a time: grades what each student handed in through an executor, and records it.

What is finished is in the gradebook before the next is waited for: a run that is interrupted or killed loses only what
it was working on, and the next run goes on from there. What has not changed is not graded again.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, BrokenExecutor, Executor, Future, wait
from dataclasses import dataclass, field
from datetime import datetime

import msgspec

from grader import __version__
from grader.classroom.gradebook import Attempt, Gradebook
from grader.classroom.remote_worker import Done, Work, perform
from grader.core import scoring
from grader.core.errors import GraderError, IsolationRefused, UsageError
from grader.core.model import ExerciseResult, Isolation, Outcome, QuizResult, Report, Versions
from grader.course import fingerprint
from grader.course.catalog import Course
from grader.grading import attempt, messages
from grader.grading.attempt import Plan
from grader.grading.messages import Graded
from grader.submission import Recording, Stored, Submission, Unreadable
from grader.submission.collection import HandedIn, Moment

_WAITING_FOR_EACH = 2  # so much work is handed to the executor for each that it does at once: it never idles


@dataclass(frozen=True, slots=True, kw_only=True)
class Remembered:
    """What one student handed in for an earlier attempt, out of the gradebook."""

    student: str
    content: bytes
    at: datetime

    def open(self) -> Submission:
        """Open it."""
        return Submission(Stored.unpack(self.content))

    def moment(self, read: Mapping[str, bytes | Unreadable]) -> Moment:  # noqa: ARG002 - as of what is handed in now
        """Return when it was handed in."""
        return Moment(at=self.at)


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """What became of one submission: a report, or the reason why there is none. `number` is the attempt's.

    `again` tells that nothing had changed since that attempt, so that nothing was graded. `note` is about the time of
    handing in.
    """

    student: str
    number: int = 0
    report: Report | None = None
    refused: str = ""
    again: bool = False
    note: str = ""


class _Kept(msgspec.Struct, frozen=True, kw_only=True):
    """A result in the cache, and what graded it."""

    result: ExerciseResult
    isolation: Isolation
    versions: Versions


@dataclass(slots=True, kw_only=True)
class Batch:
    """One run over a class. `slots` is how many jobs each process of the executor may grade side by side.

    Without `recording` no attempt is added to the gradebook; what was graded is still in its cache.
    """

    course: Course
    gradebook: Gradebook
    executor: Executor
    seed: int
    width: int
    slots: int = 1
    required_level: int = 2
    recording: bool = True
    _prints: dict[str, str] = field(default_factory=dict)
    _quizzes: attempt.Quizzes = field(init=False)

    def again(self, students: Sequence[str]) -> Iterator[tuple[Attempt, Ended]]:
        """Grade once more what these students handed in last; yield the attempt it was, and what it is now."""
        numbers = {student: self.gradebook.last(student).number for student in students}
        for ended in self.grade(map(self._remembered, students)):
            yield self.gradebook.attempt(ended.student, numbers[ended.student]), ended

    def _remembered(self, student: str) -> Remembered:
        last = self.gradebook.last(student)
        return Remembered(student=student, content=self.gradebook.content(last), at=last.submitted_at)

    def grade(self, handed_in: Iterable[HandedIn | Remembered]) -> Iterator[Ended]:
        """Grade submissions; yield each as it ends, which need not be their order."""
        self._prints = {f"exercise {e.id}": fingerprint.exercise(e) for e in self.course.exercises}
        for path in sorted(self.course.quizzes.glob("*.yaml")):
            self._prints[f"quiz {path.stem}"] = fingerprint.bank(path)
        self._quizzes = attempt.Quizzes(self.course)
        under_way: dict[Future[bytes], _Open] = {}
        try:
            for one in handed_in:
                begun = self._begin(one)
                if isinstance(begun, Ended):
                    yield begun
                    continue
                work = begun.work(self)
                if work is None:
                    yield self._end(begun, None)
                    continue
                under_way[self.executor.submit(perform, msgspec.msgpack.encode(work))] = begun
                if len(under_way) >= _WAITING_FOR_EACH * self.width:
                    yield from self._some(under_way)
            while under_way:
                yield from self._some(under_way)
        except BrokenExecutor:
            raise GraderError(
                "A process that was grading is gone: killed from outside, or this machine is out of memory. "
                "What had ended is kept; the same command goes on from there."
            ) from None
        finally:
            for future in under_way:
                future.cancel()

    def _some(self, under_way: "dict[Future[bytes], _Open]") -> Iterator[Ended]:
        """Wait until some work is done; record all that is before any is told."""
        finished, _ = wait(under_way, return_when=FIRST_COMPLETED)
        yield from [self._end(under_way.pop(future), future.result()) for future in finished]

    def _begin(self, one: HandedIn | Remembered) -> "_Open | Ended":
        try:
            recording = Recording(one.open().tree)
        except UsageError as error:
            return Ended(student=one.student, refused=str(error))
        submission = Submission(recording)
        planned = attempt.plan(submission, self.course.exercises, self.seed)
        prints = self._prints
        keys = {
            name: fingerprint.result(prints[f"exercise {name}"], job.root, job.sources, self.seed, job.notes)
            for name, job in planned.jobs.items()
        }
        quizzes = list(self._quizzes.grade(submission))
        content = recording.kept.pack()
        handed_in = fingerprint.of(content.hex())
        known = (text for pair in prints.items() for text in pair)
        conditions = fingerprint.of(handed_in, str(self.seed), fingerprint.engine(), *known)
        if self.gradebook.is_current(one.student, conditions, self.required_level):
            last = self.gradebook.last(one.student)
            return Ended(student=one.student, number=last.number, report=last.report, again=True)
        kept = {name: kept for name, key in keys.items() if (kept := self._kept(key))}
        return _Open(one, planned, keys, quizzes, handed_in, recording.kept.files, content, conditions, kept)

    def _kept(self, key: str) -> _Kept | None:
        data = self.gradebook.cached(key)
        kept = msgspec.msgpack.decode(data, type=_Kept) if data else None
        return kept if kept and kept.isolation.level >= self.required_level else None

    def _end(self, begun: "_Open", data: bytes | None) -> Ended:
        """Put everything together, and into the gradebook."""
        fresh = {} if data is None else begun.add(msgspec.msgpack.decode(data, type=Done), self)
        report = begun.report(self)
        moment = begun.one.moment(begun.read)
        if self.recording:
            number = self._record(begun, report, moment, fresh)
        else:
            number = 0
            self.gradebook.keep(fresh)
        return Ended(student=begun.one.student, number=number, report=report, note=moment.note)

    def _record(self, begun: "_Open", report: Report, moment: Moment, fresh: Mapping[str, bytes]) -> int:
        return self.gradebook.add(
            begun.one.student,
            report,
            submission=begun.submission,
            content=begun.content,
            conditions=begun.conditions,
            submitted_at=moment.at,
            parts=self._prints,
            results=fresh,
        )

    def exercise_print(self, exercise: str) -> str:
        """Return the fingerprint of an exercise."""
        return self._prints[f"exercise {exercise}"]


@dataclass(slots=True)
class _Open:
    """A submission that was read and is not recorded yet. `kept` holds the results there are."""

    one: HandedIn | Remembered
    planned: Plan
    keys: dict[str, str]
    quizzes: list[QuizResult]
    submission: str
    read: Mapping[str, bytes | Unreadable]
    content: bytes
    conditions: str
    kept: dict[str, _Kept]

    def missing(self) -> list[str]:
        """Return the exercises that are still to be graded."""
        return [name for name in self.planned.jobs if name not in self.kept]

    def work(self, batch: Batch) -> Work | None:
        """Return what an executor has to do; None where everything is there."""
        missing = self.missing()
        if not missing:
            return None
        return Work(
            jobs=tuple(messages.encode(self.planned.jobs[name]) for name in missing),
            exercises={name: batch.exercise_print(name) for name in missing},
            engine=fingerprint.engine(),
            required_level=batch.required_level,
            slots=batch.slots,
        )

    def add(self, done: Done, batch: Batch) -> dict[str, bytes]:
        """Take in what an executor did; return what of it is for the cache, which nothing void is."""
        if done.refused:
            raise IsolationRefused(
                level=done.isolation.level, required=batch.required_level, missing=done.isolation.missing
            )
        fresh: dict[str, bytes] = {}
        for name, data in zip(self.missing(), done.endings, strict=True):
            ending = messages.decode(data)
            assert not isinstance(ending, (messages.Job, messages.CheckEnded))
            result = attempt.result_of(self.planned.jobs[name].exercise, ending)
            kept = _Kept(result=result, isolation=done.isolation, versions=done.versions(__version__))
            self.kept[name] = kept
            if isinstance(ending, Graded) and result.outcome is not Outcome.INTERNAL_ERROR:
                fresh[self.keys[name]] = msgspec.msgpack.encode(kept)
        return fresh

    def report(self, batch: Batch) -> Report:
        """Return the report. Its isolation is the lowest of its parts."""
        refused = self.planned.refused
        results = [
            refused.get(exercise.id) or self.kept[exercise.id].result for exercise in batch.course.exercises
        ]
        # Where nothing of the student's could be run, nothing needed to be isolated.
        levels = [kept.isolation for kept in self.kept.values()] or [Isolation(level=batch.required_level)]
        versions = [kept.versions for kept in self.kept.values()] or [fingerprint.versions(__version__)]
        return scoring.report(
            results,
            self.quizzes,
            isolation=min(levels, key=lambda isolation: isolation.level),
            versions=versions[0],
            seed=batch.seed,
        )

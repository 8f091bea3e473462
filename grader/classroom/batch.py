"""Grades a class: what each student handed in goes through an executor, and its result into the gradebook.

Each result is in the gradebook before the next one is awaited. A run that is interrupted or killed loses only the
submissions in progress, and the next run continues from there. What has not changed is not graded again.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, BrokenExecutor, Future, wait
from dataclasses import dataclass, field
from datetime import datetime

import msgspec

from grader import __version__
from grader.classroom.executors import OpenedExecutor
from grader.classroom.gradebook import Attempt, Gradebook
from grader.classroom.remote_worker import WorkOrder, WorkResult, perform
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

QUEUED_PER_WORKER = 2  # orders submitted for each one that runs, so that no worker waits for the next


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordedHandIn:
    """What one student handed in for an earlier attempt, read from the gradebook."""

    student: str
    content: bytes
    at: datetime

    def open(self) -> Submission:
        """Unpack the submission."""
        return Submission(Stored.unpack(self.content))

    def moment(self, read: Mapping[str, bytes | Unreadable]) -> Moment:  # noqa: ARG002 - `HandedIn` has it too
        """Return when it was handed in."""
        return Moment(at=self.at)


@dataclass(frozen=True, slots=True, kw_only=True)
class StudentResult:
    """The result for one student: a report, or in `refused` the reason why there is none.

    `number` is that of the attempt, 0 where none was recorded. `again` is true where nothing has changed since that
    attempt, so that nothing was graded. `note` is a remark on the time of handing in.
    """

    student: str
    number: int = 0
    report: Report | None = None
    refused: str = ""
    again: bool = False
    note: str = ""


class _CachedResult(msgspec.Struct, frozen=True, kw_only=True):
    """A result in the cache, with the isolation and the versions it was graded with."""

    result: ExerciseResult
    isolation: Isolation
    versions: Versions


@dataclass(slots=True, kw_only=True)
class ClassRun:
    """One run over a class. A result that was graded below `required_level` (0 to 3) is not accepted.

    Without `recording`, no attempt is added to the gradebook; results still go into its cache.
    """

    course: Course
    gradebook: Gradebook
    executor: OpenedExecutor
    seed: int
    required_level: int = 2
    recording: bool = True
    _prints: dict[str, str] = field(default_factory=dict)
    _quizzes: attempt.Quizzes = field(init=False)

    def again(self, students: Sequence[str]) -> Iterator[tuple[Attempt, StudentResult]]:
        """Grade once more what these students handed in last; yield the last attempt and the new result of each."""
        numbers = {student: self.gradebook.last(student).number for student in students}
        for result in self.grade(map(self._last_hand_in, students)):
            yield self.gradebook.attempt(result.student, numbers[result.student]), result

    def _last_hand_in(self, student: str) -> RecordedHandIn:
        last = self.gradebook.last(student)
        return RecordedHandIn(student=student, content=self.gradebook.content(last), at=last.submitted_at)

    def grade(self, handed_in: Iterable[HandedIn | RecordedHandIn]) -> Iterator[StudentResult]:
        """Grade submissions; yield each result as it ends, which need not be in their order.

        Raises IsolationRefused where a worker cannot reach the required level, GraderError where one is lost.
        """
        self._prints = {f"exercise {e.id}": fingerprint.exercise(e) for e in self.course.exercises}
        for path in sorted(self.course.quizzes.glob("*.yaml")):
            self._prints[f"quiz {path.stem}"] = fingerprint.bank(path)
        self._quizzes = attempt.Quizzes(self.course)
        in_progress: dict[Future[bytes], _PendingSubmission] = {}
        try:
            for hand_in in handed_in:
                pending = self._prepare(hand_in)
                if isinstance(pending, StudentResult):
                    yield pending
                    continue
                order = pending.order(self)
                if order is None:
                    yield self._finish(pending, None)
                    continue
                in_progress[self.executor.pool.submit(perform, msgspec.msgpack.encode(order))] = pending
                if len(in_progress) >= QUEUED_PER_WORKER * self.executor.width:
                    yield from self._completed(in_progress)
            while in_progress:
                yield from self._completed(in_progress)
        except BrokenExecutor:
            raise GraderError(
                "A grading process was killed, or this machine is out of memory. "
                "All finished results are saved; the same command continues from there."
            ) from None
        finally:
            for future in in_progress:
                future.cancel()

    def _completed(self, in_progress: "dict[Future[bytes], _PendingSubmission]") -> Iterator[StudentResult]:
        """Wait until an order completes; record all that have, before any is yielded."""
        completed, _ = wait(in_progress, return_when=FIRST_COMPLETED)
        yield from [self._finish(in_progress.pop(future), future.result()) for future in completed]

    def _prepare(self, hand_in: HandedIn | RecordedHandIn) -> "_PendingSubmission | StudentResult":
        """Read a submission; return what is left to do, or the result where nothing is."""
        try:
            recording = Recording(hand_in.open().tree)
        except UsageError as error:
            return StudentResult(student=hand_in.student, refused=str(error))
        submission = Submission(recording)
        planned = attempt.plan(submission, self.course.exercises, self.seed)
        prints = self._prints
        keys = {
            name: fingerprint.result(prints[f"exercise {name}"], job.root, job.sources, self.seed, job.notes)
            for name, job in planned.jobs.items()
        }
        quizzes = list(self._quizzes.grade(submission))
        content = recording.kept.pack()
        digest = fingerprint.of(content.hex())
        known = (text for pair in prints.items() for text in pair)
        conditions = fingerprint.of(digest, str(self.seed), fingerprint.engine(), *known)
        if self.gradebook.is_current(hand_in.student, conditions, self.required_level):
            last = self.gradebook.last(hand_in.student)
            return StudentResult(student=hand_in.student, number=last.number, report=last.report, again=True)
        cached = {name: result for name, key in keys.items() if (result := self._cached(key))}
        return _PendingSubmission(
            hand_in, planned, keys, quizzes, digest, recording.kept.files, content, conditions, cached
        )

    def _cached(self, key: str) -> _CachedResult | None:
        data = self.gradebook.cached(key)
        cached = msgspec.msgpack.decode(data, type=_CachedResult) if data else None
        return cached if cached and cached.isolation.level >= self.required_level else None

    def _finish(self, pending: "_PendingSubmission", data: bytes | None) -> StudentResult:
        """Build the report of a submission and record it."""
        fresh = {} if data is None else pending.add(msgspec.msgpack.decode(data, type=WorkResult), self)
        report = pending.report(self)
        moment = pending.hand_in.moment(pending.files)
        if self.recording:
            number = self._record(pending, report, moment, fresh)
        else:
            number = 0
            self.gradebook.keep(fresh)
        return StudentResult(student=pending.hand_in.student, number=number, report=report, note=moment.note)

    def _record(
        self, pending: "_PendingSubmission", report: Report, moment: Moment, fresh: Mapping[str, bytes]
    ) -> int:
        return self.gradebook.add(
            pending.hand_in.student,
            report,
            submission=pending.digest,
            content=pending.content,
            conditions=pending.conditions,
            submitted_at=moment.at,
            parts=self._prints,
            results=fresh,
        )

    def exercise_print(self, exercise: str) -> str:
        """Return the fingerprint of an exercise."""
        return self._prints[f"exercise {exercise}"]


@dataclass(slots=True)
class _PendingSubmission:
    """A submission that was read and is not recorded yet. `results` holds those known so far, by exercise."""

    hand_in: HandedIn | RecordedHandIn
    planned: Plan
    keys: dict[str, str]
    quizzes: list[QuizResult]
    digest: str
    files: Mapping[str, bytes | Unreadable]
    content: bytes
    conditions: str
    results: dict[str, _CachedResult]

    def missing(self) -> list[str]:
        """Return the exercises that are still to be graded."""
        return [name for name in self.planned.jobs if name not in self.results]

    def order(self, run: ClassRun) -> WorkOrder | None:
        """Return what an executor has to grade; None where every result is known."""
        missing = self.missing()
        if not missing:
            return None
        return WorkOrder(
            jobs=tuple(messages.encode(self.planned.jobs[name]) for name in missing),
            exercises={name: run.exercise_print(name) for name in missing},
            engine=fingerprint.engine(),
            required_level=run.required_level,
            slots=run.executor.slots,
        )

    def add(self, done: WorkResult, run: ClassRun) -> dict[str, bytes]:
        """Add the results of an executor; return those for the cache, by key. A void result is never cached."""
        if done.refused:
            raise IsolationRefused(
                level=done.isolation.level, required=run.required_level, missing=done.isolation.missing
            )
        fresh: dict[str, bytes] = {}
        for name, data in zip(self.missing(), done.endings, strict=True):
            ending = messages.decode(data)
            assert not isinstance(ending, (messages.Job, messages.CheckEnded))
            result = attempt.result_of(self.planned.jobs[name].exercise, ending)
            cached = _CachedResult(
                result=result, isolation=done.isolation, versions=done.versions(__version__)
            )
            self.results[name] = cached
            if isinstance(ending, Graded) and result.outcome is not Outcome.INTERNAL_ERROR:
                fresh[self.keys[name]] = msgspec.msgpack.encode(cached)
        return fresh

    def report(self, run: ClassRun) -> Report:
        """Return the report. Its isolation is the lowest of its parts."""
        refused = self.planned.refused
        results = [
            refused.get(exercise.id) or self.results[exercise.id].result for exercise in run.course.exercises
        ]
        # Where no code of the student was run, nothing needed to be isolated.
        levels = [cached.isolation for cached in self.results.values()] or [
            Isolation(level=run.required_level)
        ]
        versions = [cached.versions for cached in self.results.values()] or [
            fingerprint.versions(__version__)
        ]
        return scoring.report(
            results,
            self.quizzes,
            isolation=min(levels, key=lambda isolation: isolation.level),
            versions=versions[0],
            seed=run.seed,
        )

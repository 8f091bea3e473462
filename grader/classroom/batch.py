"""Grades a class: what each student handed in goes through an executor, and its result into the gradebook.

Each result is in the gradebook before the next one is awaited. A run that is interrupted or killed loses only the
submissions in progress, and the next run continues from there. What has not changed is not graded again.

There is a fence around every submission, from reading to recording: whatever goes wrong with one ends in a line for its
student, and the others go on. Only what concerns all of them ends the run: the isolation of this machine, a gradebook
that cannot be written, a warm process that cannot start, Ctrl-C.
"""

import contextlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, BrokenExecutor, CancelledError, Future, wait
from dataclasses import dataclass, field
from functools import partial
from typing import TypeVar

import msgspec

from grader import __version__
from grader.classroom.executors import OpenedExecutor
from grader.classroom.gradebook import Attempt, DamagedRow, Gradebook, is_unusable
from grader.classroom.reading import ReadHandIn, planned_reading
from grader.classroom.remote_worker import WorkOrder, WorkResult, perform
from grader.core import error_location, scoring
from grader.core.errors import IsolationRefused, UsageError
from grader.core.model import ExerciseResult, Isolation, Outcome, QuizResult, Report, Versions
from grader.course import fingerprint
from grader.course.catalog import Course
from grader.grading import attempt, messages, selection
from grader.grading.attempt import Plan
from grader.grading.messages import Graded
from grader.submission import Submission, Unreadable
from grader.submission.collection import HandedIn, Moment
from grader.submission.tree import SubmissionTree

QUEUED_PER_WORKER = 2  # orders submitted for each one that runs, so that no worker waits for the next
_T = TypeVar("_T")


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordedHandIn:
    """What one student handed in last, by a gradebook."""

    student: str
    gradebook: Gradebook

    def open(self) -> Submission:
        """Unpack the submission. Raises DamagedRow."""
        return self.gradebook.last_hand_in(self.student).open()

    @property
    def notes(self) -> tuple[str, ...]:
        """There are none: they were shown when it was graded first."""
        return ()

    def moment(self, read: Mapping[str, bytes | Unreadable], tree: SubmissionTree) -> Moment:  # noqa: ARG002 - as of HandedIn
        """Return when it was handed in."""
        return Moment(at=self.gradebook.last_hand_in(self.student).submitted_at)


@dataclass(frozen=True, slots=True, kw_only=True)
class StudentResult:
    """The result for one student: a report, or in `refused` the reason why there is none.

    `number` is that of the attempt, 0 where none was recorded. `again` is true where nothing has changed since that
    attempt, so that nothing was graded. `note` is a remark on the time of handing in, `remarks` are others on what was
    handed in. `is_fault` is true where the reason is an error in the grader, and not in what was handed in.
    """

    student: str
    number: int = 0
    report: Report | None = None
    refused: str = ""
    is_fault: bool = False
    again: bool = False
    note: str = ""
    remarks: tuple[str, ...] = ()


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

    def again(self, students: Sequence[str]) -> Iterator[tuple[Attempt | None, StudentResult]]:
        """Grade once more what these students handed in last; yield the last attempt and the new result of each.

        The last attempt is None where its row is damaged.
        """
        numbers = {student: self.gradebook.last_number(student) for student in students}
        for result in self.grade(RecordedHandIn(student=one, gradebook=self.gradebook) for one in students):
            before = None
            with contextlib.suppress(DamagedRow, LookupError):  # a damaged number is that of no attempt
                before = self.gradebook.attempt(result.student, numbers[result.student])
            yield before, result

    def grade(self, handed_in: Iterable[HandedIn | RecordedHandIn]) -> Iterator[StudentResult]:
        """Grade submissions; yield each result as it ends, which need not be in their order.

        Raises IsolationRefused where a worker cannot reach the required level, GraderError where nothing can be graded.
        """
        self._prints = {f"exercise {e.id}": fingerprint.exercise(e) for e in self.course.exercises}
        for path in sorted(self.course.quizzes.glob("*.yaml")):
            self._prints[f"quiz {path.stem}"] = fingerprint.bank(path)
        self._quizzes = attempt.Quizzes(self.course)
        in_progress: dict[Future[bytes], _PendingSubmission] = {}
        try:
            for hand_in in handed_in:
                begun = self._fenced(hand_in.student, partial(self._begin, hand_in))
                if isinstance(begun, StudentResult):
                    yield begun
                    continue
                in_progress[self._submit(begun)] = begun
                if len(in_progress) >= QUEUED_PER_WORKER * self.executor.width:
                    yield from self._completed(in_progress)
            while in_progress:
                yield from self._completed(in_progress)
        finally:
            for future in in_progress:
                future.cancel()

    def _fenced(self, student: str, step: Callable[[], _T]) -> _T | StudentResult:
        """Return the result of a step for one student. An error becomes a result, unless it concerns every student."""
        try:
            return step()
        except IsolationRefused:
            raise
        except BrokenExecutor:
            reason = (
                "the process that graded it was killed, and again when it was graded alone; this machine may be out of "
                "memory. Run the same command again"
            )
            return StudentResult(student=student, refused=reason, is_fault=True)
        except Exception as error:
            if is_unusable(error):
                raise
            reason = (
                f"an error in the grader, {error_location.summary(error)}. No other student is affected. Run the same "
                "command again; if it stays, please report this line"
            )
            return StudentResult(student=student, refused=reason, is_fault=True)

    def _submit(self, pending: "_PendingSubmission") -> Future[bytes]:
        return self.executor.pool.submit(perform, pending.order)

    def _completed(self, in_progress: "dict[Future[bytes], _PendingSubmission]") -> Iterator[StudentResult]:
        """Wait until an order completes; record all that have, before any is yielded.

        A process that is killed takes with it every order in progress: which of them was to blame, grading each alone
        shows.
        """
        completed, _ = wait(in_progress, return_when=FIRST_COMPLETED)
        if any(map(_was_lost, completed)):
            completed, _ = wait(in_progress)
        ended = [(in_progress.pop(future), future) for future in completed]
        yield from [
            self._fenced(pending.student, partial(self._finish, pending, future))
            for pending, future in ended
            if not _was_lost(future)
        ]
        for pending, future in ended:
            if _was_lost(future):
                yield self._fenced(pending.student, partial(self._finish_alone, pending))

    def _begin(self, hand_in: HandedIn | RecordedHandIn) -> "_PendingSubmission | StudentResult":
        """Read a submission; return what is left to grade, or the result where nothing is."""
        try:
            pending = self._prepare(hand_in)
        except (UsageError, DamagedRow) as error:
            return StudentResult(student=hand_in.student, refused=str(error))
        except OSError as error:
            reason = f"{error.filename or 'it'} cannot be read: {error.strerror}"
            return StudentResult(student=hand_in.student, refused=reason)
        if self.gradebook.is_current(hand_in.student, pending.conditions, self.required_level):
            with contextlib.suppress(DamagedRow):  # then it is graded again
                last = self.gradebook.last(hand_in.student)
                return StudentResult(
                    student=hand_in.student,
                    number=last.number,
                    report=last.report,
                    again=True,
                    remarks=pending.read.remarks,
                )
        pending.results |= {name: found for name, key in pending.keys.items() if (found := self._cached(key))}
        if not pending.missing():
            return self._finish(pending, None)
        pending.order = msgspec.msgpack.encode(pending.work_order(self))
        return pending

    def _prepare(self, hand_in: HandedIn | RecordedHandIn) -> "_PendingSubmission":
        """Read a submission. Raises UsageError, DamagedRow and OSError where it cannot be read."""
        quiz_ids = self._quizzes.ids
        read = planned_reading(hand_in.open(), hand_in.notes, self.course.exercises, quiz_ids, self.seed)
        recording, submission, planned = read.recording, read.submission, read.planned
        if isinstance(hand_in, HandedIn):  # what an earlier version recorded stays gradable
            selection.refuse_unrecognized(submission, planned, quiz_ids)
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
        return _PendingSubmission(hand_in, read, planned, keys, quizzes, digest, content, conditions)

    def _cached(self, key: str) -> _CachedResult | None:
        data = self.gradebook.cached(key)
        if not data:
            return None
        try:
            cached = msgspec.msgpack.decode(data, type=_CachedResult)
        except (msgspec.MsgspecError, ValueError):
            self.gradebook.forget(key)  # damaged; it is graded again
            return None
        return cached if cached.isolation.level >= self.required_level else None

    def _finish_alone(self, pending: "_PendingSubmission") -> StudentResult:
        """Grade a submission once more, with nothing beside it."""
        return self._finish(pending, self._submit(pending))

    def _finish(self, pending: "_PendingSubmission", future: Future[bytes] | None) -> StudentResult:
        """Build the report of a submission and record it."""
        fresh: dict[str, bytes] = {}
        if future is not None:
            fresh = pending.add(msgspec.msgpack.decode(future.result(), type=WorkResult), self)
        report = pending.report(self)
        recording = pending.read.recording
        moment = pending.hand_in.moment(recording.kept.files, recording)
        if self.recording:
            number = self._record(pending, report, moment, fresh)
        else:
            number = 0
            self.gradebook.keep(fresh)
        return StudentResult(
            student=pending.student,
            number=number,
            report=report,
            note=moment.note,
            remarks=pending.read.remarks,
        )

    def _record(
        self, pending: "_PendingSubmission", report: Report, moment: Moment, fresh: Mapping[str, bytes]
    ) -> int:
        return self.gradebook.add(
            pending.student,
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


def _was_lost(future: Future[bytes]) -> bool:
    """Tell whether the process that worked on an order was killed."""
    with contextlib.suppress(CancelledError):
        return isinstance(future.exception(), BrokenExecutor)
    return False


@dataclass(slots=True)
class _PendingSubmission:
    """A submission that was read and is not recorded yet.

    `results` holds those known so far, by exercise, and `order` the encoded WorkOrder for the others.
    """

    hand_in: HandedIn | RecordedHandIn
    read: ReadHandIn
    planned: Plan
    keys: dict[str, str]
    quizzes: list[QuizResult]
    digest: str
    content: bytes
    conditions: str
    results: dict[str, _CachedResult] = field(default_factory=dict)
    order: bytes = b""

    @property
    def student(self) -> str:
        """The student who handed it in."""
        return self.hand_in.student

    def missing(self) -> list[str]:
        """Return the exercises that are still to be graded."""
        return [name for name in self.planned.jobs if name not in self.results]

    def work_order(self, run: ClassRun) -> WorkOrder:
        """Return what an executor has to grade."""
        missing = self.missing()
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

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
from dataclasses import dataclass, field, replace
from functools import partial
from typing import TypeVar

import msgspec

from grader import __version__
from grader.classroom.executors import OpenedExecutor
from grader.classroom.gradebook import CachedResult, DamagedRow, Gradebook, HandIn, is_unusable
from grader.classroom.reading import ReadHandIn, planned_reading
from grader.classroom.remote_worker import WorkOrder, WorkResult, perform
from grader.core import error_location, scoring
from grader.core.errors import IsolationRefused, UsageError
from grader.core.model import Isolation, Outcome, QuizResult, Report
from grader.course import fingerprint
from grader.course.catalog import Course
from grader.grading import attempt, messages, selection
from grader.grading.messages import Graded
from grader.report import say_the_same
from grader.submission import Submission
from grader.submission.handed_in import HandedIn, Moment

QUEUED_PER_WORKER = 2  # orders submitted for each one that runs, so that no worker waits for the next
_T = TypeVar("_T")


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordedHandIn:
    """What one student handed in, by a gradebook, in which it has this id."""

    student: str
    id: int
    gradebook: Gradebook

    def packed(self) -> HandIn:
        """Return it, packed. Raises DamagedRow."""
        return self.gradebook.hand_in(self.id)

    def open(self) -> Submission:
        """Unpack it. Raises DamagedRow."""
        return self.packed().open()

    def seed(self) -> int:
        """Return the seed that it was graded with. Raises DamagedRow."""
        return self.gradebook.graded_with(self.id)


@dataclass(frozen=True, slots=True, kw_only=True)
class StudentResult:
    """The result for one hand-in: a report, or in `refused` the reason why there is none.

    `number` is that of the hand-in, 0 where none was recorded. `again` is true where the result is that of its newest
    verdict. Of a hand-in from a gradebook, `before` is the report of that verdict, None where it is damaged; where
    nothing had to be graded, no report is read. `note` is a remark on the time of handing in, `remarks` are others on
    what was handed in. `is_fault` is true where the reason is an error in the grader, and not in what was handed in.
    """

    student: str
    number: int = 0
    report: Report | None = None
    before: Report | None = None
    refused: str = ""
    is_fault: bool = False
    again: bool = False
    note: str = ""
    remarks: tuple[str, ...] = ()


@dataclass(slots=True, kw_only=True)
class ClassRun:
    """One run over a class. A result that was graded below `required_level` (0 to 3) is not accepted.

    Without `recording`, no verdict is added to the gradebook; results still go into its cache. `reseed` grades what
    comes from the gradebook with `seed` too, and not with the seed of its verdict.
    """

    course: Course
    gradebook: Gradebook
    executor: OpenedExecutor
    seed: int
    required_level: int = 2
    recording: bool = True
    reseed: bool = False
    _prints: dict[str, str] = field(default_factory=dict)
    _quizzes: attempt.Quizzes = field(init=False)

    def again(self, students: Sequence[str]) -> Iterator[StudentResult]:
        """Grade once more all that these students handed in; yield the result of each hand-in as it ends.

        Each is graded with the seed of its newest verdict: only a course that has changed changes a result.
        """
        book = self.gradebook
        return self.grade(
            RecordedHandIn(student=student, id=hand_in, gradebook=book)
            for student in students
            for hand_in in book.ids(student)
        )

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
        if (unchanged := self._unchanged(pending)) is not None:
            return replace(unchanged, remarks=pending.read.remarks)
        pending.results |= {name: found for name, key in pending.keys.items() if (found := self._cached(key))}
        if not pending.missing():
            return self._finish(pending, None)
        pending.order = msgspec.msgpack.encode(pending.work_order(self))
        return pending

    def _unchanged(self, pending: "_PendingSubmission") -> StudentResult | None:
        """Return the result of a hand-in whose newest verdict grading it again would give; None without one."""
        book, student = self.gradebook, pending.student
        for hand_in in self._recorded(pending):
            if not book.is_current(hand_in, pending.conditions, self.required_level):
                continue
            if pending.recorded is not None and book.is_intact(hand_in):
                return StudentResult(student=student, number=pending.recorded.number, again=True)
            if pending.recorded is None:
                with contextlib.suppress(DamagedRow):  # then it is graded again
                    verdict = book.verdict_on(hand_in)
                    return StudentResult(
                        student=student, number=verdict.hand_in, report=verdict.report, again=True
                    )
        return None

    def _recorded(self, pending: "_PendingSubmission") -> Iterator[int]:
        """Yield the ids of what a submission may be: itself; else the student's last hand-in, and that of its time."""
        if isinstance(pending.hand_in, RecordedHandIn):
            yield pending.hand_in.id
            return
        yield from self.gradebook.ids(pending.student)[-1:]
        same = self.gradebook.find(pending.student, pending.digest, pending.moment().at)
        if same is not None:
            yield same

    def _prepare(self, hand_in: HandedIn | RecordedHandIn) -> "_PendingSubmission":
        """Read a submission. Raises UsageError, DamagedRow and OSError where it cannot be read."""
        seed, recorded = self.seed, None
        notes: tuple[str, ...] = ()
        if isinstance(hand_in, RecordedHandIn):
            recorded = hand_in.packed()
            seed = self.seed if self.reseed else hand_in.seed()
        else:
            notes = hand_in.notes
        quiz_ids = self._quizzes.ids
        submission = (recorded or hand_in).open()
        read = planned_reading(submission, notes, self.course.exercises, quiz_ids, seed)
        if recorded is None:  # what an earlier version recorded can still be graded
            selection.refuse_unrecognized(read.submission, read.planned, quiz_ids)
        prints = self._prints
        keys = {
            name: fingerprint.result(prints[f"exercise {name}"], job.root, job.sources, seed, job.notes)
            for name, job in read.planned.jobs.items()
        }
        content = read.recording.kept.pack()
        digest = fingerprint.of(content.hex())
        known = (text for pair in prints.items() for text in pair)
        return _PendingSubmission(
            hand_in=hand_in,
            recorded=recorded,
            seed=seed,
            read=read,
            keys=keys,
            quizzes=list(self._quizzes.grade(read.submission)),
            digest=digest,
            content=content,
            conditions=fingerprint.of(digest, str(seed), fingerprint.engine(), *known),
        )

    def _cached(self, key: str) -> CachedResult | None:
        cached = self.gradebook.cached(key)
        return cached if cached is not None and cached.isolation.level >= self.required_level else None

    def _finish_alone(self, pending: "_PendingSubmission") -> StudentResult:
        """Grade a submission once more, with nothing beside it."""
        return self._finish(pending, self._submit(pending))

    def _finish(self, pending: "_PendingSubmission", future: Future[bytes] | None) -> StudentResult:
        """Build the report of a submission and record it."""
        fresh: dict[str, CachedResult] = {}
        if future is not None:
            fresh = pending.add(msgspec.msgpack.decode(future.result(), type=WorkResult), self)
        report = pending.report(self)
        if isinstance(pending.hand_in, RecordedHandIn):
            return self._regraded(pending, pending.hand_in.id, report, fresh)
        moment = pending.moment()
        recorded = self.gradebook.add(
            pending.student,
            report,
            submission=pending.digest,
            content=pending.content,
            conditions=pending.conditions,
            submitted_at=moment.at,
            parts=self._prints,
            fresh=fresh,
        )
        return StudentResult(
            student=pending.student,
            number=recorded.number,
            report=report,
            again=not recorded.is_new,
            note=moment.note,
            remarks=pending.read.remarks,
        )

    def _regraded(
        self, pending: "_PendingSubmission", hand_in: int, report: Report, fresh: Mapping[str, CachedResult]
    ) -> StudentResult:
        """Record a verdict on a hand-in that is in the gradebook, and compare it with the one before."""
        before = None
        with contextlib.suppress(DamagedRow):
            before = self.gradebook.verdict_on(hand_in).report
        if self.recording:
            self.gradebook.regrade(
                hand_in, report, conditions=pending.conditions, parts=self._prints, fresh=fresh
            )
        else:
            self.gradebook.keep(fresh)
        return StudentResult(
            student=pending.student,
            number=pending.recorded.number if pending.recorded else 0,
            report=report,
            before=before,
            again=before is not None and say_the_same(before, report),
        )

    def exercise_print(self, exercise: str) -> str:
        """Return the fingerprint of an exercise."""
        return self._prints[f"exercise {exercise}"]


def _was_lost(future: Future[bytes]) -> bool:
    """Tell whether the process that worked on an order was killed."""
    with contextlib.suppress(CancelledError):
        return isinstance(future.exception(), BrokenExecutor)
    return False


@dataclass(slots=True, kw_only=True)
class _PendingSubmission:
    """A submission that was read and whose verdict is not recorded yet; `recorded` is how the gradebook holds it.

    `results` holds those known so far, by exercise, and `order` the encoded WorkOrder for the others.
    """

    hand_in: HandedIn | RecordedHandIn
    recorded: HandIn | None
    seed: int
    read: ReadHandIn
    keys: dict[str, str]
    quizzes: list[QuizResult]
    digest: str
    content: bytes
    conditions: str
    results: dict[str, CachedResult] = field(default_factory=dict)
    order: bytes = b""
    _moment: Moment | None = None

    def moment(self) -> Moment:
        """Return when it was handed in; of what comes from the gradebook, its record says that."""
        assert not isinstance(self.hand_in, RecordedHandIn)
        recording = self.read.recording
        self._moment = self._moment or self.hand_in.moment(recording.kept.files, recording)
        return self._moment

    @property
    def student(self) -> str:
        """The student who handed it in."""
        return self.hand_in.student

    def missing(self) -> list[str]:
        """Return the exercises that are still to be graded."""
        return [name for name in self.read.planned.jobs if name not in self.results]

    def work_order(self, run: ClassRun) -> WorkOrder:
        """Return what an executor has to grade."""
        missing = self.missing()
        return WorkOrder(
            jobs=tuple(messages.encode(self.read.planned.jobs[name]) for name in missing),
            exercises={name: run.exercise_print(name) for name in missing},
            engine=fingerprint.engine(),
            required_level=run.required_level,
            slots=run.executor.slots,
        )

    def add(self, done: WorkResult, run: ClassRun) -> dict[str, CachedResult]:
        """Add the results of an executor; return those for the cache, by key. A void result is never cached."""
        if done.refused:
            raise IsolationRefused(
                level=done.isolation.level, required=run.required_level, missing=done.isolation.missing
            )
        fresh: dict[str, CachedResult] = {}
        for name, data in zip(self.missing(), done.endings, strict=True):
            ending = messages.decode(data)
            assert not isinstance(ending, (messages.Job, messages.CheckEnded))
            result = attempt.result_of(self.read.planned.jobs[name].exercise, ending)
            cached = CachedResult(
                result=result, isolation=done.isolation, versions=done.versions(__version__)
            )
            self.results[name] = cached
            if isinstance(ending, Graded) and result.outcome is not Outcome.INTERNAL_ERROR:
                fresh[self.keys[name]] = cached
        return fresh

    def report(self, run: ClassRun) -> Report:
        """Return the report. Its isolation is the lowest of its parts."""
        refused = self.read.planned.refused
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
            seed=self.seed,
        )

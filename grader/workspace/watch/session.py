"""A student at work: what was seen last, what it earned, and a warm process that grades what changes.

A grading runs in a thread of its own, and a newer one does not wait for it: code that hangs keeps its limits, and the
save that mends it is graded meanwhile, as long as a core is free. Results of a text that is gone by then are dropped.
"""

import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Self

from grader.core.model import Exercise, ExerciseResult, QuizResult
from grader.course.catalog import Course
from grader.grading import attempt
from grader.grading.dispatcher import Dispatcher
from grader.workspace.watch.snapshots import Changes, Look, changes, look

GONE_S = 0.2  # so long a file may be away before that is believed: some editors delete first, then write


@dataclass(frozen=True, slots=True, kw_only=True)
class GradingRun:
    """What is graded together, and why: the files that changed; none where it was asked for."""

    look: Look
    changes: Changes


@dataclass(frozen=True, slots=True, kw_only=True)
class FinishedRun:
    """What became of a batch; `error` where a failure of ours ended it."""

    batch: GradingRun
    exercises: tuple[ExerciseResult, ...] = ()
    quizzes: tuple[QuizResult, ...] = ()
    error: Exception | None = None


@dataclass(slots=True)
class WatchSession:
    """Use it as a context manager: leaving it ends every process. `tell` is called from other threads.

    `show` makes of a result what its student may see; nothing else of it is kept.
    """

    course: Course
    chosen: Sequence[Exercise]
    quizzes: attempt.Quizzes | None
    folder: Path
    seed: int
    tell: Callable[[FinishedRun], None]
    dispatcher: Dispatcher
    jobs: int | None = None  # of a dispatcher that takes the place of one that died
    show: Callable[[ExerciseResult], ExerciseResult] = lambda result: result
    results: dict[str, ExerciseResult] = field(default_factory=dict)
    _last: Look | None = None
    _stopped: bool = False

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stopped = True
        self.dispatcher.stop()

    def catch_up(self) -> GradingRun | None:
        """Look, and begin to grade what differs from the last look, if anything does."""
        now = self._look()
        if self._last is not None and set(now.plan.refused) - set(self._last.plan.refused):
            time.sleep(GONE_S)
            now = self._look()
        found = changes(self._last, now)
        return self._begin(now, found) if found else None

    def again(self) -> GradingRun:
        """Begin to grade everything, whether it changed or not."""
        now = self._look()
        return self._begin(now, changes(None, now))

    def take(self, ended: FinishedRun) -> FinishedRun:
        """Keep results, and return those that are still of what the files hold."""
        assert self._last is not None
        batch, last = ended.batch.look, self._last
        exercises = tuple(
            result for result in ended.exercises if batch.exercises[result.id] == last.exercises[result.id]
        )
        quizzes = tuple(
            result for result in ended.quizzes if batch.quizzes[result.id] == last.quizzes[result.id]
        )
        self.results |= {result.id: result for result in exercises}
        return FinishedRun(batch=ended.batch, exercises=exercises, quizzes=quizzes)

    def next_after(self, exercise: str) -> str | None:
        """Return the first exercise after this one, in the order of the course and round again, without full marks."""
        names = [one.id for one in self.chosen]
        start = names.index(exercise) + 1 if exercise in names else 0
        return next((name for name in names[start:] + names[:start] if not self.is_done(name)), None)

    @property
    def plan(self) -> attempt.Plan:
        """What there was to grade at the last look; nothing before the first."""
        return self._last.plan if self._last is not None else attempt.Plan(jobs={}, refused={})

    def is_done(self, exercise: str) -> bool:
        """Tell whether an exercise has full marks."""
        result = self.results.get(exercise)
        return result is not None and result.is_full

    def _look(self) -> Look:
        return look(self.folder, self.chosen, self.quizzes.ids if self.quizzes else (), self.seed)

    def _begin(self, now: Look, found: Changes) -> GradingRun:
        if not self.dispatcher.is_alive():  # out of memory, say: the next save finds a new one
            self.dispatcher.stop()
            self.dispatcher = Dispatcher(self.jobs, many=True)
        self._last = now
        batch = GradingRun(look=now, changes=found)
        threading.Thread(target=self._grade, args=[batch, self.dispatcher], daemon=True).start()
        return batch

    def _grade(self, batch: GradingRun, dispatcher: Dispatcher) -> None:
        try:
            ended = FinishedRun(
                batch=batch,
                exercises=tuple(self._exercises(batch, dispatcher)),
                quizzes=tuple(self._quizzes(batch)),
            )
        except Exception as error:  # noqa: BLE001 - raised again by who waits for this thread
            ended = FinishedRun(batch=batch, error=error)
        if not self._stopped:
            self.tell(ended)

    def _exercises(self, batch: GradingRun, dispatcher: Dispatcher) -> list[ExerciseResult]:
        wanted = [exercise for exercise in self.chosen if exercise.id in batch.changes.exercises]
        return list(map(self.show, attempt.carry_out(dispatcher, batch.look.plan, wanted)))

    def _quizzes(self, batch: GradingRun) -> list[QuizResult]:
        if self.quizzes is None:
            return []
        return list(self.quizzes.grade(batch.look.submission, batch.changes.quizzes))

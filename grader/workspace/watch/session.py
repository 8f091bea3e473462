"""The state of `grade watch`: the last look at the files, the results, and a warm process that grades what changes.

Each run grades in a thread of its own, and a newer run does not wait for it. So the save that fixes code that hangs is
graded at once, as long as a core is free, while the old run reaches its limits. Results of an old text are dropped.
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
from grader.grading.dispatcher import Dispatcher, ignore
from grader.workspace.quiz_tries import QuizTries
from grader.workspace.watch.snapshots import Changes, Look, changes, look

GONE_S = 0.2  # a file counts as deleted only after this time: some editors delete a file before they write it


@dataclass(frozen=True, slots=True, kw_only=True)
class GradingRun:
    """What is graded together, and why: the changed files, none where the student asked for it."""

    look: Look
    changes: Changes


@dataclass(frozen=True, slots=True, kw_only=True)
class FinishedRun:
    """The results of a run; `error` where an error in the grader ended it."""

    run: GradingRun
    exercises: tuple[ExerciseResult, ...] = ()
    quizzes: tuple[QuizResult, ...] = ()
    error: Exception | None = None


@dataclass(slots=True)
class WatchSession:
    """A context manager that ends every process on exit.

    `report` is called from other threads, once for each run, and `exercise_ended` for each exercise of a run before.
    `show` reduces a result to what its student may see; only that is kept.
    """

    course: Course
    chosen: Sequence[Exercise]
    quizzes: attempt.Quizzes | None
    folder: Path
    seed: int
    report: Callable[[FinishedRun], None]
    dispatcher: Dispatcher
    jobs: int | None = None  # of a dispatcher that replaces one that died
    show: Callable[[ExerciseResult], ExerciseResult] = lambda result: result
    exercise_ended: Callable[[GradingRun], None] = lambda _: None
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
        """Read the files, and start to grade what differs from the last look; return None where nothing does."""
        now = self._look()
        if self._last is not None and set(now.plan.refused) - set(self._last.plan.refused):
            time.sleep(GONE_S)
            now = self._look()
        found = changes(self._last, now)
        return self._begin(now, found) if found else None

    def again(self) -> GradingRun:
        """Start to grade everything, whether it changed or not."""
        now = self._look()
        return self._begin(now, changes(None, now))

    def take(self, finished: FinishedRun) -> FinishedRun:
        """Keep and return the results whose files have not changed since."""
        assert self._last is not None
        graded, last = finished.run.look, self._last
        exercises = tuple(
            result
            for result in finished.exercises
            if graded.exercises[result.id] == last.exercises[result.id]
        )
        quizzes = tuple(
            result for result in finished.quizzes if graded.quizzes[result.id] == last.quizzes[result.id]
        )
        self.results |= {result.id: result for result in exercises}
        return FinishedRun(run=finished.run, exercises=exercises, quizzes=quizzes)

    def next_after(self, exercise: str) -> str | None:
        """Return the next exercise without full marks in the order of the course, which starts again after its end."""
        names = [one.id for one in self.chosen]
        start = names.index(exercise) + 1 if exercise in names else 0
        return next((name for name in names[start:] + names[:start] if not self.is_done(name)), None)

    @property
    def plan(self) -> attempt.Plan:
        """What there was to grade at the last look; empty before the first."""
        return self._last.plan if self._last is not None else attempt.Plan(jobs={}, refused={})

    def is_done(self, exercise: str) -> bool:
        """Tell whether an exercise has full marks."""
        result = self.results.get(exercise)
        return result is not None and result.is_full

    def _look(self) -> Look:
        return look(self.folder, self.chosen, self.quizzes.ids if self.quizzes else (), self.seed)

    def _begin(self, now: Look, found: Changes) -> GradingRun:
        if not self.dispatcher.is_alive():  # killed for want of memory, for example
            self.dispatcher.stop()
            self.dispatcher = Dispatcher(self.jobs, many=True)
        self._last = now
        run = GradingRun(look=now, changes=found)
        threading.Thread(target=self._grade, args=[run, self.dispatcher], daemon=True).start()
        return run

    def _grade(self, run: GradingRun, dispatcher: Dispatcher) -> None:
        try:
            finished = FinishedRun(
                run=run,
                exercises=tuple(self._exercises(run, dispatcher)),
                quizzes=tuple(self._quizzes(run)),
            )
        except Exception as error:  # noqa: BLE001 - the main loop raises it again
            finished = FinishedRun(run=run, error=error)
        if not self._stopped:
            self.report(finished)

    def _exercises(self, run: GradingRun, dispatcher: Dispatcher) -> list[ExerciseResult]:
        wanted = [exercise for exercise in self.chosen if exercise.id in run.changes.exercises]

        def ended(_exercise: str, _count: int) -> None:
            if not self._stopped:
                self.exercise_ended(run)

        return list(map(self.show, attempt.carry_out(dispatcher, run.look.plan, wanted, ignore, ended)))

    def _quizzes(self, run: GradingRun) -> list[QuizResult]:
        if self.quizzes is None:
            return []
        tries = QuizTries(self.folder).used
        return list(self.quizzes.grade(run.look.submission, run.changes.quizzes, tries))

"""`grade watch`: grades the exercises and quizzes whose files change."""

import contextlib
import os
import queue
import sys
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

import click

from grader.cli import keys, options, reset, standard_streams, terminal
from grader.cli.progress import Progress
from grader.cli.run import (
    choose,
    helps_of,
    hint_states,
    record_progress,
    refuse_below,
)
from grader.cli.screen import Screen, to_work_on, verdict_text
from grader.core.errors import GraderError
from grader.core.model import Exercise
from grader.course import catalog
from grader.course.catalog import Course
from grader.course.visibility import seen as seen_of
from grader.grading import attempt
from grader.grading.dispatcher import Dispatcher
from grader.grading.selection import refuse_empty
from grader.report import (
    NONE_OPENED,
    Help,
    exercise_text,
    list_text,
    nothing_left,
    shown_exercise,
)
from grader.submission import is_notebook, open_submission
from grader.workspace import scaffold
from grader.workspace.opened_hints import OpenedHints
from grader.workspace.watch import FinishedRun, GradingRun, WatchSession, has_events, notices

_STATUS_AFTER_S = 0.4  # a grading that takes longer shows a status line
_LINES_AROUND = (
    3  # of the screen: the time and a blank line above a verdict, a blank line and the keys below it
)
_WAIT_S = 0.2  # after this time the clock is checked, and on Windows Ctrl-C


@click.command("watch", short_help="Grade on every save, only what changed.")
@options.exercises
@click.option(
    "--poll", is_flag=True, help="Check the files ten times a second, instead of waiting for events."
)
@options.submission("The folder to watch; this folder unless given.")
@options.require_isolation(0)
@options.jobs
@options.seed("Seed of the inputs; the course's own unless given.")
@options.course
def watch_command(
    exercises: tuple[str, ...],
    poll: bool,
    submission: Path,
    require_isolation: int,
    jobs: int | None,
    seed: int,
) -> int:
    """Grade on every save: the exercises and quizzes whose files changed, including the helpers that they import.

    In a terminal, single keys show the next exercise, open a hint, list, reset and quit. Elsewhere it prints one
    verdict after the other until you interrupt it.

    \b
    grade watch                      everything in this folder
    grade watch pooling              this exercise, and no quiz
    grade watch --poll               on a network drive, which reports no changes
    """  # noqa: D301 - \b is click's mark for text that keeps its lines
    # The dispatcher comes first, so that torch is imported while the course is read.
    with Dispatcher(jobs, many=True) as dispatcher:
        course = catalog.load(catalog.find_root())
        chosen = choose(course, exercises, submission)
        refuse_empty(course, open_submission(submission), submission)
        quizzes = None if exercises else attempt.Quizzes(course)
        refuse_below(require_isolation, dispatcher)
        target = _WatchTarget(
            course=course, chosen=chosen, quizzes=quizzes, folder=submission, seed=seed, poll=poll, jobs=jobs
        )
        _WatchLoop(target, dispatcher).run()
    return 0


@dataclass(frozen=True, slots=True, kw_only=True)
class _WatchTarget:
    """What to watch, and how to grade it."""

    course: Course
    chosen: Sequence[Exercise]
    quizzes: attempt.Quizzes | None
    folder: Path
    seed: int
    poll: bool
    jobs: int | None


@dataclass(frozen=True, slots=True)
class _Key:
    key: str


class _FilesChanged:
    """Files may have changed."""


@dataclass(frozen=True, slots=True)
class _ExerciseEnded:
    """One exercise of a run is graded; its result comes with those of the others."""

    run: GradingRun


_Event = _Key | _FilesChanged | _ExerciseEnded | FinishedRun | Exception


@dataclass(frozen=True, slots=True)
class _Running:
    """A run that has not ended, how far it is, and since when."""

    run: GradingRun
    progress: Progress
    since: float

    def status(self, width: int) -> str:
        """Return the line that says what is being graded."""
        if (self.progress.total or 0) < 2:
            return f"Grading {_names(self.run)} ..."
        start = "Graded "
        return start + self.progress.text(width - len(start))


class _WatchLoop:
    """The event loop. Threads for files, keys and gradings put events into its queue; only this loop prints."""

    def __init__(self, target: _WatchTarget, dispatcher: Dispatcher) -> None:
        is_terminal = sys.stdout.isatty() and os.environ.get("TERM") != "dumb"
        self._target = target
        self._has_keys = is_terminal and sys.stdin.isatty()
        self._style = terminal.style()
        if (height := terminal.height()) is not None:
            self._style = replace(self._style, height=height - _LINES_AROUND)
        self._screen = Screen(self._style, is_terminal=is_terminal, has_keys=self._has_keys)
        self._events: queue.SimpleQueue[_Event] = queue.SimpleQueue()
        seen = {exercise.id: seen_of(exercise) for exercise in target.chosen}
        self._session = WatchSession(
            course=target.course,
            chosen=target.chosen,
            quizzes=target.quizzes,
            folder=target.folder,
            seed=target.seed,
            report=self._events.put,
            dispatcher=dispatcher,
            jobs=target.jobs,
            show=lambda result: shown_exercise(result, seen[result.id]),
            exercise_ended=lambda run: self._events.put(_ExerciseEnded(run)),
        )
        self._focus: str | None = target.chosen[0].id if len(target.chosen) == 1 else None
        self._running: list[_Running] = []
        self._reset_pending: Exercise | None = None  # asked to confirm the reset of this one

    def run(self) -> None:
        """Watch until the student quits, or the verdicts cannot be written: `grade watch | head`."""
        stop = threading.Event()
        watcher = threading.Thread(target=self._watch_files, args=[stop], daemon=True)
        listening = keys.pressed(lambda key: self._events.put(_Key(key)))
        with listening if self._has_keys else contextlib.nullcontext(), self._session:
            self._greet()
            watcher.start()
            try:
                while self._handle(self._next()) and standard_streams.lost() is None:
                    pass
            finally:
                stop.set()
                self._screen.leave()

    def _greet(self) -> None:
        polls = self._target.poll or not has_events()
        how = "checking the files ten times a second" if polls else "waiting for you to save"
        self._screen.below(f"Watching {self._target.folder.resolve()}: {how}.")
        self._screen.status("Starting: the first grading takes a few seconds.")

    def _watch_files(self, stop: threading.Event) -> None:
        try:
            for _ in notices(self._target.folder, stop, poll=self._target.poll):
                self._events.put(_FilesChanged())
        except Exception as error:  # noqa: BLE001 - raised again by the event loop
            self._events.put(error)

    def _next(self) -> _Event:
        """Wait for the next event; show a status line where a grading takes long."""
        while True:
            try:
                return self._events.get(timeout=_WAIT_S)
            except queue.Empty:
                self._show_status()

    def _show_status(self) -> None:
        if not self._running or self._reset_pending is not None:  # its question is the last line
            return
        newest = self._running[-1]
        if time.monotonic() - newest.since > _STATUS_AFTER_S:
            self._screen.status(newest.status(self._style.width - 1))

    def _handle(self, event: _Event) -> bool:
        """Handle an event; return False to quit."""
        if isinstance(event, Exception):
            raise event
        if isinstance(event, FinishedRun):
            self._show_verdict(event)
        elif isinstance(event, _FilesChanged):
            self._add_run(self._session.catch_up())
        elif isinstance(event, _ExerciseEnded):
            for running in self._running:
                if running.run is event.run:
                    running.progress.ended()
            self._show_status()
        else:
            try:
                return self._handle_key(event.key)
            except GraderError as error:  # such as hints that cannot be saved: keep watching
                self._below(str(error))
        return True

    def _add_run(self, run: GradingRun | None) -> None:
        if run is not None:
            count = len(run.look.plan.jobs.keys() & set(run.changes.exercises))
            self._running.append(_Running(run, Progress("exercises", count), time.monotonic()))

    def _show_verdict(self, ended: FinishedRun) -> None:
        self._running = [one for one in self._running if one.run is not ended.run]
        if ended.error is not None:
            raise ended.error
        current = self._session.take(ended)
        if not current.exercises and not current.quizzes:
            return  # something newer is being graded
        graded = to_work_on(current.exercises, self._focus)
        self._focus = self._go_on(graded) if len(current.exercises) == 1 else graded
        self._reset_pending = None
        following = self._session.results.get(self._focus or "") if self._focus != graded else None
        text = verdict_text(current, following, self._focus, self._style, self._hints())
        self._screen.verdict(text, _reason(current))
        self._show_keys()
        # Last, as it waits for the disk.
        record_progress(self._target.folder, ended.run.look.plan, self._target.chosen, current.exercises)

    def _go_on(self, exercise: str | None) -> str | None:
        """Return the exercise to work on: this one until it has full marks, then the next that has not."""
        if exercise is None or not self._session.is_done(exercise):
            return exercise
        return self._session.next_after(exercise) or exercise

    def _handle_key(self, key: str) -> bool:
        if self._reset_pending is not None:
            self._reset_if_confirmed(self._reset_pending, key)
            return True
        focus = self._target.course.exercise(self._focus) if self._focus is not None else None
        match key.lower():
            case "q" | keys.END:
                return False
            case keys.INTERRUPT:
                raise KeyboardInterrupt
            case "a" | "\n" | "\r":
                self._add_run(self._session.again())
            case "n":
                self._show_next()
            case "l":
                self._below(self._list())
            case "h" if focus is not None:
                self._below(OpenedHints(self._target.folder).next(focus, width=terminal.prose_width()))
            case "r" if focus is not None:
                self._ask_to_reset(focus)
        return True

    def _show_next(self) -> None:
        following = self._session.next_after(self._focus or "")
        if following is None:
            self._below(nothing_left(self._session.results.values()))
            return
        self._focus = following
        result = self._session.results.get(following)
        if result is not None:
            hints = self._hints().get(following, NONE_OPENED)
            self._screen.verdict(exercise_text(result, self._style, hints), f"next: {following}")
        self._show_keys()

    def _hints(self) -> dict[str, Help]:
        return hint_states(self._session.plan, helps_of(self._target.folder, self._target.chosen))

    def _list(self) -> str:
        results = self._session.results
        known = [results[exercise.id] for exercise in self._target.chosen if exercise.id in results]
        return list_text(known, (), self._style) if known else "Nothing is graded yet."

    def _ask_to_reset(self, exercise: Exercise) -> None:
        job = self._session.plan.jobs.get(exercise.id)
        if job is not None and is_notebook(job.root):
            self._below(f"{exercise.id} is a cell of {job.root[:-1]}: only files can be reset.")
            return
        path = scaffold.module(exercise, self._target.folder)
        if scaffold.is_stub(exercise, path):
            self._below(f"{path} is the stub already.")
            return
        self._reset_pending = exercise
        self._screen.below(f"Put the stub back in {path}? Your file is kept in backups/.")
        self._screen.status("y yes   any other key no")

    def _reset_if_confirmed(self, exercise: Exercise, key: str) -> None:
        self._reset_pending = None
        if key == keys.INTERRUPT:
            raise KeyboardInterrupt
        if key.lower() != "y":
            self._below("Nothing was changed.")
            return
        path = scaffold.module(exercise, self._target.folder)
        kept = scaffold.reset(exercise, self._target.folder, datetime.now().astimezone())
        self._below(reset.reset_text(path, kept))  # the change is then noticed and graded, as any other

    def _below(self, text: str) -> None:
        self._screen.below(text)
        self._show_keys()

    def _show_keys(self) -> None:
        following = self._session.next_after(self._focus or "")
        self._screen.keys(self._focus, following if following != self._focus else None)


def _names(run: GradingRun) -> str:
    names = [*run.changes.exercises, *run.changes.quizzes]
    return names[0] if len(names) == 1 else f"{names[0]} and {len(names) - 1} more"


def _reason(ended: FinishedRun) -> str:
    return ", ".join(ended.run.changes.files) or "everything"

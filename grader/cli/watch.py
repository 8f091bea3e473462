"""`grade watch`: grades on save, only what changed."""

import contextlib
import os
import queue
import sys
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import click

from grader.cli import keys, options, reset
from grader.cli.help import next_hint
from grader.cli.run import (
    choose,
    colour,
    has_unicode,
    helps,
    note,
    opened_hints,
    refuse_below,
    width,
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
    Style,
    exercise_text,
    list_text,
    nothing_left,
    shown_exercise,
)
from grader.submission import is_notebook, open_submission
from grader.workspace import scaffold
from grader.workspace.watch import FinishedRun, GradingRun, WatchSession, has_events, notices

_PATIENCE_S = 0.4  # a grading that takes longer says that it goes on
_STEP_S = 0.2  # between two looks at the clock; on Windows also at Ctrl-C


@click.command("watch", short_help="Grade on every save, only what changed.")
@options.exercises
@click.option("--poll", is_flag=True, help="Look at the files again and again, and wait for no events.")
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
    """Grade on every save: the exercises and quizzes whose files changed, helpers that they import included.

    In a terminal, keys go to the next exercise, open a hint, list, reset and quit. Elsewhere one block of text follows
    the other until you interrupt it.

    \b
    grade watch                      everything in this folder
    grade watch pooling              this exercise, and no quiz
    grade watch --poll               on a network drive that tells of no changes
    """  # noqa: D301 - \b is click's mark for text that keeps its lines
    with Dispatcher(
        jobs, many=True
    ) as dispatcher:  # first, so that torch is imported while we read the course
        course = catalog.load(catalog.find_root())
        chosen = choose(course, exercises)
        refuse_empty(course, open_submission(submission), submission)
        quizzes = None if exercises else attempt.Quizzes(course)
        refuse_below(require_isolation, dispatcher)
        work = _Work(
            course=course, chosen=chosen, quizzes=quizzes, folder=submission, seed=seed, poll=poll, jobs=jobs
        )
        try:
            _Watching(work, dispatcher).run()
        except BrokenPipeError:  # who read along has left: `grade watch | head`
            sys.stdout = open(os.devnull, "w", encoding="utf-8")  # noqa: PTH123, SIM115 - else Python complains at exit
    return 0


@dataclass(frozen=True, slots=True, kw_only=True)
class _Work:
    """What is watched."""

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


class _Noticed:
    """Files may have changed."""


class _Watching:
    """The loop that everything reports to: files, keys and gradings. It alone shows anything."""

    def __init__(self, work: _Work, dispatcher: Dispatcher) -> None:
        is_terminal = sys.stdout.isatty() and os.environ.get("TERM") != "dumb"
        self._work = work
        self._has_keys = is_terminal and sys.stdin.isatty()
        self._style = Style(color=colour(None), width=width(), unicode=has_unicode())
        self._screen = Screen(self._style, is_terminal=is_terminal, has_keys=self._has_keys)
        self._events: queue.SimpleQueue[_Key | _Noticed | FinishedRun | Exception] = queue.SimpleQueue()
        seen = {exercise.id: seen_of(exercise) for exercise in work.chosen}
        self._session = WatchSession(
            course=work.course,
            chosen=work.chosen,
            quizzes=work.quizzes,
            folder=work.folder,
            seed=work.seed,
            report=self._events.put,
            dispatcher=dispatcher,
            jobs=work.jobs,
            show=lambda result: shown_exercise(result, seen[result.id]),
        )
        self._focus: str | None = work.chosen[0].id if len(work.chosen) == 1 else None
        self._running: list[GradingRun] = []
        self._since = 0.0
        self._asked: Exercise | None = None  # whether to reset this one

    def run(self) -> None:
        """Watch until the student quits."""
        stop = threading.Event()
        watcher = threading.Thread(target=self._notice, args=[stop], daemon=True)
        listening = keys.pressed(lambda key: self._events.put(_Key(key)))
        with listening if self._has_keys else contextlib.nullcontext(), self._session:
            self._greet()
            watcher.start()
            try:
                while self._handle(self._next()):
                    pass
            finally:
                stop.set()
                self._screen.leave()

    def _greet(self) -> None:
        polls = self._work.poll or not has_events()
        how = "looks at the files ten times a second" if polls else "waits for a save"
        self._screen.below(f"Watching {self._work.folder.resolve()}: {how}.")
        self._screen.status("Starting: the first grading takes a few seconds.")

    def _notice(self, stop: threading.Event) -> None:
        try:
            for _ in notices(self._work.folder, stop, poll=self._work.poll):
                self._events.put(_Noticed())
        except Exception as error:  # noqa: BLE001 - raised again where it is seen
            self._events.put(error)

    def _next(self) -> _Key | _Noticed | FinishedRun | Exception:
        """Wait for the next event; say so where a grading takes long."""
        told = False
        while True:
            try:
                return self._events.get(timeout=_STEP_S)
            except queue.Empty:
                if self._running and not told and time.monotonic() - self._since > _PATIENCE_S:
                    self._screen.status(f"Grading {_names(self._running[-1])} ...")
                    told = True

    def _handle(self, event: _Key | _Noticed | FinishedRun | Exception) -> bool:
        """Do what an event asks for; tell whether to go on."""
        if isinstance(event, Exception):
            raise event
        if isinstance(event, FinishedRun):
            self._ended(event)
        elif isinstance(event, _Noticed):
            self._started(self._session.catch_up())
        else:
            try:
                return self._pressed(event.key)
            except GraderError as error:  # hints that cannot be kept, say: no reason to stop watching
                self._below(str(error))
        return True

    def _started(self, run: GradingRun | None) -> None:
        if run is not None:
            self._running.append(run)
            self._since = time.monotonic()

    def _ended(self, ended: FinishedRun) -> None:
        self._running.remove(ended.run)
        if ended.error is not None:
            raise ended.error
        current = self._session.take(ended)
        if not current.exercises and not current.quizzes:
            return  # something newer is being graded
        note(self._work.folder, ended.run.look.plan, self._work.chosen, current.exercises)
        self._focus = to_work_on(current.exercises, self._focus)
        self._asked = None
        told = verdict_text(current, self._focus, self._style, self._hints())
        self._screen.verdict(told, _why(current))
        self._show_keys()

    def _pressed(self, key: str) -> bool:
        if self._asked is not None:
            self._answer(self._asked, key)
            return True
        focus = self._work.course.exercise(self._focus) if self._focus is not None else None
        match key.lower():
            case "q" | keys.END:
                return False
            case keys.INTERRUPT:
                raise KeyboardInterrupt
            case "a" | "\n" | "\r":
                self._started(self._session.again())
            case "n":
                self._go_on()
            case "l":
                self._below(self._list())
            case "h" if focus is not None:
                self._below(next_hint(focus, self._work.folder))
            case "r" if focus is not None:
                self._ask(focus)
        return True

    def _go_on(self) -> None:
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
        return helps(self._session.plan, opened_hints(self._work.folder, self._work.chosen))

    def _list(self) -> str:
        results = self._session.results
        known = [results[exercise.id] for exercise in self._work.chosen if exercise.id in results]
        return list_text(known, (), self._style) if known else "Nothing is graded yet."

    def _ask(self, exercise: Exercise) -> None:
        job = self._session.plan.jobs.get(exercise.id)
        if job is not None and is_notebook(job.root):
            self._below(
                f"{exercise.id} is a cell of {job.root[:-1]}: there is no file to put the stub back in."
            )
            return
        path = scaffold.module(exercise, self._work.folder)
        if scaffold.is_stub(exercise, path):
            self._below(f"{path} is the stub already.")
            return
        self._asked = exercise
        self._screen.below(f"Put the stub back in {path}? What is there now is kept in backups/.")
        self._screen.status("y yes   any other key no")

    def _answer(self, exercise: Exercise, key: str) -> None:
        self._asked = None
        if key == keys.INTERRUPT:
            raise KeyboardInterrupt
        if key.lower() != "y":
            self._below("Nothing was changed.")
            return
        path = scaffold.module(exercise, self._work.folder)
        kept = scaffold.reset(exercise, self._work.folder, datetime.now().astimezone())
        self._below(reset.told(path, kept))  # and the watcher sees it, as any other change

    def _below(self, text: str) -> None:
        self._screen.below(text)
        self._show_keys()

    def _show_keys(self) -> None:
        following = self._session.next_after(self._focus or "")
        self._screen.keys(self._focus, following if following != self._focus else None)


def _names(run: GradingRun) -> str:
    names = [*run.changes.exercises, *run.changes.quizzes]
    return names[0] if len(names) == 1 else f"{names[0]} and {len(names) - 1} more"


def _why(ended: FinishedRun) -> str:
    return ", ".join(ended.run.changes.files) or "everything"

"""`grader.grade`: grades one submission from a Python program."""

import contextlib
import os
import threading
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from grader.core.errors import UsageError
from grader.core.model import Report
from grader.course import catalog
from grader.grading import attempt
from grader.grading.dispatcher import Dispatcher
from grader.grading.messages import DEFAULT_SEED
from grader.grading.selection import choose, refuse_empty
from grader.submission import open_submission


def grade(
    path: str | os.PathLike[str],
    *,
    course: str | os.PathLike[str] | None = None,
    exercises: Iterable[str] | None = None,
    seed: int | None = None,
) -> Report:
    """Grade a submission, and return the whole report: all points, and all that `--reveal all` shows.

    >>> import grader
    >>> report = grader.grade("examples/submission", exercises=["pooling", "relu"])
    >>> f"{report.points:g} of {report.max_points:g} points"
    '38 of 50 points'

    Any thread may call this, and several at once: calls that overlap share one warm process, and the cores of this
    machine. The first call waits about two seconds for that process. It ends with the last of the calls, and with this
    process, however that ends.

    Args:
        path: The submission: a folder, a zip or a notebook.
        course: The folder of the course, which holds `solutions/`; the one that `grade` uses unless given.
        exercises: The ids of the exercises to grade. Unless given, all exercises and all quizzes are graded.
        seed: The seed of the suites' inputs; that of `grade` unless given.

    Returns:
        The report. It is not `final` where an exercise could not be graded, through an error in the grader: that
        exercise has the outcome `internal_error` and 0 of its points, so `points` and `score` are a lower bound, and
        not a mark.

    Raises:
        UsageError: There is no submission or no course at a path, nothing to grade, or no exercise of a given id.
        DocumentError: The course is malformed.
        InternalError: The warm process could not start.
    """
    read = catalog.load(_course_root(course))
    chosen = choose(read, _ids(exercises))
    submission = open_submission(Path(path))
    if exercises is None:
        refuse_empty(read, submission, Path(path))
    quizzes = list(attempt.Quizzes(read).grade(submission)) if exercises is None else []
    seed = DEFAULT_SEED if seed is None else seed
    with _shared.use() as dispatcher:
        results = list(attempt.grade_exercises(dispatcher, submission, chosen, seed))
        return attempt.report(dispatcher, results, quizzes, seed)


def _course_root(course: str | os.PathLike[str] | None) -> Path:
    if course is None:
        return catalog.find_root()
    root = Path(course).resolve()
    if not (root / "solutions").is_dir():
        raise UsageError(f"{root} holds no solutions/, so it is no course.")
    return root


def _ids(exercises: Iterable[str] | None) -> list[str]:
    if exercises is None:
        return []
    ids = [exercises] if isinstance(exercises, str) else list(exercises)
    if not ids:
        raise UsageError("`exercises` is empty: name at least one, or leave it out to grade everything.")
    return ids


@dataclass(slots=True)
class _InUse:
    dispatcher: Dispatcher
    calls: int = 0


class _SharedDispatcher:
    """One dispatcher for all calls that overlap: one for each would run more workers than there are cores."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._newest: _InUse | None = None

    @contextlib.contextmanager
    def use(self) -> Iterator[Dispatcher]:
        """Give a dispatcher whose warm process runs; the last call that uses it stops it."""
        with self._lock:
            if self._newest is None or not self._newest.dispatcher.is_alive():
                self._newest = _InUse(Dispatcher())
            used = self._newest
            used.calls += 1
        try:
            yield used.dispatcher
        finally:
            with self._lock:
                used.calls -= 1
                is_last = used.calls == 0
                if is_last and self._newest is used:
                    self._newest = None
            if is_last:
                used.dispatcher.stop()


_shared = _SharedDispatcher()


def _forget_after_fork() -> None:
    """Start anew in a child: the lock may be held by a thread that the child does not have."""
    global _shared  # noqa: PLW0603
    _shared = _SharedDispatcher()


if hasattr(os, "register_at_fork"):  # not on Windows
    os.register_at_fork(after_in_child=_forget_after_fork)

"""The line that shows how far long work is: how much is done, how fast, and how long it still takes.

It is on standard error, on a terminal only. It has no newline, is never wider than the terminal, and is erased before
anything else is printed.
"""

import contextlib
import os
import shutil
import sys
import threading
import time
from collections.abc import Callable, Iterator
from types import TracebackType
from typing import Self

import click

from grader.core.safetext import one_line
from grader.report.text_layout import columns

CLEAR_LINE = "\r\x1b[K"
EVERY_S = 0.1  # the line is drawn at most so often
# A rate, and the time left, are computed from at least so many parts, which took at least so long.
_LEAST_PARTS, _LEAST_S = 3, 1.0

Clock = Callable[[], float]


class Progress:
    """Counts the parts of some work that are done, and estimates when the others will be.

    The rate is that of all parts done since the first sign of work, which is after the start of the processes. Between
    two parts the time left only gets shorter, second by second.
    """

    def __init__(self, unit: str, total: int | None = None, *, clock: Clock = time.monotonic) -> None:
        self.total = total  # None where it is not known
        self.done = 0
        self._unit, self._clock = unit, clock
        self._name, self._name_has_ended = "", False
        self._began: float | None = None
        self._done_at_start = 0
        self._last = 0.0

    def working_on(self, name: str) -> None:
        """Name a part that is being worked on. Of several at a time, one is shown until it has ended."""
        if self._began is None:
            self._began = self._clock()
        if not self._name or self._name_has_ended:
            self._name, self._name_has_ended = name, False

    def ended(self, name: str = "") -> None:
        """Count a part that is done."""
        is_first = self._began is None
        self.working_on(name)
        self._name_has_ended |= name == self._name
        self.done += 1
        self._done_at_start += is_first
        self._last = self._clock()

    def per_second(self) -> float | None:
        """Return how many parts are done in a second; None as long as that means nothing."""
        parts, seconds = self.done - self._done_at_start, self._last - (self._began or 0.0)
        return parts / seconds if parts >= _LEAST_PARTS and seconds >= _LEAST_S else None

    def seconds_left(self) -> float | None:
        """Return how long the parts that are left take; None where that is not known, or is over."""
        rate = self.per_second()
        if rate is None or self.total is None:
            return None
        left = (self.total - self.done) / rate - (self._clock() - self._last)
        return left if left >= 1.0 else None

    def text(self, width: int) -> str:
        """Return the line, in at most `width` columns: what matters less is left out where it is too long."""
        count = f"{self.done}" if self.total is None else f"{self.done} of {self.total}"
        count, name = f"{count} {self._unit}", one_line(self._name)
        doing = f", {name} ..." if name else ""
        rate, left = self.per_second(), self.seconds_left()
        times = [_rate(rate)] if rate is not None else []
        times += [f"{_duration(left)} left"] if left is not None else []
        gap = " " if doing else ", "
        whole = count + doing + (gap + ", ".join(times) if times else "")
        shorter = count + doing + (gap + times[-1] if left is not None else "")
        without_name = count + (f", {times[-1]}" if left is not None else "")
        return next((line for line in (whole, shorter, without_name, count) if columns(line) <= width), "")


def _rate(per_second: float) -> str:
    if per_second >= 10:
        return f"{per_second:.0f} a second"
    return f"{per_second:.1f} a second" if per_second >= 1 else f"{per_second * 60:.0f} a minute"


def _duration(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds < 90 else f"{seconds / 60:.0f} min"


class ProgressLine:
    """Shows a Progress. Its methods may be called from several threads; whatever else is printed goes into `paused`.

    As a context manager it erases the line in the end, also where an error or Ctrl-C ends the work.
    """

    def __init__(self, unit: str, total: int | None = None, *, clock: Clock = time.monotonic) -> None:
        self._progress = Progress(unit, total, clock=clock)
        self._clock = clock
        self._is_wanted = sys.stderr.isatty() and os.environ.get("TERM") != "dumb"
        self._is_paused, self._is_drawn = False, False
        self._drawn_at = float("-inf")
        self._lock = threading.Lock()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with self._lock:
            self._is_wanted = False
            self._erase()

    def expect(self, total: int) -> None:
        """Set how many parts there are, once that is known."""
        with self._lock:
            self._progress.total = total

    def working_on(self, name: str) -> None:
        """Name a part that is being worked on."""
        with self._lock:
            self._progress.working_on(name)
            self._draw()

    def ended(self, name: str = "") -> None:
        """Count a part that is done."""
        with self._lock:
            self._progress.ended(name)
            self._draw()

    @contextlib.contextmanager
    def paused(self) -> Iterator[None]:
        """Erase the line, and count without drawing it while something else is printed."""
        with self._lock:
            self._erase()
            self._is_paused = True
        try:
            yield
        finally:
            with self._lock:
                self._is_paused = False

    def _draw(self) -> None:
        if not self._is_wanted or self._is_paused or self._clock() - self._drawn_at < EVERY_S:
            return
        self._drawn_at = self._clock()
        # Of the last column no use is made: many terminals continue on the next line after it.
        line = self._progress.text(_columns_of_stderr() - 1)
        click.echo(CLEAR_LINE + line, err=True, nl=False)
        self._is_drawn = True

    def _erase(self) -> None:
        if self._is_drawn:
            click.echo(CLEAR_LINE, err=True, nl=False)
            self._is_drawn, self._drawn_at = False, float("-inf")


def _columns_of_stderr() -> int:
    """Return the width of the terminal that standard error is, which may be another than that of the output."""
    with contextlib.suppress(OSError, ValueError):
        return os.get_terminal_size(sys.stderr.fileno()).columns or shutil.get_terminal_size().columns
    return shutil.get_terminal_size().columns

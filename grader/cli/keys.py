"""Reads keys one by one, as they are pressed, and leaves the terminal as it was.

What only one kind of system has is imported where it is known which this is.
"""

import contextlib
import importlib
import os
import re
import select
import signal
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager
from types import FrameType

END = "\x04"  # Ctrl-D; and what is told when the terminal is gone
INTERRUPT = "\x03"  # Ctrl-C where it arrives as a key: on Windows
_SEQUENCE = re.compile(r"\x1b(\[[0-?]*[ -/]*[@-~]|O.|.)?", re.DOTALL)  # an arrow, F1, Alt and a key, Escape
_PAUSE_S = 0.05

Tell = Callable[[str], None]
Handler = Callable[[int, FrameType | None], object]


def pressed(tell: Tell) -> AbstractContextManager[None]:
    """Within this, `tell` is called with each key, from another thread; arrows and the like are left out."""
    return _windows(tell) if os.name == "nt" else _posix(tell)


class _Terminal:
    """The terminal we read from: ours while we read keys, the shell's before, after, and while we are stopped."""

    def __init__(self, descriptor: int) -> None:
        import termios  # noqa: PLC0415

        self._system, self._descriptor = termios, descriptor
        self._before = termios.tcgetattr(descriptor)

    def take(self, *_: object) -> None:
        """Have keys come at once and unseen; Ctrl-C and Ctrl-Z still are signals."""
        ours = self._system.tcgetattr(self._descriptor)
        ours[3] &= ~(self._system.ECHO | self._system.ICANON)
        self._system.tcsetattr(self._descriptor, self._system.TCSADRAIN, ours)

    def give_back(self) -> None:
        """Set everything as it was; a terminal that is gone needs nothing."""
        with contextlib.suppress(self._system.error):
            self._system.tcsetattr(self._descriptor, self._system.TCSADRAIN, self._before)

    def pause(self, _number: int, _frame: FrameType | None) -> None:
        """Stop, as Ctrl-Z asks for, and take the terminal again when we go on."""
        self.give_back()
        signal.signal(signal.SIGTSTP, signal.SIG_DFL)
        os.kill(os.getpid(), signal.SIGTSTP)
        signal.signal(signal.SIGTSTP, self.pause)
        self.take()


@contextlib.contextmanager
def _posix(tell: Tell) -> Iterator[None]:
    terminal = _Terminal(sys.stdin.fileno())
    woken, wake = os.pipe()
    thread = threading.Thread(target=_listen, args=[sys.stdin.fileno(), woken, tell], daemon=True)
    with _handling(
        {
            signal.SIGTSTP: terminal.pause,
            signal.SIGCONT: terminal.take,
            signal.SIGTERM: _leave,
            signal.SIGHUP: _leave,
        }
    ):
        try:
            terminal.take()
            thread.start()
            yield
        finally:
            terminal.give_back()
            os.write(wake, b"\0")  # or the thread would eat the next key, which is the shell's
            if thread.ident is not None:
                thread.join()
            os.close(woken)
            os.close(wake)


@contextlib.contextmanager
def _handling(handlers: Mapping[signal.Signals, Handler]) -> Iterator[None]:
    """Have signals handled like this, and as before afterwards."""
    replaced = {number: signal.signal(number, handler) for number, handler in handlers.items()}
    try:
        yield
    finally:
        for number, handler in replaced.items():
            signal.signal(number, handler)


def _listen(terminal: int, woken: int, tell: Tell) -> None:
    """Tell of every key until something comes through `woken`."""
    while woken not in select.select([terminal, woken], [], [])[0]:
        try:
            data = os.read(terminal, 1024)
        except OSError:
            data = b""  # the terminal is gone
        for key in _SEQUENCE.sub("", data.decode("utf-8", "ignore")):
            tell(key)
        if not data:
            tell(END)
            return


def _leave(number: int, _frame: FrameType | None) -> None:
    """End as the signal would have, but by way of every `finally`."""
    raise SystemExit(128 + number)


@contextlib.contextmanager
def _windows(tell: Tell) -> Iterator[None]:
    console = importlib.import_module("msvcrt")
    stop = threading.Event()

    def listen() -> None:
        while not stop.wait(_PAUSE_S):
            while console.kbhit():
                key = console.getwch()
                if key in ("\x00", "\xe0"):
                    console.getwch()  # the second half of an arrow, or of F1
                else:
                    tell(key)

    thread = threading.Thread(target=listen, daemon=True)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()

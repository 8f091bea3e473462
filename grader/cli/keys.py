"""Reads single key presses, and restores the terminal afterwards.

Modules that exist on one operating system only are imported inside the functions for that system.
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

END = "\x04"  # Ctrl-D; also reported when the terminal is closed
INTERRUPT = "\x03"  # Ctrl-C on Windows, where it arrives as a key
_SEQUENCE = re.compile(r"\x1b(\[[0-?]*[ -/]*[@-~]|O.|.)?", re.DOTALL)  # arrows, F1, Alt with a key, Escape
_POLL_INTERVAL_S = 0.05

OnKey = Callable[[str], None]
Handler = Callable[[int, FrameType | None], object]


def pressed(on_key: OnKey) -> AbstractContextManager[None]:
    """Return a context in which `on_key` is called with each key, from another thread; not with arrows or Escape."""
    return _windows(on_key) if os.name == "nt" else _posix(on_key)


class _Terminal:
    """The mode of the terminal: set while keys are read, restored afterwards and while the process is stopped."""

    def __init__(self, descriptor: int) -> None:
        import termios  # noqa: PLC0415

        self._system, self._descriptor = termios, descriptor
        self._before = termios.tcgetattr(descriptor)

    def take(self, *_: object) -> None:
        """Turn off echo and line buffering; Ctrl-C and Ctrl-Z still send signals."""
        mode = self._system.tcgetattr(self._descriptor)
        mode[3] &= ~(self._system.ECHO | self._system.ICANON)
        self._system.tcsetattr(self._descriptor, self._system.TCSADRAIN, mode)

    def give_back(self) -> None:
        """Restore the mode from before; a terminal that is closed is ignored."""
        with contextlib.suppress(self._system.error):
            self._system.tcsetattr(self._descriptor, self._system.TCSADRAIN, self._before)

    def pause(self, _number: int, _frame: FrameType | None) -> None:
        """Stop the process on Ctrl-Z, with the terminal restored; set its mode again when the process continues."""
        self.give_back()
        signal.signal(signal.SIGTSTP, signal.SIG_DFL)
        os.kill(os.getpid(), signal.SIGTSTP)
        signal.signal(signal.SIGTSTP, self.pause)
        self.take()


@contextlib.contextmanager
def _posix(on_key: OnKey) -> Iterator[None]:
    terminal = _Terminal(sys.stdin.fileno())
    wake_read, wake_write = os.pipe()
    thread = threading.Thread(target=_read_keys, args=[sys.stdin.fileno(), wake_read, on_key], daemon=True)
    with _signal_handlers(
        {
            signal.SIGTSTP: terminal.pause,
            signal.SIGCONT: terminal.take,
            signal.SIGTERM: _exit_on_signal,
            signal.SIGHUP: _exit_on_signal,
        }
    ):
        try:
            terminal.take()
            thread.start()
            yield
        finally:
            terminal.give_back()
            os.write(
                wake_write, b"\0"
            )  # otherwise the thread would read the next key, which is for the shell
            if thread.ident is not None:
                thread.join()
            os.close(wake_read)
            os.close(wake_write)


@contextlib.contextmanager
def _signal_handlers(handlers: Mapping[signal.Signals, Handler]) -> Iterator[None]:
    """Install signal handlers within this context, and restore the previous ones."""
    previous = {number: signal.signal(number, handler) for number, handler in handlers.items()}
    try:
        yield
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)


def _read_keys(terminal: int, wake_read: int, on_key: OnKey) -> None:
    """Call `on_key` with every key until there is data in the pipe `wake_read`."""
    while wake_read not in select.select([terminal, wake_read], [], [])[0]:
        try:
            data = os.read(terminal, 1024)
        except OSError:
            data = b""  # the terminal is closed
        for key in _SEQUENCE.sub("", data.decode("utf-8", "ignore")):
            on_key(key)
        if not data:
            on_key(END)
            return


def _exit_on_signal(number: int, _frame: FrameType | None) -> None:
    """Exit with the signal's exit code; unlike the default action, this runs every `finally`."""
    raise SystemExit(128 + number)


@contextlib.contextmanager
def _windows(on_key: OnKey) -> Iterator[None]:
    console = importlib.import_module("msvcrt")
    stop = threading.Event()

    def listen() -> None:
        while not stop.wait(_POLL_INTERVAL_S):
            while console.kbhit():
                key = console.getwch()
                if key in ("\x00", "\xe0"):
                    console.getwch()  # the second half of an arrow, or of F1
                else:
                    on_key(key)

    thread = threading.Thread(target=listen, daemon=True)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()

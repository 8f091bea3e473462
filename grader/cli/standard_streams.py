"""Standard streams that never end a command: a full disk or a closed stream costs the text, and not the work.

A command grades, records and writes its files although its output is lost. `main` then says so.
"""

import contextlib
import io
import os
import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, TextIO

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer


class LosingStream(io.RawIOBase):
    """Passes bytes to another stream. The first error is kept in `error`, and all that follows is dropped."""

    def __init__(self, stream: io.RawIOBase) -> None:
        self._stream = stream
        self.error: OSError | None = None

    def writable(self) -> bool:
        """Return True."""
        return True

    def fileno(self) -> int:
        """Return the file descriptor of the stream."""
        return self._stream.fileno()

    def isatty(self) -> bool:
        """Tell whether the stream is a terminal."""
        return self._stream.isatty()

    def write(self, data: "ReadableBuffer") -> int | None:
        """Write, or drop; return how many bytes are done with."""
        if self.error is None:
            try:
                return self._stream.write(data)
            except OSError as error:
                self.error = error
        return memoryview(data).nbytes


@contextlib.contextmanager
def guarded() -> Iterator[None]:
    """Replace standard output and error for a command.

    A stream that was closed before the start is opened on the null device first. Otherwise the next file that is
    opened, such as a gradebook, would get its number, and with it what other programs print.
    """
    _open_closed()
    before = sys.stdout, sys.stderr
    sys.stdout, sys.stderr = _guard(sys.stdout), _guard(sys.stderr)
    try:
        yield
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        sys.stdout, sys.stderr = before


def lost() -> OSError | None:
    """Return why what was printed to standard output is lost; None where it is not."""
    sys.stdout.flush()
    raw = getattr(getattr(sys.stdout, "buffer", None), "raw", None)
    return raw.error if isinstance(raw, LosingStream) else None


def _open_closed() -> None:
    """Open standard streams that are closed. Output is opened for reading, so that writing to it is an error."""
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        if getattr(sys, name) is None:
            descriptor = os.open(os.devnull, os.O_RDONLY)
            setattr(sys, name, open(descriptor, "w" if number else "r", encoding="utf-8"))  # noqa: PTH123, SIM115 - stays open


def _guard(stream: TextIO) -> TextIO:
    """Return the same text stream over a LosingStream; a stream without bytes, as in a notebook, stays as it is."""
    if not isinstance(stream, io.TextIOWrapper):
        return stream
    stream.flush()
    raw: Any = getattr(stream.buffer, "raw", stream.buffer)  # with `python -u` there is no buffer
    return io.TextIOWrapper(
        io.BufferedWriter(LosingStream(raw)),
        encoding=stream.encoding,
        errors=stream.errors,
        line_buffering=stream.line_buffering,
        write_through=stream.write_through,
    )

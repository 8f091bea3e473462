"""Finds the line of an exercise's own files at which an exception was raised."""

import linecache
import traceback
from pathlib import Path

from grader.core.errors import Problem
from grader.core.safetext import one_line

_MAX_MESSAGE_CHARS = 300


def blame(error: BaseException, folder: Path, *, doing: str = "while it is imported") -> Problem | None:
    """Return the innermost line of files in `folder` that raised an exception, with its path from there; None if none.

    For a file that Python cannot parse it is the line of the syntax error.
    """
    if isinstance(error, SyntaxError) and (path := _within(folder, error.filename)):
        return unreadable(error, path)
    for frame in reversed(traceback.extract_tb(error.__traceback__)):
        if path := _within(folder, frame.filename):
            said = f": {error}" if str(error) else ""
            message = one_line(f"raises {type(error).__name__} {doing}{said}", limit=_MAX_MESSAGE_CHARS)
            return Problem(path=path, message=message, line=frame.lineno or 1, column=_column(frame))
    return None


def unreadable(error: SyntaxError | ValueError | RecursionError | MemoryError, path: str) -> Problem:
    """Return why Python cannot parse a file, with the line and the column."""
    line, column, reason = 1, 1, str(error) or "nested too deeply"
    if isinstance(error, SyntaxError):
        line, column, reason = max(error.lineno or 1, 1), max(error.offset or 1, 1), error.msg
    return Problem(
        path=path,
        message=f"is not Python: {one_line(reason, limit=_MAX_MESSAGE_CHARS)}",
        line=line,
        column=column,
    )


def _within(folder: Path, filename: str | None) -> str | None:
    if filename and Path(filename).is_relative_to(folder):
        return Path(filename).relative_to(folder).as_posix()
    return None


def _column(frame: traceback.FrameSummary) -> int:
    """Return the column as editors count it, in characters from 1: Python counts bytes from 0."""
    line = linecache.getline(frame.filename, frame.lineno or 1)
    return len(line.encode()[: frame.colno or 0].decode("utf-8", "replace")) + 1

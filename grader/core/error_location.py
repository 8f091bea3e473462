"""Says which line of an exercise's own files is to blame for an exception."""

import linecache
import traceback
from pathlib import Path

from grader.core.errors import Problem
from grader.core.safetext import one_line

_LIMIT = 300


def blame(error: BaseException, folder: Path, *, doing: str = "while it is imported") -> Problem | None:
    """Return the innermost place in `folder` that an exception came through, its path from there; None for no place.

    Where Python could not even read a file, that is the place.
    """
    if isinstance(error, SyntaxError) and (path := _within(folder, error.filename)):
        return unreadable(error, path)
    for frame in reversed(traceback.extract_tb(error.__traceback__)):
        if path := _within(folder, frame.filename):
            said = f": {error}" if str(error) else ""
            message = one_line(f"raises {type(error).__name__} {doing}{said}", limit=_LIMIT)
            return Problem(path=path, message=message, line=frame.lineno or 1, column=_column(frame))
    return None


def unreadable(error: SyntaxError | ValueError | RecursionError | MemoryError, path: str) -> Problem:
    """Return what keeps a file from being Python, at its place."""
    line, column, reason = 1, 1, str(error) or "nested too deeply"
    if isinstance(error, SyntaxError):
        line, column, reason = max(error.lineno or 1, 1), max(error.offset or 1, 1), error.msg
    return Problem(
        path=path, message=f"is not Python: {one_line(reason, limit=_LIMIT)}", line=line, column=column
    )


def _within(folder: Path, filename: str | None) -> str | None:
    if filename and Path(filename).is_relative_to(folder):
        return Path(filename).relative_to(folder).as_posix()
    return None


def _column(frame: traceback.FrameSummary) -> int:
    """Return the column that an editor would name: Python counts bytes, from 0."""
    line = linecache.getline(frame.filename, frame.lineno or 1)
    return len(line.encode()[: frame.colno or 0].decode("utf-8", "replace")) + 1

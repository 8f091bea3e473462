"""Finds the line at which an exception was raised: of an exercise's own files, or of the grader's."""

import linecache
import re
import traceback
from pathlib import Path

from grader.core.errors import Problem
from grader.core.safetext import one_line

_MAX_MESSAGE_CHARS = 300
_GRADER = Path(__file__).parents[1]
# A process pool sends the traceback of its process as text.
_SENT_FRAME = re.compile(r'File "(?P<file>[^"\n]+)", line (?P<line>\d+)')


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


def summary(error: BaseException) -> str:
    """Return in one line what an error in the grader was: its type, its message, the innermost line of the grader.

    Of an error in a process of a pool it is the line there.
    """
    frames = [(frame.filename, frame.lineno or 0) for frame in traceback.extract_tb(error.__traceback__)]
    frames += [(found["file"], int(found["line"])) for found in _SENT_FRAME.finditer(str(error.__cause__))]
    own = [(path, line) for file, line in frames if (path := _within(_GRADER, file)) is not None]
    place = f" (grader/{own[-1][0]}, line {own[-1][1]})" if own else ""
    text = f": {error}" if str(error) else ""
    return f"{one_line(f'{type(error).__name__}{text}', limit=_MAX_MESSAGE_CHARS)}{place}"


def _within(folder: Path, filename: str | None) -> str | None:
    if filename and Path(filename).is_relative_to(folder):
        return Path(filename).relative_to(folder).as_posix()
    return None


def _column(frame: traceback.FrameSummary) -> int:
    """Return the column as editors count it, in characters from 1: Python counts bytes from 0."""
    line = linecache.getline(frame.filename, frame.lineno or 1)
    return len(line.encode()[: frame.colno or 0].decode("utf-8", "replace")) + 1

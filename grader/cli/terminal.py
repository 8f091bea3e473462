"""What the terminal can show: color, columns, characters beyond ASCII."""

import os
import shutil
import sys
from pathlib import Path

from grader.report import Style

MAX_COLUMNS = 100
MAX_PROSE_COLUMNS = 78  # longer lines of prose are hard to read


def style(output: Path | None = None, *, min_columns: int = 40) -> Style:
    """Return the style of text that goes to `output`, or to the terminal where that is None."""
    return Style(color=allows_color(output), width=width(min_columns), unicode=has_unicode())


def allows_color(output: Path | None = None) -> bool:
    """Tell whether text that goes to `output` may have color: only a terminal that knows it, unless NO_COLOR is set."""
    wanted = not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"
    return output is None and sys.stdout.isatty() and wanted


def width(min_columns: int = 40) -> int:
    """Return the width of reports in columns: that of the terminal, between `min_columns` and MAX_COLUMNS."""
    return max(min_columns, min(shutil.get_terminal_size((80, 24)).columns, MAX_COLUMNS))


def height() -> int | None:
    """Return the number of lines on the screen; None where the output goes elsewhere, such as into a pipe."""
    return shutil.get_terminal_size((80, 24)).lines if sys.stdout.isatty() else None


def prose_width() -> int:
    """Return the width of prose in columns."""
    return min(MAX_PROSE_COLUMNS, width() - 2)


def has_unicode() -> bool:
    """Tell whether the encoding of the terminal has characters beyond ASCII and Latin-1."""
    encoding = (sys.stdout.encoding or "ascii").lower().replace("-", "")
    return encoding.startswith("utf")

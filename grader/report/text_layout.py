"""Lays text out in lines of a maximum width: cleaning, cutting, wrapping, bars.

Widths are in columns of a terminal. All text passes through `Style.clean`.
"""

import math
import re
import unicodedata
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import Enum

import click

from grader.core.safetext import printable

BODY = 4
BAR = 12
_AMOUNT = 8
_MIN_WIDTH = 40
_MAX_LINE = 1200

_WORD = re.compile(r"(?:`[^`]*`|\S)+")  # code in backticks is not broken, so that it can be copied
_LOG_COMMAND = re.compile(r"##(?=\w*\[)")  # ##[error] of GitHub, ##vso[ of Azure, ##teamcity[
_LEADING_COLONS = re.compile(r"^( *)  (?=(?:\x1b\[\d+m)*::)")
_SPELLINGS = str.maketrans(
    {
        **dict.fromkeys("\N{EN DASH}\N{EM DASH}\N{MINUS SIGN}\N{MIDDLE DOT}", "-"),
        **dict.fromkeys("\N{LEFT SINGLE QUOTATION MARK}\N{RIGHT SINGLE QUOTATION MARK}", "'"),
        **dict.fromkeys("\N{LEFT DOUBLE QUOTATION MARK}\N{RIGHT DOUBLE QUOTATION MARK}", '"'),
        "\N{MULTIPLICATION SIGN}": "x",
        "…": "...",
        "→": "->",
        "≤": "<=",
        "≥": ">=",
        "≠": "!=",
    }
)


class Sign(Enum):
    """The sign before a line: in Unicode, in ASCII, and its color."""

    PASSED = ("✓", "ok", "green")
    FAILED = ("✗", "x", "red")
    WAITING = ("○", "-", None)
    VOID = ("!", "!", "yellow")
    NEXT = ("→", "->", "cyan")


@dataclass(frozen=True, slots=True, kw_only=True)
class Style:
    """How text is laid out: its width in columns, and whether it may use color and characters beyond ASCII.

    `height` is the number of lines on the screen; None where nothing scrolls away, such as in a file.
    """

    width: int = 80
    height: int | None = None
    color: bool = False
    unicode: bool = True

    def __post_init__(self) -> None:
        if self.width < _MIN_WIDTH:
            raise ValueError(f"A report needs at least {_MIN_WIDTH} columns, not {self.width}.")

    def paint(self, text: str, color: str | None = None, *, bold: bool = False, dim: bool = False) -> str:
        """Return `text` in a color; unchanged in a style without color."""
        if not self.color or not text:
            return text
        return click.style(text, fg=color, bold=bold or None, dim=dim or None)

    def shade(self, text: str, color: int | None, background: int | None = None) -> str:
        """Return `text` in one of 256 colors on another; unchanged in a style without color."""
        return click.style(text, fg=color, bg=background) if self.color else text

    def pick(self, unicode: str, plain: str) -> str:
        """Return the first spelling in a style with Unicode, the second in ASCII."""
        return unicode if self.unicode else plain

    def sign(self, sign: Sign) -> str:
        """Return a sign, as wide as the indent of a body."""
        unicode, plain, color = sign.value
        shown = self.pick(unicode, plain)
        return " " * (BODY - 1 - len(shown)) + self.paint(shown, color, dim=color is None) + " "

    def clean(self, text: str, *, limit: int = 4000) -> str:
        """Return untrusted text without control characters, in the characters that this style allows."""
        text = _LOG_COMMAND.sub("# #", printable(text, limit=limit).expandtabs(4))
        return text if self.unicode else text.translate(_SPELLINGS).encode("ascii", "replace").decode("ascii")

    def clean_line(self, text: str) -> str:
        """Return untrusted text as one clean line: runs of white space become one space."""
        return " ".join(self.clean(text, limit=_MAX_LINE).split())


def columns(text: str) -> int:
    """Return the columns that `text` takes in a terminal, at most: an East Asian wide character takes two."""
    return sum(_columns_of(character) for character in text)


def _columns_of(character: str) -> int:
    return 2 if unicodedata.east_asian_width(character) in "WF" else 1


def _head(text: str, width: int) -> str:
    """Return the longest start of `text` that takes at most `width` columns."""
    used = 0
    for n, character in enumerate(text):
        used += _columns_of(character)
        if used > width:
            return text[:n]
    return text


def cut(text: str, width: int, style: Style) -> str:
    """Return a line of text of at most `width` columns, shortened with an ellipsis where it is longer."""
    ellipsis = style.pick("…", "...")
    return text if columns(text) <= width else _head(text, width - len(ellipsis)).rstrip() + ellipsis


def wrap(text: str, width: int, style: Style) -> list[str]:
    """Return text as lines of at most `width` columns; only a word longer than a line is broken."""
    lines, line = [], ""
    for word in _WORD.findall(style.clean_line(text)):
        if line and columns(f"{line} {word}") <= width:
            line = f"{line} {word}"
            continue
        lines.append(line)
        while columns(word) > width:
            lines.append(_head(word, width))
            word = word.removeprefix(lines[-1]).lstrip()  # noqa: PLW2901 - the rest of the word
        line = word
    return [line for line in [*lines, line] if line]


def paragraph(
    text: str, style: Style, *, indent: int = BODY, color: str | None = None, dim: bool = False
) -> Iterator[str]:
    """Yield a text as indented lines."""
    for line in wrap(text, style.width - indent, style):
        yield " " * indent + style.paint(line, color, dim=dim)


def marked(sign: Sign, text: str, style: Style) -> Iterator[str]:
    """Yield a text as indented lines, with a sign before the first."""
    for n, line in enumerate(wrap(text, style.width - BODY, style)):
        yield (" " * BODY if n else style.sign(sign)) + line


def row(sign: Sign, text: str, right: str, style: Style, *, bold: bool = False) -> str:
    """Return one line: a sign, as much of a text as fits, and a short text at the right edge."""
    width = style.width - BODY - len(right) - 2
    text = cut(style.clean_line(text), width, style)
    gap = " " * (width - columns(text) + 2)
    return f"{style.sign(sign)}{style.paint(text, bold=bold)}{gap}{right}"


def quoted(lines: Iterable[str], style: Style, *, indent: int) -> Iterator[str]:
    """Yield clean lines of a student behind a bar, so that they are not mistaken for the report's own text."""
    bar = style.pick("│", "|")
    for line in lines:
        yield f"{' ' * indent}{bar} {cut(line, style.width - indent - 2, style)}"


def shortened(lines: list[str], most: int, rest: str = "(and more)") -> list[str]:
    """Return at most `most` lines; where there are more, the last is `rest`, with the number of the others for `{}`."""
    if len(lines) <= most:
        return lines
    return [*lines[: most - 1], rest.format(len(lines) - most + 1)]


def number(value: float) -> str:
    """Return a number with at most two decimals, cut and not rounded: it never shows more points than were earned."""
    return f"{math.floor(value * 100 + 1e-6) / 100:.2f}".rstrip("0").rstrip(".")


def percent(share: float) -> str:
    """Return a share in [0, 1] as a whole percentage, `95 %`, cut and not rounded: 99.6 % of the points are 99 %."""
    return f"{math.floor(share * 100 + 1e-9)} %"  # 0.29 * 100 is below 29


def amount(points: float, max_points: float) -> str:
    """Return `3.5/10`."""
    return f"{number(points)}/{number(max_points)}"


def header(
    name: str,
    title: str,
    points: float,
    max_points: float,
    style: Style,
    *,
    hidden: float = 0.0,
    instead: str = "not counted",
) -> str:
    """Return one line: a name, its title, and at the right edge a bar and points.

    `hidden` points lengthen the bar. Where `max_points` is 0, the text `instead` replaces bar and points.
    """
    earned = amount(points, max_points)
    width = max(_AMOUNT, len(earned) + 2)
    right = bar(points, max_points + hidden, style) + earned.rjust(width)
    if not max_points:
        right = instead.rjust(BAR + width)
    left = style.width - BAR - width - 2
    name = cut(style.clean(name), left, style)
    rest = left - columns(name)
    title = cut(f"  {style.clean_line(title)}", rest, style) if rest > 8 else ""
    return f"{style.paint(name, bold=True)}{title}{' ' * (rest - columns(title))}  {right}"


def bar(points: float, max_points: float, style: Style) -> str:
    """Return a bar of BAR columns, full only where all points were earned."""
    filled = int(BAR * points / max_points) if max_points else 0
    done, left = style.pick("█", "#") * filled, style.pick("░", "-") * (BAR - filled)
    return style.paint(done, "yellow" if left else "green") + style.paint(left, dim=True)


def finished(lines: Iterable[str], style: Style) -> str:
    """Join lines so that the log of a CI service reads none of them as a command.

    GitHub reads `::error::` at the start of a line, even of an indented one: there a bar replaces part of the indent.
    """
    behind_bar = rf"\1{style.pick('│', '|')} "
    return "\n".join(_LEADING_COLONS.sub(behind_bar, line.rstrip()) for line in lines)

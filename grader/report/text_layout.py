"""Sets text in lines that never exceed a width: cleaning, cutting, wrapping, bars.

Widths are counted in columns, as a terminal counts them. All text enters through `Style.clean`.
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

_WORD = re.compile(r"(?:`[^`]*`|\S)+")  # code in backticks stays in one piece: it is there to be copied
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
    """What stands before a line: its sign, the sign in ASCII, and its color."""

    PASSED = ("✓", "ok", "green")
    FAILED = ("✗", "x", "red")
    WAITING = ("○", "-", None)
    VOID = ("!", "!", "yellow")
    NEXT = ("→", "->", "cyan")


@dataclass(frozen=True, slots=True, kw_only=True)
class Style:
    """How text is set: its width in columns, whether it may use color, and whether it may leave ASCII."""

    width: int = 80
    color: bool = False
    unicode: bool = True

    def __post_init__(self) -> None:
        if self.width < _MIN_WIDTH:
            raise ValueError(f"A report needs at least {_MIN_WIDTH} columns, and has {self.width}.")

    def paint(self, text: str, color: str | None = None, *, bold: bool = False, dim: bool = False) -> str:
        """Return `text` in a color, where there is color."""
        if not self.color or not text:
            return text
        return click.style(text, fg=color, bold=bold or None, dim=dim or None)

    def shade(self, text: str, color: int | None, behind: int | None = None) -> str:
        """Return `text` in one of 256 colors, before another; as it is where there is no color."""
        return click.style(text, fg=color, bg=behind) if self.color else text

    def pick(self, fancy: str, plain: str) -> str:
        """Return the one of two spellings that this style may use."""
        return fancy if self.unicode else plain

    def sign(self, sign: Sign) -> str:
        """Return a mark, as wide as the indent of a body."""
        fancy, plain, color = sign.value
        shown = self.pick(fancy, plain)
        return " " * (BODY - 1 - len(shown)) + self.paint(shown, color, dim=color is None) + " "

    def clean(self, text: str, *, limit: int = 4000) -> str:
        """Return text of any origin made harmless, and spelled in the characters of this style."""
        text = _LOG_COMMAND.sub("# #", printable(text, limit=limit).expandtabs(4))
        return text if self.unicode else text.translate(_SPELLINGS).encode("ascii", "replace").decode("ascii")

    def clean_line(self, text: str) -> str:
        """Return text of any origin as one harmless line: runs of white space become one space."""
        return " ".join(self.clean(text, limit=_MAX_LINE).split())


def columns(text: str) -> int:
    """Return how many columns a terminal gives to `text`, at most: East Asian wide characters take two."""
    return sum(_columns_of(character) for character in text)


def _columns_of(character: str) -> int:
    return 2 if unicodedata.east_asian_width(character) in "WF" else 1


def _head(text: str, room: int) -> str:
    """Return the longest start of `text` that fits."""
    used = 0
    for n, character in enumerate(text):
        used += _columns_of(character)
        if used > room:
            return text[:n]
    return text


def cut(text: str, room: int, style: Style) -> str:
    """Return a line of text, shortened with an ellipsis where it does not fit."""
    ellipsis = style.pick("…", "...")
    return text if columns(text) <= room else _head(text, room - len(ellipsis)).rstrip() + ellipsis


def wrap(text: str, room: int, style: Style) -> list[str]:
    """Return text as lines of whole words; only a word longer than a line is broken."""
    lines, line = [], ""
    for word in _WORD.findall(style.clean_line(text)):
        if line and columns(f"{line} {word}") <= room:
            line = f"{line} {word}"
            continue
        lines.append(line)
        while columns(word) > room:
            lines.append(_head(word, room))
            word = word.removeprefix(lines[-1]).lstrip()  # noqa: PLW2901 - what is left of the word
        line = word
    return [line for line in [*lines, line] if line]


def paragraph(
    text: str, style: Style, *, indent: int = BODY, color: str | None = None, dim: bool = False
) -> Iterator[str]:
    """Set a text as indented lines."""
    for line in wrap(text, style.width - indent, style):
        yield " " * indent + style.paint(line, color, dim=dim)


def marked(sign: Sign, text: str, style: Style) -> Iterator[str]:
    """Set a text as indented lines, with a mark before the first."""
    for n, line in enumerate(wrap(text, style.width - BODY, style)):
        yield (" " * BODY if n else style.sign(sign)) + line


def row(sign: Sign, text: str, right: str, style: Style, *, bold: bool = False) -> str:
    """Return one line: a mark, as much of a text as fits, and a short text at the right edge."""
    room = style.width - BODY - len(right) - 2
    text = cut(style.clean_line(text), room, style)
    gap = " " * (room - columns(text) + 2)
    return f"{style.sign(sign)}{style.paint(text, bold=bold)}{gap}{right}"


def quoted(lines: Iterable[str], style: Style, *, indent: int) -> Iterator[str]:
    """Set clean lines of a student's behind a bar, so that nobody takes them for ours."""
    bar = style.pick("│", "|")
    for line in lines:
        yield f"{' ' * indent}{bar} {cut(line, style.width - indent - 2, style)}"


def number(value: float) -> str:
    """Return a number with at most two decimals, cut rather than rounded up to what was not earned."""
    return f"{math.floor(value * 100 + 1e-6) / 100:.2f}".rstrip("0").rstrip(".")


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
    """Return one line: a name, its title, and at the right edge a bar and points, if any can be earned.

    The bar is a share of what is `hidden` too; `instead` of both stands where nothing that is shown can be earned.
    """
    earned = amount(points, max_points)
    width = max(_AMOUNT, len(earned) + 2)
    right = bar(points, max_points + hidden, style) + earned.rjust(width)
    if not max_points:
        right = instead.rjust(BAR + width)
    room = style.width - BAR - width - 2
    name = cut(style.clean(name), room, style)
    rest = room - columns(name)
    title = cut(f"  {style.clean_line(title)}", rest, style) if rest > 8 else ""
    return f"{style.paint(name, bold=True)}{title}{' ' * (rest - columns(title))}  {right}"


def bar(points: float, max_points: float, style: Style) -> str:
    """Return a bar, full only where everything was earned. It takes BAR columns."""
    filled = int(BAR * points / max_points) if max_points else 0
    done, left = style.pick("█", "#") * filled, style.pick("░", "-") * (BAR - filled)
    return style.paint(done, "yellow" if left else "green") + style.paint(left, dim=True)


def finished(lines: Iterable[str], style: Style) -> str:
    """Join lines, none of which a CI log takes for a command.

    GitHub reads `::error::` at the start of a line, even an indented one: a bar takes a place of the indent.
    """
    behind_bar = rf"\1{style.pick('│', '|')} "
    return "\n".join(_LEADING_COLONS.sub(behind_bar, line.rstrip()) for line in lines)

"""Builds HTML in which untrusted text is never read as a tag: whatever is not Markup is escaped when it is inserted."""

import html
import itertools
import re
import textwrap
from collections.abc import Iterable, Iterator

from grader.core.safetext import printable

_VOID = {"meta", "br", "input"}
_FENCE = re.compile(r"^ *```.*?\n(.*?)(?:^ *```[^\n]*$|\Z)", re.MULTILINE | re.DOTALL)
_INDENTED = re.compile(r"    |\t")
_BULLET = re.compile(r" {0,3}(?:[-*]|\d{1,2}[.)]) +(?=\S)")
_RULE = re.compile(r":?-+:?")
_STRONG = re.compile(r"(?<![\w*])\*\*(?=[^\s*])(.+?)(?<=[^\s*])\*\*(?![\w*])")
_MAX_TEXT = 20_000


class Markup(str):
    """Text that is HTML already."""

    __slots__ = ()


def text(value: str) -> Markup:
    """Return untrusted text as HTML: escaped, with control and bidirectional characters spelled out."""
    return Markup(html.escape(printable(value, limit=_MAX_TEXT)))


def tag(name: str, /, *children: str, **attributes: str | int | float | None) -> Markup:
    """Return an element. `class_` is the attribute class, `aria_label` is aria-label; None leaves one out."""
    written = "".join(
        f' {key.rstrip("_").replace("_", "-")}="{text(str(value))}"'
        for key, value in attributes.items()
        if value is not None
    )
    if name in _VOID:
        return Markup(f"<{name}{written}>")
    return Markup(f"<{name}{written}>{joined(children)}</{name}>")


def joined(children: Iterable[str]) -> Markup:
    """Return children one after the other, escaping those that are not Markup."""
    return Markup("".join(child if isinstance(child, Markup) else text(child) for child in children))


def inline(value: str) -> Markup:
    """Return one line of text: `code` in backticks becomes <code>, text in double stars <strong>."""
    pieces = " ".join(value.split()).split("`")
    if len(pieces) % 2 == 0:  # a backtick without a second one stays a backtick
        return text("`".join(pieces))
    return joined(tag("code", piece) if n % 2 else _strong(piece) for n, piece in enumerate(pieces))


def _strong(value: str) -> Markup:
    """Return text with <strong> for text between double stars; 2 ** 3 is a power, and stays."""
    return joined(
        tag("strong", piece) if n % 2 else text(piece) for n, piece in enumerate(_STRONG.split(value))
    )


def prose(value: str) -> Markup:
    """Return Markdown: paragraphs, lists, tables, and code that is fenced by backticks or indented by four spaces."""
    parts: list[Markup] = []
    end = 0
    for fence in _FENCE.finditer(value):
        parts += [*_blocks(value[end : fence.start()]), preformatted(fence[1])]
        end = fence.end()
    return joined([*parts, *_blocks(value[end:])])


def _blocks(value: str) -> Iterator[Markup]:
    """Yield the blocks of a text; a blank line ends every block but code."""
    for kind, found in itertools.groupby(_kinds(value.split("\n")), key=lambda pair: pair[0]):
        lines = [line for _, line in found]
        if kind == "code":
            yield preformatted(textwrap.dedent("\n".join(lines)))
        elif kind == "list":
            yield tag("ul", *(tag("li", inline(_BULLET.sub("", line))) for line in lines))
        elif kind == "table":
            yield _table(lines)
        elif kind:
            yield tag("p", inline(" ".join(lines)))


def _kinds(lines: list[str]) -> Iterator[tuple[str, str]]:
    """Yield each line with the kind of its block, "" for a blank one between blocks."""
    before = ""
    for n, line in enumerate(lines):
        if not line.strip():
            ahead = next((rest for rest in lines[n:] if rest.strip()), "")
            kind = "code" if before == "code" and _INDENTED.match(ahead) else ""
        elif _INDENTED.match(line) and before in ("", "code"):
            kind = "code"
        elif line.lstrip().startswith("|"):
            kind = "table"
        else:
            kind = "list" if _BULLET.match(line) else "text"
        before = kind
        yield kind, line


def _table(lines: list[str]) -> Markup:
    """Return a table; the row above a rule of dashes is its head."""
    rows = [[cell.strip() for cell in line.strip().strip("|").split("|")] for line in lines]
    headed = len(rows) > 1 and all(_RULE.fullmatch(cell) for cell in rows[1])
    body = [
        tag("tr", *(tag("th" if headed and not n else "td", inline(cell)) for cell in row))
        for n, row in enumerate(rows)
        if not (headed and n == 1)
    ]
    return tag("table", *body, class_="small")


def preformatted(value: str, **attributes: str | None) -> Markup:
    """Return lines that keep their columns; the keyboard can scroll them."""
    return tag("pre", value.rstrip().strip("\n"), tabindex=0, **attributes)

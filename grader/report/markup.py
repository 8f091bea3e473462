"""Builds HTML so that no text of anybody's is taken for a tag: what is not Markup is escaped where it is put in."""

import html
import re
import textwrap
from collections.abc import Iterable

from grader.safetext import printable

_VOID = {"meta", "br"}
_FENCE = re.compile(r"^ *```.*?\n(.*?)(?:^ *```[^\n]*$|\Z)", re.MULTILINE | re.DOTALL)
_MAX_TEXT = 20_000


class Markup(str):
    """Text that is HTML already."""

    __slots__ = ()


def text(value: str) -> Markup:
    """Return text of any origin as HTML: harmless, with what would steer a reader's eye spelled out."""
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
    """Return children one after the other, escaping those that are no Markup."""
    return Markup("".join(child if isinstance(child, Markup) else text(child) for child in children))


def inline(value: str) -> Markup:
    """Return one line of text, with what stands in backticks as code."""
    pieces = " ".join(value.split()).split("`")
    if len(pieces) % 2 == 0:  # a backtick without its partner is a backtick
        return text("`".join(pieces))
    return joined(tag("code", piece) if n % 2 else text(piece) for n, piece in enumerate(pieces))


def prose(value: str) -> Markup:
    """Return text of several paragraphs, parted by blank lines; what is fenced or indented as code keeps its lines."""
    parts: list[Markup] = []
    end = 0
    for fence in _FENCE.finditer(value):
        parts += [*_paragraphs(value[end : fence.start()]), preformatted(fence[1])]
        end = fence.end()
    return joined([*parts, *_paragraphs(value[end:])])


def _paragraphs(value: str) -> list[Markup]:
    return [_paragraph(part) for part in re.split(r"\n[^\S\n]*\n", value) if part.strip()]


def _paragraph(value: str) -> Markup:
    lines = value.strip("\n").split("\n")
    if all(line.startswith("    ") for line in lines):
        return preformatted(textwrap.dedent("\n".join(lines)))
    return tag("p", inline(value))


def preformatted(value: str, **attributes: str | None) -> Markup:
    """Return lines that keep their columns; the keyboard can scroll them."""
    return tag("pre", value.rstrip().strip("\n"), tabindex=0, **attributes)

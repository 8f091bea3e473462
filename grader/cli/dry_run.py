"""`grade class --dry-run`: what each part of a download is, as a table, without grading anything."""

from collections.abc import Iterable, Iterator

import click

from grader.classroom.reading import Preview
from grader.core.safetext import one_line
from grader.report import Style
from grader.report.text_layout import columns, cut, wrap

_COLUMNS = (("entry", 26), ("student", 22), ("time (UTC)", 16), ("files", 5))
_INDENT = 4


def echo_table(previews: Iterable[Preview], style: Style) -> int:
    """Print a table of hand-ins, each with its files and remarks below; return how many would not be graded."""
    click.echo(style.paint(_row([name for name, _ in _COLUMNS], style), bold=True))
    refused = 0
    for one in previews:
        click.echo("\n".join(_lines(one, style)))
        refused += bool(one.refused)
    return refused


def _lines(one: Preview, style: Style) -> Iterator[str]:
    hand_in = one.hand_in
    time = f"{one.moment.at:%Y-%m-%d %H:%M}" if one.moment else ""
    yield _row([hand_in.label or hand_in.student, hand_in.student, time, str(len(one.files))], style)
    files = ", ".join(one.files)
    refused = f"not graded: {one.refused}" if one.refused else ""
    for text in (files, hand_in.email, refused, *one.remarks):
        for line in wrap(one_line(text, limit=600), style.width - _INDENT, style) if text else ():
            yield " " * _INDENT + line


def _row(cells: Iterable[str], style: Style) -> str:
    shown = [
        (cut(style.clean_line(cell), width, style), width)
        for cell, (_, width) in zip(cells, _COLUMNS, strict=True)
    ]
    return "  ".join(cell + " " * (width - columns(cell)) for cell, width in shown).rstrip()

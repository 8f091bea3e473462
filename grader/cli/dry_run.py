"""`grade class --dry-run`: what each part of a download is, as a table, without grading anything."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace

import click

from grader.classroom.reading import Preview, preview
from grader.classroom.roster import Matching
from grader.cli import terminal
from grader.cli.class_options import shown_name
from grader.core.safetext import first_names, one_line
from grader.course.catalog import Course
from grader.grading.attempt import Quizzes
from grader.report import Style
from grader.report.text_layout import columns, cut, wrap
from grader.submission.collection import Collected
from grader.submission.handed_in import HandedIn

_COLUMNS = (("entry", 26), ("student", 22), ("time (UTC)", 16), ("files", 5))
_TABLE_COLUMNS = 80
_INDENT = 4
_MAX_NAMED = 6


def echo_layout(collected: Collected) -> None:
    """Say on stderr which layout was recognized, and what is no hand-in: the lines of the students stay alone."""
    older = f", and {len(collected.older)} earlier ones of the same students" if collected.older else ""
    click.echo(f"{collected.layout}: {len(collected.hand_ins)} hand-ins{older}.", err=True)
    if collected.left:
        click.echo(f"No hand-ins, and not read: {named(collected.left)}.", err=True)


def echo_matching(matching: Matching) -> None:
    """Say on stderr which hand-ins are not in the roster, and who of the roster handed in nothing."""
    for student, reason in matching.unmatched.items():
        click.echo(f"{reason}: {shown_name(student)}", err=True)
    for person in matching.missing:
        name = f" {shown_name(person.name)}" if person.name else ""
        click.echo(f"nothing handed in: {shown_name(person.id)}{name}", err=True)
    click.echo(
        f"In the roster: {len(matching.people)} of {len(matching.people) + len(matching.unmatched)} hand-ins. "
        f"Without a hand-in: {len(matching.missing)} of {matching.count}.",
        err=True,
    )


def named(names: Sequence[str]) -> str:
    """Return names in a row, each as it is shown: the first ones, and how many more there are."""
    return first_names([shown_name(name) for name in names], _MAX_NAMED)


def echo_table(hand_ins: Sequence[HandedIn], course: Course, newest: int) -> int:
    """Print a table of hand-ins, each with its files and remarks below; return how many would not be graded.

    The first `newest` are the newest of their students, the others came before them.
    """
    style = replace(terminal.style(), width=_TABLE_COLUMNS)
    quizzes = Quizzes(course).ids
    click.echo(style.paint(_row([name for name, _ in _COLUMNS], style), bold=True))
    refused = 0
    for number, hand_in in enumerate(hand_ins):
        one = preview(hand_in, course.exercises, quizzes)
        earlier = (
            ["an earlier hand-in: graded with --gradebook, before the newest"] if number >= newest else []
        )
        click.echo("\n".join(_lines(one, earlier, style)))
        refused += bool(one.refused)
    return refused


def _lines(one: Preview, earlier: Sequence[str], style: Style) -> Iterator[str]:
    hand_in = one.hand_in
    time = f"{one.moment.at:%Y-%m-%d %H:%M}" if one.moment else ""
    yield _row([hand_in.label or hand_in.student, hand_in.student, time, str(len(one.files))], style)
    files = ", ".join(one.files)
    refused = f"not graded: {one.refused}" if one.refused else ""
    for text in (files, hand_in.email, refused, *earlier, *one.remarks):
        for line in wrap(one_line(text, limit=600), style.width - _INDENT, style) if text else ():
            yield " " * _INDENT + line


def _row(cells: Iterable[str], style: Style) -> str:
    shown = [
        (cut(style.clean_line(cell), width, style), width)
        for cell, (_, width) in zip(cells, _COLUMNS, strict=True)
    ]
    return "  ".join(cell + " " * (width - columns(cell)) for cell, width in shown).rstrip()

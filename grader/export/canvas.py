"""Fills one column of a gradebook that Canvas exported, by the rules of its importer.

The instructor's own export is the template: it names the students and the assignment, and every byte of it that is not
a mark stays as it is. The header has `Student` first and `ID` second; an assignment is `Title (123456)`. A row
`Points Possible` comes before the students, and also says which columns are read only.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

from grader.core.errors import UsageError
from grader.core.model import Mark, Person
from grader.core.safetext import one_line
from grader.export.marks import points_text

_MAX_POINTS = 1_000_000
_EXCUSED = "EX"  # what Canvas imports as excused
_ID_COLUMNS = ("ID", "SIS User ID", "SIS Login ID", "Student")  # in the order in which Canvas tries them
_TITLED = re.compile(r"(?P<title>.*\S)\s*\((?P<id>\d+)\)\s*")
_HEAD_ROWS = 4  # the row of points is one of the first


@dataclass(frozen=True, slots=True)
class CsvCell:
    """A cell of the file: its bounds `start` and `end` in the text, and its content, unquoted."""

    start: int
    end: int
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Filled:
    """The filled template: the students whose marks are in it, and by student why another is not.

    `possible` is the maximum of the column, None where the template has none.
    """

    text: str
    column: str
    possible: float | None
    matched: tuple[str, ...]
    unmatched: dict[str, str]


def fill(
    template: str,
    marks: Sequence[Mark],
    column: str,
    *,
    people: Mapping[str, Person] = MappingProxyType({}),
    excused: Sequence[str] = (),
) -> Filled:
    """Write the marks into a column of the template, scaled to its points, and EX for students who are excused.

    A student is found by all that the roster has of them.
    Raises UsageError where the template is not an export of Canvas, or has no such column.
    """
    rows = list(cells(template, _delimiter(template)))
    header = [cell.text.strip().removeprefix("\ufeff") for cell in rows[0]] if rows else []
    if header[:2] != ["Student", "ID"]:
        raise UsageError(
            "The template is not a gradebook exported from Canvas: its first columns are not Student and ID."
        )
    place = _find_column(header, column)
    first, possible = _points_row(rows, place)
    cells_of = {mark.student: points_text(_in_column(mark, possible)) for mark in marks}
    cells_of |= dict.fromkeys(excused, _EXCUSED)
    found, unmatched = _match(header, rows[first:], {student: _keys(people, student) for student in cells_of})
    changes: list[tuple[CsvCell, str]] = []
    for student, row in found:
        if len(row) <= place:
            unmatched[student] = "their row in the template is too short"
        else:
            changes.append((row[place], cells_of[student]))
    matched = tuple(student for student, _ in found if student not in unmatched)
    return Filled(
        text=_replaced(template, changes),
        column=header[place],
        possible=possible,
        matched=matched,
        unmatched=unmatched,
    )


def _in_column(mark: Mark, possible: float | None) -> float:
    if possible is None or possible == mark.max_points:
        return mark.points
    return mark.score * possible


def _replaced(text: str, changes: list[tuple[CsvCell, str]]) -> str:
    parts, done = [], 0
    for cell, new in sorted(changes, key=lambda change: change[0].start):
        parts += [text[done : cell.start], new]
        done = cell.end
    return "".join([*parts, text[done:]])


# --- columns and rows


def _find_column(header: list[str], wanted: str) -> int:
    """Return the index of the column of an assignment: by the id in brackets, else by its exact title."""
    titled = {n: found for n, name in enumerate(header) if (found := _TITLED.fullmatch(name))}
    asked = _TITLED.fullmatch(wanted)
    number = asked["id"] if asked else wanted
    by_id = [n for n, found in titled.items() if found["id"] == number]
    by_title = [
        n for n, name in enumerate(header) if name == wanted or (n in titled and titled[n]["title"] == wanted)
    ]
    places = by_id or ([] if asked else by_title)
    if len(places) == 1:
        return places[0]
    known = ", ".join(f'"{one_line(header[n])}"' for n in titled) or "none"
    problem = "several columns" if places else "no column"
    raise UsageError(
        f'The template has {problem} for "{one_line(wanted)}". Name one with --column; assignments in it: {known}.'
    )


def _points_row(rows: list[list[CsvCell]], place: int) -> tuple[int, float | None]:
    """Return the index of the first student's row, and the maximum of the column.

    Raises UsageError for a column that Canvas calls read only.
    """
    for n, row in enumerate(rows[1:_HEAD_ROWS], start=1):
        if row[0].text.strip() == "Points Possible":
            cell = row[place].text.strip() if len(row) > place else ""
            if "read only" in cell.lower():
                raise UsageError("Canvas calls this column read only, and would ignore the marks in it.")
            return n + 1, _number(cell)
    raise UsageError("The template has no row Points Possible below its header. Export the gradebook again.")


def _number(text: str) -> float | None:
    """Return the points of an assignment, None where the cell is no number. Raises UsageError for an odd number."""
    try:
        number = float(text.replace(",", "."))
    except ValueError:
        return None
    if not 0 <= number <= _MAX_POINTS:
        raise UsageError(
            f"The template says {one_line(text, limit=40)} in the row Points Possible, which is not 0 to {_MAX_POINTS}."
        )
    return number


def _keys(people: Mapping[str, Person], student: str) -> tuple[str, ...]:
    """Return what may stand in the template for a student."""
    person = people.get(student)
    return tuple(filter(None, (*person.ids, person.name))) if person else (student,)


def _match(
    header: list[str], rows: list[list[CsvCell]], keys: Mapping[str, Sequence[str]]
) -> tuple[list[tuple[str, list[CsvCell]]], dict[str, str]]:
    """Return each student with the row that one of their keys is in, and by student why another has none."""
    columns = [header.index(name) for name in _ID_COLUMNS if name in header]
    found, unmatched = [], {}
    for student, own in keys.items():
        hits = next(filter(None, (_hits(rows, column, own) for column in columns)), [])
        if len(hits) == 1:
            found.append((student, hits[0]))
        else:
            unmatched[student] = "several rows of the template" if hits else "no row of the template"
    matches = [id(row) for _, row in found]
    for student, row in found:
        if matches.count(id(row)) > 1:
            unmatched[student] = "a row that another student matches too"
    return [(student, row) for student, row in found if student not in unmatched], unmatched


def _hits(rows: list[list[CsvCell]], column: int, keys: Sequence[str]) -> list[list[CsvCell]]:
    return [row for row in rows if len(row) > column and row[column].text.strip() in keys]


# --- the text of the template


def _delimiter(text: str) -> str:
    """Return the delimiter as Canvas finds it: comma or semicolon, the more frequent one in the first three lines."""
    head = "\n".join(text.split("\n")[:3])
    return ";" if head.count(";") > head.count(",") else ","


def cells(text: str, delimiter: str) -> Iterator[list[CsvCell]]:
    """Yield the rows of a CSV text, each cell with its bounds, so that one can be replaced and no other changes."""
    cell = re.compile(
        rf'(?:"(?P<quoted>(?:[^"]|"")*)"(?P<rest>[^{delimiter}\r\n]*)|(?P<bare>[^{delimiter}\r\n]*))'
    )
    row: list[CsvCell] = []
    at = 1 if text.startswith("\ufeff") else 0
    while at < len(text):
        found = cell.match(text, at)
        assert found is not None  # it matches the empty text
        quoted = found["quoted"]
        shown = found["bare"] if quoted is None else quoted.replace('""', '"') + found["rest"]
        row.append(CsvCell(found.start(), found.end(), shown))
        at = found.end()
        if text[at : at + 1] == delimiter:
            at += 1
            if at < len(text):
                continue
            row.append(CsvCell(at, at, ""))
        at += 2 if text.startswith("\r\n", at) else 1
        if row != [CsvCell(row[0].start, row[0].start, "")]:
            yield row
        row = []

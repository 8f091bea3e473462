"""The roster of a class, a CSV file: whose each hand-in is, and who handed in nothing."""

import csv
import io
import re
import unicodedata
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path

from grader.core import yaml_document
from grader.core.errors import DocumentError, Problem
from grader.core.model import Person
from grader.core.safetext import one_line
from grader.core.suggestions import nearest

COLUMNS = tuple(field.name for field in fields(Person))
_ADDED_WORDS = re.compile(r"[ _-]+(?:id|address|number|login|username|name)$")  # as in "Email address"
_OTHER_HEADERS = {"full name": "name", "student id": "id", "e-mail": "email", "mail": "email"}
_SIMILAR = 0.75  # a column with a name like a known one is a slip; any other is ignored
_NUMBERED = re.compile(r"(?P<name>.+)_(?P<number>\d+)")  # as Moodle and Canvas name their entries


@dataclass(frozen=True, slots=True, kw_only=True)
class Matching:
    """Whose each hand-in is: the person by the name of the hand-in, and why another has none.

    `missing` are those of the roster who handed in nothing, of `count` people in it.
    """

    people: Mapping[str, Person]
    unmatched: Mapping[str, str]
    missing: tuple[Person, ...]
    count: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Roster:
    """The people of a class, in the order of the file."""

    people: tuple[Person, ...]

    def match(self, students: Iterable[str]) -> Matching:
        """Match names of hand-ins: by any id or email address, by the number behind a name, and then by the name.

        A name that fits several people is not matched to one of them.
        """
        by_rule = [_index(self.people, key) for key in (_ids, _numbers, _names)]
        people: dict[str, Person] = {}
        unmatched: dict[str, str] = {}
        for student in students:
            found = next(filter(None, map(_found, by_rule, _keys(student))), ())
            if len(found) == 1:
                people[student] = found[0]
            else:
                others = ", ".join(person.id for person in found[:3])
                unmatched[student] = (
                    f"fits several people of the roster: {others}" if found else "not in the roster"
                )
        present = {person.id for person in people.values()}
        missing = tuple(person for person in self.people if person.id not in present)
        return Matching(people=people, unmatched=unmatched, missing=missing, count=len(self.people))


def read(path: Path) -> Roster:
    """Read a roster. Raises DocumentError with every problem found.

    Its first line names the columns, of which only `id` is required: name, email, section, moodle, canvas, gradescope,
    github. Others are left alone.
    """
    text = yaml_document.read_text(path, str(path))
    rows = list(csv.reader(io.StringIO(text), delimiter=_delimiter(text)))
    problems: list[Problem] = []
    columns = list(_columns(rows[0] if rows else [], problems, str(path)))
    people = [] if problems else list(_people(rows, columns, problems, str(path)))
    if not people and not problems:
        problems.append(Problem(path=str(path), message="names no student"))
    if problems:
        raise DocumentError(problems)
    return Roster(people=tuple(people))


def _delimiter(text: str) -> str:
    head = text.split("\n", 1)[0]
    return max(",;\t", key=head.count)


def _columns(header: Sequence[str], problems: list[Problem], shown: str) -> Iterator[str]:
    """Yield the column that each cell of the header names, "" for another one."""
    seen: set[str] = set()
    for cell in header:
        name = " ".join(cell.strip().casefold().split())
        column = _OTHER_HEADERS.get(name, name if name in COLUMNS else _ADDED_WORDS.sub("", name))
        if column in seen:
            problems.append(Problem(path=shown, line=1, column=1, message=f"names the column {column} twice"))
        if column not in COLUMNS:
            near = nearest(column, COLUMNS, _SIMILAR)
            if near:
                message = f'has the column "{one_line(cell, limit=60)}"; did you mean "{near}"?'
                problems.append(Problem(path=shown, line=1, column=1, message=message))
            column = ""
        seen.update(filter(None, [column]))
        yield column
    if "id" not in seen and not problems:
        message = f"has no column id; its first line names the columns: {', '.join(COLUMNS)}"
        problems.append(Problem(path=shown, line=1, column=1, message=message))


def _people(
    rows: Sequence[Sequence[str]], columns: Sequence[str], problems: list[Problem], shown: str
) -> Iterator[Person]:
    lines: dict[tuple[str, str], int] = {}  # of each value that identifies one person
    for line, row in enumerate(rows[1:], start=2):
        cells = {column: cell.strip() for column, cell in zip(columns, row, strict=False) if column}
        if not any(cells.values()):
            continue
        if not cells.get("id"):
            problems.append(Problem(path=shown, line=line, column=1, message="has no id"))
            continue
        for column, cell in cells.items():
            if cell and column not in ("name", "section") and (key := (column, _folded(cell))) in lines:
                message = f"has the {column} of line {lines[key]}: {one_line(cell, limit=60)}"
                problems.append(Problem(path=shown, line=line, column=1, message=message))
        lines |= {(column, _folded(cell)): line for column, cell in cells.items()}
        yield Person(**cells)


def _folded(text: str) -> str:
    """Return text as it is compared: letter case, the ways to write an accent, and blanks make no difference."""
    return " ".join(unicodedata.normalize("NFKC", text).casefold().split())


def _index(
    people: Iterable[Person], keys: Callable[[Person], Iterable[str]]
) -> dict[str, tuple[Person, ...]]:
    found: dict[str, tuple[Person, ...]] = {}
    for person in people:
        for key in {_folded(key) for key in keys(person) if key}:
            found[key] = (*found.get(key, ()), person)
    return found


def _found(index: Mapping[str, tuple[Person, ...]], key: str) -> tuple[Person, ...]:
    return index.get(key, ()) if key else ()


def _keys(student: str) -> tuple[str, str, str]:
    """Return what of a name is compared with ids, with the numbers of Moodle and Canvas, and with names."""
    numbered = _NUMBERED.fullmatch(student)
    number, name = (numbered["number"], numbered["name"]) if numbered else ("", student)
    return _folded(student), number, _folded(name)


def _ids(person: Person) -> tuple[str, ...]:
    return person.ids


def _numbers(person: Person) -> tuple[str, ...]:
    return person.moodle, person.canvas


def _names(person: Person) -> tuple[str, ...]:
    """Return a name as it is and with the other part first: Ada Lovelace and Lovelace, Ada."""
    first, _, last = person.name.partition(", ")
    return (person.name, f"{last} {first}") if last else (person.name,)

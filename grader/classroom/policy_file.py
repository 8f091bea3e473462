"""Reads a policy file: what decides on marks, in one place, with everything that applies to one student only."""

import csv
import io
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated, Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError, available_timezones

from pydantic import BaseModel, ConfigDict, Field

from grader.classroom.late_policy import Keep, Policy, WithoutHandIn
from grader.classroom.time_options import duration_of, time_of
from grader.core import yaml_document
from grader.core.errors import DocumentError, Problem
from grader.core.suggestions import suggestion
from grader.core.yaml_document import Document

_Name = Annotated[str, Field(min_length=1, max_length=255)]
_Percent = Annotated[float, Field(ge=0, le=100)]
_Time = Annotated[
    str,
    Field(description="A date with a time of day in `time_zone`, such as 2026-03-01T23:59."),
]


class _PolicyModel(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class LateDocument(_PolicyModel):
    """The penalty for being late."""

    per_day: Annotated[
        _Percent, Field(description="Percent of the points earned that each late day begun costs.")
    ] = 0.0
    cap: Annotated[_Percent, Field(description="Maximum total late penalty, in percent.")] = 100.0


class StudentDocument(_PolicyModel):
    """What applies to one student, or to one group."""

    due: Annotated[_Time | None, Field(description="A due date of their own.")] = None
    excused: Annotated[bool, Field(description="True for a student who gets no mark.")] = False
    reason: Annotated[str, Field(max_length=600, description="Why, for yourself.")] = ""


class PolicyDocument(_PolicyModel):
    """A policy file."""

    time_zone: Annotated[
        str,
        Field(
            description="The zone of all times without an offset, by its name: Europe/Berlin. Late days are its days."
        ),
    ]
    due: Annotated[_Time | None, Field(description="When work is due.")] = None
    grace: Annotated[
        str, Field(description="How long after the due date is still in time: 90s, 15m, 2h, 1d.")
    ] = "0s"
    late: LateDocument = LateDocument()
    keep: Annotated[Literal["best", "last"], Field(description="Which hand-in of a student counts.")] = "best"
    missing: Annotated[
        Literal["blank", "zero", "excused"],
        Field(description="What students of the roster get who handed in nothing."),
    ] = "blank"
    receipts: Annotated[
        str | None,
        Field(
            description="A CSV file beside this one with the columns student, hand_in and time: when hand-ins were "
            "received, where that is not what the gradebook recorded."
        ),
    ] = None
    students: Annotated[
        dict[_Name, StudentDocument], Field(description="What applies to one student or group, by name.")
    ] = {}
    groups: Annotated[
        dict[_Name, list[_Name]],
        Field(
            description="The members of each group, by its name: what it hands in counts for each of them."
        ),
    ] = {}


def read(path: Path) -> Policy:
    """Read a policy file. Raises DocumentError with every problem found."""
    document = yaml_document.read(path, PolicyDocument)
    reader = _PolicyReader(document)
    policy = reader.policy(path.parent)
    if reader.problems:
        raise DocumentError(reader.problems)
    return policy


class _PolicyReader:
    """Turns the texts of a policy file into values, and collects the problems."""

    def __init__(self, document: Document[PolicyDocument]) -> None:
        self._document = document
        self._zone = _zone(document.value.time_zone)
        self.problems: list[Problem] = []
        if self._zone is None:
            known = suggestion(document.value.time_zone, available_timezones())
            self._add(("time_zone",), f"is not the name of a time zone{known}; write Europe/Berlin or UTC")

    def policy(self, folder: Path) -> Policy:
        """Return what the file says; `folder` is where it lies."""
        said = self._document.value
        grace = duration_of(said.grace)
        if grace is None:
            self._add(("grace",), f'"{said.grace}" is not a duration: write 90s, 15m, 2h or 1d')
        due = self._time(("due",), said.due)
        if due is None and not self.problems and said.late.per_day:
            self._add(("late", "per_day"), "needs `due`, the deadline")
        extensions = {
            name: at
            for name, own in said.students.items()
            if (at := self._time(("students", name, "due"), own.due)) is not None
        }
        self._check_groups(said.groups)
        return Policy(
            keep=Keep(said.keep),
            due=due,
            grace=grace or timedelta(),
            per_day_percent=said.late.per_day,
            cap_percent=said.late.cap,
            zone=self._zone,
            extensions=extensions,
            excused=frozenset(name for name, own in said.students.items() if own.excused),
            receipts=dict(self._receipts(folder / said.receipts)) if said.receipts else {},
            groups={name: tuple(members) for name, members in said.groups.items()},
            missing=WithoutHandIn(said.missing),
        )

    def _add(self, location: tuple[str, ...], message: str) -> None:
        self.problems.append(self._document.problem(location, message))

    def _time(self, location: tuple[str, ...], text: str | None) -> datetime | None:
        if text is None or self._zone is None:
            return None
        try:
            return time_of(text, self._zone)
        except ValueError as error:
            self._add(location, str(error))
            return None

    def _check_groups(self, groups: dict[str, list[str]]) -> None:
        group_of: dict[str, str] = {}
        for name, members in groups.items():
            if not members:
                self._add(("groups", name), "has no members")
            for member in members:
                if member in group_of:
                    self._add(("groups", name), f'"{member}" is a member of "{group_of[member]}" too')
                group_of[member] = name

    def _receipts(self, path: Path) -> Iterator[tuple[tuple[str, int], datetime]]:
        """Yield the times of a CSV file; its problems are named with their line."""
        rows = csv.DictReader(io.StringIO(yaml_document.read_text(path, str(path))))
        columns = [name.strip() for name in rows.fieldnames or ()]
        missing = [name for name in ("student", "hand_in", "time") if name not in columns]
        if missing:
            found = f"has the columns {', '.join(columns)}" if columns else "is empty"
            self.problems.append(
                Problem(
                    path=str(path),
                    line=1,
                    column=1,
                    message=f"{found}; {' and '.join(missing)} must be there",
                )
            )
            return
        rows.fieldnames = columns
        for row in rows:
            try:
                yield self._receipt(row)
            except ValueError as error:
                self.problems.append(
                    Problem(path=str(path), line=rows.line_num, column=1, message=str(error))
                )

    def _receipt(self, row: dict[str, str | None]) -> tuple[tuple[str, int], datetime]:
        student, number, time = ((row[name] or "").strip() for name in ("student", "hand_in", "time"))
        if not student:
            raise ValueError("has no student")
        if not (number.isascii() and number.isdigit() and len(number) < 10 and int(number)):
            raise ValueError(f'hand_in must be the number of a hand-in, and is "{number}"')
        return (student, int(number)), time_of(time, self._zone or UTC)


def _zone(name: str) -> ZoneInfo | None:
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return None

"""The options that turn hand-ins into marks: which hand-in counts, what being late costs, and whose a hand-in is."""

import functools
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, TypeVar

import click

from grader.classroom import policy_file
from grader.classroom import roster as roster_file
from grader.classroom.late_policy import Keep, Policy
from grader.classroom.roster import Roster
from grader.classroom.time_options import duration_of, time_of
from grader.cli import options
from grader.cli.options import Command
from grader.core.errors import DocumentError, UsageError

_Value = TypeVar("_Value")
# The field of a Policy that each option sets, where it is given.
_FIELDS = {
    "keep": "keep",
    "due": "due",
    "grace": "grace",
    "late_per_day": "per_day_percent",
    "late_cap": "cap_percent",
}


def _time(_ctx: click.Context, _param: click.Parameter, value: str | None) -> datetime | None:
    """Parse an ISO 8601 time; without an offset it is in the time zone of this machine."""
    try:
        return time_of(value, None) if value is not None else None
    except ValueError as error:
        raise click.BadParameter(f"{error}.") from None


def _duration(_ctx: click.Context, _param: click.Parameter, value: str | None) -> timedelta | None:
    """Parse a number with its unit: 90s, 15m, 2h, 1d."""
    found = duration_of(value) if value is not None else None
    if value is not None and found is None:
        raise click.BadParameter(f"{value!r} is not a duration. Write 90s, 15m, 2h or 1d.")
    return found


def _keep(_ctx: click.Context, _param: click.Parameter, value: str | None) -> Keep | None:
    return Keep(value) if value is not None else None


def _roster(_ctx: click.Context, _param: click.Parameter, value: Path | None) -> Roster | None:
    return _from_file(roster_file.read, value) if value is not None else None


def _from_file(read: Callable[[Path], _Value], path: Path) -> _Value:
    """Return what a file says. Raises UsageError with every problem found: exit code 4 is for files of the course."""
    try:
        return read(path)
    except DocumentError as error:
        raise UsageError(str(error)) from None


roster = click.option(
    "--roster",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    callback=_roster,
    metavar="FILE.csv",
    help="The students of the class: a CSV file with the columns id, name, email, section, moodle, canvas, gradescope, "
    "github; only id is required.",
)
_POLICY = (
    click.option(
        "--policy",
        "policy_path",
        type=click.Path(path_type=Path, exists=True, dir_okay=False),
        metavar="FILE.yaml",
        help="A file with due date, time zone, extensions and all that follows; options override it.",
    ),
    click.option(
        "--keep",
        type=click.Choice([str(keep) for keep in Keep]),
        callback=_keep,
        help="Which hand-in of a student counts: best unless given.",
    ),
    click.option("--due", callback=_time, metavar="ISO", help="The deadline, such as 2026-03-01T23:59."),
    click.option(
        "--grace",
        callback=_duration,
        metavar="TIME",
        help="How long after the deadline is still on time: 15m, 2h, 1d; 0s unless given.",
    ),
    click.option(
        "--late-per-day",
        type=options.NumberRange(0, 100),
        metavar="PERCENT",
        help="Penalty for each late day begun, as a percentage of the points earned; 0 unless given.",
    ),
    click.option(
        "--late-cap",
        type=options.NumberRange(0, 100),
        metavar="PERCENT",
        help="Maximum total late penalty; 100 unless given.",
    ),
)


def late_policy(command: Command) -> Command:
    """Add --policy and the options that override it, which the command receives as one `policy`."""

    @functools.wraps(command)
    def with_policy(*args: Any, policy_path: Path | None, **others: Any) -> Any:
        given = {field: others.pop(option) for option, field in _FIELDS.items()}
        return command(*args, policy=_policy(policy_path, given), **others)

    return options.together(*_POLICY)(with_policy)


def _policy(path: Path | None, given: Mapping[str, Any]) -> Policy:
    """Return the policy of a file, with what is given in its place. Raises UsageError with every problem found."""
    policy = _from_file(policy_file.read, path) if path is not None else Policy()
    policy = replace(policy, **{name: value for name, value in given.items() if value is not None})
    if policy.per_day_percent and policy.due is None:
        raise UsageError("--late-per-day needs --due, the deadline.")
    return policy


def due_text(policy: Policy) -> str:
    """Return the moment at which work is due, as it was understood; "" without a deadline."""
    if policy.due is None:
        return ""
    due = policy.due.astimezone(policy.zone) if policy.zone is not None else policy.due
    zone = str(policy.zone or due.tzname())
    in_utc = f", which is {due.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC" if zone != "UTC" else ""
    return f"Due {due:%Y-%m-%d %H:%M:%S} {zone}{in_utc}."

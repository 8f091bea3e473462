"""The options that turn hand-ins into marks: which hand-in counts, and what being late costs."""

import functools
import re
from datetime import datetime, timedelta
from typing import Any

import click

from grader.classroom.late_policy import Keep, Policy
from grader.cli import options
from grader.cli.options import Command
from grader.core.errors import UsageError

_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400}


def _time(_ctx: click.Context, _param: click.Parameter, value: str | None) -> datetime | None:
    """Parse an ISO 8601 time; without an offset it is in the time zone of this machine."""
    try:
        return datetime.fromisoformat(value).astimezone() if value is not None else None
    except (ValueError, OverflowError):
        message = f"{value!r} is not a time. Write 2026-03-01T23:59 or 2026-03-01T23:59+01:00."
        raise click.BadParameter(message) from None


def _duration(_ctx: click.Context, _param: click.Parameter, value: str) -> timedelta:
    """Parse a number with its unit: 90s, 15m, 2h, 1d."""
    found = re.fullmatch(r"(\d{1,6})([smhd])", value, re.ASCII)
    if found is None:
        raise click.BadParameter(f"{value!r} is not a duration. Write 90s, 15m, 2h or 1d.")
    return timedelta(seconds=int(found[1]) * _UNITS[found[2]])


_POLICY = (
    click.option(
        "--keep",
        type=click.Choice([str(keep) for keep in Keep]),
        default=str(Keep.BEST),
        show_default=True,
        help="Which hand-in of a student counts.",
    ),
    click.option("--due", callback=_time, metavar="ISO", help="The deadline, such as 2026-03-01T23:59."),
    click.option(
        "--grace",
        callback=_duration,
        default="0s",
        metavar="TIME",
        show_default=True,
        help="How long after the deadline is still on time: 15m, 2h, 1d.",
    ),
    click.option(
        "--late-per-day",
        type=options.NumberRange(0, 100),
        default=0.0,
        metavar="PERCENT",
        show_default=True,
        help="Penalty for each late day begun, as a percentage of the points earned.",
    ),
    click.option(
        "--late-cap",
        type=options.NumberRange(0, 100),
        default=100.0,
        metavar="PERCENT",
        show_default=True,
        help="Maximum total late penalty.",
    ),
)


def late_policy(command: Command) -> Command:
    """Add --keep, --due, --grace, --late-per-day and --late-cap, which the command receives as one `policy`."""

    @functools.wraps(command)
    def with_policy(
        *args: Any,
        keep: str,
        due: datetime | None,
        grace: timedelta,
        late_per_day: float,
        late_cap: float,
        **others: Any,
    ) -> Any:
        if late_per_day and due is None:
            raise UsageError("--late-per-day needs --due, the deadline.")
        policy = Policy(
            keep=Keep(keep), due=due, grace=grace, per_day_percent=late_per_day, cap_percent=late_cap
        )
        return command(*args, policy=policy, **others)

    return options.together(*_POLICY)(with_policy)

"""The options that make marks of a gradebook's attempts: which attempt counts, and what being late costs."""

import re
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import click

from grader.errors import UsageError
from grader.policy import Keep, Policy

_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400}


def _moment(_ctx: click.Context, _param: click.Parameter, value: str | None) -> datetime | None:
    """Read a time by ISO 8601; without an offset, in the time zone of this machine."""
    try:
        return datetime.fromisoformat(value).astimezone() if value is not None else None
    except (ValueError, OverflowError):
        message = f"{value!r} is no time. Write 2026-03-01T23:59 or 2026-03-01T23:59+01:00."
        raise click.BadParameter(message) from None


def _duration(_ctx: click.Context, _param: click.Parameter, value: str) -> timedelta:
    """Read a number and its unit: 90s, 15m, 2h, 1d."""
    found = re.fullmatch(r"(\d{1,6})([smhd])", value, re.ASCII)
    if found is None:
        raise click.BadParameter(f"{value!r} is no duration. Write 90s, 15m, 2h or 1d.")
    return timedelta(seconds=int(found[1]) * _UNITS[found[2]])


gradebook_argument = click.argument(
    "gradebook", type=click.Path(path_type=Path, exists=True, dir_okay=False), metavar="FILE.db"
)

_OPTIONS = (
    click.option(
        "--keep",
        type=click.Choice([str(keep) for keep in Keep]),
        default=str(Keep.BEST),
        show_default=True,
        help="Which attempt of a student counts.",
    ),
    click.option("--due", callback=_moment, metavar="ISO", help="When the work was due."),
    click.option(
        "--grace",
        callback=_duration,
        default="0s",
        metavar="TIME",
        show_default=True,
        help="How much later still is in time: 15m, 2h, 1d.",
    ),
    click.option(
        "--late-per-day",
        type=click.FloatRange(0, 100),
        default=0.0,
        metavar="PERCENT",
        show_default=True,
        help="What a late day begun costs of what was earned.",
    ),
    click.option(
        "--late-cap",
        type=click.FloatRange(0, 100),
        default=100.0,
        metavar="PERCENT",
        show_default=True,
        help="What all late days together cost at most.",
    ),
)


def policy_options(command: Callable[..., int]) -> Callable[..., int]:
    """Add the options of a policy to a command."""
    for option in reversed(_OPTIONS):
        command = option(command)
    return command


def policy(options: dict[str, Any]) -> Policy:
    """Return the policy that these options ask for."""
    if options["late_per_day"] and options["due"] is None:
        raise UsageError("--late-per-day needs --due: nothing is late where nothing is due.")
    return Policy(
        keep=Keep(options["keep"]),
        due=options["due"],
        grace=options["grace"],
        per_day_percent=options["late_per_day"],
        cap_percent=options["late_cap"],
    )

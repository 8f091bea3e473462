"""Times and durations as instructors write them: 2026-03-01T23:59 and 15m."""

import re
from datetime import datetime, timedelta, tzinfo

_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400}
_EXAMPLE = "write 2026-03-01T23:59 or 2026-03-01T23:59+01:00"
_DATE = re.compile(r"\d{4}-?\d{2}-?\d{2}|\d{4}-?W\d{2}(-?\d)?", re.ASCII)


def time_of(text: str, zone: tzinfo | None) -> datetime:
    """Return an ISO 8601 time; without an offset it is one in `zone`, None for that of this machine.

    Raises ValueError, with a sentence, for other text and for a date without a time of day, which could be its first
    minute or its last.
    """
    if _DATE.fullmatch(text.strip()):
        raise ValueError(f'"{text}" has no time of day: {_EXAMPLE}')
    try:
        at = datetime.fromisoformat(text)
        if at.tzinfo is not None:
            return at
        at = at.replace(tzinfo=zone) if zone is not None else at.astimezone()
        at.timestamp()
    except (ValueError, OverflowError):
        raise ValueError(f'"{text}" is not a time: {_EXAMPLE}') from None
    return at


def duration_of(text: str) -> timedelta | None:
    """Return a number with its unit, 90s, 15m, 2h or 1d, as a duration; None for other text."""
    found = re.fullmatch(r"(\d{1,6})([smhd])", text, re.ASCII)
    return timedelta(seconds=int(found[1]) * _UNITS[found[2]]) if found else None

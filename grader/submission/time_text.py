"""Reads a time as other systems write it into names and files. What is not sure is not read."""

import re
from datetime import UTC, datetime, timedelta, timezone, tzinfo
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

# A time outside of these is no time of a hand-in, and few programs can calculate with it.
EARLIEST, LATEST = datetime(1970, 1, 1, tzinfo=UTC), datetime(2200, 1, 1, tzinfo=UTC)

# Abbreviations that one offset alone has, in hours. CST (America, China, Cuba), IST (India, Ireland, Israel),
# BST and PST (the Philippines) have several, and are not read.
_OFFSETS_H = {
    "UTC": 0, "UT": 0, "GMT": 0, "Z": 0, "WET": 0, "WEST": 1, "CET": 1, "CEST": 2, "EET": 2, "EEST": 3, "MSK": 3,
    "EST": -5, "EDT": -4, "MST": -7, "MDT": -6, "PDT": -7, "AKST": -9, "AKDT": -8, "HST": -10,
    "SAST": 2, "WIB": 7, "HKT": 8, "AWST": 8, "JST": 9, "KST": 9, "ACST": 9.5, "ACDT": 10.5, "AEST": 10, "AEDT": 11,
    "NZST": 12, "NZDT": 13,
}  # fmt: skip
_OFFSET = re.compile(r"(?:UTC|GMT)?(?P<sign>[+-])(?P<hours>\d\d?)(?::?(?P<minutes>\d\d))?")
_DIGITS = re.compile(
    r"(?P<date>\d{4}\D?\d{2}\D?\d{2})\D{0,3}(?P<clock>\d{2}\D?\d{2}(?:\D?\d{2})?)(?:[.,]\d+)?\s*(?P<zone>.*)"
)
_MAX_CHARS = 200


def zone_of(text: str) -> tzinfo | None:
    """Return the zone of an offset (`+0200`), an unambiguous abbreviation (`CEST`) or a name (`Europe/Berlin`)."""
    hours = _OFFSETS_H.get(text.upper())
    if hours is not None:
        return timezone(timedelta(hours=hours))
    if found := _OFFSET.fullmatch(text):
        offset = timedelta(hours=int(found["hours"]), minutes=int(found["minutes"] or 0))
        return timezone(-offset if found["sign"] == "-" else offset) if offset < timedelta(hours=24) else None
    try:
        return ZoneInfo(text) if "/" in text else None
    except (ValueError, ZoneInfoNotFoundError, OSError):
        return None


def read_time(text: str, default: tzinfo | None = None) -> datetime | None:
    """Return the time in UTC that a text such as `2026-11-30 23:58:07.5 CEST` or `20261130_2358` says; else None.

    One without a zone is in that of `default`, or in this machine's if that is None.
    """
    found = _DIGITS.fullmatch(text.strip()) if len(text) <= _MAX_CHARS else None
    if found is None:
        return None
    named = found["zone"]
    zone = zone_of(named) if named else default
    if named and zone is None:
        return None
    digits = re.sub(r"\D", "", found["date"] + found["clock"]).ljust(14, "0")
    if not digits.isascii():
        return None
    try:
        return in_utc(datetime.strptime(digits, "%Y%m%d%H%M%S").replace(tzinfo=zone))
    except ValueError:
        return None


def in_utc(at: datetime) -> datetime | None:
    """Return a time in UTC; one without a zone is in this machine's. None for a time that cannot be true."""
    try:
        found = at.astimezone(UTC)
    except (ValueError, OverflowError, OSError):
        return None
    return found if EARLIEST <= found <= LATEST else None

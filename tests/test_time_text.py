"""Times as other systems write them: what is read has one meaning, and anything else is not read."""

from datetime import UTC, datetime, timedelta, timezone
from zoneinfo import ZoneInfo, available_timezones

import pytest
from hypothesis import given
from hypothesis import strategies as st

from grader.submission.time_text import _OFFSETS_H, EARLIEST, LATEST, read_time, zone_of

NOON = datetime(2026, 11, 30, 12, 0, 5, tzinfo=UTC)


@pytest.mark.parametrize("abbreviation", sorted(set(_OFFSETS_H) - {"Z", "UT"}))
def test_every_zone_that_uses_an_abbreviation_has_the_offset_of_the_table(abbreviation):
    seen = {
        local.utcoffset()
        for name in sorted(available_timezones())
        if not name.startswith(("Etc/", "posix", "right", "localtime"))
        for month in (1, 7)
        for year in (2010, 2026)
        if (local := datetime(year, month, 1, tzinfo=ZoneInfo(name))).tzname() == abbreviation
    }
    assert seen == {timedelta(hours=_OFFSETS_H[abbreviation])}


@pytest.mark.parametrize(
    "ambiguous", ["CST", "IST", "BST", "PST", "AST", "XYZ", "+25", "Europe", "../../etc/passwd"]
)
def test_what_has_several_meanings_or_none_is_no_zone(ambiguous):
    assert zone_of(ambiguous) is None


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2026-11-30 12:00:05 UTC", NOON),
        ("2026-11-30T12:00:05Z", NOON),
        ("2026-11-30 14:00:05.123 CEST", NOON),
        ("2026-11-30 05:00:05 PDT", NOON),
        ("2026-11-30 14:00:05 +0200", NOON),
        ("2026-11-30 14:00:05 +02:00", NOON),
        ("2026-11-30 14:00:05 UTC+2", NOON),
        ("2026-11-30 06:30:05 -0530", NOON),
        ("2026-11-30 13:00:05 Europe/Berlin", NOON),
        ("2026-11-30 12:00:05.123456789 Z", NOON),
        ("20261130120005", NOON),
        ("20261130_120005", NOON),
        ("2026-11-30-12-00-05", NOON),
        ("20261130_1200", NOON.replace(second=0)),
        ("2026-11-30 12:00:05 CST", None),
        ("2026-13-30 12:00:05", None),
        ("2026-11-30", None),
        ("1969-12-31 12:00:00", None),
        ("9999-12-31 23:59:59 -1200", None),
        ("yesterday", None),
    ],
)
def test_a_time_is_read_or_it_is_not(text, expected):
    assert read_time(text, UTC) == expected


@given(
    st.text(max_size=60)
    | st.from_regex(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d [A-Z+/-]{0,8}\d{0,4}", fullmatch=True)
)
def test_any_text_gives_a_time_that_can_be_calculated_with_or_none(text):
    found = read_time(text)
    assert found is None or EARLIEST <= found <= LATEST


def test_a_time_without_a_zone_is_in_that_of_this_machine():
    here = timezone(datetime(2026, 11, 30, 12).astimezone().utcoffset())
    assert read_time("2026-11-30 12:00:00") == datetime(2026, 11, 30, 12, tzinfo=here)

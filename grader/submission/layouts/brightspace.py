"""Brightspace (D2L), "Download": a folder for each hand-in, and index.html.

    10231-4567 - Ada Lovelace - Nov 30, 2026 1158 PM/relu.py

The first number is the student's. The time is that of the site, without a zone.
"""

import re
from datetime import datetime

from grader.submission.layouts.entry import Layout, LayoutEntry, Listing, files_of, joined
from grader.submission.time_text import in_utc

_NAME = re.compile(
    r"(?P<id>\d+)-\d+ ?- ?(?P<name>.+?) ?- ?(?P<month>[A-Z][a-z]{2})[a-z]*\.? (?P<day>\d{1,2}), (?P<year>\d{4})"
    r" (?P<hour>\d{1,2}):?(?P<minute>\d{2})(?: ?(?P<half>[AP])M)?"
)
# Not %b of strptime, which is in the language of this machine.
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


def _entries(listing: Listing) -> list[LayoutEntry]:
    return joined(
        LayoutEntry(
            label=top,
            student=f"{named['name']}_{named['id']}",
            name=named["name"],
            files=files_of(top, inside),
            at=(at := _time(named)),
            source="its name says when" if at else "",
            notes=() if at else ("the time in its name cannot be read",),
        )
        for top, inside in listing.tops().items()
        if (named := _NAME.fullmatch(top)) and inside != [""]
    )


def _time(named: re.Match[str]) -> datetime | None:
    hour = (
        int(named["hour"]) % 12 + (12 if named["half"] == "P" else 0) if named["half"] else int(named["hour"])
    )
    try:
        month = _MONTHS.index(named["month"]) + 1
        return in_utc(datetime(int(named["year"]), month, int(named["day"]), hour, int(named["minute"])))
    except ValueError:
        return None


LAYOUT = Layout(name="brightspace", title="Brightspace", entries=_entries, extras=frozenset({"index.html"}))

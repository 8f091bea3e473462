"""Canvas, "Download Submissions": all files side by side, named `<name>[_LATE]_<user>_<submission>_<file>`.

    lovelaceada_41_9001_relu.py    lovelaceada_LATE_41_9002_relu-1.py
    anon_x7Fq2_9003_relu.py      teamone_77_9004_week4.zip

The name has lower-case letters only, or is that of a group. A file that was handed in again has -1, -2 ... before its
ending. Nothing but LATE says when.
"""

import re
from collections.abc import Iterator
from dataclasses import replace
from itertools import groupby

from grader.submission.layouts.entry import Layout, LayoutEntry, Listing, joined

_NAME = re.compile(
    r"(?P<who>anon_[^_/]+|[^_/\d][^_/]*)(?P<late>_LATE)?(?:_(?P<user>\d+))?_(?P<number>\d+)_(?P<file>[^/]+)"
)
_AGAIN = re.compile(r"(?P<stem>.+)-(?P<count>\d{1,3})(?P<ending>\.\w+)?")


def _entries(listing: Listing) -> list[LayoutEntry]:
    return joined(_with_newest(list(_each(listing))))


def _each(listing: Listing) -> Iterator[tuple[str, str, int, LayoutEntry]]:
    """Yield student, name of the file and number of its version, with an entry of that file alone."""
    for top, inside in listing.tops().items():
        found = _NAME.fullmatch(top)
        if found is None or inside != [""] or not (found["user"] or found["who"].startswith("anon_")):
            continue
        again = _AGAIN.fullmatch(found["file"])
        file = f"{again['stem']}{again['ending'] or ''}" if again else found["file"]
        student = f"{found['who']}_{found['user']}" if found["user"] else found["who"]
        notes = ("Canvas marks it LATE",) if found["late"] else ()
        entry = LayoutEntry(label=top, student=student, name=found["who"], files={file: top}, notes=notes)
        yield student, file, int(again["count"]) if again else 0, entry


def _with_newest(each: list[tuple[str, str, int, LayoutEntry]]) -> Iterator[LayoutEntry]:
    """Yield, of each student's file, the newest version; older ones are named."""
    for _, versions in groupby(sorted(each, key=lambda one: one[:3]), key=lambda one: one[:2]):
        *older, (_, file, _, newest) = versions
        if older:
            names = tuple(entry.label for *_, entry in older)
            note = f"{file} was handed in again; not graded: {', '.join(names)}"
            yield replace(newest, older=names, notes=(*newest.notes, note))
        else:
            yield newest


LAYOUT = Layout(name="canvas", title="Canvas", entries=_entries)

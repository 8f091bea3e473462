"""Moodle, "Download all submissions": a folder for each student, or files side by side; online text beside them.

    Ada Lovelace_1234_assignsubmission_file_/relu.py          Ada Lovelace_1234_assignsubmission_file_relu.py
    Ada Lovelace_1234_assignsubmission_onlinetext_/onlinetext.html
    Participant_1234_assignsubmission_file_/relu.py           blind marking

The number is the participant's, unique in one assignment. The names hold no time: that of the files in the zip is when
they were uploaded.
"""

import re

from grader.submission.layouts.entry import Layout, LayoutEntry, Listing, files_of, joined

_NAME = re.compile(r"(?P<name>.+)_(?P<id>\d+)_assignsubmission_(?P<kind>[a-z]+)(?:_(?P<file>.*))?")
_ONLINE_TEXT = "onlinetext"


def _entries(listing: Listing) -> list[LayoutEntry]:
    found = ((top, _NAME.fullmatch(top), inside) for top, inside in listing.tops().items())
    return joined(
        LayoutEntry(
            label=top,
            student=f"{named['name']}_{named['id']}",
            name=named["name"],
            files=files_of(top, inside, named["file"] or top),
            notes=("has online text, which is not graded",) if named["kind"] == _ONLINE_TEXT else (),
        )
        for top, named, inside in found
        if named is not None
    )


LAYOUT = Layout(name="moodle", title="Moodle", entries=_entries)

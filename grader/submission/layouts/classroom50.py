"""Classroom 50 and GitHub Classroom: `<assignment>-submissions/<assignment>-<login>/`, each a git checkout.

The login, or the name of a team, follows the assignment's name. The time is that of the commit.
"""

from grader.submission.layouts.entry import Layout, LayoutEntry, Listing, common_beginning, files_of

_ENDING = "-submissions"


def _entries(listing: Listing) -> list[LayoutEntry]:
    tops = {top: inside for top, inside in listing.tops().items() if inside != [""]}
    named = listing.name.removesuffix(_ENDING) if listing.name.endswith(_ENDING) else ""
    prefix = f"{named}-" if named else common_beginning(tops).rpartition("-")[0] + "-"
    return [
        LayoutEntry(label=top, student=top.removeprefix(prefix), files=files_of(top, inside), folder=top)
        for top, inside in tops.items()
        if len(prefix) > 1 and top.startswith(prefix) and top != prefix
    ]


def _recognized(listing: Listing) -> list[LayoutEntry]:
    """Return the entries where the name of the download says what it is: any class may share a prefix."""
    return _entries(listing) if listing.name.endswith(_ENDING) else []


LAYOUT = Layout(name="classroom50", title="Classroom 50 or GitHub Classroom", entries=_recognized)
ON_REQUEST = Layout(name="classroom50", title=LAYOUT.title, entries=_entries)

"""No system: a folder, a zip, a tar archive or a notebook for each student, named after the student."""

from grader.submission.kinds import HAND_IN_ENDINGS, UNREAD_ENDINGS, ending_of, without_ending
from grader.submission.layouts.entry import Layout, LayoutEntry, Listing, files_of


def _entries(listing: Listing) -> list[LayoutEntry]:
    return [
        LayoutEntry(
            label=top,
            student=without_ending(top) if inside == [""] else top,
            files=files_of(top, inside),
            folder="" if inside == [""] else top,
            has_assignments=inside != [""],
        )
        for top, inside in listing.tops().items()
        if inside != [""] or ending_of(top) in HAND_IN_ENDINGS | UNREAD_ENDINGS.keys()
    ]


LAYOUT = Layout(name="plain", title="a folder or file for each student", entries=_entries)

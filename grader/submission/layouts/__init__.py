"""How systems name what an instructor downloads: one file for each, which turns names into hand-ins."""

import itertools
from collections.abc import Iterator
from dataclasses import dataclass, replace

from grader.core.errors import UsageError
from grader.core.suggestions import question
from grader.submission.kinds import ending_of
from grader.submission.layouts import (
    blackboard,
    brightspace,
    canvas,
    classroom50,
    custom,
    gradescope,
    moodle,
    nbgrader,
    plain,
)
from grader.submission.layouts.entry import Layout, LayoutEntry, Listing, newest_first
from grader.submission.tree import PART_FOLDERS

__all__ = ["NAMES", "Layout", "LayoutEntry", "Listing", "Recognized", "newest_first", "recognize"]

_RECOGNIZED = (  # in this order
    moodle.LAYOUT,
    gradescope.LAYOUT,
    blackboard.LAYOUT,
    brightspace.LAYOUT,
    canvas.LAYOUT,
    classroom50.LAYOUT,
    nbgrader.LAYOUT,
)
_BY_NAME = {layout.name: layout for layout in (*_RECOGNIZED, classroom50.ON_REQUEST, plain.LAYOUT)}
NAMES = tuple(_BY_NAME)
_MAX_WRAPPERS = 3  # folders around the hand-ins, as a zip is unpacked into


@dataclass(frozen=True, slots=True, kw_only=True)
class Recognized:
    """The layout of a download, the folder in it that holds the hand-ins ("" or ending in a slash), and its entries.

    `left` are the names beside the entries that are no part of the layout.
    """

    layout: Layout
    base: str
    entries: tuple[LayoutEntry, ...]
    left: tuple[str, ...]
    names: tuple[str, ...]

    @property
    def is_plain(self) -> bool:
        """Tell whether no system is recognized: each folder and file is a student's."""
        return self.layout is plain.LAYOUT


def recognize(listing: Listing, wanted: str | None = None) -> Recognized:
    """Return what a download is, by its names; or how it looks in the layout `wanted`, a name or a regular expression.

    A layout is recognized where it explains more than half of what stands at the top; otherwise the download is plain.
    Raises UsageError where `wanted` is no layout, or fits no name.
    """
    layouts = _RECOGNIZED if wanted is None else (_chosen(wanted),)
    for base, inner in _bases(listing):
        for layout in layouts:
            found = _recognized(layout, base, inner)
            count = len({name.split("/")[0] for name in inner.names} - layout.extras) - len(found.left)
            if found.entries and (wanted is not None or count > len(found.left)):
                return found
    if wanted is not None:
        names = ", ".join(listing.names[:3]) or "nothing"
        raise UsageError(
            f"No file of it is named as --layout {wanted} says. It holds {names}. `--layout plain` takes each folder."
        )
    return _recognized(plain.LAYOUT, *_plain_base(listing))


def _plain_base(listing: Listing) -> tuple[str, Listing]:
    """Return the folder that holds a folder for each student: the deepest one that holds all, and is no hand-in."""
    chosen = ("", listing)
    for base, inner in _bases(listing):
        tops = inner.tops()
        if len(tops) > 1 and not any(top.casefold() in PART_FOLDERS or top.endswith(".py") for top in tops):
            chosen = (base, inner)
    return chosen


def _chosen(wanted: str) -> Layout:
    if wanted in _BY_NAME:
        return _BY_NAME[wanted]
    if wanted.isidentifier():
        raise UsageError(
            f'There is no layout "{wanted}".{question(wanted, NAMES)} There are: {", ".join(NAMES)}; or a regular '
            "expression with the groups student, file and time."
        )
    return custom.layout_of(wanted)


def _bases(listing: Listing) -> Iterator[tuple[str, Listing]]:
    """Yield the download, and what is in the one folder that holds all of it, and in that again."""
    base = ""
    for _ in range(_MAX_WRAPPERS + 1):
        yield base, listing
        folders = [top for top, inside in listing.tops().items() if inside not in ([""], [])]
        others = [top for top, inside in listing.tops().items() if inside == [""] and ending_of(top)]
        if len(folders) != 1 or others:
            return
        base += f"{folders[0]}/"
        listing = listing.below(folders[0])


def _recognized(layout: Layout, base: str, listing: Listing) -> Recognized:
    entries = layout.entries(listing)
    paths = ((*one.files.values(), *one.older, one.folder, one.label) for one in entries)
    used = {path.split("/")[0] for path in itertools.chain.from_iterable(paths)}
    tops = [top for top in listing.tops() if top not in layout.extras]
    return Recognized(
        layout=layout,
        base=base,
        entries=tuple(_moved(entry, base) for entry in entries),
        left=tuple(top for top in tops if top not in used),
        names=tuple(base + name for name in listing.names),
    )


def _moved(entry: LayoutEntry, base: str) -> LayoutEntry:
    """Return an entry whose paths begin at the top of the download."""
    files = {path: base + source for path, source in entry.files.items()}
    return replace(entry, files=files, folder=f"{base}{entry.folder}" if entry.folder else "")

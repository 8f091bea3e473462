"""nbgrader: `submitted/<student>/<assignment>/`, with a `timestamp.txt` that `nbgrader collect` writes."""

from grader.submission.layouts import plain
from grader.submission.layouts.entry import Layout, LayoutEntry, Listing

_FOLDER, _TIMESTAMP = "submitted", "timestamp.txt"


def _entries(listing: Listing) -> list[LayoutEntry]:
    """Return the folders at the top, where some hold `<assignment>/timestamp.txt` or the download is `submitted`."""
    is_dated = any(name.endswith(f"/{_TIMESTAMP}") and name.count("/") == 2 for name in listing.names)
    return plain.LAYOUT.entries(listing) if is_dated or listing.name == _FOLDER else []


LAYOUT = Layout(name="nbgrader", title="nbgrader", entries=_entries)

"""Blackboard, "Download Assignment Files": `<Assignment>_<user>_attempt_<YYYY-MM-DD-hh-mm-ss>_<file>`, side by side.

A receipt `<Assignment>_<user>_attempt_<...>.txt` stands beside each attempt, and names the person:
`Name: Ada Lovelace (alovelace)`. The time is the server's, without a zone.
"""

import re
from collections.abc import Iterable

from grader.core.safetext import one_line
from grader.submission.layouts.entry import Layout, LayoutEntry, Listing, common_beginning, joined
from grader.submission.time_text import read_time

_NAME = re.compile(
    r"(?P<head>.+)_attempt_(?P<time>\d{4}-\d\d-\d\d-\d\d-\d\d-\d\d)(?:_(?P<file>[^/]+)|(?P<receipt>\.txt))"
)
_PERSON = re.compile(r"^Name:[ \t]*(?P<name>[^\n(]{1,200})\((?P<user>[^\n)]{1,100})\)", re.MULTILINE)


def _entries(listing: Listing) -> list[LayoutEntry]:
    found = {top: named for top in listing.names if "/" not in top and (named := _NAME.fullmatch(top))}
    people: dict[str, tuple[str, str]] = {}
    for top, named in found.items():
        if named["receipt"] and (said := _PERSON.search(listing.text(top))):
            people[named["head"]] = (said["user"].strip(), one_line(said["name"]))
    prefix = _prefix({named["head"] for named in found.values()})
    return joined(_entry(top, named, people, prefix) for top, named in found.items())


def _prefix(heads: Iterable[str]) -> str:
    """Return the assignment's name with its underscore: what all heads have in common. Both parts may hold more."""
    found = set(heads)
    common = common_beginning(found)
    return common[: common.rfind("_") + 1]


def _entry(top: str, named: re.Match[str], people: dict[str, tuple[str, str]], prefix: str) -> LayoutEntry:
    head = named["head"]
    user, name = people.get(head, ("", ""))
    student = user if user and head.endswith(f"_{user}") else head.removeprefix(prefix)
    at = read_time(named["time"])
    source = "its name says when" if at else ""
    files = {} if named["receipt"] else {named["file"]: top}
    return LayoutEntry(label=top, student=student or head, name=name, files=files, at=at, source=source)


LAYOUT = Layout(name="blackboard", title="Blackboard", entries=_entries)

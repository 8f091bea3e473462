"""Gradescope, "Export submissions": folders `submission_<id>/`, and `submission_metadata.yml`, which says whose.

The YAML has Ruby symbols as keys: `:created_at`, and `:submitters`, a list of `:name`, `:sid` and `:email`. Of a group
each member gets the hand-in: a mark belongs to a person.
"""

import re
from collections.abc import Iterator
from typing import Any

import yaml

from grader.core.safetext import one_line
from grader.submission.layouts.entry import Layout, LayoutEntry, Listing, files_of
from grader.submission.time_text import read_time

_METADATA = "submission_metadata.yml"
_FOLDER = re.compile(r"submission_\d+")
_MAX_NAMED = 5
_MAX_DEPTH_LEVELS = 20
_Loader = getattr(yaml, "CBaseLoader", yaml.BaseLoader)  # every scalar stays text: nothing is constructed


def _entries(listing: Listing) -> list[LayoutEntry]:
    metadata = _metadata(listing)
    return [
        entry
        for top, inside in listing.tops().items()
        if _FOLDER.fullmatch(top)
        for entry in _of_folder(top, inside, metadata.get(top))
    ]


def _metadata(listing: Listing) -> dict[str, Any]:
    """Return the metadata by folder; nothing where it cannot be read, or is nested too deeply to be built."""
    text = listing.text(_METADATA)
    try:
        found = yaml.load(text, Loader=_Loader) if _is_shallow(text) else None  # noqa: S506 - a base loader makes text only
    except (yaml.YAMLError, RecursionError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def _is_shallow(text: str) -> bool:
    """Tell whether the nesting of a YAML text is limited: the loader in C would overflow the stack of the process."""
    depth = 0
    for event in yaml.parse(text, Loader=_Loader):
        depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
        if depth > _MAX_DEPTH_LEVELS:
            return False
    return True


def _of_folder(top: str, inside: list[str], known: Any) -> Iterator[LayoutEntry]:
    files = files_of(top, inside)
    people = list(_people(known))
    at = read_time(_text(known, "created_at"))
    source = f"{_METADATA} says when" if at else ""
    for student, name, email in people:
        others = [one[1] or one[0] for one in people if one[0] != student][:_MAX_NAMED]
        notes = (f"a group hand-in, with {', '.join(others)}",) if others else ()
        yield LayoutEntry(
            label=top,
            student=student,
            name=name,
            email=email,
            files=files,
            at=at,
            source=source,
            notes=notes,
        )
    if not people:
        yield LayoutEntry(
            label=top, student=top, files=files, notes=(f"{_METADATA} does not say whose this is",)
        )


def _people(known: Any) -> Iterator[tuple[str, str, str]]:
    """Yield key, name and mail of each submitter: the key is the student id, or else the mail, or else the name."""
    submitters = known.get(":submitters") if isinstance(known, dict) else None
    for one in submitters if isinstance(submitters, list) else []:
        name, sid, email = (_text(one, key) for key in ("name", "sid", "email"))
        if key := sid or email or name:
            yield key, name, email


def _text(record: Any, key: str) -> str:
    value = record.get(f":{key}") if isinstance(record, dict) else ""
    return one_line(value) if isinstance(value, str) and value not in ("~", "null") else ""


LAYOUT = Layout(name="gradescope", title="Gradescope", entries=_entries, extras=frozenset({_METADATA}))

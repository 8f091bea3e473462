"""Any other system (ILIAS, Sakai, Stud.IP): a regular expression with the groups `student`, `file` and `time`.

It is matched from the beginning of each file's path, with slashes. What follows the match, or the group `file`, is the
file's path in the hand-in. `file` and `time` may be missing.
"""

import re
from collections.abc import Iterator

from grader.core.errors import UsageError
from grader.core.suggestions import question
from grader.submission.layouts.entry import Layout, LayoutEntry, Listing, joined
from grader.submission.time_text import read_time

GROUPS = ("student", "file", "time")
_EXAMPLE = "'(?P<student>[^/]+)/(?P<file>.+)'"


def layout_of(expression: str) -> Layout:
    """Return the layout of a regular expression. Raises UsageError where it is none, or lacks a group."""
    try:
        compiled = re.compile(expression)
    except (re.error, RecursionError, OverflowError) as error:
        place = getattr(error, "pos", None)
        where = f" at character {place + 1}" if isinstance(place, int) else ""
        reason = getattr(error, "msg", str(error))
        raise UsageError(
            f"--layout is no regular expression: {reason}{where}. An example: --layout {_EXAMPLE}"
        ) from None
    for group in compiled.groupindex:
        if group not in GROUPS:
            raise UsageError(
                f'--layout has a group "{group}"; the groups are student, file and time.{question(group, GROUPS)}'
            )
    if "student" not in compiled.groupindex:
        raise UsageError(f"--layout has no group `student`. An example: --layout {_EXAMPLE}")
    return Layout(
        name="custom",
        title="your regular expression",
        entries=lambda listing: joined(_each(compiled, listing)),
    )


def _each(compiled: re.Pattern[str], listing: Listing) -> Iterator[LayoutEntry]:
    for name in listing.names:
        found = compiled.match(name)
        if found is None or not (student := found["student"]):
            continue
        groups = found.groupdict()
        file = groups.get("file") or name[found.end() :].lstrip("/") or name.rpartition("/")[2]
        said = groups.get("time") or ""
        at = read_time(said) if said else None
        yield LayoutEntry(
            label=name,
            student=student.replace("/", "_"),
            files={} if name.endswith("/") else {file: name},
            at=at,
            source="its name says when" if at else "",
            notes=(f'its time "{said}" cannot be read',) if said and at is None else (),
        )

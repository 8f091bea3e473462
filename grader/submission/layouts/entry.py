"""What a layout reads, the names of a download, and what it makes of them: entries, one for each hand-in."""

import itertools
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime


def _no_text(_: str) -> str:
    return ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Listing:
    """The files of a download: their paths, sorted, with slashes; one that ends in a slash is an empty folder.

    `name` is the name of the folder or zip that holds them. `text` returns the text of a small file, "" where it
    cannot be read.
    """

    name: str = ""
    names: tuple[str, ...]
    text: Callable[[str], str] = _no_text

    def tops(self) -> dict[str, list[str]]:
        """Return what each file or folder at the top holds: paths inside a folder, [""] for a file."""
        found: dict[str, list[str]] = {}
        for name in self.names:
            top, _, inside = name.partition("/")
            paths = found.setdefault(top, [])
            if not name.endswith("/") or inside:
                paths.append(inside)
        return found

    def below(self, folder: str) -> "Listing":
        """Return what a folder at the top holds."""
        prefix = f"{folder}/"
        names = (name.removeprefix(prefix) for name in self.names if name.startswith(prefix))
        return Listing(
            name=folder,
            names=tuple(name for name in names if name),
            text=lambda name: self.text(prefix + name),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class LayoutEntry:
    """One hand-in as a layout recognized it.

    `student` is the key in the gradebook, `name` and `email` what else the download says of the person. `files` maps a
    path in the hand-in to one in the download; `folder` is the folder that is all of it, or "", which
    `has_assignments` if it may hold a hand-in for each. `at` is in UTC, and `source` says where it is from. Of one
    student's entries without a time, that with the highest `order` is newest. `older` are files of the download that
    others of this entry replace.
    """

    label: str
    student: str
    name: str = ""
    email: str = ""
    files: Mapping[str, str] = field(default_factory=dict)
    folder: str = ""
    has_assignments: bool = False
    at: datetime | None = None
    source: str = ""
    order: int = 0
    older: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """How one system names what it lets an instructor download.

    `entries` returns those of the names that are such hand-ins, and may leave others out; `extras` are names of files
    that the system adds at the top.
    """

    name: str
    title: str
    entries: Callable[[Listing], list[LayoutEntry]]
    extras: frozenset[str] = frozenset()


def files_of(top: str, inside: Iterable[str], name: str = "") -> dict[str, str]:
    """Return the files of a folder at the top, or the one file that `top` is, as `name`, by their path in a hand-in."""
    return {path or name or top: f"{top}/{path}" if path else top for path in inside if path[-1:] != "/"}


def joined(entries: Iterable[LayoutEntry]) -> list[LayoutEntry]:
    """Return entries with those of one student, time and order made one: the files of both, and all notes."""
    found: dict[tuple[str, datetime | None, int], LayoutEntry] = {}
    for entry in entries:
        key = (entry.student, entry.at, entry.order)
        found[key] = _with(found[key], entry) if key in found else entry
    return list(found.values())


def _with(entry: LayoutEntry, more: LayoutEntry) -> LayoutEntry:
    files = {
        (f"{more.label}/{path}" if path in entry.files else path): source
        for path, source in more.files.items()
    }
    notes = tuple(dict.fromkeys([*entry.notes, *more.notes]))
    return replace(
        entry,
        files={**entry.files, **files},
        name=entry.name or more.name,
        notes=notes,
        folder="",
        older=(*entry.older, *more.older),
    )


def newest_first(entries: Iterable[LayoutEntry]) -> Iterator[list[LayoutEntry]]:
    """Yield the entries of each student, the newest first, students in the order of the download."""
    by_student: dict[str, list[LayoutEntry]] = {}
    for entry in entries:
        by_student.setdefault(entry.student, []).append(entry)
    for group in by_student.values():
        yield sorted(group, key=lambda one: (one.at.timestamp() if one.at else 0.0, one.order), reverse=True)


def common_beginning(texts: Iterable[str]) -> str:
    """Return the characters with which all texts begin."""
    found = sorted(texts)
    pairs = zip(found[0], found[-1], strict=False) if found else ()
    return "".join(one for one, _ in itertools.takewhile(lambda pair: pair[0] == pair[1], pairs))

"""Finds what a class handed in: in the download of a learning system, as a zip or a folder, or in a folder of its own.

A layout says by the names alone whose each file is (`layouts/`). Nothing is unpacked or run.
"""

import os
import re
import unicodedata
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from grader.core.errors import UsageError
from grader.core.safetext import printable_name
from grader.submission import Folder, layouts
from grader.submission.archive import CLASS_LIMITS, Archive
from grader.submission.class_folder import (
    MAX_STUDENT_BYTES,
    WHOLE_ENDINGS,
    hand_in_entries,
    holds_parts,
    is_of_student,
    listed_names,
    not_one,
    of_student,
    only_one,
    repository_of,
    shortened,
)
from grader.submission.folder import walk
from grader.submission.handed_in import HandedIn
from grader.submission.kinds import MODULE_ENDING, ending_of, without_ending
from grader.submission.layouts import LayoutEntry, Listing, Recognized, newest_first
from grader.submission.litter import is_litter
from grader.submission.tree import PART_FOLDERS, SubmissionTree, top_of

_MAX_TEXT_BYTES = 16 * 2**20  # of a file that a system adds: whose each hand-in is
_AGAIN = re.compile(r"\s*(?:\(\d{1,3}\)|- ?copy)$")  # what systems add to a name that is taken


@dataclass(frozen=True, slots=True, kw_only=True)
class Collected:
    """What a download is, in which layout, and the newest hand-in of each student.

    `older` are hand-ins of the same students before it, newest first; `left` are names that are no hand-in.
    """

    layout: str
    hand_ins: tuple[HandedIn, ...]
    older: tuple[HandedIn, ...] = ()
    left: tuple[str, ...] = ()
    is_plain: bool = False


def find(folder: Path, assignment: str | None = None) -> tuple[HandedIn, ...]:
    """Return the newest hand-in of each student, as `collect` finds them."""
    return collect(folder, assignment).hand_ins


def collect(path: Path, assignment: str | None = None, layout: str | None = None) -> Collected:
    """Return what was handed in: in a zip or a folder of a learning system, or in a folder with one for each student.

    `layout` is the name of a layout, or a regular expression; without it, it is recognized. Of a folder that is no
    submission but holds some, one for each assignment, the one named `assignment` is taken, or the only one. Where one
    cannot be read, is a link, or a student has two, its `problem` says so, and the others are found.
    Raises UsageError if there is no submission, or if the folder itself is one.
    """
    if path.is_dir():
        return _in_folder(path, assignment, layout)
    if ending_of(path.name) != ".zip":
        raise UsageError(
            f"{printable_name(str(path))} is no folder and no zip. Name the zip that was downloaded, or its folder."
        )
    return _in_zip(path, assignment, layout)


def _in_zip(path: Path, assignment: str | None, layout: str | None) -> Collected:
    tree = Archive.of_class(path)
    names = tree.names()
    empty = [f"{name}/" for name in tree.empty_folders() if not any(map(is_litter, name.split("/")))]
    found = layouts.recognize(_listing(path.name, tree, [*names, *empty]), layout)
    if not found.entries:
        raise UsageError(
            f"There is no submission in {printable_name(str(path))}: it holds no folder, zip or notebook. "
            "Name the zip that holds one of them for each student."
        )
    return _collected(
        path, found, [_part(path, tree, entry, assignment) for entry in found.entries], tree.refused
    )


def _listing(name: str, tree: SubmissionTree, names: Sequence[str]) -> Listing:
    def text(name: str) -> str:
        data = tree.read(name, _MAX_TEXT_BYTES)
        return data.decode("utf-8-sig", "replace") if isinstance(data, bytes) else ""

    return Listing(name=printable_name(without_ending(name)), names=tuple(sorted(names)), text=text)


def _part(path: Path, tree: SubmissionTree, entry: LayoutEntry, assignment: str | None) -> HandedIn:
    """Return the files of an entry as one hand-in; of a folder with one for each assignment, the one that is wanted."""
    files, problem = entry.files, ""
    inner = {name.partition("/")[0] for name in files} if entry.has_assignments else set()
    if any(name in files or name.casefold() in PART_FOLDERS for name in inner):
        inner = set()
    if inner:
        chosen = assignment if assignment is not None else next(iter(inner)) if len(inner) == 1 else ""
        problem = not_one(entry.label, sorted(inner), assignment) if chosen not in inner else ""
        if problem and assignment is None and top_of(files):
            return HandedIn(student=entry.student, path=path, whole=tree, files=files)
        files = {
            name.removeprefix(f"{chosen}/"): source
            for name, source in files.items()
            if name.startswith(f"{chosen}/")
        }
    elif not files:
        problem = f"{entry.label} holds no file. Ask for the hand-in, or take it out."
    return HandedIn(student=entry.student, path=path, problem=problem, whole=tree, files=files)


def _in_folder(folder: Path, assignment: str | None, layout: str | None) -> Collected:
    shown = printable_name(str(folder))
    try:
        paths = list(hand_in_entries(folder, strange=True))
        is_one = holds_parts(folder) and not any(map(is_of_student, paths))
    except OSError as error:
        raise UsageError(
            f"{shown} cannot be read: {error.strerror}. Make it readable, and run this again."
        ) from None
    if is_one:
        raise UsageError(
            f"{shown} is one submission: it holds exercises/ or answers/. Name the folder that holds one for each "
            f"student, or grade this one alone: grade --submission {shown}."
        )
    tree = Folder(folder)
    names, links = list[str](), list[str]()
    for entry in walk(folder, is_litter, CLASS_LIMITS.entries):
        name = printable_name(Path(entry.path).relative_to(folder).as_posix())
        (links if entry.is_symlink() else names).append(name)  # a link may lead to another student's file
    listing = _listing(folder.resolve().name, tree, [*names, *_empty_folders(folder, names)])
    found = layouts.recognize(listing, layout)
    if not found.is_plain:
        made = [
            (
                of_student(folder / entry.folder, assignment)
                if entry.has_assignments
                else HandedIn(
                    student=entry.student,
                    path=folder / entry.folder,
                    repository=repository_of(folder / entry.folder),
                )
            )
            if entry.folder
            else _part(folder, tree, entry, assignment)
            for entry in found.entries
        ]
        return _collected(folder, found, made, [f"{name} (a link)" for name in links])
    by_student: dict[str, list[HandedIn]] = {}
    for path in paths:
        one = of_student(path, assignment)
        by_student.setdefault(one.student, []).append(one)
    if not by_student or all(ending_of(path.name) == MODULE_ENDING for path in paths):
        raise UsageError(
            f"There is no submission in {shown}: it holds no folder, zip or notebook. "
            "Name the folder that holds one of them for each student."
        )
    left = tuple(name for name in found.left if name not in {printable_name(path.name) for path in paths})
    return Collected(
        layout=found.layout.title,
        hand_ins=tuple(_with_same_person([only_one(hand_ins, folder) for hand_ins in by_student.values()])),
        left=left,
        is_plain=True,
    )


def _empty_folders(folder: Path, names: Collection[str]) -> list[str]:
    """Return the folders directly in a folder, or in the only folder in it, that hold no file, each with a slash."""
    tops = {name.split("/")[0] for name in names}
    found = [
        f"{name}/"
        for path in hand_in_entries(folder)
        if path.is_dir() and (name := printable_name(path.name)) not in tops
    ]
    if len(tops) == 1 and not found and (inner := Folder(folder).locate(next(iter(tops)))) and inner.is_dir():
        top = next(iter(tops))
        below = _empty_folders(inner, [name.removeprefix(f"{top}/") for name in names])
        return [f"{top}/{name}" for name in below]
    return found


def _collected(
    path: Path, found: Recognized, made: Sequence[HandedIn], refused: Sequence[str] = ()
) -> Collected:
    """Return the hand-ins of a download with what its layout says of them: the newest of each student, and others."""
    described = {
        id(entry): replace(
            one,
            student=shortened(entry.student),
            label=entry.label,
            name=entry.name,
            email=entry.email,
            at=entry.at,
            notes=(*one.notes, *entry.notes),
        )
        for entry, one in zip(found.entries, made, strict=True)
    }
    newest, older = [], []
    for group in newest_first(found.entries):
        first, *others = (described[id(entry)] for entry in group)
        names = listed_names([one.label for one in others], ", ")
        newest.append(replace(first, notes=(*first.notes, f"handed in before: {names}")) if others else first)
        older += others
    strangers = [
        HandedIn(
            student=shortened(name),
            path=path,
            label=name,
            problem=f"it is not named as hand-ins of {found.layout.title} are. Name it so, or take it out, and "
            "run this again.",
        )
        for name in found.left
        if ending_of(name) or any(one.startswith(f"{found.base}{name}/") for one in found.names)
    ]
    taken = {one.label for one in strangers}
    return Collected(
        layout=found.layout.title,
        hand_ins=tuple(_with_same_person([*newest, *strangers])),
        older=tuple(older),
        left=(*(name for name in found.left if name not in taken), *refused),
        is_plain=found.is_plain,
    )


def _with_same_person(hand_ins: Sequence[HandedIn]) -> Iterator[HandedIn]:
    """Yield hand-ins, with a note where another student's name differs in case or by a `(1)` alone."""
    alike: dict[str, list[str]] = {}
    for one in hand_ins:
        alike.setdefault(_person(one.student), []).append(one.student)
    for one in hand_ins:
        others = [name for name in alike[_person(one.student)] if name != one.student]
        note = f"perhaps the same person as {listed_names(others, ', ')}"
        yield replace(one, notes=(*one.notes, note)) if others else one


def _person(student: str) -> str:
    folded = (
        unicodedata.normalize("NFC", student.casefold()) if len(student) <= MAX_STUDENT_BYTES else student
    )
    return _AGAIN.sub("", folded).strip()


def would_be_handed_in(file: Path, folder: Path) -> bool:
    """Tell whether a file that is written there would be part of what `find` takes for a hand-in below `folder`."""
    holders = Path(os.path.realpath(file)).parents
    depth = next((depth for depth, holder in enumerate(holders) if _are_same(holder, folder)), None)
    return depth is not None and (depth > 0 or ending_of(file.name) in WHOLE_ENDINGS)


def _are_same(one: Path, other: Path) -> bool:
    """Compare two folders as files: a name may be written in several ways."""
    try:
        return one.samefile(other)
    except OSError:
        return False

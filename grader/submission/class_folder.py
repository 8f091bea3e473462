"""A folder that holds a folder, zip, archive or notebook for each student, or a folder for each assignment in those."""

import hashlib
import itertools
import os
from collections.abc import Iterator, Sequence
from pathlib import Path

from grader.core.safetext import printable_name
from grader.submission import Folder
from grader.submission.folder import entries
from grader.submission.handed_in import HandedIn
from grader.submission.kinds import (
    HAND_IN_ENDINGS,
    MODULE_ENDING,
    NOTEBOOK_ENDING,
    UNREAD_ENDINGS,
    ending_of,
    without_ending,
)
from grader.submission.litter import is_litter
from grader.submission.tree import MAX_ENTRIES, PART_FOLDERS, top_of

WHOLE_ENDINGS = HAND_IN_ENDINGS - {MODULE_ENDING}  # of files that are a whole hand-in
MAX_STUDENT_BYTES = 200  # a report file's name has a suffix too, and 255 bytes at most
_MAX_NAMED_HAND_INS = 6
_DIGITS = 12  # of a hash, in the place of what is cut


def of_student(path: Path, assignment: str | None) -> HandedIn:
    """Return what a folder or file of a class is: a hand-in, or one with a `problem`."""
    student = _student(path)
    if not _is_plain(path):
        kind = (
            "is a link, and links are not followed" if path.is_symlink() else "is neither a folder nor a file"
        )
        problem = f"{printable_name(path.name)} {kind}. Put a copy of the hand-in in its place."
        return HandedIn(student=student, path=path, problem=problem)
    if path.is_file() and ending_of(path.name) == MODULE_ENDING:
        problem = (
            f"{printable_name(path.name)} is one module, and nothing says whose. Put it into a folder named after its "
            "student, and run this again."
        )
        return HandedIn(student=student, path=path, problem=problem)
    try:
        inner = [] if path.is_file() or is_submission(path) else list(_assignments(path))
    except OSError as error:
        problem = f"{printable_name(path.name)} cannot be read: {error.strerror}. Make it readable, and run this again."
        return HandedIn(student=student, path=path, problem=problem)
    if not inner:
        return HandedIn(student=student, path=path, repository=repository_of(path))
    if assignment is None and len(inner) > 1 and top_of(Folder(path).names()):
        return HandedIn(student=student, path=path, repository=repository_of(path))
    wanted = [one for one in inner if assignment is None or _name(one) == assignment]
    if len(wanted) == 1:
        chosen = wanted[0]
        within = repository_of(chosen) or repository_of(path) if chosen.is_dir() else None
        return HandedIn(student=student, path=chosen, repository=within)
    names = [printable_name(_name(one)) for one in inner]
    problem = not_one(printable_name(path.name), names, None if wanted else assignment)
    return HandedIn(student=student, path=path, problem=problem)


def only_one(hand_ins: Sequence[HandedIn], folder: Path) -> HandedIn:
    """Return the hand-in of a student, with a problem if there are several: nothing says which one counts."""
    first = hand_ins[0]
    if len(hand_ins) == 1:
        return first
    names = [printable_name(one.path.name) for one in hand_ins]
    if len(set(names)) < len(names):  # they look alike, such as the two ways to write an accent
        names = [ascii(one.path.name) for one in hand_ins]
    problem = (
        f"{first.student} handed in twice: {listed_names(names, ' and ')}. "
        f"Take one of them out of {printable_name(str(folder))}, and run this again."
    )
    return HandedIn(student=first.student, path=first.path, problem=problem)


def not_one(shown: str, names: Sequence[str], assignment: str | None) -> str:
    """Return that a student's folder holds none of the wanted assignment, or several where none is named."""
    listed = listed_names(names, ", ")
    if assignment is not None:
        return f"{shown} holds nothing named {assignment}; it holds {listed}."
    return f"{shown} holds several hand-ins: {listed}. Name one: --assignment NAME."


def listed_names(names: Sequence[str], comma: str) -> str:
    """Return the first few names in a row."""
    return comma.join(names[:_MAX_NAMED_HAND_INS])


def repository_of(folder: Path) -> Path | None:
    """Return a folder that is a git checkout; None for another."""
    return folder if os.path.lexists(folder / ".git") else None


def is_submission(folder: Path) -> bool:
    """Tell whether a folder holds exercises/, answers/, modules or notebooks. Raises OSError if it cannot be read."""
    names = (entry.name for entry in entries(folder))
    return holds_parts(folder) or any(name.endswith((MODULE_ENDING, NOTEBOOK_ENDING)) for name in names)


def is_of_student(path: Path) -> bool:
    """Tell whether an entry holds exercises/ or answers/: then the folder around it is a class.

    A student may be named like one of them, and must not make a class look like one submission.
    """
    try:
        return path.is_dir() and holds_parts(path)
    except OSError:
        return False


def holds_parts(folder: Path) -> bool:
    """Tell whether a folder holds exercises/ or answers/. Raises OSError if it cannot be read."""
    return any((folder / name).is_dir() for name in PART_FOLDERS) or any(
        entry.name.casefold() in PART_FOLDERS and entry.is_dir(follow_symlinks=False)
        for entry in entries(folder)
    )


def hand_in_entries(folder: Path, most: int | None = None, *, strange: bool = False) -> Iterator[Path]:
    """Yield the folders, zips and notebooks in a folder, sorted by name; of the first `most` entries, or of all.

    With `strange` also links to folders, and what has the name of a zip or a notebook and is none: somebody may have
    handed it in. Raises OSError where the folder cannot be listed.
    """
    with os.scandir(folder) as listed:
        names = sorted(entry.name for entry in itertools.islice(listed, most))
    for name in names:
        path = folder / name
        if is_litter(name):
            continue
        if (strange or _is_plain(path)) and (path.is_dir() or _has_ending_of_one(path)):
            yield path


def _is_plain(path: Path) -> bool:
    """Tell whether a path is a folder or a regular file, and no link to one."""
    return not path.is_symlink() and (path.is_dir() or path.is_file())


def _assignments(folder: Path) -> Iterator[Path]:
    """Yield the folders and files in a student's folder that may each be a hand-in."""
    for path in hand_in_entries(folder, MAX_ENTRIES):
        if path.is_dir() or ending_of(path.name) in WHOLE_ENDINGS:
            yield path


def _has_ending_of_one(path: Path) -> bool:
    return ending_of(path.name) in HAND_IN_ENDINGS | UNREAD_ENDINGS.keys()


def _name(path: Path) -> str:
    return path.name if path.is_dir() else without_ending(path.name)


def _student(path: Path) -> str:
    """Return the name of a student as every record has it: printable, and short enough for the name of a file."""
    return shortened(printable_name(_name(path)), os.fsencode(_name(path)))


def shortened(name: str, whole: bytes | None = None) -> str:
    """Return a name of at most MAX_STUDENT_BYTES; one that is longer ends in a hash of `whole`, or of all of it."""
    data = name.encode()
    if len(data) <= MAX_STUDENT_BYTES:
        return name
    digest = hashlib.sha256(whole or data).hexdigest()[:_DIGITS]
    return f"{data[: MAX_STUDENT_BYTES - _DIGITS - 1].decode('utf-8', 'ignore')}-{digest}"

"""Finds what a class handed in: in the download of a learning system, as a zip or a folder, or in a folder of its own.

A layout says by the names alone whose each file is (`layouts/`). Nothing is unpacked or run.
"""

import hashlib
import itertools
import os
import re
import unicodedata
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from grader.core.errors import UsageError
from grader.core.safetext import one_line, printable_name
from grader.submission import (
    Folder,
    Submission,
    Unreadable,
    git_checkout,
    layouts,
    open_submission,
    submission_of,
    top_folder,
)
from grader.submission.archive import CLASS_LIMITS, Archive
from grader.submission.folder import changed_at, entries, walk
from grader.submission.kinds import (
    HAND_IN_ENDINGS,
    MODULE_ENDING,
    NOTEBOOK_ENDING,
    UNREAD_ENDINGS,
    ending_of,
    without_ending,
)
from grader.submission.layouts import LayoutEntry, Listing, Recognized, newest_first
from grader.submission.litter import is_litter
from grader.submission.part import Part
from grader.submission.time_text import EARLIEST, LATEST, in_utc, zone_of
from grader.submission.tree import MAX_ENTRIES, PART_FOLDERS, SubmissionTree, top_of

_TIMESTAMP = "timestamp.txt"  # written by nbgrader when it collects: 2026-11-30 23:58:07.123456 Europe/Berlin
_MAX_TIMESTAMP_BYTES = 200
_MAX_TEXT_BYTES = 16 * 2**20  # of a file that a system adds: whose each hand-in is
_FILE_ENDINGS = HAND_IN_ENDINGS - {MODULE_ENDING}  # of files that are a whole hand-in
_MAX_NAMED_FILES = 3
_MAX_NAMED_HAND_INS = 6
_MAX_STUDENT_BYTES = 200  # a report file's name has a suffix too, and 255 bytes at most
_DIGITS = 12  # of a hash, in the place of what is cut
_AGAIN = re.compile(r"\s*(?:\(\d{1,3}\)|- ?copy)$")  # what systems add to a name that is taken


@dataclass(frozen=True, slots=True, kw_only=True)
class Moment:
    """When something was handed in. `note` is for instructors: why the time may be wrong, or ""."""

    at: datetime
    note: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class HandedIn:
    """What one student handed in: a folder, an archive or a notebook. `problem` says why it cannot be opened, or "".

    Where a download holds several files of one hand-in, `files` maps their paths in the hand-in to those in `whole`.
    `repository` is the git checkout that a folder is, or that it is part of, if that is the student's too. `label` is
    what the download calls it, `name` and `email` what it says of the person, `at` the time that it says, and `notes`
    are remarks for instructors.
    """

    student: str
    path: Path
    repository: Path | None = None
    problem: str = ""
    whole: SubmissionTree | None = None
    files: Mapping[str, str] | None = None
    label: str = ""
    name: str = ""
    email: str = ""
    at: datetime | None = None
    notes: tuple[str, ...] = ()

    def open(self) -> Submission:
        """Open it. Raises UsageError where it cannot be read."""
        if self.problem:
            raise UsageError(self.problem)
        if self.whole is not None and self.files is not None:
            return submission_of(Part.of(self.whole, self.files))
        return open_submission(self.path)

    def moment(self, read: Mapping[str, bytes | Unreadable], tree: SubmissionTree | None = None) -> Moment:
        """Return the time that the download says, else that of nbgrader's timestamp.txt, of HEAD, of files.

        `read` are the files that were read for grading, by path in `tree`: the newest of them tells the time, and those
        that are not in the commit are named.
        """
        if self.at is not None:
            return Moment(at=self.at)
        collected = self._collected_at()
        if isinstance(collected, datetime):
            return Moment(at=collected)
        problems = [collected] if collected else []
        if self.repository is not None:
            found = git_checkout.head(self.repository, top_folder(self.path).path, read)
            if isinstance(found, git_checkout.Commit) and EARLIEST <= found.at <= LATEST:
                notes = [*problems, _uncommitted(found.changed)]
                return Moment(at=found.at, note="; ".join(filter(None, notes)))
            reason = (
                found.reason if isinstance(found, git_checkout.NoCommit) else f"committed in {found.at.year}"
            )
            problems.append(f"a git checkout, but {reason}")
        return _newest(list(self._times(read, tree)) or [_changed_at(self.path)], problems)

    def _times(self, read: Mapping[str, bytes | Unreadable], tree: SubmissionTree | None) -> Iterator[float]:
        """Yield when the files that were read were written, in seconds; where none was read, those of all files."""
        if tree is not None and read:
            yield from map(tree.written_at, read)
        elif self.whole is not None and self.files is not None:
            yield from map(self.whole.written_at, self.files.values())
        elif os.path.isdir(self.path):  # noqa: PTH112 - raises nothing
            yield from (_changed_at(Path(entry.path)) for entry in walk(self.path, is_litter))

    def _collected_at(self) -> datetime | str:
        """Return the time that nbgrader wrote, or why it cannot be used; "" where there is none."""
        if self.whole is None or self.files is None:
            return _stamp(Folder(self.path).read(_TIMESTAMP, _MAX_TIMESTAMP_BYTES))
        name = next(
            (one for one in self.files if one.rpartition("/")[2] == _TIMESTAMP and one.count("/") < 2), None
        )
        return _stamp(self.whole.read(self.files[name], _MAX_TIMESTAMP_BYTES)) if name is not None else ""


def _newest(times: Sequence[float], problems: list[str]) -> Moment:
    """Return the latest of the times of files, in seconds; `problems` say why no other time is known."""
    usable = [at for at in times if EARLIEST.timestamp() <= at <= LATEST.timestamp()]
    if len(usable) < len(times):
        problems = [*problems, "a file was changed at a time that cannot be true"]
    at = datetime.fromtimestamp(max(usable), UTC) if usable else EARLIEST
    source = (
        "its newest file tells the time" if usable else f"nothing tells the time, so it is that of {at.year}"
    )
    return Moment(at=at, note=f"{'; '.join(problems)}: {source}" if problems else "")


def _changed_at(path: Path) -> float:
    return changed_at(path)


def _uncommitted(names: Sequence[str]) -> str:
    if not names:
        return ""
    more = f" and {len(names) - _MAX_NAMED_FILES} more" if len(names) > _MAX_NAMED_FILES else ""
    return f"not in its last commit, or changed since: {', '.join(names[:_MAX_NAMED_FILES])}{more}"


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
        problem = _not_one(entry.label, sorted(inner), assignment) if chosen not in inner else ""
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
        paths = list(_entries(folder, strange=True))
        is_one = _holds_parts(folder) and not any(map(_is_of_student, paths))
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
                _of_student(folder / entry.folder, assignment)
                if entry.has_assignments
                else HandedIn(
                    student=entry.student,
                    path=folder / entry.folder,
                    repository=_repository(folder / entry.folder),
                )
            )
            if entry.folder
            else _part(folder, tree, entry, assignment)
            for entry in found.entries
        ]
        return _collected(folder, found, made, [f"{name} (a link)" for name in links])
    by_student: dict[str, list[HandedIn]] = {}
    for path in paths:
        one = _of_student(path, assignment)
        by_student.setdefault(one.student, []).append(one)
    if not by_student or all(ending_of(path.name) == MODULE_ENDING for path in paths):
        raise UsageError(
            f"There is no submission in {shown}: it holds no folder, zip or notebook. "
            "Name the folder that holds one of them for each student."
        )
    left = tuple(name for name in found.left if name not in {printable_name(path.name) for path in paths})
    return Collected(
        layout=found.layout.title,
        hand_ins=tuple(_with_same_person([_only(hand_ins, folder) for hand_ins in by_student.values()])),
        left=left,
        is_plain=True,
    )


def _empty_folders(folder: Path, names: Collection[str]) -> list[str]:
    """Return the folders directly in a folder, or in the only folder in it, that hold no file, each with a slash."""
    tops = {name.split("/")[0] for name in names}
    found = [
        f"{name}/"
        for path in _entries(folder)
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
            student=_shortened(entry.student),
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
        names = ", ".join(one.label for one in others[:_MAX_NAMED_HAND_INS])
        newest.append(replace(first, notes=(*first.notes, f"handed in before: {names}")) if others else first)
        older += others
    strangers = [
        HandedIn(
            student=_shortened(name),
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
        note = f"perhaps the same person as {_listed(others, ', ')}"
        yield replace(one, notes=(*one.notes, note)) if others else one


def _person(student: str) -> str:
    folded = (
        unicodedata.normalize("NFC", student.casefold()) if len(student) <= _MAX_STUDENT_BYTES else student
    )
    return _AGAIN.sub("", folded).strip()


def would_be_handed_in(file: Path, folder: Path) -> bool:
    """Tell whether a file that is written there would be part of what `find` takes for a hand-in below `folder`."""
    holders = Path(os.path.realpath(file)).parents
    depth = next((depth for depth, holder in enumerate(holders) if _are_same(holder, folder)), None)
    return depth is not None and (depth > 0 or ending_of(file.name) in _FILE_ENDINGS)


def _are_same(one: Path, other: Path) -> bool:
    """Compare two folders as files: a name may be written in several ways."""
    try:
        return one.samefile(other)
    except OSError:
        return False


def _only(hand_ins: Sequence[HandedIn], folder: Path) -> HandedIn:
    """Return the hand-in of a student, with a problem if there are several: nothing says which one counts."""
    first = hand_ins[0]
    if len(hand_ins) == 1:
        return first
    names = [printable_name(one.path.name) for one in hand_ins]
    if len(set(names)) < len(names):  # they look alike, such as the two ways to write an accent
        names = [ascii(one.path.name) for one in hand_ins]
    problem = (
        f"{first.student} handed in twice: {_listed(names, ' and ')}. "
        f"Take one of them out of {printable_name(str(folder))}, and run this again."
    )
    return HandedIn(student=first.student, path=first.path, problem=problem)


def _of_student(path: Path, assignment: str | None) -> HandedIn:
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
        return HandedIn(student=student, path=path, repository=_repository(path))
    if assignment is None and len(inner) > 1 and top_of(Folder(path).names()):
        return HandedIn(student=student, path=path, repository=_repository(path))
    wanted = [one for one in inner if assignment is None or _name(one) == assignment]
    if len(wanted) == 1:
        chosen = wanted[0]
        within = _repository(chosen) or _repository(path) if chosen.is_dir() else None
        return HandedIn(student=student, path=chosen, repository=within)
    names = [printable_name(_name(one)) for one in inner]
    problem = _not_one(printable_name(path.name), names, None if wanted else assignment)
    return HandedIn(student=student, path=path, problem=problem)


def _not_one(shown: str, names: Sequence[str], assignment: str | None) -> str:
    """Return that a student's folder holds none of the wanted assignment, or several where none is named."""
    listed = _listed(names, ", ")
    if assignment is not None:
        return f"{shown} holds nothing named {assignment}; it holds {listed}."
    return f"{shown} holds several hand-ins: {listed}. Name one: --assignment NAME."


def _listed(names: Sequence[str], comma: str) -> str:
    return comma.join(names[:_MAX_NAMED_HAND_INS])


def _repository(folder: Path) -> Path | None:
    return folder if os.path.lexists(folder / ".git") else None


def is_submission(folder: Path) -> bool:
    """Tell whether a folder holds exercises/, answers/, modules or notebooks. Raises OSError if it cannot be read."""
    names = (entry.name for entry in entries(folder))
    return _holds_parts(folder) or any(name.endswith((MODULE_ENDING, NOTEBOOK_ENDING)) for name in names)


def _is_of_student(path: Path) -> bool:
    """Tell whether an entry holds exercises/ or answers/: then the folder around it is a class.

    A student may be named like one of them, and must not make a class look like one submission.
    """
    try:
        return path.is_dir() and _holds_parts(path)
    except OSError:
        return False


def _holds_parts(folder: Path) -> bool:
    return any((folder / name).is_dir() for name in PART_FOLDERS) or any(
        entry.name.casefold() in PART_FOLDERS and entry.is_dir(follow_symlinks=False)
        for entry in entries(folder)
    )


def _entries(folder: Path, most: int | None = None, *, strange: bool = False) -> Iterator[Path]:
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
    for path in _entries(folder, MAX_ENTRIES):
        if path.is_dir() or ending_of(path.name) in _FILE_ENDINGS:
            yield path


def _has_ending_of_one(path: Path) -> bool:
    return ending_of(path.name) in HAND_IN_ENDINGS | UNREAD_ENDINGS.keys()


def _name(path: Path) -> str:
    return path.name if path.is_dir() else without_ending(path.name)


def _student(path: Path) -> str:
    """Return the name of a student as every record has it: printable, and short enough for the name of a file."""
    return _shortened(printable_name(_name(path)), os.fsencode(_name(path)))


def _shortened(name: str, whole: bytes | None = None) -> str:
    """Return a name of at most _MAX_STUDENT_BYTES; one that is longer ends in a hash of `whole`, or of all of it."""
    data = name.encode()
    if len(data) <= _MAX_STUDENT_BYTES:
        return name
    digest = hashlib.sha256(whole or data).hexdigest()[:_DIGITS]
    return f"{data[: _MAX_STUDENT_BYTES - _DIGITS - 1].decode('utf-8', 'ignore')}-{digest}"


def _stamp(data: bytes | Unreadable | None) -> datetime | str:
    """Return the time in a timestamp.txt, or why it cannot be used; "" where there is none."""
    if data is None:
        return ""
    if isinstance(data, Unreadable):
        return data.sentence.removesuffix(".")
    said = data.decode("utf-8", "replace").strip()
    date, _, rest = said.partition(" ")
    clock, _, named = rest.partition(" ")
    zone = zone_of(named.strip() or "UTC")
    found = None
    try:
        at = datetime.fromisoformat(f"{date} {clock}")
        found = in_utc(at if at.tzinfo else at.replace(tzinfo=zone)) if at.tzinfo or zone else None
    except ValueError:
        found = None
    return found or f'{_TIMESTAMP} says "{one_line(said, limit=60)}"'

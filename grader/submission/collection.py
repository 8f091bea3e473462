"""Finds what a class handed in: a folder, zip or notebook for each student, or `<student>/<assignment>/` trees."""

import hashlib
import itertools
import math
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from grader.core.errors import UsageError
from grader.core.safetext import one_line, printable_name
from grader.submission import Folder, Submission, Unreadable, git_checkout, open_submission
from grader.submission.folder import entries, walk
from grader.submission.notebook import ENDING
from grader.submission.tree import MAX_ENTRIES

# A time outside of these is no time of a hand-in, and few programs can calculate with it.
EARLIEST, LATEST = datetime(1970, 1, 1, tzinfo=UTC), datetime(2200, 1, 1, tzinfo=UTC)

_TIMESTAMP = "timestamp.txt"  # written by nbgrader when it collects: 2026-11-30 23:58:07.123456 Europe/Berlin
_MAX_TIMESTAMP_BYTES = 200
_FILE_ENDINGS = (".zip", ENDING)  # of files that are hand-ins
_MAX_NAMED_FILES = 3
_MAX_NAMED_HAND_INS = 6
_MAX_STUDENT_BYTES = 200  # a report file's name has a suffix too, and 255 bytes at most
_NO_STUDENTS = {"__MACOSX", "__pycache__"}  # folders that programs make
_DIGITS = 12  # of a hash, in the place of what is cut


@dataclass(frozen=True, slots=True, kw_only=True)
class Moment:
    """When something was handed in. `note` is for instructors: why the time may be wrong, or ""."""

    at: datetime
    note: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class HandedIn:
    """What one student handed in: a folder, a zip or a notebook. `problem` says why it cannot be opened, or "".

    `repository` is the git checkout that a folder is, or that it is part of, if that is the student's too.
    """

    student: str
    path: Path
    repository: Path | None = None
    problem: str = ""

    def open(self) -> Submission:
        """Open it. Raises UsageError where it cannot be read."""
        if self.problem:
            raise UsageError(self.problem)
        return open_submission(self.path)

    def moment(self, read: Mapping[str, bytes | Unreadable]) -> Moment:
        """Return the time in nbgrader's timestamp.txt, else that of the checkout's HEAD, else that of the newest file.

        `read` are the files that were read for grading, by path: those that are not in the commit are named.
        """
        collected = _collected_at(self.path)
        if isinstance(collected, datetime):
            return Moment(at=collected)
        problems = [collected] if collected else []
        if self.repository is not None:
            found = git_checkout.head(self.repository, self.path, read)
            if isinstance(found, git_checkout.Commit) and EARLIEST <= found.at <= LATEST:
                notes = [*problems, _uncommitted(found.changed)]
                return Moment(at=found.at, note="; ".join(filter(None, notes)))
            reason = (
                found.reason if isinstance(found, git_checkout.NoCommit) else f"committed in {found.at.year}"
            )
            problems.append(f"a git checkout, but {reason}")
        return _newest(self.path, problems)


def _newest(path: Path, problems: list[str]) -> Moment:
    """Return the time of a file, or of the newest file in a folder; `problems` say why no other time is known."""
    times = (os.path.isdir(path) and list(_times_in(path))) or [_changed_at(path)]  # noqa: PTH112 - raises nothing
    usable = [at for at in times if EARLIEST.timestamp() <= at <= LATEST.timestamp()]
    if len(usable) < len(times):
        problems = [*problems, "a file was changed at a time that cannot be true"]
    at = datetime.fromtimestamp(max(usable), UTC) if usable else EARLIEST
    source = (
        "its newest file tells the time" if usable else f"nothing tells the time, so it is that of {at.year}"
    )
    return Moment(at=at, note=f"{'; '.join(problems)}: {source}" if problems else "")


def _times_in(folder: Path) -> Iterator[float]:
    """Yield when the files in a folder were changed, in seconds; not git's: even `git status` writes into .git."""
    for entry in walk(folder, ".git".__eq__):
        yield _changed_at(Path(entry.path))


def _changed_at(path: Path) -> float:
    """Return when a file was changed, in seconds; infinity where it has vanished."""
    try:
        return path.lstat().st_mtime
    except OSError:
        return math.inf


def _uncommitted(names: Sequence[str]) -> str:
    if not names:
        return ""
    more = f" and {len(names) - _MAX_NAMED_FILES} more" if len(names) > _MAX_NAMED_FILES else ""
    return f"not in its last commit, or changed since: {', '.join(names[:_MAX_NAMED_FILES])}{more}"


def find(folder: Path, assignment: str | None = None) -> tuple[HandedIn, ...]:
    """Return what was handed in below a folder, by student.

    Every folder, zip and notebook in it is a student's. A folder that is not a submission but holds some, one for each
    assignment, gives the one named `assignment`, or the only one. Hidden entries and other files are ignored. Where one
    cannot be read, is a link, or a student has two, its `problem` says so, and the others are found.
    Raises UsageError if there is no submission, or if the folder itself is one.
    """
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
    found: dict[str, list[HandedIn]] = {}
    for path in paths:
        one = _of_student(path, assignment)
        found.setdefault(one.student, []).append(one)
    if not found:
        raise UsageError(
            f"There is no submission in {shown}: it holds no folder, zip or notebook. "
            "Name the folder that holds one of them for each student."
        )
    return tuple(_only(hand_ins, folder) for hand_ins in found.values())


def would_be_handed_in(file: Path, folder: Path) -> bool:
    """Tell whether a file that is written there would be part of what `find` takes for a hand-in below `folder`."""
    holders = Path(os.path.realpath(file)).parents
    depth = next((depth for depth, holder in enumerate(holders) if _are_same(holder, folder)), None)
    return depth is not None and (depth > 0 or file.suffix.lower() in _FILE_ENDINGS)


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
    try:
        inner = [] if path.is_file() or is_submission(path) else list(_entries(path, MAX_ENTRIES))
    except OSError as error:
        problem = f"{printable_name(path.name)} cannot be read: {error.strerror}. Make it readable, and run this again."
        return HandedIn(student=student, path=path, problem=problem)
    if not inner:
        return HandedIn(student=student, path=path, repository=_repository(path))
    wanted = [one for one in inner if assignment is None or _name(one) == assignment]
    if len(wanted) == 1:
        chosen = wanted[0]
        within = _repository(chosen) or _repository(path) if chosen.is_dir() else None
        return HandedIn(student=student, path=chosen, repository=within)
    listed = _listed([printable_name(_name(one)) for one in inner], ", ")
    problem = (
        f"{printable_name(path.name)} holds nothing named {assignment}; it holds {listed}."
        if assignment is not None and not wanted
        else f"{printable_name(path.name)} holds several hand-ins: {listed}. Name one: --assignment NAME."
    )
    return HandedIn(student=student, path=path, problem=problem)


def _listed(names: Sequence[str], comma: str) -> str:
    return comma.join(names[:_MAX_NAMED_HAND_INS])


def _repository(folder: Path) -> Path | None:
    return folder if os.path.lexists(folder / ".git") else None


def is_submission(folder: Path) -> bool:
    """Tell whether a folder holds exercises/, answers/, modules or notebooks. Raises OSError if it cannot be read."""
    return _holds_parts(folder) or any(entry.name.endswith((".py", ENDING)) for entry in entries(folder))


def _is_of_student(path: Path) -> bool:
    """Tell whether an entry holds exercises/ or answers/: then the folder around it is a class.

    A student may be named like one of them, and must not make a class look like one submission.
    """
    try:
        return path.is_dir() and _holds_parts(path)
    except OSError:
        return False


def _holds_parts(folder: Path) -> bool:
    return any((folder / name).is_dir() for name in ("exercises", "answers"))


def _entries(folder: Path, most: int | None = None, *, strange: bool = False) -> Iterator[Path]:
    """Yield the folders, zips and notebooks in a folder, sorted by name; of the first `most` entries, or of all.

    With `strange` also links to folders, and what has the name of a zip or a notebook and is none: somebody may have
    handed it in. Raises OSError where the folder cannot be listed.
    """
    with os.scandir(folder) as listed:
        names = sorted(entry.name for entry in itertools.islice(listed, most))
    for name in names:
        path = folder / name
        if name.startswith(".") or name in _NO_STUDENTS:
            continue
        if (strange or _is_plain(path)) and (path.is_dir() or _has_ending_of_one(path)):
            yield path


def _is_plain(path: Path) -> bool:
    """Tell whether a path is a folder or a regular file, and no link to one."""
    return not path.is_symlink() and (path.is_dir() or path.is_file())


def _has_ending_of_one(path: Path) -> bool:
    return path.suffix.lower() in _FILE_ENDINGS


def _name(path: Path) -> str:
    return path.stem if _has_ending_of_one(path) and not path.is_dir() else path.name


def _student(path: Path) -> str:
    """Return the name of a student as every record has it: printable, and short enough for the name of a file."""
    name = printable_name(_name(path))
    data = name.encode()
    if len(data) <= _MAX_STUDENT_BYTES:
        return name
    digest = hashlib.sha256(os.fsencode(_name(path))).hexdigest()[:_DIGITS]
    return f"{data[: _MAX_STUDENT_BYTES - _DIGITS - 1].decode('utf-8', 'ignore')}-{digest}"


def _collected_at(folder: Path) -> datetime | str:
    """Return the time that nbgrader wrote, or why it cannot be used; "" where there is none."""
    data = Folder(folder).read(_TIMESTAMP, _MAX_TIMESTAMP_BYTES)
    if data is None:
        return ""
    if isinstance(data, Unreadable):
        return data.sentence.removesuffix(".")
    said = data.decode("utf-8", "replace").strip()
    date, _, rest = said.partition(" ")
    clock, _, zone = rest.partition(" ")
    try:
        at = datetime.fromisoformat(f"{date} {clock}")
        at = (at if at.tzinfo else at.replace(tzinfo=ZoneInfo(zone or "UTC"))).astimezone(UTC)
    except (ValueError, OverflowError, ZoneInfoNotFoundError, OSError):
        at = datetime.min.replace(tzinfo=UTC)
    return at if EARLIEST <= at <= LATEST else f'{_TIMESTAMP} says "{one_line(said, limit=60)}"'

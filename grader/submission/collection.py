"""Finds what a class handed in: a folder, zip or notebook for each student, or `<student>/<assignment>/` trees."""

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from grader.core.errors import UsageError
from grader.submission import Submission, Unreadable, git_checkout, open_submission
from grader.submission.notebook import ENDING

_TIMESTAMP = "timestamp.txt"  # written by nbgrader when it collects: 2026-11-30 23:58:07.123456 Europe/Berlin
_MAX_TIMESTAMP_BYTES = 200
_MAX_NAMED_FILES = 3
_MAX_NAMED_HAND_INS = 6


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
        collected = _collected_at(self.path / _TIMESTAMP)
        if collected is not None:
            return Moment(at=collected)
        if self.repository is None:
            return Moment(at=self._newest())
        found = git_checkout.head(self.repository, self.path, read)
        if isinstance(found, git_checkout.NoCommit):
            return Moment(
                at=self._newest(),
                note=f"a git checkout, but {found.reason}: the time is that of its newest file",
            )
        return Moment(at=found.at, note=_uncommitted(found.changed))

    def _newest(self) -> datetime:
        """Return the time of the file, or of the newest file in the folder."""
        files = (
            [self.path] if self.path.is_file() else [p for p in self.path.rglob("*") if _counts(p, self.path)]
        )
        newest = max((p.lstat().st_mtime for p in files), default=self.path.lstat().st_mtime)
        return datetime.fromtimestamp(newest, UTC)


def _counts(path: Path, folder: Path) -> bool:
    """Return whether this is the student's file and not git's: even `git status` writes into .git."""
    return path.is_file() and ".git" not in path.relative_to(folder).parts


def _uncommitted(names: Sequence[str]) -> str:
    if not names:
        return ""
    more = f" and {len(names) - _MAX_NAMED_FILES} more" if len(names) > _MAX_NAMED_FILES else ""
    return f"not in its last commit, or changed since: {', '.join(names[:_MAX_NAMED_FILES])}{more}"


def find(folder: Path, assignment: str | None = None) -> tuple[HandedIn, ...]:
    """Return what was handed in below a folder, by student.

    Every folder, zip and notebook in it is a student's. A folder that is not a submission but holds some, one for each
    assignment, gives the one named `assignment`, or the only one. Hidden entries and other files are ignored, and links
    are not followed. Raises UsageError if there is no submission, if the folder itself is one, and if a student has
    two, as nothing says which one counts.
    """
    if _holds_parts(folder):
        raise UsageError(
            f"{folder} is one submission: it holds exercises/ or answers/. Name the folder that holds one for each "
            f"student, or grade this one alone: grade --submission {folder}."
        )
    found: dict[str, HandedIn] = {}
    for path in _entries(folder):
        one = _of_student(path, assignment)
        if one.student in found:
            raise UsageError(
                f"{one.student} handed in twice: {found[one.student].path.name} and {path.name}. "
                f"Take one of them out of {folder}, and run this again."
            )
        found[one.student] = one
    if not found:
        raise UsageError(
            f"There is no submission in {folder}: it holds no folder, zip or notebook. "
            "Name the folder that holds one of them for each student."
        )
    return tuple(found.values())


def _of_student(path: Path, assignment: str | None) -> HandedIn:
    student = _name(path)
    inner = [] if path.is_file() or _is_submission(path) else list(_entries(path))
    if not inner:
        return HandedIn(student=student, path=path, repository=_repository(path))
    names = [_name(one) for one in inner]
    wanted = [one for one in inner if assignment is None or _name(one) == assignment]
    if len(wanted) == 1:
        chosen = wanted[0]
        within = _repository(chosen) or _repository(path) if chosen.is_dir() else None
        return HandedIn(student=student, path=chosen, repository=within)
    listed = ", ".join(names[:_MAX_NAMED_HAND_INS])
    problem = (
        f"{path.name} holds nothing named {assignment}; it holds {listed}."
        if assignment is not None and not wanted
        else f"{path.name} holds several hand-ins: {listed}. Name one: --assignment NAME."
    )
    return HandedIn(student=student, path=path, problem=problem)


def _repository(folder: Path) -> Path | None:
    return folder if os.path.lexists(folder / ".git") else None


def _is_submission(folder: Path) -> bool:
    return _holds_parts(folder) or any(folder.glob("*.py")) or any(folder.glob("*.ipynb"))


def _holds_parts(folder: Path) -> bool:
    return any((folder / name).is_dir() for name in ("exercises", "answers"))


def _entries(folder: Path) -> Iterator[Path]:
    """Yield the folders, zips and notebooks in a folder, sorted by name."""
    for path in sorted(folder.iterdir()):
        if (
            not path.name.startswith((".", "__"))
            and not path.is_symlink()
            and (path.is_dir() or _is_file_of_one(path))
        ):
            yield path


def _is_file_of_one(path: Path) -> bool:
    return path.suffix.lower() in (".zip", ENDING) and path.is_file()


def _name(path: Path) -> str:
    return path.stem if _is_file_of_one(path) else path.name


def _collected_at(path: Path) -> datetime | None:
    """Read the time that nbgrader wrote; None if there is none, or it cannot be parsed."""
    if path.is_symlink() or not path.is_file() or path.stat().st_size > _MAX_TIMESTAMP_BYTES:
        return None
    date, _, rest = path.read_text(encoding="utf-8", errors="replace").strip().partition(" ")
    clock, _, zone = rest.partition(" ")
    try:
        at = datetime.fromisoformat(f"{date} {clock}")
        return at if at.tzinfo else at.replace(tzinfo=ZoneInfo(zone or "UTC"))
    except (ValueError, ZoneInfoNotFoundError, OSError):
        return None

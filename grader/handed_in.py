"""What a class handed in: one folder or zip for each student, or `<student>/<assignment>/` trees of them."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from grader.errors import UsageError
from grader.submission import Submission, open_submission

_TIMESTAMP = "timestamp.txt"  # written by nbgrader when it collects: 2026-11-30 23:58:07.123456 Europe/Berlin


@dataclass(frozen=True, slots=True, kw_only=True)
class HandedIn:
    """What one student handed in: a folder or a zip. `problem` says why it cannot be told what it is."""

    student: str
    path: Path
    problem: str = ""

    def open(self) -> Submission:
        """Open it. Raises UsageError where it cannot be read."""
        if self.problem:
            raise UsageError(self.problem)
        return open_submission(self.path)

    def submitted_at(self) -> datetime:
        """Return when: as nbgrader noted it, else the time of the zip, or of the newest file in the folder."""
        files = [self.path] if self.path.is_file() else [p for p in self.path.rglob("*") if p.is_file()]
        newest = max((p.lstat().st_mtime for p in files), default=self.path.lstat().st_mtime)
        return _collected_at(self.path / _TIMESTAMP) or datetime.fromtimestamp(newest, UTC)


def find(folder: Path, assignment: str | None = None) -> tuple[HandedIn, ...]:
    """Return what was handed in below a folder, by student.

    Every zip and every folder in it is a student's. A folder that is no submission itself but holds some, one for each
    assignment, gives the one named, or the only one. Hidden entries and other files are passed over, and links are not
    followed. Raises UsageError where there is no submission, and where a student has two: nothing here says which one
    counts.
    """
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
            f"There is no submission in {folder}: it holds no folder and no zip. "
            "Name the folder that holds one folder or zip for each student."
        )
    return tuple(found.values())


def _of_student(path: Path, assignment: str | None) -> HandedIn:
    student = _name(path)
    inner = [] if path.is_file() or _is_submission(path) else list(_entries(path))
    if not inner:
        return HandedIn(student=student, path=path)
    names = [_name(one) for one in inner]
    wanted = [one for one in inner if assignment is None or _name(one) == assignment]
    if len(wanted) == 1:
        return HandedIn(student=student, path=wanted[0])
    listed = ", ".join(names[:6])
    problem = (
        f"{path.name} holds nothing named {assignment}; it holds {listed}."
        if assignment is not None and not wanted
        else f"{path.name} holds several hand-ins: {listed}. Name one: --assignment NAME."
    )
    return HandedIn(student=student, path=path, problem=problem)


def _is_submission(folder: Path) -> bool:
    return any((folder / name).is_dir() for name in ("exercises", "answers")) or any(folder.glob("*.py"))


def _entries(folder: Path) -> Iterator[Path]:
    """Yield the folders and zips in a folder, by name."""
    for path in sorted(folder.iterdir()):
        if (
            not path.name.startswith((".", "__"))
            and not path.is_symlink()
            and (path.is_dir() or _is_zip(path))
        ):
            yield path


def _is_zip(path: Path) -> bool:
    return path.suffix.lower() == ".zip" and path.is_file()


def _name(path: Path) -> str:
    return path.stem if _is_zip(path) else path.name


def _collected_at(path: Path) -> datetime | None:
    """Read the time that nbgrader wrote; None where there is none that can be read."""
    if path.is_symlink() or not path.is_file() or path.stat().st_size > 200:
        return None
    date, _, rest = path.read_text(encoding="utf-8", errors="replace").strip().partition(" ")
    clock, _, zone = rest.partition(" ")
    try:
        at = datetime.fromisoformat(f"{date} {clock}")
        return at if at.tzinfo else at.replace(tzinfo=ZoneInfo(zone or "UTC"))
    except (ValueError, ZoneInfoNotFoundError, OSError):
        return None

"""One hand-in: how it is opened, and when it was handed in."""

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from grader.core.errors import UsageError
from grader.core.safetext import first_names, one_line
from grader.submission import (
    Folder,
    Submission,
    Unreadable,
    git_checkout,
    open_submission,
    submission_of,
    top_folder,
)
from grader.submission.folder import changed_at, walk
from grader.submission.litter import is_litter
from grader.submission.part import Part
from grader.submission.time_text import EARLIEST, LATEST, in_utc, zone_of
from grader.submission.tree import SubmissionTree

_TIMESTAMP = "timestamp.txt"  # written by nbgrader when it collects: 2026-11-30 23:58:07.123456 Europe/Berlin
_MAX_TIMESTAMP_BYTES = 200
_MAX_NAMED_FILES = 3


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
        return _newest(list(self._times(read, tree)) or [changed_at(self.path)], problems)

    def _times(self, read: Mapping[str, bytes | Unreadable], tree: SubmissionTree | None) -> Iterator[float]:
        """Yield when the files that were read were written, in seconds; where none was read, those of all files."""
        if tree is not None and read:
            yield from map(tree.written_at, read)
        elif self.whole is not None and self.files is not None:
            yield from map(self.whole.written_at, self.files.values())
        elif os.path.isdir(self.path):  # noqa: PTH112 - raises nothing
            yield from (changed_at(Path(entry.path)) for entry in walk(self.path, is_litter))

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


def _uncommitted(names: Sequence[str]) -> str:
    return (
        f"not in its last commit, or changed since: {first_names(names, _MAX_NAMED_FILES)}" if names else ""
    )


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
    try:
        at = datetime.fromisoformat(f"{date} {clock}")
        found = in_utc(at if at.tzinfo else at.replace(tzinfo=zone)) if at.tzinfo or zone else None
    except ValueError:
        found = None
    return found or f'{_TIMESTAMP} says "{one_line(said, limit=60)}"'

"""A hand-in that is made of several files of a larger tree, with the archives among them opened."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

from grader.core.errors import UsageError
from grader.submission.archive import MAX_ARCHIVE_BYTES, Archive
from grader.submission.kinds import ARCHIVE_ENDINGS, ending_of
from grader.submission.tarball import Tarball
from grader.submission.tree import MAX_ENTRIES, SubmissionTree, Unreadable, top_of

MAX_ARCHIVES = 20  # of one hand-in that are opened
_MAX_DEPTH = 2  # a zip in a zip, as systems make of a student's zip


@dataclass(frozen=True, slots=True)
class Part(SubmissionTree):
    """Files of a tree, by their path in the hand-in. What an archive `a.zip` holds is below `a.zip/`.

    `top` is the folder that is the hand-in, with a slash. `problems` are sentences on archives that cannot be read.
    """

    whole: SubmissionTree
    files: Mapping[str, str]
    top: str = ""
    archives: Mapping[str, SubmissionTree] = field(default_factory=dict)
    problems: tuple[str, ...] = ()

    @classmethod
    def of(cls, whole: SubmissionTree, files: Mapping[str, str], depth: int = _MAX_DEPTH) -> "Part":
        """Return these files as a hand-in, with the archives among them opened, to a depth of archives in archives."""
        archives: dict[str, SubmissionTree] = {}
        problems: list[str] = []
        packed = sorted(path for path in files if ending_of(path) in ARCHIVE_ENDINGS)
        for path in packed[:MAX_ARCHIVES] if depth else ():
            try:
                archives[path] = _archive(whole, files[path], path, depth - 1)
            except UsageError as error:
                problems.append(str(error))
        if len(packed) > MAX_ARCHIVES:
            problems.append(f"More than {MAX_ARCHIVES} archives; the first were read.")
        part = cls(whole, files, "", archives, tuple(problems))
        return cls(whole, files, top_of(part.names()), archives, part.problems)

    def read(self, name: str, limit: int) -> bytes | Unreadable | None:
        """Return the bytes of a file, or why it is not read."""
        path = self.top + name
        if path in self.files:
            return self.whole.read(self.files[path], limit)
        for archive, tree in self.archives.items():
            if path.startswith(f"{archive}/"):
                return tree.read(path.removeprefix(f"{archive}/"), limit)
        return None

    def names(self) -> list[str]:
        """Return the paths of all files, and of those in archives; not those of the archives themselves."""
        inside = [f"{path}/{name}" for path, tree in self.archives.items() for name in tree.names()]
        paths = [*(path for path in self.files if path not in self.archives), *inside]
        return sorted(path.removeprefix(self.top) for path in paths if path.startswith(self.top))[
            :MAX_ENTRIES
        ]

    def written_at(self, name: str) -> float:
        """Return when a file was written, or the archive that holds it, in seconds."""
        path = self.top + name
        archive = next((one for one in self.archives if path.startswith(f"{one}/")), path)
        return self.whole.written_at(self.files[archive]) if archive in self.files else math.inf


def _archive(whole: SubmissionTree, name: str, path: str, depth: int) -> SubmissionTree:
    """Open an archive of a tree. Raises UsageError where it cannot be read."""
    data = whole.read(name, MAX_ARCHIVE_BYTES)
    if not isinstance(data, bytes):
        raise UsageError(data.sentence if data else f"{path} is not there.")
    at = whole.written_at(name)
    opened = Archive.of_bytes if ending_of(path) == ".zip" else Tarball.of_bytes
    return with_archives_opened(opened(data, path, at), depth)


def with_archives_opened(tree: SubmissionTree, depth: int = _MAX_DEPTH) -> SubmissionTree:
    """Return a hand-in as it is, or, if it holds archives and no work beside them, with these opened."""
    names = tree.names()
    has_work = tree.has_folder("answers") or any(name.endswith((".py", ".ipynb")) for name in names)
    if has_work or not depth or not any(ending_of(name) in ARCHIVE_ENDINGS for name in names):
        return tree
    return Part.of(tree, {name: name for name in names}, depth)

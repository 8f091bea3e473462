"""What folders, zips and stored submissions have in common: files of limited size, by their path inside."""

import itertools
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

from grader.submission.litter import is_in_litter, is_litter

PART_FOLDERS = ("exercises", "answers")  # of a workspace, and so of a hand-in
MAX_MODULES = 200
MAX_NOTEBOOKS = 10
# What is read of a submission, be it a folder, a zip or a notebook. Nothing larger is graded or stored.
MAX_ENTRIES = 5_000  # files and folders that are listed
MAX_PATH_BYTES = 500  # of a file that is listed, in UTF-8
MAX_TOTAL_BYTES = 32 * 2**20  # names and contents of all files that are read
MAX_SOURCES_BYTES = (
    3 * 2**20
)  # names and texts of one module and the files beside it: they have to fit into one frame


@dataclass(frozen=True, slots=True, kw_only=True)
class Unreadable:
    """A file that is not read, and why. `attempted` is false if the student wrote nothing.

    `missing` is true if there is no such file: then `attempted` is false too.
    """

    name: str
    reason: str
    attempted: bool = True
    missing: bool = False

    @property
    def sentence(self) -> str:
        """The file and the reason in one sentence."""
        return f"{self.name} {self.reason}"


class SubmissionTree(Protocol):
    """The files of a submission. Paths are relative, with slashes, and as `safetext.printable_name` returns them."""

    def read(self, name: str, limit: int) -> bytes | Unreadable | None:
        """Return the content of a file of at most `limit` bytes; None if there is nothing of that name."""

    def names(self) -> list[str]:
        """Return the paths of all files but litter, sorted: of the first MAX_ENTRIES."""

    def written_at(self, name: str) -> float:
        """Return when a file was written, in seconds since 1970; infinity where that is not known."""

    def modules(self, folder: str) -> list[str]:
        """Return the paths of the first MAX_MODULES Python files below `folder` ("" or one that ends in a slash)."""
        return first(python_files(self.names(), folder))

    def notebooks(self) -> list[str]:
        """Return the paths of the first MAX_NOTEBOOKS notebooks at the top or in exercises/."""
        return notebook_files(self.names())

    def has_folder(self, name: str) -> bool:
        """Return whether there is a folder of that name at the top."""
        return any(path.startswith(f"{name}/") for path in self.names())


def top_of(names: Iterable[str]) -> str:
    """Return the folder that is the top of a hand-in, with a slash, or "".

    It is the one that holds exercises/ or answers/, at any depth and in any case; else the one around all modules and
    notebooks. Where several hold exercises/, or a module stands outside of it, nothing is left out.
    """
    paths = [name.split("/") for name in names if not is_in_litter(name)]
    work = [path for path in paths if path[-1].endswith((".py", ".ipynb"))] or paths
    if any(len(path) == 1 for path in work):
        return ""
    holders = {tuple(path[: at[0]]) for path in paths if (at := _parts_at(path))}
    if not holders:
        holders = {_common([path[:-1] for path in work])}
    (holder,) = holders if len(holders) == 1 else ((),)
    return "".join(f"{part}/" for part in holder)


def _common(folders: Sequence[Sequence[str]]) -> tuple[str, ...]:
    """Return the parts of a path with which all folders begin."""
    first_parts = zip(*folders, strict=False)
    return tuple(parts[0] for parts in itertools.takewhile(lambda parts: len(set(parts)) == 1, first_parts))


def _parts_at(path: list[str]) -> list[int]:
    return [at for at, part in enumerate(path[:-1]) if part.casefold() in PART_FOLDERS]


def first(names: Iterable[str]) -> list[str]:
    """Return the first MAX_MODULES names in sorted order, which is the same on every machine."""
    return sorted(names)[:MAX_MODULES]


def too_large(name: str, limit: int) -> Unreadable:
    """Return that a file is larger than its limit in bytes."""
    return Unreadable(name=name, reason=f"is larger than the limit of {_size(limit)}.")


def too_large_together(name: str, limit: int) -> Unreadable:
    """Return that a file is not read, because those before it have used up their common limit in bytes."""
    return Unreadable(
        name=name, reason=f"is not read: with it, the files are larger than {_size(limit)} together."
    )


def _size(limit: int) -> str:
    if limit < 2**10:
        return f"{limit} bytes"
    return f"{limit // 2**20} MiB" if limit >= 2**20 else f"{limit // 2**10} KiB"


def decode(data: bytes | Unreadable, name: str) -> str | Unreadable:
    """Return the text of a file: UTF-8, with or without a byte order mark."""
    if isinstance(data, Unreadable):
        return data
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        return Unreadable(
            name=name,
            reason=f"is not UTF-8 text (line {line}). Save it as UTF-8 in your editor, and grade again.",
        )


def python_files(names: Iterable[str], folder: str) -> Iterator[str]:
    """Yield the names of the student's Python files below `folder`."""
    for name in names:
        parts = name.removeprefix(folder).split("/")
        if (
            name.startswith(folder)
            and name.endswith(".py")
            and not any(map(is_litter, parts))
            and _is_short(name)
        ):
            yield name


def notebook_files(names: Iterable[str]) -> list[str]:
    """Return the names of notebooks at the top or in exercises/: the first MAX_NOTEBOOKS in sorted order."""
    found = (name for name in names if name.removeprefix("exercises/").endswith(".ipynb"))
    own = (
        name
        for name in found
        if "/" not in name.removeprefix("exercises/")
        and not is_litter(name.split("/")[-1])
        and _is_short(name)
    )
    return sorted(own)[:MAX_NOTEBOOKS]


def _is_short(name: str) -> bool:
    return len(name.encode()) <= MAX_PATH_BYTES

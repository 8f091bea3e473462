"""Reads what a student hands in, a folder, a zip or a notebook: into memory, within limits; nothing is unpacked."""

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from grader.core.errors import UsageError
from grader.core.python_source import MAX_PARSED_CHARS
from grader.core.safetext import printable_name
from grader.submission.archive import Archive
from grader.submission.folder import Folder, Single
from grader.submission.ipython_syntax import python_of
from grader.submission.notebook import ENDING, MAX_NOTEBOOK_BYTES, NamedCell, read_cells
from grader.submission.stored import Damaged, Recording, Stored
from grader.submission.tree import (
    MAX_SOURCES_BYTES,
    SubmissionTree,
    Unreadable,
    decode,
    too_large_together,
)

__all__ = [
    "Damaged",
    "Folder",
    "Recording",
    "Snapshot",
    "Stored",
    "Submission",
    "Text",
    "Unreadable",
    "open_submission",
    "python_of",
]

MAX_MODULE_BYTES = 2**20
MAX_ANSWERS_BYTES = 2**18
_MODULE_FOLDERS = ("exercises/", "")


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """The module of one exercise and the Python files beside it: their texts, by path below `root`.

    The `root` of a notebook is its name and a slash, as if each cell were a module in a folder of that name. `notes`
    are sentences on other files or cells that were not graded.
    """

    root: str
    sources: dict[str, str]
    notes: tuple[str, ...] = ()


def is_notebook(root: str) -> bool:
    """Return whether the modules of a snapshot are cells: they cannot be opened or replayed as files."""
    return root.endswith(f"{ENDING}/")


def file_of(path: str) -> str:
    """Return the file that a module is in: its own, or the notebook of its cell."""
    notebook, found, _ = path.partition(f"{ENDING}/")
    return f"{notebook}{ENDING}" if found else path


@dataclass(frozen=True, slots=True, kw_only=True)
class Text:
    """A file that was read. `name` is its path inside the submission."""

    name: str
    text: str


@dataclass(frozen=True, slots=True)
class Submission:
    """What one student handed in."""

    tree: SubmissionTree
    _sources: dict[str, str | Unreadable | None] = field(default_factory=dict, compare=False, repr=False)

    def answers(self, quiz: str) -> Text | Unreadable | None:
        """Read the answers file of a quiz; None if there is none."""
        for name in (f"answers/{quiz}.yaml", f"answers/{quiz}.yml"):
            data = self.tree.read(name, MAX_ANSWERS_BYTES)
            if data is not None:
                text = decode(data, name)
                return text if isinstance(text, Unreadable) else Text(name=name, text=text)
        return None

    def snapshot(self, exercise: str, stub: str | None = None) -> Snapshot | Unreadable:
        """Read the module `<exercise>.py` and the Python files beside it; else the cell of that name in a notebook.

        A file that is missing, empty or equal to `stub` gives way to a cell.
        """
        file, cell = self._file(exercise), self._cell(exercise)
        attempted = file.attempted if isinstance(file, Unreadable) else file.sources[f"{exercise}.py"] != stub
        match file, cell:
            case Snapshot(), Unreadable():
                return replace(file, notes=(f"{cell.sentence} The file was graded.",))
            case Snapshot(), Snapshot() if attempted:
                note = f"{cell.root[:-1]} has a cell for {exercise} too; the file {file.root}{exercise}.py was graded."
                return replace(file, notes=(note,))
        return file if attempted or cell is None else cell

    def _cell(self, exercise: str) -> Snapshot | Unreadable | None:
        """Return the last cell named after an exercise, as a module beside those of other cells; None without one."""
        found: Snapshot | Unreadable | None = None
        for notebook in self.tree.notebooks():
            cells = self._cells(notebook)
            if isinstance(cells, Unreadable):
                found = found or cells
            elif exercise in cells:
                found = self._module_of(notebook, exercise, cells, found)
        return found

    def _cells(self, notebook: str) -> dict[str, NamedCell] | Unreadable:
        data = self.tree.read(notebook, MAX_NOTEBOOK_BYTES)
        if isinstance(data, Unreadable):
            return data
        return read_cells(data or b"", notebook)

    def _module_of(
        self, notebook: str, exercise: str, cells: dict[str, NamedCell], before: Snapshot | Unreadable | None
    ) -> Snapshot | Unreadable:
        cell = cells[exercise]
        if not any(line.strip() and not line.lstrip().startswith("#") for line in cell.text.splitlines()):
            return Unreadable(
                name=f"The cell {exercise} of {notebook}", reason="is empty. Write it.", attempted=False
            )
        folder = notebook[: notebook.rfind("/") + 1]
        others = {f"{name}.py": other.text for name, other in cells.items() if name != exercise}
        beside = {
            path: text for path, text in self._beside(folder, f"{folder}{exercise}.py") if path not in others
        }
        notes = (
            [f"{notebook} has {cell.others + 1} cells for {exercise}; the last was graded."]
            if cell.others
            else []
        )
        if isinstance(before, Snapshot):
            notes.append(f"{before.root[:-1]} has a cell for {exercise} too; that of {notebook} was graded.")
        sources = _within_a_frame(f"{notebook}/", f"{exercise}.py", cell.text, others | beside)
        return Snapshot(root=f"{notebook}/", sources=sources, notes=tuple(notes))

    def _file(self, exercise: str) -> Snapshot | Unreadable:
        for root in _MODULE_FOLDERS:
            name = f"{root}{exercise}.py"
            main = self._source(name)
            if main is not None:
                return self._with_helpers(root, name, main)
        reason = "is not there. Put it back with `grade init`, or write it."
        return Unreadable(name=f"exercises/{exercise}.py", reason=reason, attempted=False)

    def _source(self, name: str) -> str | Unreadable | None:
        """Return the Python of a file, which may be a notebook exported as a script; None if it is not there.

        It is read once: each module of a folder stands beside all others. One too long to be parsed is kept.
        """
        if name not in self._sources:
            data = self.tree.read(name, MAX_MODULE_BYTES)
            text = None if data is None else decode(data, name)
            if isinstance(text, str) and len(text) <= MAX_PARSED_CHARS:
                text = python_of(text)
            self._sources[name] = text
        return self._sources[name]

    def _with_helpers(self, root: str, name: str, main: str | Unreadable) -> Snapshot | Unreadable:
        if isinstance(main, Unreadable):
            return main
        if not main.strip():
            reason = "is empty. Put the stub back with `grade init`, or write it."
            return Unreadable(name=name, reason=reason, attempted=False)
        sources = _within_a_frame(root, name.removeprefix(root), main, dict(self._beside(root, name)))
        return Snapshot(root=root, sources=sources)

    def _beside(self, root: str, name: str) -> Iterator[tuple[str, str]]:
        """Yield the Python files beside a module, and their text."""
        for helper in self.tree.modules(root):
            text = self._source(helper) if helper != name else None
            if text is not None:
                yield helper.removeprefix(root), _failing(text) if isinstance(text, Unreadable) else text


def _failing(helper: Unreadable) -> str:
    """Return the text of a helper that cannot be read: an error only for the modules that import it."""
    return f"raise ImportError({helper.sentence!r})"


def _within_a_frame(root: str, module: str, text: str, beside: Mapping[str, str]) -> dict[str, str]:
    """Return the sources of a module: itself, and what is beside it, where that fits into MAX_SOURCES_BYTES with it."""
    sources, left = {module: text}, MAX_SOURCES_BYTES - _size(module, text)
    for path, helper in beside.items():
        fits = _size(path, helper) <= left
        left -= _size(path, helper) if fits else 0
        sources[path] = helper if fits else _failing(too_large_together(root + path, MAX_SOURCES_BYTES))
    return sources


def _size(name: str, text: str) -> int:
    return len(name.encode()) + len(text.encode())


def open_submission(path: Path) -> Submission:
    """Return the submission at `path`, a folder, a zip or a notebook; raise UsageError where there is none.

    Each file of it is read once, at most `tree.MAX_TOTAL_BYTES` of all together.
    """
    # Not the methods of Path, which raise PermissionError.
    if os.path.isdir(path):  # noqa: PTH112
        return Submission(Recording(Folder(path)))
    if os.path.isfile(path):  # noqa: PTH113
        tree = Single(path) if path.suffix.lower() == ENDING else Archive.open(path)
        return Submission(Recording(tree))
    raise UsageError(
        f"{printable_name(str(path))} is not a folder, not a zip and no notebook. "
        "Name the folder of the submission: --submission DIR."
    )

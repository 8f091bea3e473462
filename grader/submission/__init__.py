"""Reads what a student hands in, a folder, a zip or a notebook: into memory, within limits; nothing is unpacked."""

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from grader.core.errors import UsageError
from grader.core.python_source import MAX_PARSED_CHARS
from grader.core.safetext import first_names, printable_name
from grader.core.suggestions import nearest
from grader.submission import look_alikes
from grader.submission.archive import MAX_ARCHIVE_BYTES, Archive
from grader.submission.folder import Folder, Single, changed_at
from grader.submission.ipython_syntax import python_of
from grader.submission.kinds import (
    ARCHIVE_ENDINGS,
    MODULE_ENDING,
    NOTEBOOK_ENDING,
    UNREAD_ENDINGS,
    ending_of,
)
from grader.submission.notebook import MAX_NOTEBOOK_BYTES, NamedCell, read_cells
from grader.submission.part import Part, with_archives_opened
from grader.submission.stored import Damaged, Recording, Stored
from grader.submission.tarball import Tarball
from grader.submission.tree import (
    MAX_NOTEBOOKS,
    MAX_SOURCES_BYTES,
    PART_FOLDERS,
    SubmissionTree,
    Unreadable,
    decode,
    too_large_together,
    top_of,
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
    "submission_of",
    "top_folder",
]

MAX_MODULE_BYTES = 2**20
MAX_ANSWERS_BYTES = 2**18
_MODULE_FOLDERS = ("exercises/", "")
_MAX_NAMED = 6


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
    return root.endswith(f"{NOTEBOOK_ENDING}/")


def file_of(path: str) -> str:
    """Return the file that a module is in: its own, or the notebook of its cell."""
    notebook, found, _ = path.partition(f"{NOTEBOOK_ENDING}/")
    return f"{notebook}{NOTEBOOK_ENDING}" if found else path


@dataclass(frozen=True, slots=True, kw_only=True)
class Text:
    """A file that was read. `name` is its path inside the submission."""

    name: str
    text: str


@dataclass(frozen=True, slots=True)
class Submission:
    """What one student handed in; `problems` are sentences on what cannot be read of it.

    A workspace is what its student works in now: it may have other folders, and no module is looked for in them.
    """

    tree: SubmissionTree
    problems: tuple[str, ...] = ()
    is_workspace: bool = False
    _sources: dict[str, str | Unreadable | None] = field(default_factory=dict, compare=False, repr=False)

    def answers(self, quiz: str) -> Text | Unreadable | None:
        """Read the answers file of a quiz; None if there is none."""
        for name in (f"answers/{quiz}.yaml", f"answers/{quiz}.yml"):
            data = self.tree.read(name, MAX_ANSWERS_BYTES)
            if data is not None:
                text = decode(data, name)
                return text if isinstance(text, Unreadable) else Text(name=name, text=text)
        return self._answers_elsewhere(quiz)

    def _answers_elsewhere(self, quiz: str) -> Text | Unreadable | None:
        """Read the one file that is almost called as an answers file, near where it should be."""
        found = [
            (name, text)
            for name in look_alikes.candidates(self.tree.names(), f"{quiz}.yaml")
            if name.rpartition("/")[0].casefold() in ("", *PART_FOLDERS)
            and (text := decode(self.tree.read(name, MAX_ANSWERS_BYTES) or b"", name))
        ]
        if len({text for _, text in found}) > 1:
            names = _listed(name for name, _ in found)
            return Unreadable(name=names, reason=f"may each be answers/{quiz}.yaml. Hand in one of them.")
        for name, text in found:
            return Text(name=name, text=text) if isinstance(text, str) else text
        return None

    def snapshot(self, exercise: str, stub: str | None = None) -> Snapshot | Unreadable:
        """Read the module `<exercise>.py` and the Python files beside it; else the cell of that name in a notebook.

        A file that is missing, empty or equal to `stub` gives way to one that is almost called so (`relu (1).py`), if
        there is one alone, and to a cell.
        """
        file = self._file(exercise, stub)
        attempted = file.attempted if isinstance(file, Unreadable) else file.sources[f"{exercise}.py"] != stub
        notebooks = self._notebooks(everywhere=not attempted)
        cell = self._cell(exercise, notebooks)
        if isinstance(file, Unreadable) and file.missing and cell is None and notebooks:
            return self._without_cell(exercise, notebooks)
        match file, cell:
            case Snapshot(), Unreadable():
                return replace(file, notes=(*file.notes, f"{cell.sentence} The file was graded."))
            case Snapshot(), Snapshot() if attempted:
                note = f"{cell.root[:-1]} has a cell for {exercise} too; the file {file.root}{exercise}.py was graded."
                return replace(file, notes=(*file.notes, note))
        return file if attempted or cell is None else cell

    def _notebooks(self, *, everywhere: bool) -> list[str]:
        """Return the notebooks at the top or in exercises/; if there is none, and they are wanted, those below."""
        found = self.tree.notebooks()
        if found or not everywhere or self.is_workspace:
            return found
        return [name for name in self.tree.names() if name.endswith(NOTEBOOK_ENDING)][:MAX_NOTEBOOKS]

    def _cell(self, exercise: str, notebooks: Sequence[str]) -> Snapshot | Unreadable | None:
        """Return the last cell named after an exercise, as a module beside those of other cells; None without one."""
        found: Snapshot | Unreadable | None = None
        for notebook in notebooks:
            cells = self._cells(notebook)
            if isinstance(cells, Unreadable):
                found = found or cells
            elif (name := _name_in(cells, exercise)) is not None:
                found = self._module_of(notebook, exercise, _renamed(cells, name, exercise), found)
                if name != exercise and isinstance(found, Snapshot):
                    note = f"The cell {name} of {notebook} was graded as {exercise}."
                    found = replace(found, notes=(*found.notes, note))
        return found

    def _without_cell(self, exercise: str, notebooks: Sequence[str]) -> Unreadable:
        """Return that no cell of the notebooks is named after an exercise, and which names they have."""
        names = [
            name
            for notebook in notebooks
            if not isinstance(cells := self._cells(notebook), Unreadable)
            for name in cells
        ]
        near = nearest(exercise, names)
        has = f"It has {_listed(f'`%%grade {name}`' for name in names)}. " if names else ""
        meant = f'Is "{near}" meant for it? ' if near is not None else ""
        return Unreadable(
            name=_listed(notebooks),
            reason=f"has no cell for {exercise}. {has}{meant}Write `%%grade {exercise}` at the top of its cell.",
            attempted=near is not None,
            missing=True,
        )

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

    def _file(self, exercise: str, stub: str | None) -> Snapshot | Unreadable:
        """Read the module of an exercise: where it should be, or else the one file that is almost called so."""
        usual = [name for root in _MODULE_FOLDERS if self._source(name := f"{root}{exercise}.py") is not None]
        begun = [name for name in usual if self._is_begun(name, stub)]
        if begun:
            beside = look_alikes.candidates(self.tree.modules(_folder_of(begun[0])), f"{exercise}.py")
            others = [name for name in (*begun[1:], *beside) if name not in begun[:1]]
            different = [name for name in others if self._is_begun(name, self._source(begun[0]), stub)]
            notes = [f"{name} is there too; {begun[0]} was graded." for name in dict.fromkeys(different)]
            if begun[0] != usual[0]:
                notes.append(f"{begun[0]} was graded, as nothing is written in {usual[0]}.")
            return self._module_at(begun[0], exercise, notes)
        found = look_alikes.candidates(self._searched(), f"{exercise}.py")
        others = [name for name in found if self._is_begun(name, stub)]
        far: list[str] = []
        if usual:  # a stub: work that lies elsewhere is taken from beside it alone
            far = [name for name in others if _folder_of(name).casefold() not in _MODULE_FOLDERS]
            others = [name for name in others if name not in far]
        others = self._likeliest(exercise, others)
        if len(others) > 1:
            reason = f"may each be exercises/{exercise}.py, and none was graded. Hand in one of them, by that name."
            return Unreadable(name=_listed(others), reason=reason)
        if others:
            note = f"{others[0]} was graded as exercises/{exercise}.py."
            return self._module_at(others[0], exercise, [note])
        for name in (*usual, *found):
            elsewhere = [f"{one} was not graded: {name} is there, with nothing written in it." for one in far]
            return self._module_at(name, exercise, elsewhere)
        reason = "is not there. Put it back with `grade init`, or write it."
        return Unreadable(name=f"exercises/{exercise}.py", reason=reason, attempted=False, missing=True)

    def _searched(self) -> Iterable[str]:
        """Return the files among which a module is looked for that is not where it should be."""
        names = self.tree.names()
        if self.is_workspace:
            return (name for name in names if _folder_of(name).casefold() in _MODULE_FOLDERS)
        return names

    def _is_begun(self, name: str, *known: "str | Unreadable | None") -> bool:
        """Tell whether a file holds something else than these texts; one that cannot be read does."""
        text = self._source(name)
        return isinstance(text, Unreadable) or (text is not None and text.strip() != "" and text not in known)

    def _likeliest(self, exercise: str, names: Sequence[str]) -> list[str]:
        """Return the files with different texts among those that are called as they should be, or else among all."""
        exact = [name for name in names if name.rpartition("/")[2] == f"{exercise}.py"]
        in_place = [name for name in exact if f"/{name.casefold()}".endswith(f"/exercises/{exercise}.py")]
        by_text = {repr(self._source(name)): name for name in reversed(in_place or exact or names)}
        return sorted(by_text.values())

    def _module_at(self, name: str, exercise: str, notes: Sequence[str]) -> Snapshot | Unreadable:
        """Return the file `name` as the module of an exercise, with the Python files beside it."""
        main = self._source(name)
        if isinstance(main, Unreadable):
            return main
        if main is None or not main.strip():
            reason = "is empty. Put the stub back with `grade init`, or write it."
            return Unreadable(name=name, reason=reason, attempted=False)
        root, module = _folder_of(name), f"{exercise}.py"
        beside = {path: text for path, text in self._beside(root, name) if path != module}
        return Snapshot(root=root, sources=_within_a_frame(root, module, main, beside), notes=tuple(notes))

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

    def _beside(self, root: str, name: str) -> Iterator[tuple[str, str]]:
        """Yield the Python files beside a module, and their text."""
        for helper in self.tree.modules(root):
            text = self._source(helper) if helper != name else None
            if text is not None:
                yield helper.removeprefix(root), _failing(text) if isinstance(text, Unreadable) else text


def _folder_of(name: str) -> str:
    return name[: name.rfind("/") + 1]


def _listed(names: Iterable[str]) -> str:
    return first_names(list(names), _MAX_NAMED)


def _name_in(cells: Mapping[str, NamedCell], exercise: str) -> str | None:
    """Return the name by which a notebook has a cell for an exercise: its id, or the only one that differs in case."""
    alike = [name for name in cells if name.casefold() == exercise.casefold()]
    return exercise if exercise in cells else alike[0] if len(alike) == 1 else None


def _renamed(cells: Mapping[str, NamedCell], name: str, exercise: str) -> dict[str, NamedCell]:
    return {exercise if one == name else one: cell for one, cell in cells.items()}


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


def submission_of(tree: SubmissionTree) -> Submission:
    """Return what a tree holds as a submission: the archives in it, if there is nothing else, and each file read once.

    At most `tree.MAX_TOTAL_BYTES` of all files together are read.
    """
    opened = with_archives_opened(tree)
    return Submission(Recording(opened), opened.problems if isinstance(opened, Part) else ())


def open_submission(path: Path) -> Submission:
    """Return the submission at `path`: a folder, an archive, a notebook or a module; the current folder is a workspace.

    Raises UsageError where there is none.
    """
    if path == Path():
        return Submission(Recording(Folder(path)), is_workspace=True)
    # Not the methods of Path, which raise PermissionError.
    if os.path.isdir(path):  # noqa: PTH112
        return submission_of(top_folder(path))
    if os.path.isfile(path):  # noqa: PTH113
        return submission_of(_file_at(path))
    raise UsageError(
        f"{printable_name(str(path))} is not a folder, not a zip and no notebook. "
        "Name the folder of the submission: --submission DIR."
    )


def top_folder(path: Path) -> Folder:
    """Return the folder of a hand-in, or the one in it that holds exercises/ or answers/."""
    folder = Folder(path)
    top = "" if any(map(folder.has_folder, PART_FOLDERS)) else top_of(folder.names())
    inner = folder.locate(top.rstrip("/")) if top else None
    return Folder(inner) if inner is not None else folder


def _file_at(path: Path) -> SubmissionTree:
    """Return a hand-in that is one file. Raises UsageError for a kind that is not read."""
    ending = ending_of(path.name)
    if ending in (NOTEBOOK_ENDING, MODULE_ENDING):
        return Single(path)
    if ending in UNREAD_ENDINGS:
        raise UsageError(f"{printable_name(str(path))} is {UNREAD_ENDINGS[ending]}.")
    if ending in ARCHIVE_ENDINGS - {".zip"}:
        data = Folder(path.parent).read(printable_name(path.name), MAX_ARCHIVE_BYTES)
        if isinstance(data, bytes):
            return Tarball.of_bytes(data, str(path), changed_at(path))
        raise UsageError(data.sentence if data else f"{printable_name(str(path))} is not there.")
    return Archive.open(path)

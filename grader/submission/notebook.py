"""Reads exercises from a Jupyter notebook: a cell that is named after an exercise is its module. Nothing is run.

A code cell is named by a line at its top, `%%grade pooling`, or by a tag in its metadata, `grade:pooling`. The last
cell with a name counts. Lines are numbered as in the cell.
"""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

import msgspec

from grader.core.safetext import one_line
from grader.submission.ipython_syntax import name_of, python_of
from grader.submission.tree import MAX_MODULES, Unreadable, too_large

MAX_NOTEBOOK_BYTES = 64 * 2**20  # of the file, with outputs and pictures, which are not kept
MAX_CELLS_CHARS = 4 * 2**20  # of the text of all cells
MAX_CELLS = 5_000
MAX_CELL_BYTES = 2**20  # as of any other module
MAX_NAME_CHARS = 100
_MAX_PARSED_CHARS = 2**16  # of all named cells: Python needs seconds for some texts of 100 kB
_FORMAT = 4
_TAG = "grade:"


class _CellMetadata(msgspec.Struct):
    tags: list[str] = []


class _NotebookCell(msgspec.Struct, eq=False):
    cell_type: str
    source: str | list[str]
    metadata: _CellMetadata = msgspec.field(default_factory=_CellMetadata)

    @property
    def text(self) -> str:
        """The source in one piece."""
        return self.source if isinstance(self.source, str) else "".join(self.source)


class _Notebook(msgspec.Struct):
    nbformat: int
    cells: list[_NotebookCell]


_decoder = msgspec.json.Decoder(_Notebook)


@dataclass(frozen=True, slots=True, kw_only=True)
class NamedCell:
    """The text of a named cell as Python. `others` is the number of cells before it with the same name."""

    text: str
    others: int = 0


def without_outputs(data: bytes, name: str) -> bytes | Unreadable:
    """Return a notebook with nothing but the code and the tags of its cells; or why it cannot be read."""
    notebook = _decoded(data, name)
    return notebook if isinstance(notebook, Unreadable) else msgspec.json.encode(notebook)


@lru_cache(maxsize=16)  # called again for each exercise
def read_cells(data: bytes, name: str) -> dict[str, NamedCell] | Unreadable:
    """Return the named cells of a notebook, by exercise; or why it cannot be read."""
    notebook = _decoded(data, name)
    if isinstance(notebook, Unreadable):
        return notebook
    named = [(exercise, cell) for cell in notebook.cells for exercise in _names(cell)]
    last = dict(named)
    if len(last) > MAX_MODULES:
        return Unreadable(name=name, reason=f"names more than {MAX_MODULES} exercises.")
    for exercise, cell in last.items():
        if len(cell.text.encode()) > MAX_CELL_BYTES:
            return too_large(f"The cell {exercise} of {name}", MAX_CELL_BYTES)
    cells = set(last.values())  # each once: it may have many names
    is_short = sum(len(cell.text) for cell in cells) <= _MAX_PARSED_CHARS
    texts = {cell: python_of(cell.text, parsed=is_short) for cell in cells}
    counts = Counter(exercise for exercise, _ in named)
    return {
        exercise: NamedCell(text=texts[cell], others=counts[exercise] - 1) for exercise, cell in last.items()
    }


def _decoded(data: bytes, name: str) -> _Notebook | Unreadable:
    """Return the cells of a notebook, or why it cannot be read. Its outputs are skipped, whatever their size."""
    try:
        notebook = _decoder.decode(data)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        reason = "is nested too deeply" if isinstance(error, RecursionError) else one_line(str(error))
        return Unreadable(
            name=name, reason=f"cannot be read as a notebook: {reason}. Save it in Jupyter again."
        )
    if notebook.nbformat != _FORMAT:
        reason = (
            f"is a notebook of format {notebook.nbformat}. Save it in Jupyter again, as format {_FORMAT}."
        )
        return Unreadable(name=name, reason=reason)
    if len(notebook.cells) > MAX_CELLS:
        return Unreadable(name=name, reason=f"has more than {MAX_CELLS} cells.")
    if sum(len(cell.text) for cell in notebook.cells) > MAX_CELLS_CHARS:
        return too_large(f"The text of the cells of {name}", MAX_CELLS_CHARS)
    return notebook


def _names(cell: _NotebookCell) -> Iterator[str]:
    """Yield the names of a code cell: those of modules."""
    if cell.cell_type != "code":
        return
    first = name_of(cell.text)
    names = [first] if first is not None else []
    names += [tag.removeprefix(_TAG).strip() for tag in cell.metadata.tags if tag.startswith(_TAG)]
    yield from dict.fromkeys(name for name in names if name.isidentifier() and len(name) <= MAX_NAME_CHARS)

"""Reads exercises from a Jupyter notebook: a cell that is named after an exercise is its module. Nothing is run.

A code cell is named by its first line, `%%grade pooling`, or by a tag in its metadata, `grade:pooling`. The last
cell with a name counts. Lines are numbered as in the cell.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

import msgspec

from grader.core.python_source import parse
from grader.submission.tree import Unreadable

MAX_NOTEBOOK_BYTES = 4 * 2**20  # with its outputs and pictures
MAX_CELLS = 5_000
ENDING = ".ipynb"
_FORMAT = 4
_TAG = "grade:"
_NAMED = re.compile(r"\s*%%grade\s+(?P<name>\w+)[^\n]*(\n|\Z)")
_OF_IPYTHON = re.compile(r"(?P<indent>\s*)(?P<line>[%!?].*|[\w.]+\?{1,2})\s*")


class _CellMetadata(msgspec.Struct):
    tags: list[str] = []


class _NotebookCell(msgspec.Struct):
    cell_type: str
    source: str | list[str]
    metadata: _CellMetadata = msgspec.field(default_factory=_CellMetadata)


class _Notebook(msgspec.Struct):
    nbformat: int
    cells: list[_NotebookCell]


_decoder = msgspec.json.Decoder(_Notebook)


@dataclass(frozen=True, slots=True, kw_only=True)
class NamedCell:
    """The text of a named cell as Python. `others` is the number of cells before it with the same name."""

    text: str
    others: int = 0


@lru_cache(maxsize=16)  # called again for each exercise
def read_cells(data: bytes, name: str) -> dict[str, NamedCell] | Unreadable:
    """Return the named cells of a notebook, by exercise; or why it cannot be read."""
    try:
        notebook = _decoder.decode(data)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        reason = "is nested too deeply" if isinstance(error, RecursionError) else str(error)
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
    found: dict[str, NamedCell] = {}
    for cell in notebook.cells:
        if cell.cell_type != "code":
            continue
        source = cell.source if isinstance(cell.source, str) else "".join(cell.source)
        for exercise in _names(source, cell.metadata.tags):
            before = found.get(exercise)
            found[exercise] = NamedCell(text=python_of(source), others=before.others + 1 if before else 0)
    return found


def _names(source: str, tags: list[str]) -> Iterator[str]:
    first = _NAMED.match(source)
    names = [first["name"]] if first else []
    names += [tag.removeprefix(_TAG).strip() for tag in tags if tag.startswith(_TAG)]
    yield from dict.fromkeys(name for name in names if name.isidentifier())  # the name of a module


def python_of(source: str) -> str:
    """Return the Python of a cell: its line `%%grade` becomes a comment, and so do magics and shell commands.

    If Python can parse the cell, its lines are kept: a line `% 2` may continue the one before.
    """
    named = _NAMED.match(source)
    if named is not None:
        start = len(source) - len(source.lstrip())
        source = f"{source[:start]}# {source[start:]}"
    if parse(source) is not None:
        return source
    return "\n".join(map(_commented, source.split("\n")))


def _commented(line: str) -> str:
    """Replace a line that only IPython understands by `pass`, so that a block is not left empty."""
    found = _OF_IPYTHON.fullmatch(line)
    return f"{found['indent']}pass  # {found['line']}" if found is not None else line

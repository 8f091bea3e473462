"""Reads exercises out of a Jupyter notebook: a cell that is named after an exercise is its module. Nothing is run.

A code cell is named by its first line, `%%grade pooling`, or by a tag in its metadata, `grade:pooling`. The last
cell of a name counts. Lines are numbered as in the cell.
"""

import ast
import re
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

import msgspec

from grader.submission.tree import Unreadable

MAX_NOTEBOOK_BYTES = 4 * 2**20  # with its outputs, pictures and all
MAX_CELLS = 5_000
ENDING = ".ipynb"
_FORMAT = 4
_TAG = "grade:"
_NAMED = re.compile(r"\s*%%grade\s+(?P<name>\w+)[^\n]*(\n|\Z)")
_OF_IPYTHON = re.compile(r"(?P<indent>\s*)(?P<line>[%!?].*|[\w.]+\?{1,2})\s*")


class _Metadata(msgspec.Struct):
    tags: list[str] = []


class _Cell(msgspec.Struct):
    cell_type: str
    source: str | list[str]
    metadata: _Metadata = msgspec.field(default_factory=_Metadata)


class _Notebook(msgspec.Struct):
    nbformat: int
    cells: list[_Cell]


_decoder = msgspec.json.Decoder(_Notebook)


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """The text of a named cell as Python. `others` is how many cells before it bear the same name, and do not count."""

    text: str
    others: int = 0


@lru_cache(maxsize=16)  # each exercise asks for its own
def read_cells(data: bytes, name: str) -> dict[str, Cell] | Unreadable:
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
    found: dict[str, Cell] = {}
    for cell in notebook.cells:
        if cell.cell_type != "code":
            continue
        source = cell.source if isinstance(cell.source, str) else "".join(cell.source)
        for exercise in _names(source, cell.metadata.tags):
            before = found.get(exercise)
            found[exercise] = Cell(text=python_of(source), others=before.others + 1 if before else 0)
    return found


def _names(source: str, tags: list[str]) -> Iterator[str]:
    first = _NAMED.match(source)
    names = [first["name"]] if first else []
    names += [tag.removeprefix(_TAG).strip() for tag in tags if tag.startswith(_TAG)]
    yield from dict.fromkeys(name for name in names if name.isidentifier())  # it becomes the name of a module


def python_of(source: str) -> str:
    """Return the Python of a cell: its line `%%grade` becomes a comment, and so do magics and shell commands.

    Only a cell that Python cannot read as it is has its lines looked at: `% 2` may go on from the line before.
    """
    named = _NAMED.match(source)
    if named is not None:
        start = len(source) - len(source.lstrip())
        source = f"{source[:start]}# {source[start:]}"
    if _is_python(source):
        return source
    return "\n".join(map(_commented, source.split("\n")))


def _is_python(text: str) -> bool:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            ast.parse(text)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return False
    return True


def _commented(line: str) -> str:
    """Put `pass` in the place of what only IPython understands, so that a block stays one."""
    found = _OF_IPYTHON.fullmatch(line)
    return f"{found['indent']}pass  # {found['line']}" if found is not None else line

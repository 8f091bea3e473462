"""Which references of other exercises a file of an exercise may import or read: a result depends on them too.

In doubt a reference is included.
"""

import ast
import functools
import re
from collections.abc import Iterator
from pathlib import Path

from grader.core import python_source
from grader.core.model import Exercise

_SEPARATOR = re.compile(r"[/\\]")
_LISTS_FILES = {"glob", "rglob", "iterdir", "listdir", "scandir", "walk"}


def relied_on(exercise: Exercise) -> dict[str, str]:
    """Return the texts of the references that files of an exercise may import or read, directly or not, by exercise.

    Imports are found in the source, and paths in its strings; a file that imports by computed names or lists folders
    relies on all references.
    """
    others = dict(_references(exercise.folder))
    waiting = [_text(path) for path in (exercise.stub, *sorted(exercise.folder.glob("*.py")))]
    found: dict[str, str] = {}
    while waiting:
        mentioned = _mentioned(waiting.pop())
        if mentioned is None:
            return others
        for name in (mentioned & set(others)) - set(found):
            found[name] = others[name]
            waiting.append(others[name])
    return found


@functools.lru_cache(maxsize=512)
def _mentioned(text: str) -> frozenset[str] | None:
    """Return the modules a file imports and the parts of its strings that may be paths; None if there may be more."""
    tree = python_source.parse(text)
    if tree is None:
        return frozenset()  # it cannot run
    nodes = python_source.nodes(tree)
    if any(_is_open(node) for node in nodes):
        return None
    prose = {id(node.value) for node in nodes if isinstance(node, ast.Expr)}
    strings = (
        node.value
        for node in nodes
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in prose
    )
    imported = (part for name, _, _ in python_source.imports(nodes) for part in name.split("."))
    return frozenset(imported) | {
        part.split(".")[0] for string in strings for part in _SEPARATOR.split(string)
    }


def _is_open(node: ast.AST) -> bool:
    """Return whether a node may read files whose names are not in the source."""
    if isinstance(node, ast.ImportFrom) and [alias.name for alias in node.names] == ["*"] and not node.level:
        return False  # the module is named, only its names are not
    return python_source.hides_imports(node) or (
        isinstance(node, ast.Attribute) and node.attr in _LISTS_FILES
    )


def _references(folder: Path) -> Iterator[tuple[str, str]]:
    """Yield the other exercises of the course, and the texts of their references."""
    for path in sorted(folder.parent.glob("*/reference.py")):
        if path.parent != folder:
            yield path.parent.name, _text(path)


def _text(path: Path) -> str:
    return path.read_bytes().decode("utf-8-sig", "replace") if path.is_file() else ""

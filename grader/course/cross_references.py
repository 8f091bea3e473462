"""Which references of other exercises a file of an exercise may import or read: a result depends on them too.

In doubt it is more than is needed.
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
    """Return the references of other exercises that files of this one may import or read, however far, by exercise.

    An import is read off the source, and a path off its strings; who imports by names that are made while it runs, or
    lists folders, relies on all.
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
    """Return the modules a file imports and the names in its strings that may be paths; None where that is not all."""
    tree = python_source.parse(text)
    if tree is None:
        return frozenset()  # nothing of it runs
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
    """Tell whether a node may reach files that no text here names."""
    if isinstance(node, ast.ImportFrom) and [alias.name for alias in node.names] == ["*"] and not node.level:
        return False  # of a module that is named all the same
    return python_source.hides_imports(node) or (
        isinstance(node, ast.Attribute) and node.attr in _LISTS_FILES
    )


def _references(folder: Path) -> Iterator[tuple[str, str]]:
    """Yield the exercises beside one, and the texts of their references."""
    for path in sorted(folder.parent.glob("*/reference.py")):
        if path.parent != folder:
            yield path.parent.name, _text(path)


def _text(path: Path) -> str:
    return path.read_bytes().decode("utf-8-sig", "replace") if path.is_file() else ""

"""What the check of an exercise or of a quiz depends on, as one short text: where it is the same, so is the result.

In doubt more counts than is needed: then something is checked again for nothing, and nothing is believed wrongly.
"""

import ast
import functools
import os
import platform
import re
from collections.abc import Iterable, Iterator, Mapping
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from grader import fingerprint, source
from grader.catalog import Course
from grader.content import keys
from grader.content.submissions import course_references
from grader.dispatch import MAX_LEVEL_VARIABLE
from grader.model import Exercise

# Besides torch and Python, which are part of the engine's fingerprint.
PACKAGES = ("click", "hypothesis", "msgspec", "numpy", "pydantic", "pygments", "pytest", "pyyaml")
_SEPARATOR = re.compile(r"[/\\]")
_LISTS_FILES = {"glob", "rglob", "iterdir", "listdir", "scandir", "walk"}


def exercise_key(course: Course, exercise: Exercise, mode: str, seed: int, engine: str) -> str:
    """Return what the check of an exercise depends on; `mode` is how it is checked."""
    return fingerprint.of(
        "exercise",
        mode,
        str(seed),
        *_machine(engine),
        fingerprint.exercise(exercise),
        _bytes(exercise.stub),
        *_named(relied_on(course, exercise)),
        *(text for path in course.data for text in (path.name, _bytes(path))),
    )


def bank_key(course: Course, path: Path, engine: str) -> str:
    """Return what the check of a quiz bank depends on."""
    return fingerprint.of(
        "quiz", *_machine(engine), path.name, _bytes(path), *_named(keys.relied_on(course, path))
    )


def relied_on(course: Course, exercise: Exercise) -> dict[str, str]:
    """Return the references of other exercises that files of this one may import or read, however far, by exercise.

    An import is read off the source, and a path off its strings; who imports by names that are made while it runs, or
    lists folders, relies on all.
    """
    others = {name: text for name, text in course_references(course).items() if name != exercise.id}
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
    tree = source.parse(text)
    if tree is None:
        return frozenset()  # nothing of it runs
    nodes = source.nodes(tree)
    if any(_is_open(node) for node in nodes):
        return None
    prose = {id(node.value) for node in nodes if isinstance(node, ast.Expr)}
    strings = (
        node.value
        for node in nodes
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in prose
    )
    imported = (part for name, _, _ in source.imports(nodes) for part in name.split("."))
    return frozenset(imported) | {
        part.split(".")[0] for string in strings for part in _SEPARATOR.split(string)
    }


def _is_open(node: ast.AST) -> bool:
    """Tell whether a node may reach files that no text here names."""
    if isinstance(node, ast.ImportFrom) and [alias.name for alias in node.names] == ["*"] and not node.level:
        return False  # of a module that is named all the same
    return source.hides_imports(node) or (isinstance(node, ast.Attribute) and node.attr in _LISTS_FILES)


def _machine(engine: str) -> Iterator[str]:
    """Yield what grades: the engine, its libraries, the kind of machine, and how much isolation it may use."""
    yield from (engine, platform.system(), platform.machine(), os.environ.get(MAX_LEVEL_VARIABLE, ""))
    yield from map(_version, PACKAGES)


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return ""


def _named(texts: Mapping[str, str]) -> Iterable[str]:
    return [text for name in sorted(texts) for text in (name, texts[name])]


def _text(path: Path) -> str:
    return path.read_bytes().decode("utf-8-sig", "replace") if path.is_file() else ""


def _bytes(path: Path) -> str:
    return path.read_bytes().hex() if path.is_file() else ""

"""Parses Python files of students and of courses, within bounds. Nothing is run."""

import ast
import re
import warnings
from collections import deque
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping

from grader.core.safetext import MAX_MARKS, has_long_run

_QUALIFIERS = (ast.expr_context, ast.operator, ast.unaryop, ast.boolop)
_IMPORTS_WHILE_RUNNING = {"__import__", "eval", "exec", "importlib", "imp", "pkgutil", "runpy"}
MAX_PARSED_CHARS = 2**17  # of one file: parsing it takes a second and 120 MB at most
_MAX_DOTS = (
    200  # in one dotted name: for an import, CPython keeps every prefix of it until the whole file is parsed
)
_NAMES = re.compile(r"[\w. \t\f]+")


class TooComplex(Exception):
    """A file that Python may be able to run, but that is not parsed here; the message is the end of a sentence."""


def parse(text: str) -> ast.Module | None:
    """Return the tree of a file; None if Python cannot parse it, or it is too long or nested too deeply."""
    try:
        return parse_strictly(text)
    except TooComplex:
        return None


def parse_strictly(text: str, limit: int = MAX_PARSED_CHARS) -> ast.Module | None:
    """Return the tree of a file, or None if it is not Python.

    Raises TooComplex for what is nested deeply, has names of very many parts or marks, or is longer than `limit`
    characters.
    """
    if len(text) > limit:
        raise TooComplex(f"has {len(text)} characters, and no more than {limit} are read")
    if has_long_run(text):
        raise TooComplex(f"has more than {MAX_MARKS} combining characters in a row")
    if any(run.count(".") > _MAX_DOTS for run in _NAMES.findall(re.sub(r"\\\r?\n", "", text))):
        raise TooComplex(f"has a name of more than {_MAX_DOTS} parts")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # such as "invalid escape sequence" in a student's "\\d"
            return ast.parse(text)
    except (RecursionError, MemoryError):
        raise TooComplex("is nested too deeply") from None
    except (SyntaxError, ValueError):
        return None


def reached(sources: Collection[str], module: str, imported: Callable[[str], Iterable[str]]) -> Iterator[str]:
    """Yield the path of the module and of every file it imports, directly or not; `imported` returns those of one."""
    waiting, seen = deque([module]), {module}
    while waiting:
        stem = waiting.popleft().replace(".", "/")
        for path in (f"{stem}.py", f"{stem}/__init__.py"):
            if path in sources:
                new = dict.fromkeys(name for name in imported(path) if name not in seen)
                seen.update(new)
                waiting.extend(new)
                yield path


def nodes(tree: ast.AST) -> list[ast.AST]:
    """Return the nodes of a tree, parents before children, in half the time of ast.walk.

    Nodes that only qualify their parent are left out: ctx and operators.
    """
    found = [tree]
    for node in found:  # the list grows while it is iterated
        for name in node._fields:
            value = getattr(node, name, None)
            if isinstance(value, list):
                found += [part for part in value if isinstance(part, ast.AST)]
            elif isinstance(value, ast.AST) and not isinstance(value, _QUALIFIERS):
                found.append(value)
    return found


def imports(nodes: Iterable[ast.AST]) -> Iterator[tuple[str, str, int]]:
    """Yield for each import among the nodes the full name of what it imports, the name it binds, and the line."""
    for node in nodes:
        if isinstance(node, ast.Import):
            for alias in node.names:
                shown = alias.asname or alias.name.split(".")[0]
                yield alias.name, shown, node.lineno
                if not alias.asname:
                    yield shown, shown, node.lineno
        elif isinstance(node, ast.ImportFrom):
            for alias in node.names:
                source = f"{node.module}." if node.module else ""
                yield f"{source}{alias.name}", alias.asname or alias.name, node.lineno
                if node.module:
                    yield node.module, "", node.lineno


def hides_imports(node: ast.AST) -> bool:
    """Return whether a node imports what its source does not name: by a computed name, relative, or with a star."""
    if isinstance(node, ast.ImportFrom):
        first = (node.module or "").split(".")[0]
        everything = any(alias.name == "*" for alias in node.names)
        return node.level > 0 or everything or first in _IMPORTS_WHILE_RUNNING
    if isinstance(node, ast.Import):
        return any(alias.name.split(".")[0] in _IMPORTS_WHILE_RUNNING for alias in node.names)
    return isinstance(node, ast.Name) and node.id in _IMPORTS_WHILE_RUNNING


def bound_names(tree: ast.Module) -> set[str]:
    """Return the names that a module binds at the top level, in branches too; with "*" if it has a star import."""
    found: set[str] = set()
    waiting: list[ast.AST] = list(tree.body)
    while waiting:
        node = waiting.pop()
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
            found.add(node.name)
            continue  # names that are bound inside are local
        if isinstance(node, (ast.Import, ast.ImportFrom)):
            found |= {alias.asname or alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            found.add(node.id)
        if not isinstance(node, (ast.Lambda, ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp)):
            waiting += ast.iter_child_nodes(node)
    return found


def dotted(node: ast.Attribute, known: Mapping[str, str]) -> str:
    """Return the full name of an attribute, `torch.nn.functional.relu` for `F.relu`; "" if `known` lacks the `F`."""
    parts: list[str] = []
    inner: ast.expr = node
    while isinstance(inner, ast.Attribute):
        parts.append(inner.attr)
        inner = inner.value
    if not isinstance(inner, ast.Name) or inner.id not in known:
        return ""
    return ".".join([known[inner.id], *reversed(parts)])

"""Parses Python files of students and of courses: a module and what it imports. Nothing is run."""

import ast
import re
import warnings
from collections import deque
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping

_QUALIFIERS = (ast.expr_context, ast.operator, ast.unaryop, ast.boolop)
_IMPORTS_WHILE_RUNNING = {"__import__", "eval", "exec", "importlib", "imp", "pkgutil", "runpy"}
# Python's parser copies an imported name for each of its parts: one of 200 kB takes gigabytes.
_ENDLESS_NAME = re.compile(r"(?:\.[\s\\]*+\w++[\s\\]*+){500}")


def parse(text: str) -> ast.Module | None:
    """Return the tree of a file; None if Python cannot parse it, or it is nested too deeply, or has an endless name."""
    if _ENDLESS_NAME.search(text):
        return None
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # such as "invalid escape sequence" in a student's "\\d"
            return ast.parse(text)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None


def trees(
    sources: Mapping[str, str], module: str, *, max_chars: int
) -> Iterator[tuple[str, ast.Module | None]]:
    """Yield the path and the tree of the module, and of every file that it imports, directly or indirectly.

    None stands for the tree of a file with an endless name, or with which the texts would have more than `max_chars`
    together: a tree takes up to a thousand times the bytes of its text. A file that Python cannot parse is left out: it
    cannot run either, and its check says so.
    """
    found: dict[str, ast.Module | None] = {}
    left = max_chars

    def imported(path: str) -> Iterator[str]:
        nonlocal left
        if len(sources[path]) > left or _ENDLESS_NAME.search(sources[path]):
            found[path] = None
            return
        left -= len(sources[path])
        tree = parse(sources[path])
        if tree is not None:
            found[path] = tree
            yield from (name for name, _, _ in imports(ast.walk(tree)))

    for path in reached(sources, module, imported):
        if path in found:
            yield path, found.pop(path)


def reached(sources: Collection[str], module: str, imported: Callable[[str], Iterable[str]]) -> Iterator[str]:
    """Yield the path of the module and of every file it imports, directly or not; `imported` returns those of one."""
    waiting, seen = deque([module]), set()
    while waiting:
        stem = waiting.popleft().replace(".", "/")
        for path in (f"{stem}.py", f"{stem}/__init__.py"):
            if path in sources and path not in seen:
                seen.add(path)
                waiting += imported(path)
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

"""Makes mutants: variants of a program with one small change each, which a suite must detect.

No maintained library fits: mutmut 3 rewrites a whole project and runs pytest itself, cosmic-ray 8 edits files on disk
and depends on sqlalchemy and aiohttp. Needed here is only the changed source, which is then graded in a worker.

Docstrings, annotations, imports and the messages of exceptions are never changed. A change is dropped if it compiles to
the bytecode of the original or of an earlier mutant.
"""

import ast
import contextlib
import textwrap
import warnings
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from types import CodeType

from grader.authoring import input_operators
from grader.authoring.mutation_operators import Change, Operator, changes


@dataclass(frozen=True, slots=True, kw_only=True)
class Mutant:
    """One changed program.

    `scope` names the function or class that holds the change; `old` and `new` are its lines before and after, as
    `ast.unparse` writes them. `line` and `column` count from 1.
    """

    id: str
    operator: Operator
    scope: str
    line: int
    column: int
    old: str
    new: str
    source: str


@dataclass(slots=True)
class _NodeSlot:
    """A node and the place in its parent that holds it: `field`, and `index` where the field is a list."""

    node: ast.AST
    parent: ast.AST
    field: str
    index: int | None
    scope: str

    @contextlib.contextmanager
    def holding(self, node: ast.AST) -> Iterator[None]:
        """Put another node here within this block."""
        self._put(node)
        try:
            yield
        finally:
            self._put(self.node)

    def _put(self, node: ast.AST) -> None:
        if self.index is None:
            setattr(self.parent, self.field, node)
        else:
            getattr(self.parent, self.field)[self.index] = node


def mutants(source: str, names: Collection[str] | None = None) -> list[Mutant]:
    """Return every mutant of a program, in the order of its lines. The same source gives the same mutants.

    `names` are the functions and classes that get mutants which ignore a part of the input: all unless given.
    Raises SyntaxError.
    """
    tree = ast.parse(source)
    lines, original = source.splitlines(), ast.unparse(tree)
    seen = {_bytecode_key(original)}
    found: list[Mutant] = []
    for operator, node, scope, text in _variants(tree, names):
        key = _bytecode_key(text)
        if key is None or key in seen:
            continue
        seen.add(key)
        old, new = _difference(original, text)
        line, column = _position(node, lines)
        found.append(
            Mutant(
                id="",
                operator=operator,
                scope=scope or "module",
                line=line,
                column=column,
                old=old,
                new=new,
                source=text,
            )
        )
    found.sort(key=lambda mutant: (mutant.line, mutant.column))
    return [replace(mutant, id=f"m{n}") for n, mutant in enumerate(found, start=1)]


def _variants(
    tree: ast.Module, names: Collection[str] | None
) -> Iterator[tuple[Operator, ast.AST, str, str]]:
    """Yield each possible change: its operator, the node it is reported at, its scope, and the whole changed text."""
    imported = {name for node in ast.walk(tree) for name in _imported(node)}
    for slot in _slots(tree, ""):
        found = [*changes(slot.node, slot.parent, slot.field, imported), *_input_changes(slot, names)]
        for operator, node, replacement in found:
            with slot.holding(replacement):
                text = ast.unparse(tree)
            yield operator, node, slot.scope, text


def _input_changes(slot: _NodeSlot, names: Collection[str] | None) -> Iterator[Change]:
    """Yield the changes that ignore a part of the input of a function or method that students write."""
    yield from input_operators.expressions(slot.node)
    is_outer = slot.scope.count(".") == isinstance(slot.parent, ast.ClassDef)
    is_named = names is None or slot.scope.split(".")[0] in names
    if isinstance(slot.node, (ast.FunctionDef, ast.AsyncFunctionDef)) and is_outer and is_named:
        yield from input_operators.changes(slot.node, slot.parent)


# --- nodes that may change


_UNCHANGED_FIELDS = {"annotation", "returns", "ctx", "type_comment", "type_params", "bases", "names"}


def _slots(parent: ast.AST, scope: str) -> Iterator[_NodeSlot]:
    """Yield all nodes below `parent` that may change."""
    for field, value in ast.iter_fields(parent):
        if field in _UNCHANGED_FIELDS:
            continue
        is_list = isinstance(value, list)
        for index, node in enumerate(value if is_list else [value]):
            if not isinstance(node, ast.AST) or _is_docstring(parent, field, index, node):
                continue
            inner = _scope_of(scope, node)
            yield _NodeSlot(node, parent, field, index if is_list else None, inner)
            if not isinstance(node, ast.Raise):  # no check compares the message of an exception
                yield from _slots(node, inner)


def _scope_of(scope: str, node: ast.AST) -> str:
    if not isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
        return scope
    return f"{scope}.{node.name}" if scope else node.name


def _is_docstring(parent: ast.AST, field: str, index: int, node: ast.AST) -> bool:
    if field != "body" or index or isinstance(parent, ast.If):
        return False
    match node:
        case ast.Expr(value=ast.Constant(value=str())):
            return True
    return False


def _imported(node: ast.AST) -> Iterator[str]:
    if isinstance(node, (ast.Import, ast.ImportFrom)):
        yield from ((alias.asname or alias.name).split(".")[0] for alias in node.names)


# --- comparing programs


def _bytecode_key(text: str) -> object | None:
    """Return what a program compiles to, without line numbers; None for a syntax error."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter(
                "ignore", SyntaxWarning
            )  # such as for `1 is None`, which a mutant may contain
            return _code_key(compile(text, "<mutant>", "exec"))
    except SyntaxError:
        return None


def _code_key(code: CodeType) -> object:
    constants = tuple(
        _code_key(constant) if isinstance(constant, CodeType) else (type(constant), repr(constant))
        for constant in code.co_consts
    )
    names = (code.co_names, code.co_varnames, code.co_freevars, code.co_cellvars, code.co_name)
    counts = (code.co_argcount, code.co_posonlyargcount, code.co_kwonlyargcount, code.co_flags)
    return code.co_code, constants, names, counts, code.co_exceptiontable


def _difference(original: str, changed: str) -> tuple[str, str]:
    """Return the lines in which two programs differ, without their common indentation."""
    old, new = original.splitlines(), changed.splitlines()
    while old and new and old[0] == new[0]:
        del old[0], new[0]
    while old and new and old[-1] == new[-1]:
        del old[-1], new[-1]
    return textwrap.dedent("\n".join(old)), textwrap.dedent("\n".join(new))


def _position(node: ast.AST, lines: Sequence[str]) -> tuple[int, int]:
    """Return line and column of a node, both from 1, in characters: `col_offset` counts bytes."""
    line, offset = getattr(node, "lineno", 1), getattr(node, "col_offset", 0)
    return line, len(lines[line - 1].encode()[:offset].decode()) + 1

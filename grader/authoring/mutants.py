"""Makes mutants: small wrong variants of a program, one change each, for suites to kill.

An own pass over the tree, because no kept library serves: mutmut 3 rewrites a whole project and drives pytest itself,
cosmic-ray 8 changes files on disk and brings sqlalchemy and aiohttp; what we need are sources for the real boundary.

What is never changed: docstrings, annotations, imports, and the words of an exception. A change that leaves the
compiled code as it was, or makes the same code as an earlier one, is no mutant.
"""

import ast
import contextlib
import textwrap
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from types import CodeType

from grader.authoring.mutation_operators import Operator, changes


@dataclass(frozen=True, slots=True, kw_only=True)
class Mutant:
    """One changed program. `scope` is the function or class the change stands in, `old` and `new` its lines."""

    id: str
    operator: Operator
    scope: str
    line: int
    column: int
    old: str
    new: str
    source: str


@dataclass(slots=True)
class _Place:
    """A node, and where it hangs: `field` of `owner`, at `index` where that is a list."""

    node: ast.AST
    owner: ast.AST
    field: str
    index: int | None
    scope: str

    @contextlib.contextmanager
    def holding(self, node: ast.AST) -> Iterator[None]:
        """Put another node here for a while."""
        self._put(node)
        try:
            yield
        finally:
            self._put(self.node)

    def _put(self, node: ast.AST) -> None:
        if self.index is None:
            setattr(self.owner, self.field, node)
        else:
            getattr(self.owner, self.field)[self.index] = node


def mutants(source: str) -> list[Mutant]:
    """Return every mutant of a program, in the order of its text. The same text gives the same mutants."""
    tree = ast.parse(source)
    lines, plain = source.splitlines(), ast.unparse(tree)
    seen = {_essence(plain)}
    found: list[Mutant] = []
    for operator, at, scope, text in _variants(tree):
        essence = _essence(text)
        if essence is None or essence in seen:
            continue
        seen.add(essence)
        old, new = _difference(plain, text)
        line, column = _position(at, lines)
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


def _variants(tree: ast.Module) -> Iterator[tuple[Operator, ast.AST, str, str]]:
    """Yield each change that can be made: what it does, where, in which scope, and the whole changed text."""
    imported = {name for node in ast.walk(tree) for name in _imported(node)}
    for place in _places(tree, ""):
        for operator, at, node in changes(place.node, place.owner, place.field, imported):
            with place.holding(node):
                text = ast.unparse(tree)
            yield operator, at, place.scope, text


# --- places


_NEVER = {"annotation", "returns", "ctx", "type_comment", "type_params", "bases", "names"}


def _places(owner: ast.AST, scope: str) -> Iterator[_Place]:
    """Go through all nodes that may change."""
    for field, value in ast.iter_fields(owner):
        if field in _NEVER:
            continue
        several = isinstance(value, list)
        for index, node in enumerate(value if several else [value]):
            if not isinstance(node, ast.AST) or _is_docstring(owner, field, index, node):
                continue
            inside = _inside(scope, node)
            yield _Place(node, owner, field, index if several else None, inside)
            if not isinstance(node, ast.Raise):  # nobody checks its words
                yield from _places(node, inside)


def _inside(scope: str, node: ast.AST) -> str:
    if not isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
        return scope
    return f"{scope}.{node.name}" if scope else node.name


def _is_docstring(owner: ast.AST, field: str, index: int, node: ast.AST) -> bool:
    if field != "body" or index or isinstance(owner, ast.If):
        return False
    match node:
        case ast.Expr(value=ast.Constant(value=str())):
            return True
    return False


def _imported(node: ast.AST) -> Iterator[str]:
    if isinstance(node, (ast.Import, ast.ImportFrom)):
        yield from ((alias.asname or alias.name).split(".")[0] for alias in node.names)


# --- what a mutant is


def _essence(text: str) -> object | None:
    """Return what a program compiles to, without its line numbers; None where it is no program."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", SyntaxWarning)  # `1 is None`: such a mutant dies by itself
            return _code_essence(compile(text, "<mutant>", "exec"))
    except SyntaxError:
        return None


def _code_essence(code: CodeType) -> object:
    constants = tuple(
        _code_essence(constant) if isinstance(constant, CodeType) else (type(constant), repr(constant))
        for constant in code.co_consts
    )
    names = (code.co_names, code.co_varnames, code.co_freevars, code.co_cellvars, code.co_name)
    counts = (code.co_argcount, code.co_posonlyargcount, code.co_kwonlyargcount, code.co_flags)
    return code.co_code, constants, names, counts, code.co_exceptiontable


def _difference(plain: str, text: str) -> tuple[str, str]:
    """Return the lines that two programs do not share, without the indentation they do share."""
    old, new = plain.splitlines(), text.splitlines()
    while old and new and old[0] == new[0]:
        del old[0], new[0]
    while old and new and old[-1] == new[-1]:
        del old[-1], new[-1]
    return textwrap.dedent("\n".join(old)), textwrap.dedent("\n".join(new))


def _position(node: ast.AST, lines: Sequence[str]) -> tuple[int, int]:
    """Return line and column of a node, both from 1. Python counts columns in bytes."""
    line, offset = getattr(node, "lineno", 1), getattr(node, "col_offset", 0)
    return line, len(lines[line - 1].encode()[:offset].decode()) + 1

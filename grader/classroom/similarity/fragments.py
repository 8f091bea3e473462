"""Cuts a solution into pieces: the syntax trees of its expressions and statements, written so that disguises fall away.

Left out are comments, docstrings, annotations and formatting. Names that the student chose are numbered within each
piece by where they come first; names of libraries, of the course and of methods stay, and so do numbers: 0 and -inf are
two answers. A local that is set once and used once stands as what it was set to, so that it does not matter whether it
was there. Order does not matter where it means nothing: of keyword arguments, of the sides of + and *, of ==, of two
branches. Of compound statements a piece holds the head only, so that the order and nesting of statements matter little.

Depth is bounded by Python's own: a tree that is nested too deeply raises RecursionError, and is not compared.
"""

import ast
import hashlib
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence, Set
from dataclasses import dataclass, field
from typing import NamedTuple

from grader.core import python_source

MIN_NODES = 6  # smaller pieces are everybody's: x.shape[2]
_MAX_NODES = 250  # larger ones are never equal by more than what they are made of

_COMMUTING = (ast.Add, ast.Mult, ast.BitAnd, ast.BitOr)
_OPPOSITES = {ast.IsNot: "Is", ast.NotEq: "Eq", ast.NotIn: "In", ast.GtE: "Lt", ast.LtE: "Gt"}
_SYMMETRIC = ("Is", "Eq")

_DEFINITIONS = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)


class Piece(NamedTuple):
    """What equal pieces have in common: a fingerprint, and the number of nodes that no smaller piece holds."""

    key: bytes
    weight: int


@dataclass(slots=True)
class _Tree:
    """A normalised syntax tree. `chosen` tells that the label is a name that the student chose."""

    label: str
    line: int
    kids: list["_Tree"] = field(default_factory=list)
    chosen: bool = False


Pieces = dict[Piece, set[int]]  # for each the lines of those nodes of it that no smaller piece holds


def cut(nodes: Sequence[ast.AST], contract: Set[str]) -> Pieces:
    """Return the pieces of a file, given as the nodes of its tree, an outer one before those in it.

    `contract` are the words of the stub: names among them are the course's. Raises RecursionError.
    """
    found: Pieces = defaultdict(set)
    for statement in _Normal(nodes, contract).statements():
        _collect(statement, found)
    return found


def _collect(tree: _Tree, found: Pieces) -> tuple[list[_Tree], set[int], int]:
    """Add the pieces of a statement; return its nodes in order, and the lines and number of those in no piece yet."""
    nodes, lines, loose = [tree], {tree.line}, 1
    for kid in tree.kids:
        inner, further, count = _collect(kid, found)
        if len(nodes) <= _MAX_NODES:
            nodes += inner
        lines |= further
        loose += count
    if not MIN_NODES <= len(nodes) <= _MAX_NODES:
        return nodes, lines, loose
    found[Piece(_fingerprint(nodes), loose)] |= lines
    return nodes, set(), 0


def _fingerprint(nodes: Iterable[_Tree]) -> bytes:
    """Return the digest of nodes in order, with the student's own names as numbers."""
    numbers: dict[str, str] = {}
    labels = (
        numbers.setdefault(node.label, f"${len(numbers)}") if node.chosen else node.label for node in nodes
    )
    return hashlib.blake2b("\n".join(labels).encode("utf-8", "surrogatepass"), digest_size=8).digest()


class _Normal:
    """Writes the statements of one file as normalised trees."""

    def __init__(self, nodes: Sequence[ast.AST], contract: Set[str]) -> None:
        self._nodes = nodes
        self._imported = {here: full for full, here, _ in python_source.imports(nodes) if here}
        defined = [node for node in nodes if isinstance(node, _DEFINITIONS)]
        names = {node.name for node in defined}
        self._chosen = (_bound(nodes) | names) - set(self._imported) - (names & contract)
        self._attributes = (_set_attributes(nodes) | names) - contract
        self._inline = _used_once(node for node in defined if not isinstance(node, ast.ClassDef))
        self._left_out = {id(setting.statement) for setting in self._inline.values()}

    def statements(self) -> Iterator[_Tree]:
        """Yield every statement of the file, each without the statements inside it."""
        for node in self._nodes:  # a statement comes before those inside it
            if not isinstance(node, ast.stmt) or isinstance(node, (ast.Import, ast.ImportFrom, ast.Pass)):
                continue
            if id(node) not in self._left_out and not _is_text(node):
                yield self._alternative(node) or self._write(node)

    def _alternative(self, node: ast.stmt) -> _Tree | None:
        """Write `if a: x = 1`, with or without `else: x = 2`, as `x = 1 if a else 2`."""
        if not isinstance(node, ast.If) or len(node.body) != 1 or len(node.orelse) > 1:
            return None
        settings = [_setting(inner) for inner in (*node.body, *node.orelse)]
        yes, no = settings[0], settings[-1]
        if yes is None or no is None or yes.target.id != no.target.id:
            return None
        self._left_out |= {id(inner) for inner in (*node.body, *node.orelse)}  # they stand here now
        choice = self._choice(node.test, yes.value, no.value if node.orelse else yes.target, node.lineno)
        return _Tree("Assign", node.lineno, [self._write(yes.target), choice])

    # --- one way to write each thing

    def _write(self, node: ast.AST) -> _Tree:
        kind = type(node).__name__
        special = getattr(self, f"_{kind}", None)
        tree: _Tree = special(node) if special else self._plain(node)
        return tree

    def _plain(self, node: ast.AST) -> _Tree:
        """Write a node as its kind, and below it what it holds: no statements, no annotations."""
        tree = _Tree(type(node).__name__, getattr(node, "lineno", 0))
        for name, value in ast.iter_fields(node):
            if name in ("ctx", "annotation", "returns", "type_comment", "kind", "type_params"):
                continue
            for part in value if isinstance(value, list) else [value]:
                if isinstance(part, ast.AST) and not isinstance(part, (ast.stmt, ast.ExceptHandler)):
                    tree.kids.append(self._below(part, tree.line))
                elif isinstance(part, str):
                    tree.kids.append(_Tree(part, tree.line, chosen=part in self._chosen))
        return tree

    def _below(self, node: ast.AST, line: int) -> _Tree:
        tree = self._write(node)
        tree.line = tree.line or line
        return tree

    def _Name(self, node: ast.Name) -> _Tree:  # noqa: N802 - named as ast names its nodes, here and below
        if setting := self._inline.get(id(node)):
            return self._write(setting.value)
        return _Tree(self._imported.get(node.id, node.id), node.lineno, chosen=node.id in self._chosen)

    def _Attribute(self, node: ast.Attribute) -> _Tree:  # noqa: N802
        if full := python_source.dotted(node, self._imported):
            return _Tree(full, node.lineno)
        name = _Tree(f".{node.attr}", node.lineno, chosen=node.attr in self._attributes)
        return _Tree("Attribute", node.lineno, [self._write(node.value), name])

    def _Constant(self, node: ast.Constant) -> _Tree:  # noqa: N802
        if isinstance(node.value, (str, bytes)) and len(node.value.split()) != 1:
            return _Tree("text", node.lineno)  # what a message says is wording, and is looked at as that
        if isinstance(node.value, int):
            return _Tree(hex(node.value)[:80], node.lineno)  # repr refuses what has more than 4,300 digits
        return _Tree(repr(node.value)[:80], node.lineno)

    def _FormattedValue(self, node: ast.FormattedValue) -> _Tree:  # noqa: N802
        return self._write(node.value)

    def _Call(self, node: ast.Call) -> _Tree:  # noqa: N802
        kids = [self._write(kid) for kid in (node.func, *node.args)]
        for keyword in sorted(node.keywords, key=lambda keyword: keyword.arg or ""):
            # The word of F.pad(value=...) is torch's, whatever else is named `value` here.
            own = kids[0].chosen and keyword.arg in self._chosen
            name = _Tree(keyword.arg or "**", keyword.lineno, chosen=own)
            kids.append(_Tree("keyword", keyword.lineno, [name, self._write(keyword.value)]))
        return _Tree("Call", node.lineno, kids)

    def _BinOp(self, node: ast.BinOp) -> _Tree:  # noqa: N802
        kids = [self._write(node.left), self._write(node.right)]
        if isinstance(node.op, _COMMUTING):
            kids.sort(key=_order)
        return _Tree(type(node.op).__name__, node.lineno, kids)

    def _BoolOp(self, node: ast.BoolOp) -> _Tree:  # noqa: N802
        return _Tree(type(node.op).__name__, node.lineno, [self._write(value) for value in node.values])

    def _UnaryOp(self, node: ast.UnaryOp) -> _Tree:  # noqa: N802
        if isinstance(node.op, ast.Not):
            tree, negated = self._test(node)
            return _Tree("Not", node.lineno, [tree]) if negated else tree
        return _Tree(type(node.op).__name__, node.lineno, [self._write(node.operand)])

    def _Compare(self, node: ast.Compare) -> _Tree:  # noqa: N802
        tree, negated = self._test(node)
        return _Tree("Not", node.lineno, [tree]) if negated else tree

    def _test(self, node: ast.expr) -> tuple[_Tree, bool]:
        """Write a condition, or its opposite where that is the simpler one; tell which."""
        if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not):
            tree, negated = self._test(node.operand)
            return tree, not negated
        if not isinstance(node, ast.Compare):
            return self._write(node), False
        kids = [self._write(kid) for kid in (node.left, *node.comparators)]
        if len(node.ops) > 1:
            return _Tree(" ".join(type(op).__name__ for op in node.ops), node.lineno, kids), False
        (operator,) = node.ops
        name = _OPPOSITES.get(type(operator), type(operator).__name__)
        if name == "Gt":
            name, kids = "Lt", kids[::-1]
        elif name in _SYMMETRIC:
            kids.sort(key=_order)
        return _Tree(name, node.lineno, kids), type(operator) in _OPPOSITES

    def _IfExp(self, node: ast.IfExp) -> _Tree:  # noqa: N802
        return self._choice(node.test, node.body, node.orelse, node.lineno)

    def _choice(self, test: ast.expr, yes: ast.AST, no: ast.AST, line: int) -> _Tree:
        tree, negated = self._test(test)
        branches = (no, yes) if negated else (yes, no)
        return _Tree("IfExp", line, [tree, *(self._write(branch) for branch in branches)])

    def _If(self, node: ast.If) -> _Tree:  # noqa: N802
        tree, _ = self._test(node.test)  # with the branches the other way round it means the same
        return _Tree("If", node.lineno, [tree])

    def _Assign(self, node: ast.Assign) -> _Tree:  # noqa: N802
        kids = [*node.targets, node.value]
        return _Tree("Assign", node.lineno, [self._write(kid) for kid in kids])

    def _AnnAssign(self, node: ast.AnnAssign) -> _Tree:  # noqa: N802
        kids = [node.target, node.value] if node.value else [node.target]
        return _Tree("Assign", node.lineno, [self._write(kid) for kid in kids])

    def _AugAssign(self, node: ast.AugAssign) -> _Tree:  # noqa: N802
        return _Tree("Assign", node.lineno, [self._write(node.target), self._write(_sum(node))])

    def _arg(self, node: ast.arg) -> _Tree:
        return _Tree(node.arg, node.lineno, chosen=True)


def _order(tree: _Tree) -> tuple[str, ...]:
    """Return what operands are sorted by: everything but the names that a student chose."""
    labels, waiting = [], [tree]
    while waiting:
        node = waiting.pop()
        labels.append("$" if node.chosen else node.label)
        waiting += reversed(node.kids)
    return tuple(labels)


class _Setting(NamedTuple):
    """A statement that sets one name, and does nothing else."""

    statement: ast.stmt
    target: ast.Name
    value: ast.expr


def _setting(node: ast.stmt) -> _Setting | None:
    match node:
        case ast.Assign(targets=[ast.Name() as name], value=value):
            return _Setting(node, name, value)
        case ast.AnnAssign(target=ast.Name() as name, value=ast.expr() as value):
            return _Setting(node, name, value)
        case ast.AugAssign(target=ast.Name() as name):
            return _Setting(node, name, _sum(node))
    return None


def _sum(node: ast.AugAssign) -> ast.BinOp:
    return ast.copy_location(ast.BinOp(node.target, node.op, node.value), node)


def _is_text(node: ast.stmt) -> bool:
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)


# --- which names are the student's


def _bound(nodes: Iterable[ast.AST]) -> set[str]:
    """Return every name that is set, or taken as an argument."""
    found = set()
    for node in nodes:
        if isinstance(node, ast.Name) and not isinstance(node.ctx, ast.Load):
            found.add(node.id)
        elif isinstance(node, ast.arg):
            found.add(node.arg)
    return found


def _set_attributes(nodes: Iterable[ast.AST]) -> set[str]:
    return {
        node.attr for node in nodes if isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store)
    }


def _used_once(functions: Iterable[ast.AST]) -> dict[int, _Setting]:
    """Return for uses of names, by id of the node, where the name is set: if once in its function, and used once."""
    found: dict[int, _Setting] = {}
    for function in functions:
        found |= _used_once_in(function)
    return found


def _used_once_in(function: ast.AST) -> dict[int, _Setting]:
    """Look in one function. The use comes after the value, so that no value holds itself, by however many others."""
    settings: dict[str, _Setting] = {}
    stored: Counter[str] = Counter()
    uses: dict[str, list[ast.Name]] = defaultdict(list)
    for node in python_source.nodes(function):
        if isinstance(node, (ast.Assign, ast.AnnAssign)) and (setting := _setting(node)):
            settings[setting.target.id] = setting
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load):
            uses[node.id].append(node)
        elif isinstance(node, ast.Name):
            stored[node.id] += 1
        elif isinstance(node, ast.arg):
            stored[node.arg] += 1
    return {
        id(uses[name][0]): setting
        for name, setting in settings.items()
        if stored[name] == 1 and len(uses[name]) == 1 and _start(uses[name][0]) > _end(setting.value)
    }


def _start(node: ast.expr) -> tuple[int, int]:
    return node.lineno, node.col_offset


def _end(node: ast.expr) -> tuple[int, int]:
    return node.end_lineno or node.lineno, node.end_col_offset or node.col_offset

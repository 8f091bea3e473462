"""Cuts a solution into pieces: the syntax trees of its expressions and statements, in a normal form.

Comments, docstrings, annotations and formatting are left out. Names that the student chose are numbered within each
piece in the order of their first use; names of libraries, of the course and of methods stay, and so do numbers, since 0
and -inf are different answers. A local variable that is set once and used once is replaced by its value. Operands are
sorted where their order means nothing: keyword arguments, the sides of +, * and ==, the branches of a condition. A
piece of a compound statement holds its head only, so that the order and nesting of statements matter little.

Depth is limited by Python's recursion limit: a tree that is nested too deeply raises RecursionError, and is not
compared.
"""

import ast
import hashlib
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence, Set
from dataclasses import dataclass, field
from typing import NamedTuple

from grader.core import python_source

MIN_NODES = 6  # smaller pieces are common: x.shape[2]
MAX_NODES = 250  # a match of larger pieces says no more than the matches of their parts

_COMMUTING = (ast.Add, ast.Mult, ast.BitAnd, ast.BitOr)
_OPPOSITES = {ast.IsNot: "Is", ast.NotEq: "Eq", ast.NotIn: "In", ast.GtE: "Lt", ast.LtE: "Gt"}
_SYMMETRIC = ("Is", "Eq")

_DEFINITIONS = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)


class Piece(NamedTuple):
    """The fingerprint of a piece, and its weight: the number of its nodes that no smaller piece holds."""

    key: bytes
    weight: int


@dataclass(slots=True)
class _NormalTree:
    """A normalized syntax tree. `chosen` is true where the label is a name that the student chose."""

    label: str
    line: int
    kids: list["_NormalTree"] = field(default_factory=list)
    chosen: bool = False


Pieces = dict[Piece, set[int]]  # with the lines of those nodes of each that no smaller piece holds


def cut(nodes: Sequence[ast.AST], contract: Set[str]) -> Pieces:
    """Return the pieces of a file. `nodes` are those of its tree, parents before children.

    `contract` holds the words of the stub: names among them belong to the course, not to the student. Raises
    RecursionError.
    """
    found: Pieces = defaultdict(set)
    for statement in _Normalizer(nodes, contract).statements():
        _collect(statement, found)
    return found


def _collect(tree: _NormalTree, found: Pieces) -> tuple[list[_NormalTree], set[int], int]:
    """Add the pieces of a statement; return its nodes in order, and lines and number of those in no piece yet."""
    nodes, lines, loose = [tree], {tree.line}, 1
    for kid in tree.kids:
        inner, further, count = _collect(kid, found)
        if len(nodes) <= MAX_NODES:
            nodes += inner
        lines |= further
        loose += count
    if not MIN_NODES <= len(nodes) <= MAX_NODES:
        return nodes, lines, loose
    found[Piece(_fingerprint(nodes), loose)] |= lines
    return nodes, set(), 0


def _fingerprint(nodes: Iterable[_NormalTree]) -> bytes:
    """Return the digest of nodes in order, with numbers for the student's own names."""
    numbers: dict[str, str] = {}
    labels = (
        numbers.setdefault(node.label, f"${len(numbers)}") if node.chosen else node.label for node in nodes
    )
    return hashlib.blake2b("\n".join(labels).encode("utf-8", "surrogatepass"), digest_size=8).digest()


class _Normalizer:
    """Writes the statements of one file as normalized trees."""

    def __init__(self, nodes: Sequence[ast.AST], contract: Set[str]) -> None:
        self._nodes = nodes
        self._imported = {here: full for full, here, _ in python_source.imports(nodes) if here}
        defined = [node for node in nodes if isinstance(node, _DEFINITIONS)]
        names = {node.name for node in defined}
        self._chosen = (_bound(nodes) | names) - set(self._imported) - (names & contract)
        self._attributes = (_set_attributes(nodes) | names) - contract
        self._inline = _used_once(node for node in defined if not isinstance(node, ast.ClassDef))
        self._left_out = {id(assignment.statement) for assignment in self._inline.values()}

    def statements(self) -> Iterator[_NormalTree]:
        """Yield every statement of the file, each without the statements inside it."""
        for node in self._nodes:  # a statement comes before those inside it
            if not isinstance(node, ast.stmt) or isinstance(node, (ast.Import, ast.ImportFrom, ast.Pass)):
                continue
            if id(node) not in self._left_out and not _is_text(node):
                yield self._alternative(node) or self._write(node)

    def _alternative(self, node: ast.stmt) -> _NormalTree | None:
        """Write `if a: x = 1`, with or without `else: x = 2`, as `x = 1 if a else 2`."""
        if not isinstance(node, ast.If) or len(node.body) != 1 or len(node.orelse) > 1:
            return None
        assignments = [_name_assignment(inner) for inner in (*node.body, *node.orelse)]
        yes, no = assignments[0], assignments[-1]
        if yes is None or no is None or yes.target.id != no.target.id:
            return None
        self._left_out |= {id(inner) for inner in (*node.body, *node.orelse)}  # they are written here
        choice = self._choice(node.test, yes.value, no.value if node.orelse else yes.target, node.lineno)
        return _NormalTree("Assign", node.lineno, [self._write(yes.target), choice])

    # --- the normal form of each kind of node

    def _write(self, node: ast.AST) -> _NormalTree:
        kind = type(node).__name__
        special = getattr(self, f"_{kind}", None)
        tree: _NormalTree = special(node) if special else self._plain(node)
        return tree

    def _plain(self, node: ast.AST) -> _NormalTree:
        """Write a node as its kind, with its fields below it: no statements, no annotations."""
        tree = _NormalTree(type(node).__name__, getattr(node, "lineno", 0))
        for name, value in ast.iter_fields(node):
            if name in ("ctx", "annotation", "returns", "type_comment", "kind", "type_params"):
                continue
            for part in value if isinstance(value, list) else [value]:
                if isinstance(part, ast.AST) and not isinstance(part, (ast.stmt, ast.ExceptHandler)):
                    tree.kids.append(self._below(part, tree.line))
                elif isinstance(part, str):
                    tree.kids.append(_NormalTree(part, tree.line, chosen=part in self._chosen))
        return tree

    def _below(self, node: ast.AST, line: int) -> _NormalTree:
        tree = self._write(node)
        tree.line = tree.line or line
        return tree

    def _Name(self, node: ast.Name) -> _NormalTree:  # noqa: N802 - named as ast names its nodes, here and below
        if assignment := self._inline.get(id(node)):
            return self._write(assignment.value)
        return _NormalTree(self._imported.get(node.id, node.id), node.lineno, chosen=node.id in self._chosen)

    def _Attribute(self, node: ast.Attribute) -> _NormalTree:  # noqa: N802
        if full := python_source.dotted(node, self._imported):
            return _NormalTree(full, node.lineno)
        name = _NormalTree(f".{node.attr}", node.lineno, chosen=node.attr in self._attributes)
        return _NormalTree("Attribute", node.lineno, [self._write(node.value), name])

    def _Constant(self, node: ast.Constant) -> _NormalTree:  # noqa: N802
        if isinstance(node.value, (str, bytes)) and len(node.value.split()) != 1:
            return _NormalTree("text", node.lineno)  # the words of a message are compared as a phrase
        if isinstance(node.value, int):
            return _NormalTree(
                hex(node.value)[:80], node.lineno
            )  # repr refuses what has more than 4,300 digits
        return _NormalTree(repr(node.value)[:80], node.lineno)

    def _FormattedValue(self, node: ast.FormattedValue) -> _NormalTree:  # noqa: N802
        return self._write(node.value)

    def _Call(self, node: ast.Call) -> _NormalTree:  # noqa: N802
        kids = [self._write(kid) for kid in (node.func, *node.args)]
        for keyword in sorted(node.keywords, key=lambda keyword: keyword.arg or ""):
            # The keyword of F.pad(value=...) is torch's, even if the student has a variable `value`.
            own = kids[0].chosen and keyword.arg in self._chosen
            name = _NormalTree(keyword.arg or "**", keyword.lineno, chosen=own)
            kids.append(_NormalTree("keyword", keyword.lineno, [name, self._write(keyword.value)]))
        return _NormalTree("Call", node.lineno, kids)

    def _BinOp(self, node: ast.BinOp) -> _NormalTree:  # noqa: N802
        kids = [self._write(node.left), self._write(node.right)]
        if isinstance(node.op, _COMMUTING):
            kids.sort(key=_order)
        return _NormalTree(type(node.op).__name__, node.lineno, kids)

    def _BoolOp(self, node: ast.BoolOp) -> _NormalTree:  # noqa: N802
        return _NormalTree(type(node.op).__name__, node.lineno, [self._write(value) for value in node.values])

    def _UnaryOp(self, node: ast.UnaryOp) -> _NormalTree:  # noqa: N802
        if isinstance(node.op, ast.Not):
            tree, negated = self._test(node)
            return _NormalTree("Not", node.lineno, [tree]) if negated else tree
        return _NormalTree(type(node.op).__name__, node.lineno, [self._write(node.operand)])

    def _Compare(self, node: ast.Compare) -> _NormalTree:  # noqa: N802
        tree, negated = self._test(node)
        return _NormalTree("Not", node.lineno, [tree]) if negated else tree

    def _test(self, node: ast.expr) -> tuple[_NormalTree, bool]:
        """Write a condition, or its negation where that is simpler; also return whether it was negated."""
        if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not):
            tree, negated = self._test(node.operand)
            return tree, not negated
        if not isinstance(node, ast.Compare):
            return self._write(node), False
        kids = [self._write(kid) for kid in (node.left, *node.comparators)]
        if len(node.ops) > 1:
            return _NormalTree(" ".join(type(op).__name__ for op in node.ops), node.lineno, kids), False
        (operator,) = node.ops
        name = _OPPOSITES.get(type(operator), type(operator).__name__)
        if name == "Gt":
            name, kids = "Lt", kids[::-1]
        elif name in _SYMMETRIC:
            kids.sort(key=_order)
        return _NormalTree(name, node.lineno, kids), type(operator) in _OPPOSITES

    def _IfExp(self, node: ast.IfExp) -> _NormalTree:  # noqa: N802
        return self._choice(node.test, node.body, node.orelse, node.lineno)

    def _choice(self, test: ast.expr, yes: ast.AST, no: ast.AST, line: int) -> _NormalTree:
        tree, negated = self._test(test)
        branches = (no, yes) if negated else (yes, no)
        return _NormalTree("IfExp", line, [tree, *(self._write(branch) for branch in branches)])

    def _If(self, node: ast.If) -> _NormalTree:  # noqa: N802
        tree, _ = self._test(node.test)  # negating it and swapping the branches changes nothing
        return _NormalTree("If", node.lineno, [tree])

    def _Assign(self, node: ast.Assign) -> _NormalTree:  # noqa: N802
        kids = [*node.targets, node.value]
        return _NormalTree("Assign", node.lineno, [self._write(kid) for kid in kids])

    def _AnnAssign(self, node: ast.AnnAssign) -> _NormalTree:  # noqa: N802
        kids = [node.target, node.value] if node.value else [node.target]
        return _NormalTree("Assign", node.lineno, [self._write(kid) for kid in kids])

    def _AugAssign(self, node: ast.AugAssign) -> _NormalTree:  # noqa: N802
        return _NormalTree("Assign", node.lineno, [self._write(node.target), self._write(_sum(node))])

    def _arg(self, node: ast.arg) -> _NormalTree:
        return _NormalTree(node.arg, node.lineno, chosen=True)


def _order(tree: _NormalTree) -> tuple[str, ...]:
    """Return the sort key of an operand: all labels but the names that the student chose."""
    labels, waiting = [], [tree]
    while waiting:
        node = waiting.pop()
        labels.append("$" if node.chosen else node.label)
        waiting += reversed(node.kids)
    return tuple(labels)


class _NameAssignment(NamedTuple):
    """A statement that assigns to one name, and does nothing else."""

    statement: ast.stmt
    target: ast.Name
    value: ast.expr


def _name_assignment(node: ast.stmt) -> _NameAssignment | None:
    match node:
        case ast.Assign(targets=[ast.Name() as name], value=value):
            return _NameAssignment(node, name, value)
        case ast.AnnAssign(target=ast.Name() as name, value=ast.expr() as value):
            return _NameAssignment(node, name, value)
        case ast.AugAssign(target=ast.Name() as name):
            return _NameAssignment(node, name, _sum(node))
    return None


def _sum(node: ast.AugAssign) -> ast.BinOp:
    return ast.copy_location(ast.BinOp(node.target, node.op, node.value), node)


def _is_text(node: ast.stmt) -> bool:
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)


# --- which names are the student's


def _bound(nodes: Iterable[ast.AST]) -> set[str]:
    """Return every name that is assigned, or is an argument."""
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


def _used_once(functions: Iterable[ast.AST]) -> dict[int, _NameAssignment]:
    """Map the id of a Name node to the assignment of its name, if that is assigned once and used once in a function."""
    found: dict[int, _NameAssignment] = {}
    for function in functions:
        found |= _used_once_in(function)
    return found


def _used_once_in(function: ast.AST) -> dict[int, _NameAssignment]:
    """Do so for one function. The use must follow the value, so that no chain of values contains itself."""
    assignments: dict[str, _NameAssignment] = {}
    stored: Counter[str] = Counter()
    uses: dict[str, list[ast.Name]] = defaultdict(list)
    for node in python_source.nodes(function):
        if isinstance(node, (ast.Assign, ast.AnnAssign)) and (assignment := _name_assignment(node)):
            assignments[assignment.target.id] = assignment
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load):
            uses[node.id].append(node)
        elif isinstance(node, ast.Name):
            stored[node.id] += 1
        elif isinstance(node, ast.arg):
            stored[node.arg] += 1
    return {
        id(uses[name][0]): assignment
        for name, assignment in assignments.items()
        if stored[name] == 1 and len(uses[name]) == 1 and _start(uses[name][0]) > _end(assignment.value)
    }


def _start(node: ast.expr) -> tuple[int, int]:
    return node.lineno, node.col_offset


def _end(node: ast.expr) -> tuple[int, int]:
    return node.end_lineno or node.lineno, node.end_col_offset or node.col_offset

"""Mutation operators: for one node of a syntax tree, the nodes that may replace it.

A replacement shares its children with the original node; the original is never modified.
"""

import ast
from collections.abc import Iterator, Sequence
from enum import StrEnum
from itertools import pairwise
from typing import TypeVar

Node = TypeVar("Node", bound=ast.AST)


class Operator(StrEnum):
    """The kind of change that makes a mutant."""

    CONSTANT = "constant"
    ARITHMETIC = "arithmetic"
    COMPARISON = "comparison"
    CONDITION = "condition"
    ARGUMENT = "argument"
    PARAMETER = "parameter"
    CALL = "call"
    SIBLING = "sibling"
    SLICE = "slice"
    STATEMENT = "statement"
    LOOP = "loop"
    RETURN = "return"
    DECORATOR = "decorator"
    # those of input_operators
    IGNORED = "ignored"
    CAP = "cap"
    FALSY = "falsy"
    SIZE = "size"
    MODE = "mode"
    DTYPE = "dtype"
    LAYOUT = "layout"
    NAN = "nan"
    INFINITY = "infinity"
    CANCELLATION = "cancellation"
    REBOUND = "rebound"


# The operator, the node whose position is reported, and the replacement.
Change = tuple[Operator, ast.AST, ast.AST]


def changes(original: ast.AST, parent: ast.AST, field: str, imported: set[str]) -> Iterator[Change]:
    """Yield all changes of one node, held by `field` of its `parent`. `imported` are names of modules."""
    match original:
        case ast.Constant() as node:
            if node.value is not None or not isinstance(parent, (ast.Compare, ast.Return)):
                yield from _constants(node)
        case ast.Call() as node:
            yield from _calls(node, imported)
        case ast.keyword() | ast.Attribute() | ast.Name() as node:
            yield from _siblings(node, field)
        case ast.Slice() as node:
            for part in ("lower", "upper", "step"):
                if getattr(node, part) is not None:
                    yield Operator.SLICE, node, _copy_with(node, **{part: None})
        case ast.expr() | ast.comprehension() as node:
            yield from _expressions(node)
        case ast.stmt() as node:
            yield from _statements(node)


def _expressions(node: ast.expr | ast.comprehension) -> Iterator[Change]:
    match node:
        case ast.BinOp():
            yield from _arithmetic(node)
        case ast.Compare():
            yield from _comparisons(node)
        case ast.BoolOp():
            yield from _boolean_operators(node)
        case ast.IfExp():
            yield from _tests(node)
        case ast.UnaryOp(op=op):
            kind = Operator.CONDITION if isinstance(op, ast.Not) else Operator.ARITHMETIC
            yield kind, node, node.operand
        case ast.comprehension(ifs=ifs):
            for n, test in enumerate(ifs):
                yield Operator.CONDITION, test, _copy_with(node, ifs=_without(ifs, n))


def _statements(node: ast.stmt) -> Iterator[Change]:
    match node:
        case ast.FunctionDef() | ast.AsyncFunctionDef() | ast.ClassDef():
            yield from _definitions(node)
        case ast.If() | ast.While():
            yield from _tests(node)
        case ast.For() | ast.Break() | ast.Continue():
            yield from _loops(node)
        case ast.Return(value=value) if value is not None:
            yield from _returns(node, value)
        case ast.AugAssign():
            yield from _augmented_assignments(node)
            yield Operator.STATEMENT, node, ast.Pass()
        case ast.Expr() | ast.Assign() | ast.AnnAssign() | ast.Delete() | ast.Raise() | ast.Assert():
            yield Operator.STATEMENT, node, ast.Pass()
        case ast.With():  # keep the body without the context manager
            yield Operator.STATEMENT, node, ast.If(test=ast.Constant(True), body=node.body, orelse=[])


def _tests(node: ast.If | ast.IfExp | ast.While) -> Iterator[Change]:
    for value in (True, False):
        yield Operator.CONDITION, node.test, _copy_with(node, test=ast.Constant(value))


def _loops(node: ast.For | ast.Break | ast.Continue) -> Iterator[Change]:
    match node:
        case ast.For():
            yield Operator.LOOP, node.iter, _copy_with(node, iter=ast.Tuple([], ast.Load()))
        case ast.Break():
            yield Operator.LOOP, node, ast.Continue()
        case ast.Continue():
            yield Operator.LOOP, node, ast.Break()


def _returns(node: ast.Return, value: ast.expr) -> Iterator[Change]:
    yield Operator.RETURN, node, ast.Return(value=None)
    match value:
        case ast.Tuple(elts=[_, _, *_] as parts):
            yield Operator.RETURN, value, _copy_with(node, value=_copy_with(value, elts=parts[::-1]))


def _siblings(node: ast.keyword | ast.Attribute | ast.Name, field: str) -> Iterator[Change]:
    """Yield a call of a related function instead: max for min, train for eval."""
    match node:
        case ast.keyword(arg=str(name)) if name in _SIBLINGS:
            yield Operator.SIBLING, node, _copy_with(node, arg=_SIBLINGS[name])
        case ast.Attribute(attr=name) if name in _SIBLINGS and field == "func":
            yield Operator.SIBLING, node, _copy_with(node, attr=_SIBLINGS[name])
        case ast.Name(id=name) if name in _SIBLINGS and field == "func":
            yield Operator.SIBLING, node, _copy_with(node, id=_SIBLINGS[name])


def _constants(node: ast.Constant) -> Iterator[Change]:
    value = node.value
    others: list[float | str] = []
    if isinstance(value, bool):
        others = [not value]
    elif isinstance(value, int):
        others = [value + 1, value - 1]
    elif isinstance(value, float):
        others = [value + 1.0, value * 2]
    elif isinstance(value, str):
        others = [f"{value}_"]
    elif value is None:
        others = [1]
    for other in others:
        yield Operator.CONSTANT, node, ast.Constant(other)


_ARITHMETIC: dict[type[ast.operator], tuple[type[ast.operator], ...]] = {
    ast.Add: (ast.Sub,),
    ast.Sub: (ast.Add,),
    ast.Mult: (ast.Div, ast.Add),
    ast.Div: (ast.Mult, ast.FloorDiv),
    ast.FloorDiv: (ast.Div, ast.Mult, ast.Mod),
    ast.Mod: (ast.FloorDiv,),
    ast.Pow: (ast.Mult,),
    ast.MatMult: (ast.Mult,),
    ast.BitAnd: (ast.BitOr,),
    ast.BitOr: (ast.BitAnd,),
    ast.BitXor: (ast.BitAnd,),
    ast.LShift: (ast.RShift,),
    ast.RShift: (ast.LShift,),
}
_ORDERED = (ast.Sub, ast.Div, ast.FloorDiv, ast.Mod, ast.Pow, ast.MatMult)


def _arithmetic(node: ast.BinOp) -> Iterator[Change]:
    for op in _ARITHMETIC.get(type(node.op), ()):
        yield Operator.ARITHMETIC, node, _copy_with(node, op=op())
    if isinstance(node.op, _ORDERED):
        yield Operator.ARITHMETIC, node, _copy_with(node, left=node.right, right=node.left)
    if isinstance(node.op, ast.FloorDiv):  # the ceiling instead: -(-a // b)
        negated = _copy_with(node, left=ast.UnaryOp(ast.USub(), node.left))
        yield Operator.ARITHMETIC, node, ast.UnaryOp(ast.USub(), negated)
    yield Operator.ARITHMETIC, node.right, node.left
    yield Operator.ARITHMETIC, node.left, node.right


def _augmented_assignments(node: ast.AugAssign) -> Iterator[Change]:
    for op in _ARITHMETIC.get(type(node.op), ()):
        yield Operator.ARITHMETIC, node, _copy_with(node, op=op())
    yield Operator.ARITHMETIC, node, ast.Assign(targets=[node.target], value=node.value, lineno=node.lineno)


_COMPARISONS: dict[type[ast.cmpop], tuple[type[ast.cmpop], ...]] = {
    ast.Lt: (ast.LtE, ast.GtE),
    ast.LtE: (ast.Lt, ast.Gt),
    ast.Gt: (ast.GtE, ast.LtE),
    ast.GtE: (ast.Gt, ast.Lt),
    ast.Eq: (ast.NotEq,),
    ast.NotEq: (ast.Eq,),
    ast.Is: (ast.IsNot,),
    ast.IsNot: (ast.Is,),
    ast.In: (ast.NotIn,),
    ast.NotIn: (ast.In,),
}


def _comparisons(node: ast.Compare) -> Iterator[Change]:
    for n, op in enumerate(node.ops):
        for other in _COMPARISONS[type(op)]:
            yield (
                Operator.COMPARISON,
                node,
                _copy_with(node, ops=[*node.ops[:n], other(), *node.ops[n + 1 :]]),
            )


def _boolean_operators(node: ast.BoolOp) -> Iterator[Change]:
    yield (
        Operator.CONDITION,
        node,
        _copy_with(node, op=ast.Or() if isinstance(node.op, ast.And) else ast.And()),
    )
    for n, value in enumerate(node.values):
        rest = _without(node.values, n)
        yield Operator.CONDITION, value, rest[0] if len(rest) == 1 else _copy_with(node, values=rest)


def _calls(node: ast.Call, imported: set[str]) -> Iterator[Change]:
    if not any(isinstance(argument, ast.Starred) for argument in node.args):
        is_ordered = not (isinstance(node.func, ast.Name) and node.func.id in ("min", "max"))
        for n, (one, other) in enumerate(pairwise(node.args) if is_ordered else ()):
            swapped = [*node.args[:n], other, one, *node.args[n + 2 :]]
            yield Operator.ARGUMENT, one, _copy_with(node, args=swapped)
        if node.args:
            yield Operator.ARGUMENT, node.args[-1], _copy_with(node, args=node.args[:-1])
    for n, keyword in enumerate(node.keywords):
        yield Operator.ARGUMENT, keyword, _copy_with(node, keywords=_without(node.keywords, n))
    yield from ((Operator.CALL, node, kept) for kept in _call_operand(node, imported))


def _call_operand(node: ast.Call, imported: set[str]) -> Iterator[ast.AST]:
    """Yield the operand of a call, where the syntax shows it: the object of a method, or the first argument."""
    match node.func:
        case ast.Attribute(value=ast.Name(id=name)) if name == "self" or name in imported:
            yield from node.args[:1]
        case ast.Attribute(value=value):
            yield value
        case _:
            yield from node.args[:1]


_SIBLINGS = {
    one: other
    for pair in (
        ("min", "max"),
        ("amin", "amax"),
        ("argmin", "argmax"),
        ("all", "any"),
        ("sum", "mean"),
        ("zeros", "ones"),
        ("zeros_like", "ones_like"),
        ("floor", "ceil"),
        ("exp", "expm1"),
        ("train", "eval"),
        ("children", "modules"),
        ("named_children", "named_modules"),
        ("partition", "rpartition"),
    )
    for one, other in (pair, pair[::-1])
}


def _definitions(node: ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef) -> Iterator[Change]:
    for n, decorator in enumerate(node.decorator_list):
        yield Operator.DECORATOR, decorator, _copy_with(node, decorator_list=_without(node.decorator_list, n))
    if isinstance(node, ast.ClassDef):
        return
    given, names = node.args, node.args.args
    required = len(names) - len(given.defaults)
    first = 1 if names and names[0].arg in ("self", "cls") else 0
    for n in range(first, len(names) - 1):
        if n + 1 == required:
            continue  # only one of the two has a default
        swapped = [*names[:n], names[n + 1], names[n], *names[n + 2 :]]
        defaults = list(given.defaults)
        if n >= required:
            m = n - required
            defaults[m], defaults[m + 1] = defaults[m + 1], defaults[m]
        yield (
            Operator.PARAMETER,
            names[n],
            _copy_with(node, args=_copy_with(given, args=swapped, defaults=defaults)),
        )


def _copy_with(node: Node, **changes: object) -> Node:
    """Return a shallow copy of a node with other fields."""
    copy = type(node)(**{field: changes.get(field, value) for field, value in ast.iter_fields(node)})
    return ast.copy_location(copy, node)


def _without(items: Sequence[Node], n: int) -> list[Node]:
    return [*items[:n], *items[n + 1 :]]

"""Formulas of the course: arithmetic on drawn numbers, and no other Python.

A formula is parsed by Python and evaluated here, node by node: numbers, names, + - * / // % **, comparisons, and six
functions. Sizes are bounded at every step, so that no formula is slow. What a student writes is never evaluated here.
"""

import ast
import math
import operator
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache

MAX_LENGTH, MAX_NODES, MAX_EXPONENT, MAX_VALUE = 300, 100, 64, 10**18

Value = int | float
_OPERATORS: dict[type, Callable[[Value, Value], Value]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.FloorDiv: operator.floordiv,
    ast.Mod: operator.mod,
    ast.Pow: operator.pow,
}
_COMPARISONS: dict[type, Callable[[Value, Value], bool]] = {
    ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
}
_FUNCTIONS: dict[str, Callable[..., Value]] = {
    "min": min,
    "max": max,
    "floor": math.floor,
    "ceil": math.ceil,
    "abs": abs,
    "round": round,
}
_PLACE = re.compile(r"\{\{|\}\}|\{([^{}]*)\}|[{}]")


class FormulaError(ValueError):
    """A formula of the course cannot be read, or has no value."""


@dataclass(frozen=True, slots=True)
class Formula:
    """A parsed formula: `(n + 2 * p - k) // s + 1`."""

    text: str
    _tree: ast.expr = field(compare=False, repr=False)

    def value(self, names: Mapping[str, Value]) -> Value:
        """Return its value for these numbers. Raises FormulaError where it has none."""
        try:
            return _evaluate(self._tree, names)
        except (ArithmeticError, ValueError, TypeError) as error:
            reason = error if isinstance(error, FormulaError) else f"{type(error).__name__}: {error}"
            raise FormulaError(f"the formula {self.text} has no value: {reason}") from None


@lru_cache(maxsize=4096)
def read_formula(text: str) -> Formula:
    """Read a formula. Raises FormulaError with what is not allowed in it."""
    if len(text) > MAX_LENGTH:
        raise FormulaError(f"a formula has at most {MAX_LENGTH} characters")
    try:
        tree = ast.parse(text.strip(), mode="eval").body
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        raise FormulaError(f'"{text}" is neither a number nor a formula such as (n - k) // s + 1') from None
    nodes = list(ast.walk(tree))
    if len(nodes) > MAX_NODES:
        raise FormulaError(f"the formula {text} is too long")
    for node in nodes:
        _allow(node, text)
    return Formula(text.strip(), tree)


def _allow(node: ast.AST, text: str) -> None:
    if isinstance(node, ast.Constant):
        allowed = type(node.value) in (int, float)
    elif isinstance(node, ast.Call):
        allowed = isinstance(node.func, ast.Name) and node.func.id in _FUNCTIONS and not node.keywords
    else:
        known = (ast.BinOp, ast.UnaryOp, ast.Compare, ast.Name, ast.Load, ast.USub, ast.UAdd)
        allowed = isinstance(node, known) or type(node) in _OPERATORS or type(node) in _COMPARISONS
    if not allowed:
        raise FormulaError(
            f"the formula {text} uses {type(node).__name__}; it may use numbers, names, + - * / // % **, "
            f"comparisons, and {', '.join(_FUNCTIONS)}"
        )


def _evaluate(node: ast.expr, names: Mapping[str, Value]) -> Value:
    if isinstance(node, ast.Name):
        if node.id not in names:
            raise FormulaError(f'there is no parameter "{node.id}"')
        return names[node.id]
    if isinstance(node, ast.Constant) and isinstance(node.value, (int, float)):
        return _bounded(node.value)
    if isinstance(node, ast.BinOp):
        left, right = _evaluate(node.left, names), _evaluate(node.right, names)
        if isinstance(node.op, ast.Pow) and (abs(right) > MAX_EXPONENT or abs(left) > 10**6):
            raise FormulaError("this power is too large")
        return _bounded(_OPERATORS[type(node.op)](left, right))
    if isinstance(node, ast.UnaryOp):
        value = _evaluate(node.operand, names)
        return -value if isinstance(node.op, ast.USub) else value
    if isinstance(node, ast.Compare):
        values = [_evaluate(part, names) for part in (node.left, *node.comparators)]
        pairs = zip(node.ops, values, values[1:], strict=False)
        return all(_COMPARISONS[type(op)](a, b) for op, a, b in pairs)
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
        return _bounded(_FUNCTIONS[node.func.id](*(_evaluate(argument, names) for argument in node.args)))
    raise FormulaError(f"{type(node).__name__} has no value")


def _bounded(value: Value) -> Value:
    if not isinstance(value, (int, float)) or not math.isfinite(value) or abs(value) > MAX_VALUE:
        raise FormulaError("a value is too large, or not a real number")
    return value


def fill(text: str, names: Mapping[str, Value]) -> str:
    """Replace every `{formula}` of a text by its value; `{{` and `}}` are braces. Raises FormulaError."""

    def replaced(match: re.Match[str]) -> str:
        if match[0] in ("{{", "}}"):
            return match[0][0]
        if match[1] is None:
            raise FormulaError(f'a single "{match[0]}" in a text with params: write {{{{ and }}}}')
        return shown_number(read_formula(match[1]).value(names))

    return _PLACE.sub(replaced, text)


def shown_number(value: Value) -> str:
    """Return a number as a person writes it: 3, not 3.0; 0.3, not 0.30000000000000004."""
    return str(int(value)) if value == int(value) else f"{value:.10g}"

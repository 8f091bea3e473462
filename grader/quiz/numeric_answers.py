"""Comparing numbers, shapes and matrices with keys."""

import math
from collections.abc import Sequence

from grader.quiz.formulas import Formula, Value
from grader.quiz.items import NumberKey, Tolerance

Matrix = list[list[float]]


def plain(number: Value | Formula) -> float:
    """Return the number of a drawn item. A formula here is a fault of ours: the item was not drawn."""
    if isinstance(number, Formula):
        raise TypeError(f"the formula {number.text} was not drawn")
    return float(number)


def same_number(one: float, key: float, tolerance: Tolerance | None) -> bool:
    """Tell whether a number is the key's within a tolerance; nearly exactly where there is none."""
    if tolerance is None:
        return math.isclose(one, key, rel_tol=1e-6, abs_tol=1e-9)
    if tolerance.decimals is not None:
        allowed = 0.5 * 10.0**-tolerance.decimals
    else:
        allowed = max(tolerance.atol, tolerance.rtol * abs(key))
    return abs(one - key) <= allowed * (1 + 1e-9) + 1e-12


def is_key(number: float, key: NumberKey) -> bool:
    """Tell whether a number, in the unit of the key, is right."""
    return same_number(number, plain(key.key), key.tolerance)


def plain_matrix(rows: Sequence[Sequence[Value | Formula]]) -> Matrix:
    """Return the matrix of a drawn item."""
    return [[plain(cell) for cell in row] for row in rows]


def same_size(one: Matrix, other: Matrix) -> bool:
    """Tell whether two matrices have the same numbers of rows and columns."""
    return [len(row) for row in one] == [len(row) for row in other]


def same_cells(one: Matrix, key: Matrix, tolerance: Tolerance | None) -> list[bool]:
    """Tell for each cell whether it is right; none is where the size differs."""
    if not same_size(one, key):
        return [False for row in key for _ in row]
    return [
        same_number(a, b, tolerance)
        for row, key_row in zip(one, key, strict=True)
        for a, b in zip(row, key_row, strict=True)
    ]

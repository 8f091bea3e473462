"""Numbers as answers: reading what a student writes, and comparing it with a key."""

import math
import re
from fractions import Fraction

from grader.quiz.fields import Tolerance
from grader.quiz.formulas import Formula, Value
from grader.quiz.responses import MAX_LENGTH, ResponseError

_NUMBER = r"[+-]?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d{1,2})?"
_NUMERIC = re.compile(rf"({_NUMBER})\s*(?:/\s*({_NUMBER}))?\s*(%)?")
_EXPECTED = "a number is expected, for example: 28, 0.5, 1/2 or 50%"
EXACT_RTOL = 1e-6  # relative tolerance of a number whose item states none


def read_number(value: object) -> float:
    """Read 0.5, "1/2", "50%", "5e-1" or "-3". Raises ResponseError for everything else, nan and inf included."""
    match = _NUMERIC.fullmatch(number_text(value))
    if match is None:
        raise ResponseError(_EXPECTED)
    numerator, denominator, percent = match.groups()
    number = Fraction(numerator) / (100 if percent else 1)
    if denominator is not None:
        if not Fraction(denominator):
            raise ResponseError("this divides by zero")
        number /= Fraction(denominator)
    return float(number)


def number_text(value: object) -> str:
    """Return the text of a number, of a bounded length. Raises ResponseError where it cannot be one."""
    if isinstance(value, bool) or not isinstance(value, (int, float, str)):
        raise ResponseError(_EXPECTED)
    text = str(value).strip().replace("\N{MINUS SIGN}", "-")
    if len(text) > MAX_LENGTH:
        raise ResponseError(_EXPECTED)
    if "," in text:
        raise ResponseError("write numbers with a point and without thousands separators: 0.875, 1225500")
    return text


def plain(number: Value | Formula) -> float:
    """Return the number of a drawn item. Raises TypeError for a formula: then the item was not drawn."""
    if isinstance(number, Formula):
        raise TypeError(f"the formula {number.text} was not drawn")
    return float(number)


def same_number(one: float, key: float, tolerance: Tolerance | None) -> bool:
    """Tell whether a number is the key's within a tolerance; nearly exactly where there is none."""
    if tolerance is None:
        return math.isclose(one, key, rel_tol=EXACT_RTOL, abs_tol=1e-9)
    return abs(one - key) <= tolerance.allowed(key) * (1 + 1e-9) + 1e-12


def tolerance_words(tolerance: Tolerance | None) -> str:
    """Return what students read about the tolerance, to append to "a number"; "" without one."""
    if tolerance is None:
        return ""
    if tolerance.decimals is not None:
        return (
            f", rounded to {tolerance.decimals} decimals"
            if tolerance.decimals
            else ", rounded to a whole number"
        )
    near = [
        f"{tolerance.rtol:.3g} of it" if tolerance.rtol < 0.001 else f"{100 * tolerance.rtol:g} %"
    ] * bool(tolerance.rtol)
    near += [f"{tolerance.atol:g}"] * bool(tolerance.atol)
    return f", right within {' or '.join(near)}"

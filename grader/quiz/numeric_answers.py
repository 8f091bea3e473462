"""Numbers as answers: reading what a student writes, and comparing it with a key."""

import math
import re
from fractions import Fraction

from grader.quiz import typography
from grader.quiz.fields import Tolerance
from grader.quiz.formulas import Formula, Value
from grader.quiz.responses import MAX_LENGTH, ResponseError

_DECIMAL = r"(?:\d+(?:\.\d*)?|\.\d+)"
_POWER = r"\s*(?:\*\*|\^)\s*(?:[+-]?\d{1,2}|\([+-]?\d{1,2}\))"
_TERM = rf"[+-]?\s?{_DECIMAL}(?:[eE][+-]?\d{{1,2}}|\s*[x*\u00d7\u00b7]\s*{_DECIMAL}{_POWER}|{_POWER})?"
_QUOTIENT = re.compile(rf"[=~\u2248]?\s*(?P<above>{_TERM})\s*(?:/\s*(?P<below>{_TERM}))?")
_PERCENT = re.compile(r"%|percent|per cent")
_EXPECTED = "a number is expected, for example: 28, 0.5, 1/2 or 50%"
_BEGIN = re.compile(r"[=~\u2248]?\s*[+-]?\s*")
_GROUPS = re.compile(r"(?<![\d.])\d{1,3}(?:[ ']\d{3})+(?!\d)")
EXACT_RTOL = 1e-6  # relative tolerance of a number whose item states none


def read_number(value: object) -> float:
    """Read 0.5, "1/2", "50%", "5e-1", "10^-3", "1_000" or "-3". Raises ResponseError for everything else."""
    number, rest = leading_number(value)
    if not rest:
        return number
    if _PERCENT.fullmatch(rest):
        return float(Fraction(number) / 100)
    raise _unreadable(value, rest)


def leading_number(value: object) -> tuple[float, str]:
    """Read the number that a text begins with; return what stands behind it too. Raises ResponseError without one."""
    text = number_text(value)
    match = _QUOTIENT.match(text)
    if match is None:
        raise _unreadable(value, _BEGIN.sub("", text, count=1))
    above, below = match["above"], match["below"]
    try:
        number = _term(above) / (_term(below) if below is not None else 1)
        return float(number), text[match.end() :].strip()
    except ZeroDivisionError:
        raise ResponseError("this divides by zero") from None
    except OverflowError:
        raise ResponseError(f"{_EXPECTED}; this one is too large") from None


def _term(text: str) -> Fraction:
    """Return the value of a number, which may be a power, or have one as a factor: 3, 10^-3, 2 x 10^-3."""
    text = text.replace(" ", "").replace("**", "^")
    sign = -1 if text.startswith("-") else 1
    factor, times, power = text.lstrip("+-").rpartition(next((c for c in "x*\u00d7\u00b7" if c in text), "x"))
    base, raised, exponent = power.partition("^")
    number = Fraction(base) ** int(exponent.strip("()")) if raised else Fraction(base)
    return sign * number * (Fraction(factor) if times else 1)


def number_text(value: object) -> str:
    """Return the plain text of a number, of a bounded length. Raises ResponseError where it cannot be one."""
    if isinstance(value, bool) or not isinstance(value, (int, float, str)):
        raise ResponseError(_EXPECTED)
    text = str(value).strip()
    if len(text) > MAX_LENGTH:
        raise ResponseError(_EXPECTED)
    text = re.sub(r"(?<=\d)_(?=\d)", "", typography.plain(text))
    if "," in text:
        raise ResponseError("write numbers with a point and without thousands separators: 0.875, 1225500")
    return _GROUPS.sub(lambda found: re.sub("[ ']", "", found[0]), text).strip()


def _unreadable(value: object, rest: str) -> ResponseError:
    """Return the error of a number after which the plain text `rest` is left."""
    text = str(value).strip()
    return ResponseError(_EXPECTED + typography.unread(text, len(typography.plain(text)) - len(rest)))


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

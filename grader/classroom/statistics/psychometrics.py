"""The arithmetic of item analysis, on plain numbers. A figure that does not exist is None; no figure is ever NaN.

Where a source leaves something open, the docstring states the choice. Intervals are 95 % confidence intervals.
"""

import math
from collections.abc import Callable, Sequence
from statistics import NormalDist

from grader.classroom.statistics.summary_records import Interval

KELLEY = 0.27
Z = NormalDist().inv_cdf(0.975)
_ZERO = 1e-12  # a smaller variance is the rounding error of equal numbers
_STEPS = 200


def mean(numbers: Sequence[float]) -> float | None:
    """Return the mean; None where there are no numbers."""
    return math.fsum(numbers) / len(numbers) if numbers else None


def variance(numbers: Sequence[float]) -> float:
    """Return the sample variance, divided by n - 1; 0 for fewer than two numbers, and for equal ones."""
    if len(numbers) < 2:
        return 0.0
    middle = math.fsum(numbers) / len(numbers)
    found = math.fsum((number - middle) ** 2 for number in numbers) / (len(numbers) - 1)
    return found if found > _ZERO else 0.0


def correlation(one: Sequence[float], other: Sequence[float]) -> float | None:
    """Return Pearson's r, which is the point-biserial one for values of 0 and 1. None where one side does not vary."""
    spread = variance(one) * variance(other)
    if not spread:
        return None
    first, second = math.fsum(one) / len(one), math.fsum(other) / len(other)
    shared = math.fsum((x - first) * (y - second) for x, y in zip(one, other, strict=True))
    return max(-1.0, min(1.0, shared / (len(one) - 1) / math.sqrt(spread)))


def wilson(share: float, n: int) -> Interval:
    """Return the score interval of a proportion (Wilson, 1927).

    It also serves for a mean credit: credit in [0, 1] varies at most as much as a proportion of the same mean, so that
    the interval is too wide rather than too narrow.
    """
    square = Z**2
    middle = (share + square / (2 * n)) / (1 + square / n)
    half = Z / (1 + square / n) * math.sqrt(share * (1 - share) / n + square / (4 * n**2))
    return Interval(low=max(0.0, middle - half), high=min(1.0, middle + half))


def fisher(r: float, n: int) -> Interval | None:
    """Return the interval of a correlation by its z transform (Fisher, 1921); None for n up to 3 and for |r| = 1."""
    if n <= 3 or 1 - abs(r) < _ZERO:
        return None
    half = Z / math.sqrt(n - 3)
    return Interval(low=math.tanh(math.atanh(r) - half), high=math.tanh(math.atanh(r) + half))


def alpha(rows: Sequence[Sequence[float]]) -> float | None:
    """Return Cronbach's alpha (Cronbach, 1951) of students (rows) by items: KR-20 where all credit is 0 or 1.

    Both variances are divided by n - 1: dividing one by n gives another figure. None for fewer than two items, and
    where all students have the same total.
    """
    items = len(rows[0]) if rows else 0
    whole = variance([math.fsum(row) for row in rows])
    if items < 2 or not whole:
        return None
    return items / (items - 1) * (1 - math.fsum(map(variance, zip(*rows, strict=True))) / whole)


def feldt(found: float, students: int, items: int) -> Interval | None:
    """Return the interval of Cronbach's alpha (Feldt, Woodruff and Salih, 1987); None for an alpha of 1."""
    if 1 - found < _ZERO:
        return None
    freedom = students - 1, (students - 1) * (items - 1)
    low, high = (1 - (1 - found) * f_quantile(share, *freedom) for share in (0.975, 0.025))
    return Interval(low=low, high=high)


def error_of_measurement(deviation: float, found: float) -> float:
    """Return the standard error of measurement, sd(T) sqrt(1 - alpha), in the unit of the deviation."""
    return deviation * math.sqrt(max(0.0, 1 - found))


def ends(totals: Sequence[float]) -> tuple[list[float], list[float]] | None:
    """Return the weight in [0, 1] of each student in the strongest and in the weakest 27 % (Kelley, 1939).

    27 % are rounded to whole students, at least one. Students with equal totals at the cut share the remaining places
    evenly, so that the order of students has no effect. None where all totals are equal.
    """
    if not variance(totals):
        return None
    places = max(1, math.floor(KELLEY * len(totals) + 0.5))
    return _weights(totals, places), _weights([-total for total in totals], places)


def _weights(totals: Sequence[float], places: int) -> list[float]:
    rounded = [
        round(total, 9) for total in totals
    ]  # equal sums of thirds agree to nine places, not to sixteen
    cut = sorted(rounded, reverse=True)[places - 1]
    left = places - sum(total > cut for total in rounded)
    share = left / rounded.count(cut)
    return [1.0 if total > cut else share if total == cut else 0.0 for total in rounded]


def weighted(numbers: Sequence[float], weights: Sequence[float]) -> float | None:
    """Return the weighted mean; None where all weights are 0."""
    whole = math.fsum(weights)
    return math.fsum(map(math.prod, zip(numbers, weights, strict=True))) / whole if whole else None


# --- the F distribution: scipy has it, but is too large a dependency for one quantile


def f_quantile(share: float, first: float, second: float) -> float:
    """Return the quantile of the F distribution with these degrees of freedom."""
    at = _root(lambda x: beta_share(x, first / 2, second / 2) - share)
    return second * at / (first * (1 - at))


def _root(rising: Callable[[float], float]) -> float:
    """Return the root of an increasing function on (0, 1), by bisection."""
    low, high = 0.0, 1.0
    for _ in range(_STEPS):
        middle = (low + high) / 2
        if middle in (low, high):
            break
        low, high = (middle, high) if rising(middle) < 0 else (low, middle)
    return (low + high) / 2


def beta_share(x: float, a: float, b: float) -> float:
    """Return the regularized incomplete beta function I_x(a, b), 0 < x < 1 (Abramowitz and Stegun, 1964, 26.5.8)."""
    if x > (a + 1) / (a + b + 2):  # its continued fraction converges fast on the other side
        return 1 - beta_share(1 - x, b, a)
    scale = math.lgamma(a + b) - math.lgamma(a) - math.lgamma(b) + a * math.log(x) + b * math.log1p(-x)
    return math.exp(scale) / a * _fraction(x, a, b)


def _fraction(x: float, a: float, b: float) -> float:
    """Return the continued fraction of the incomplete beta function, by Lentz's method (1976)."""
    tiny = 1e-300
    upper, lower, value = 1.0, 1 / ((1 - (a + b) * x / (a + 1)) or tiny), 0.0
    value = lower
    for m in range(1, 10_000):
        even = m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m))
        odd = -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1))
        for term in (even, odd):
            lower = 1 / ((1 + term * lower) or tiny)
            upper = (1 + term / upper) or tiny
            value *= upper * lower
        if abs(upper * lower - 1) < 1e-15:
            return value
    raise ArithmeticError(f"the incomplete beta function of {x}, {a}, {b} does not converge")

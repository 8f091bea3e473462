"""Rules of partial credit. Every rule returns credit in [0, 1]."""

from collections.abc import Callable, Collection, Sequence
from enum import StrEnum
from math import fsum, prod


class Rule(StrEnum):
    """How the choices of a multi item become credit. c: right options, s: chosen ones, n: all options."""

    EXACT = "exact"
    NET = "net"
    FALSE2 = "false2"
    COVERAGE = "coverage"
    EACH = "each"


def choice_credit(rule: Rule, chosen: Collection[str], key: Collection[str], options: int) -> float:
    """Return the credit of choosing `chosen` among so many `options`, of which those in `key` are right."""
    right = len(set(chosen) & set(key))
    wrong = len(set(chosen) - set(key))
    return _RULES[rule](right, wrong, len(set(key)), options)


def _exact(right: int, wrong: int, key: int, _options: int) -> float:
    return float(right == key and not wrong)


def _net(right: int, wrong: int, key: int, _options: int) -> float:
    """Subtract for a wrong choice what a right one earns, as Canvas and PrairieLearn's net-correct do."""
    return max(0.0, (right - wrong) / key)


def _false2(right: int, wrong: int, key: int, options: int) -> float:
    """Subtract for a wrong choice its share of the wrong options, at most a half: the default of R/exams."""
    return max(0.0, right / key - wrong / max(options - key, 2))


def _coverage(right: int, wrong: int, key: int, _options: int) -> float:
    """Multiply the share of the key that was found by the share of the choices that are right (PrairieLearn)."""
    return right / key * (right / (right + wrong)) if right else 0.0


def _each(right: int, wrong: int, key: int, options: int) -> float:
    """Return the share of options decided rightly. Choosing nothing earns credit: see docs/quizzes.md."""
    return (options - (key - right) - wrong) / options


_RULES: dict[Rule, Callable[[int, int, int, int], float]] = {
    Rule.EXACT: _exact,
    Rule.NET: _net,
    Rule.FALSE2: _false2,
    Rule.COVERAGE: _coverage,
    Rule.EACH: _each,
}


def order_credit(given: Sequence[str], key: Sequence[str]) -> float:
    """Return max(0, 1 - 2 * moves / n), where `moves` of the n parts must be moved to put them in order.

    The parts that need not move are the longest common subsequence (LCS). A move counts twice, as a wrong choice in
    `net`: a random order of 4 earns 0.23 on average; LCS / n would give it 0.60.
    """
    moves = len(key) - _common(given, key)
    return max(0.0, 1.0 - 2.0 * moves / len(key))


def _common(one: Sequence[str], other: Sequence[str]) -> int:
    """Return the length of the longest common subsequence."""
    row = [0] * (len(other) + 1)
    for part in one:
        before = 0
        for n, candidate in enumerate(other, start=1):
            before, row[n] = row[n], before + 1 if part == candidate else max(row[n], row[n - 1])
    return row[-1]


def part_credit(right: Sequence[bool], *, exact: bool) -> float:
    """Return the share of rows, blanks or cells that are right; with `exact`, all or nothing."""
    return float(all(right)) if exact else sum(right) / len(right)


def guessed_credit(shares: Sequence[float], *, exact: bool) -> float:
    """Return the mean credit of guessing parts that are right with these probabilities; `exact` as in part_credit."""
    return prod(shares) if exact else fsum(shares) / len(shares)

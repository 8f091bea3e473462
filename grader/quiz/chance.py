"""What guessing earns: the mean credit of answers picked at random, by the rule of the item."""

from collections.abc import Iterable, Mapping
from functools import singledispatch
from itertools import combinations
from math import fsum, prod

from grader.quiz.credit import choice_credit
from grader.quiz.items import (
    ClozeItem,
    MatchItem,
    MultiItem,
    Option,
    SingleItem,
    TrueFalseItem,
    right_letters,
)
from grader.quiz.items import WordsKey as Words
from grader.quiz.text_answers import normal


@singledispatch
def chance(item: object) -> float | None:  # noqa: ARG001 - the others need it
    """Return the mean credit of guessing; None where there is nothing to pick from."""
    return None


@chance.register
def _(item: SingleItem) -> float:
    return _right(item.options)


@chance.register
def _(item: TrueFalseItem) -> float:
    """Half of the guesses have the verdict, and earn all with the right reason, else a half."""
    return 0.5 * (1 + _right(item.reasons)) / 2


@chance.register
def _(item: MultiItem) -> float:
    """Flip a coin for each option."""
    options = {letter: option for letter, option in item.options.items() if option.void != "drop"}
    key = right_letters(options)
    picks = [pick for size in range(len(options) + 1) for pick in combinations(options, size)]
    return fsum(choice_credit(item.credit, pick, key, len(options)) for pick in picks) / len(picks)


@chance.register
def _(item: MatchItem) -> float:
    return _parts([1 / len(item.choices)] * len(item.rows), exact=item.credit == "exact")


@chance.register
def _(item: ClozeItem) -> float | None:
    """Guess where there is a list to choose from in every gap."""
    found = []
    for blank in item.blanks.values():
        if not isinstance(blank, Words) or not blank.choices:
            return None
        accepted = {normal(word) for word in blank.accept}
        found.append(sum(normal(word) in accepted for word in blank.choices) / len(blank.choices))
    return _parts(found, exact=item.credit == "exact")


def _right(options: Mapping[str, Option]) -> float:
    good = [option for option in options.values() if option.correct or option.void == "full"]
    return len(good) / len(options)


def _parts(shares: Iterable[float], *, exact: bool) -> float:
    found = list(shares)
    return prod(found) if exact else fsum(found) / len(found)

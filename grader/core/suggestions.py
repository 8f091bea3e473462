"""Suggestions for misspelled words: "did you mean"."""

import difflib
from collections.abc import Iterable

_CUTOFF = 0.5  # a less similar word would confuse more than help


def nearest(word: str, known: Iterable[str], cutoff: float = _CUTOFF) -> str | None:
    """Return the known word that is most similar to this one; None where none is similar enough."""
    return next(iter(difflib.get_close_matches(word, list(known), n=1, cutoff=cutoff)), None)


def suggestion(word: str, known: Iterable[str]) -> str:
    """Return `; did you mean "pooling"?`, for the end of a problem; "" without a similar word."""
    near = nearest(word, known)
    return f'; did you mean "{near}"?' if near else ""


def question(word: str, known: Iterable[str]) -> str:
    """Return ` Did you mean "pooling"?`, to follow a sentence; "" without a similar word."""
    near = nearest(word, known)
    return f' Did you mean "{near}"?' if near else ""

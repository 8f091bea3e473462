"""What somebody who misspelled a word may have meant: the one place that asks "did you mean"."""

import difflib
from collections.abc import Iterable

_CUTOFF = 0.5  # less alike than this, and a suggestion only confuses


def nearest(word: str, known: Iterable[str]) -> str | None:
    """Return the known word that is most like this one; None where none is."""
    return next(iter(difflib.get_close_matches(word, list(known), n=1, cutoff=_CUTOFF)), None)


def suggestion(word: str, known: Iterable[str]) -> str:
    """Return `; did you mean "pooling"?`, to end a problem with, or nothing."""
    near = nearest(word, known)
    return f'; did you mean "{near}"?' if near else ""


def question(word: str, known: Iterable[str]) -> str:
    """Return ` Did you mean "pooling"?`, to follow a sentence, or nothing."""
    near = nearest(word, known)
    return f' Did you mean "{near}"?' if near else ""

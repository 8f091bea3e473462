"""Words as answers: their normal form, near misses, and regular expressions that are never slow."""

import re
import unicodedata
from collections.abc import Iterable, Mapping

MAX_LENGTH = 120
_DASHES = dict.fromkeys(map(ord, "\u2010\u2011\u2012\u2013\u2014\u2015\u2212"), "-")
_QUOTES = dict.fromkeys(map(ord, "\u2018\u2019\u201a\u2032`"), "'") | dict.fromkeys(
    map(ord, "\u201c\u201d\u201e\u2033"), '"'
)
_TYPOGRAPHY = _DASHES | _QUOTES
MIN_NEAR = 5


def normal(text: str, aliases: Mapping[str, str] | None = None) -> str:
    """Return the normal form: NFKC, case folded, plain dashes and quotes, single spaces, no stop at the end."""
    plain = unicodedata.normalize("NFKC", text).casefold().translate(_TYPOGRAPHY)
    plain = " ".join(plain.split()).lstrip("'\" ").rstrip("'\".,;:!? ")
    return (aliases or {}).get(plain, plain)


def matches(text: str, patterns: Iterable[str]) -> bool:
    """Tell whether a pattern matches the whole of a text in normal form."""
    return len(text) <= MAX_LENGTH and any(re.fullmatch(pattern, text) for pattern in patterns)


def near(text: str, accepted: Iterable[str]) -> bool:
    """Tell whether a text is one typing error off an accepted one: a letter more, less, wrong, or two swapped."""
    return any(len(word) >= MIN_NEAR and word != text and _one_slip(text, word) for word in accepted)


def _one_slip(one: str, other: str) -> bool:
    start = 0
    while start < min(len(one), len(other)) and one[start] == other[start]:
        start += 1
    a, b = one[start:], other[start:]
    swapped = len(a) > 1 and len(b) > 1 and a[:2] == b[1::-1] and a[2:] == b[2:]
    return a[1:] == b[1:] or a[1:] == b or a == b[1:] or swapped


# A pattern is matched with at most MAX_LENGTH characters. Two unbounded repetitions, none of them of a group, and a few
# choices keep the worst case of a backtracking matcher in the milliseconds.
_MAX_REPEATS, _MAX_CHOICES = 2, 8
_TOKEN = re.compile(r"\\.|\[\^?\]?(?:\\.|[^\]\\])*\]|\(\?:|[()|]|[*+?]|\{[0-9,]*\}|.", re.DOTALL)


def check_pattern(pattern: str) -> str:
    """Return the pattern. Raises ValueError for one that is invalid, never matches, or may be slow."""
    try:
        re.compile(pattern)
    except re.error as error:
        raise ValueError(f"is not a regular expression: {error}") from None
    if pattern != pattern.casefold() and not re.search(r"\\[A-Z]", pattern):
        raise ValueError("is compared with lower-case text, and has capitals: it can never match")
    parts = _TOKEN.findall(pattern)
    costs = [_cost(before, part) for before, part in zip(["", *parts], parts, strict=False)]
    if costs.count("repeat") > _MAX_REPEATS or costs.count("choice") > _MAX_CHOICES:
        raise ValueError(
            f"has more than {_MAX_REPEATS} repetitions or {_MAX_CHOICES} choices; use accept instead"
        )
    return pattern


def _cost(before: str, part: str) -> str:
    """Return what a part of a pattern costs a backtracking matcher: a "repeat", a "choice", or nothing."""
    if part in {"*", "+"} or part.startswith("{"):
        if before == ")":
            raise ValueError("repeats a group; repeat a character or a class: [a-z]+")
        return "repeat"
    if part == "?" and before == "(":
        raise ValueError("uses (?...); only (?:...) is allowed")
    if re.fullmatch(r"\\[1-9]", part):
        raise ValueError("refers back to a group, which can be slow")
    return "choice" if part in {"|", "?"} else ""

"""Words as answers: their normal forms, near misses, and regular expressions that are never slow."""

import re
from collections.abc import Iterable, Mapping

from grader.quiz.typography import plain

MAX_LENGTH = 120
MIN_NEAR = 5

_INFINITY = re.compile(r"\binfinity\b|\u221e")
_SIGN = re.compile(r"\b(?:minus|negative|neg\.?) +(?=\w)")
_ARTICLE = re.compile(r"^(?:(?:call|use|write) +)?(?:(?:the|an?) +)?(?=[\w.])")
_KIND = re.compile(r"(?<=\w) +(?:function|method|layer|module|activation|attribute|flag|exception)$")
# What stands before the last dot of a name: `torch.nn.` of torch.nn.ELU, `bn.` of bn.eval, the dot of .eval.
_OWNER = re.compile(r"(?<![\w.)\]])(?:[^\W\d]\w*)?(?:\.[^\W\d]\w*)*\.(?=[^\W\d])")
_CONVERSION = re.compile(r"\b(?:float|int|str|tensor) *\(([^()]*)\)")
_EMPTY_CALL = re.compile(r"(?<=\w) *\( *\)")
_ARGUMENTS = re.compile(r"(?<=\w)\([^()]*\)$")
_LOOSE = re.compile(r" *([^\w\s]) *")
_BETWEEN_WORDS = re.compile(r"(?<=\w)[ -]+(?=\w)")


def normal(text: str, aliases: Mapping[str, str] | None = None) -> str:
    """Return the normal form: plain characters, case folded, single spaces, no stop at the end."""
    found = " ".join(plain(text).casefold().split()).lstrip("'\" ").rstrip("'\".,;:!? ")
    return (aliases or {}).get(found, found)


def meanings(text: str, aliases: Mapping[str, str] | None = None) -> frozenset[str]:
    """Return what a text is compared by: its normal form, and that form without what makes no difference.

    Quotes, articles, a verb such as "call" in front, white space and hyphens between words, the module or object before
    a name, and an empty pair of brackets behind it make no difference; nor does `float(...)` around a value.
    """
    found = normal(text, aliases)
    bare = re.sub("['\"]", "", found)
    bare = _KIND.sub("", _ARTICLE.sub("", _SIGN.sub("-", _INFINITY.sub("inf", bare))))
    bare = _CONVERSION.sub(r"\1", _OWNER.sub("", bare))
    bare = _LOOSE.sub(r"\1", _EMPTY_CALL.sub("", _BETWEEN_WORDS.sub("", bare.strip())))
    bare = (aliases or {}).get(bare, bare)
    return frozenset((found, bare))


def without_arguments(found: frozenset[str]) -> frozenset[str]:
    """Return what a text is compared by where its arguments do not count: `elu(x)` names elu."""
    return frozenset(_ARGUMENTS.sub("", form) for form in found)


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

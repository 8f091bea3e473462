"""Checks of parts that a letter or a number names."""

from collections.abc import Collection, Mapping

from grader.quiz.types.base import Problems

_LETTERS = "abcdefgh"


def lettered(names: Collection[str], what: str) -> Problems:
    """Refuse names that are not a, b, c, ..., one after the other."""
    wanted = _LETTERS[: len(names)]
    if sorted(names) != list(wanted):
        yield (), f"name the {what} {', '.join(wanted)}, in this order"


def distinct(texts: Mapping[str, str]) -> Problems:
    """Refuse texts that differ in white space only."""
    seen: dict[str, str] = {}
    for name, text in sorted(texts.items()):
        first = seen.setdefault(" ".join(text.split()), name)
        if first != name:
            yield (name,), f"{name} has the same text as {first}"


def verify_names(verify: Collection[str] | None, names: Collection[str], what: str) -> Problems:
    """Refuse expressions of `verify` for parts that do not exist."""
    for name in sorted(set(verify or ()) - set(names)):
        yield ("verify", name), f"there is no {what} {name}"

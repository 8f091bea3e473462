"""Reads responses: what the item types share. Nothing is evaluated, and every text is bounded before it is read."""

import re
from collections.abc import Collection

from grader.quiz.typography import plain, strange

MAX_LENGTH = 60  # of a number or a shape, in characters


class ResponseError(Exception):
    """What a student wrote cannot be read as an answer. The message says what was expected, with an example."""


def letters_in(value: object, between: str = "") -> list[str]:
    """Return letters and short words: of a list, or of a text with commas, spaces or arrows between them.

    `between` are other characters that may stand there.
    """
    parts = (
        value
        if isinstance(value, list)
        else re.split(rf"[,;>\s{between}]+", plain(str(value)).strip().strip("[]"))
    )
    found = [plain(str(part)).strip().strip("().'\"").lower() for part in parts]
    return [part for part in found if part]


def read_letters(value: object, letters: Collection[str], *, several: bool) -> frozenset[str]:
    """Read `b`, or with `several` also [a, c] and "a, c". Raises ResponseError for unknown letters."""
    found = [part for part in letters_in(value, "&+/" if several else "") if not (several and part == "and")]
    if several and len(found) == 1 and len(set(found[0])) == len(found[0]) and set(found[0]) <= set(letters):
        found = list(found[0])  # ac
    choices = ", ".join(sorted(letters))
    for letter in found:
        if letter not in letters:
            words = f'"{letter[:20]}" is not one of the options: {choices}'
            raise ResponseError(words + (strange(letter) or _example_of_several(letter, choices)))
    if not several and len(found) != 1:
        raise ResponseError(f"choose one of {choices}, for example: {min(letters)}")
    return frozenset(found)


def _example_of_several(letters: str, choices: str) -> str:
    """Return advice for `a-c`, which may mean two letters or three."""
    return "; write every letter: a, c" if "-" in letters and len(choices) > 1 else ""


def is_empty(value: object) -> bool:
    """Tell whether nothing was written."""
    return value is None or value in ([], {}) or (isinstance(value, str) and not value.strip(" ;"))


def brackets(value: object) -> str:
    """Return a nested list as it is printed."""
    return f"[{', '.join(map(brackets, value))}]" if isinstance(value, list) else str(value)


def shown(value: object) -> str:
    """Return a response as a student would write it."""
    if isinstance(value, dict):
        return ", ".join(f"{name}: {shown(part)}" for name, part in value.items())
    if isinstance(value, list):
        return (
            brackets(value) if any(isinstance(part, list) for part in value) else ", ".join(map(str, value))
        )
    return str(value)

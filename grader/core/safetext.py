"""Text of a student's, made safe to show: no control character reaches a terminal, a log or a file."""

import re
import unicodedata

_KEPT = {"\n", "\t"}
# Format characters can reorder or hide what follows them (CVE-2021-42574), as control characters can.
# What Python writes of an object without a text of its own: <function f at 0x7f3c5a1b2c40>.
_ADDRESS = re.compile(r" at 0x[0-9a-fA-F]{6,16}")
_LONGEST_ADDRESS = 22
_UNSAFE = {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}


def printable(text: str, *, limit: int = 4000) -> str:
    r"""Return `text` with every character that steers a terminal spelled out, cut at `limit` characters.

    Newlines and tabs stay. An escape becomes its Python spelling, so that it can be seen: `\x1b[31m`. Addresses are
    left out: they say nothing, and differ from run to run.
    """
    text = _ADDRESS.sub(" at 0x…", text[: limit + 1 + _LONGEST_ADDRESS])
    spelled = "".join(_spell(character) for character in text[: limit + 1])
    return spelled if len(spelled) <= limit else f"{spelled[:limit]}… (cut here)"


def one_line(text: str, *, limit: int = 200) -> str:
    """Return `text` as one printable line: runs of white space become one space."""
    return printable(" ".join(text.split()), limit=limit)


def _spell(character: str) -> str:
    if character in _KEPT or unicodedata.category(character) not in _UNSAFE:
        return character
    return character.encode("unicode_escape").decode("ascii")

"""Makes the text of students safe to show: no control character reaches a terminal, a log or a file."""

import re
import unicodedata

_KEPT = {"\n", "\t"}
# The address in Python's default repr: <function f at 0x7f3c5a1b2c40>.
_ADDRESS = re.compile(r" at 0x[0-9a-fA-F]{6,16}")
_LONGEST_ADDRESS_CHARS = 22
# Format characters (Cf) can reorder or hide what follows them (CVE-2021-42574), as control characters can.
_UNSAFE = {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}


def printable(text: str, *, limit: int = 4000) -> str:
    r"""Return `text` with every control and format character escaped, cut at `limit` characters.

    Newlines and tabs stay. The escapes are Python's, so that they are visible: `\x1b[31m`. Memory addresses are left
    out: they mean nothing, and differ from run to run.
    """
    text = _ADDRESS.sub(" at 0x…", text[: limit + 1 + _LONGEST_ADDRESS_CHARS])
    spelled = "".join(_spell(character) for character in text[: limit + 1])
    return spelled if len(spelled) <= limit else f"{spelled[:limit]}… (cut here)"


def one_line(text: str, *, limit: int = 200) -> str:
    """Return `text` as one printable line of at most `limit` characters: runs of white space become one space."""
    return printable(" ".join(text.split()), limit=limit)


def _spell(character: str) -> str:
    if character in _KEPT or unicodedata.category(character) not in _UNSAFE:
        return character
    return character.encode("unicode_escape").decode("ascii")

"""Makes the text of students safe to show: no control character reaches a terminal, a log or a file."""

import itertools
import re
import unicodedata
from collections.abc import Sequence

MAX_MARKS = 30  # combining characters in a row, as in the Stream-Safe Text Format of UAX #15
_KEPT = {"\n", "\t"}
# The address in Python's default repr: <function f at 0x7f3c5a1b2c40>.
_ADDRESS = re.compile(r" at 0x[0-9a-fA-F]{6,16}")
_LONGEST_ADDRESS_CHARS = 22
# Format characters (Cf) can reorder or hide what follows them (CVE-2021-42574), as control characters can.
_UNSAFE = {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}

_FIRST_BYTE, _LAST_BYTE = (
    "\udc80",
    "\udcff",
)  # os.fsdecode's characters for bytes that are not UTF-8 (PEP 383)


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


def has_long_run(text: str) -> bool:
    """Return whether more than MAX_MARKS combining characters stand in a row.

    No language needs that, and normalization takes time that is quadratic in such a run: it is done without them.
    """
    return not text.isascii() and without_long_runs(text) != text


def without_long_runs(text: str) -> str:
    """Return a text with at most MAX_MARKS combining characters in a row: the rest of a run is left out."""
    runs = itertools.groupby(text, lambda character: unicodedata.combining(character) > 0)
    return "".join(
        "".join(itertools.islice(run, MAX_MARKS if are_marks else None)) for are_marks, run in runs
    )


def printable_name(name: str) -> str:
    r"""Return a file's name or path, as the os module gives it, as printable text that UTF-8 can encode.

    A byte that is not UTF-8 becomes `\xfc`, a control or format character its escape, and a backslash two, so that no
    two names become one. Accents are composed (NFC), as Python does in names of modules: macOS takes them apart.
    """
    composed = name if has_long_run(name) else unicodedata.normalize("NFC", name)
    return "".join(map(_spell_in_name, composed))


def first_names(names: Sequence[str], most: int) -> str:
    """Return names in a row: the first `most` of them, and how many more there are."""
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more


def _spell_in_name(character: str) -> str:
    if _FIRST_BYTE <= character <= _LAST_BYTE:
        return f"\\x{ord(character) - ord(_FIRST_BYTE) + 0x80:02x}"
    if character == "\\" or unicodedata.category(character) in _UNSAFE:
        return character.encode("unicode_escape").decode("ascii")
    return character


def _spell(character: str) -> str:
    if character in _KEPT or unicodedata.category(character) not in _UNSAFE:
        return character
    return character.encode("unicode_escape").decode("ascii")

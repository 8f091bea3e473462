"""Characters that mean the same: what people and their keyboards write, as the plain characters that are read."""

import re
import unicodedata

from grader.core.safetext import without_long_runs

_SUPERSCRIPTS = re.compile("[\u2070\u00b9\u00b2\u00b3\u2074-\u2079\u207a\u207b]+")
# Narrow spaces between groups of digits, as they are printed.
_GROUPED = re.compile(r"(?<=\d)[\u2006\u2008\u2009\u200a\u202f](?=\d{3}(?!\d))")
_MIXED_FRACTION = re.compile("(?<=\\d)[\u00bc-\u00be\u2150-\u215e]")
_PLAIN = (
    dict.fromkeys(map(ord, "\u2212\u2043\u00af"), "-")  # dashes that Unicode does not call dashes
    | dict.fromkeys(map(ord, "\u2018\u2019\u201a\u201b\u2032`\u00b4"), "'")
    | dict.fromkeys(map(ord, "\u201c\u201d\u201e\u201f\u2033\u00ab\u00bb"), '"')
    | dict.fromkeys(map(ord, "\u2044\u2215"), "/")
    | dict.fromkeys(map(ord, "\u2217\u204e\u2731"), "*")
    | dict.fromkeys(map(ord, "\u2192\u21d2\u279c\u27f6"), ">")
    | {0x3001: ",", 0xB7: "\u00b7", 0x22C5: "\u00b7", 0x2219: "\u00b7", 0x2715: "\u00d7", 0x2A2F: "\u00d7"}
)


def plain(text: str) -> str:
    """Return a text in plain characters: dashes, spaces, quotes, digits of any script and width, exponents as ^3.

    Characters without width are left out; so are narrow spaces between groups of three digits. Line ends stay.
    """
    if text.isascii():
        return text.replace("`", "'")
    text = without_long_runs(text)
    text = _SUPERSCRIPTS.sub(lambda found: "^" + unicodedata.normalize("NFKC", found[0]), text)
    text = _MIXED_FRACTION.sub(lambda found: f" {found[0]}", _GROUPED.sub("", text))
    return "".join(map(_plain, unicodedata.normalize("NFKC", text.translate(_PLAIN)).translate(_PLAIN)))


def _plain(character: str) -> str:
    if character.isascii():
        return character
    category = unicodedata.category(character)
    if category == "Nd":
        return str(unicodedata.digit(character))
    return {"Pd": "-", "Zs": " ", "Cf": ""}.get(category, character)


def named(character: str) -> str:
    """Return a character as a message shows it: with its name where it is none of a plain keyboard."""
    if character.isascii() and character.isprintable():
        return f'"{character}"'
    name = unicodedata.name(character, "without a name")
    shown = f'"{character}", ' if character.isprintable() else ""
    return f"{shown}U+{ord(character):04X} {name}"


def unread(text: str, end: int) -> str:
    """Return which character of a text cannot be read, the one at `end` of its plain form, as the end of a message."""
    found = next((text[n - 1] for n in range(1, len(text) + 1) if len(plain(text[:n])) > end), "")
    return f"; the character {named(found)} cannot be read here" if found else ""


def strange(text: str) -> str:
    """Return the first character that is on no plain keyboard, as the end of a message; "" without one."""
    found = next((character for character in plain(text) if not character.isascii()), None)
    return f"; the character {named(found)} is another one" if found else ""

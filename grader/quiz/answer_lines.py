"""The entries of an answers file, line by line: a slip in one of them leaves the others as they are.

YAML as a whole has no such borders: a quote that is not closed takes all lines up to the next quote with it. What
separates entries here are the lines that begin with a key; each entry is YAML of its own.
"""

import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from functools import lru_cache

from grader.core.suggestions import nearest

HEAD = ("quiz", "seed", "draw", "hints")
ANSWERS = "answers"
_MAX_OPEN_LINES = 100  # of a text in quotes or brackets; a longer one is not closed
_MAX_SLIPS = 2  # letters more or less in a key that is meant to be `answers`
_LINE_END = re.compile(r"\r\n|\r|\n")
_KEY = re.compile(
    r"(?P<indent>[ \t]*)(?P<dash>-[ \t]+)?"
    r"(?P<quote>[\"']?)(?P<name>[^\s\"':#,{}\[\]][^\"':#,{}\[\]]{0,100}?)(?P=quote)[ \t]{0,9}:"
)
_MARKS = re.compile(r"---(?:[ \t]|$)|\.\.\.(?:[ \t]|$)|%")
_COMMENT = re.compile(r"(?:^|[ \t])#.*$")


@dataclass(slots=True)
class AnswerEntry:
    """A key of an answers file and what belongs to it. `line` and `column` are those of its value, from 1.

    `is_item` tells an entry among the answers from one of the head. `key` is empty for lines that belong to no key.
    `last` is the line of the last one in `lines`.
    """

    key: str
    line: int
    column: int
    is_item: bool
    lines: list[str] = field(default_factory=list)
    last: int = 0

    def append(self, line: str, number: int) -> None:
        """Take the line of this number too."""
        self.lines.append(line)
        self.last = number

    @property
    def text(self) -> str:
        """The lines, as YAML; the dash of a list is left out."""
        return "\n".join([re.sub(r"^([ \t]*)-(?=[ \t])", r"\1 ", self.lines[0]), *self.lines[1:]])

    @property
    def indent(self) -> str:
        """The white space before the key."""
        return self.lines[0][: len(self.lines[0]) - len(self.lines[0].lstrip(" \t"))]

    @property
    def inline(self) -> str:
        """What stands behind the key on its line, without a comment."""
        return _COMMENT.sub("", self.lines[0][self.column - 1 :]).strip()

    @property
    def is_one_line(self) -> bool:
        """Whether nothing but comments and empty lines follows the line of the key."""
        return not any(_COMMENT.sub("", line).strip() for line in self.lines[1:])

    @property
    def goes_on(self) -> bool:
        """Whether a text of several lines, a quote or a bracket is open after the line of the key."""
        if self.inline[:1] in ("|", ">"):
            return True
        return len(self.lines) < _MAX_OPEN_LINES and is_open("".join(self.lines)[self.column - 1 :])


def is_open(text: str) -> bool:
    """Tell whether a text begins with a quote or a bracket that it does not close."""
    text = text.strip()
    if text[:1] in ("'", '"'):
        return text.count(text[0]) % 2 == 1
    return text[:1] in ("[", "{") and text.count("[") + text.count("{") > text.count("]") + text.count("}")


def entries(text: str, parts: Mapping[str, Collection[str]]) -> Iterator[AnswerEntry]:
    """Yield the entries of a text. `parts` names the items, each with the keys that may stand below its own."""
    current: AnswerEntry | None = None
    section, base = (
        "",
        -1,
    )  # the key of the head that the lines belong to, and the indentation of the first answer
    for number, line in enumerate(_LINE_END.split(text), start=1):
        if not line.strip() or line.lstrip(" \t").startswith("#") or _MARKS.match(line):
            if current is not None and current.inline[:1] in ("|", ">") and not _MARKS.match(line):
                current.append(line, number)
            continue
        found = _key(line, number, parts)
        width = len(line) - len(line.lstrip(" \t"))
        if found is not None and _begins(found, width, current, section, base, parts):
            if current is not None:
                yield current
            current = found
            current.is_item = found.key in parts or (section == ANSWERS and width > 0)
            if current.is_item:
                base = width if base < 0 else base
            else:
                section = _section(found)
        elif current is None or (
            section == ANSWERS and width > 0 and (base < 0 or width <= base) and not current.goes_on
        ):
            if current is not None:
                yield current
            current = AnswerEntry("", number, width + 1, is_item=True, lines=[line], last=number)
        else:
            current.append(line, number)
    if current is not None:
        yield current


def _key(line: str, number: int, parts: Collection[str]) -> AnswerEntry | None:
    match = _KEY.match(line)
    if match is None:
        return None
    behind = line[match.end() :]
    if behind and behind[0] not in " \t" and match["name"] not in parts:
        return None  # a text with a colon in it
    column = match.end() + len(behind) - len(behind.lstrip(" \t")) + 1
    return AnswerEntry(match["name"], number, column, is_item=False, lines=[line], last=number)


def _begins(
    found: AnswerEntry,
    width: int,
    current: AnswerEntry | None,
    section: str,
    base: int,
    parts: Mapping[str, Collection[str]],
) -> bool:
    """Tell whether a key begins an entry, and is not a part of the one before it."""
    if width == 0:
        return not (section == "{" and found.key not in (*HEAD, ANSWERS))
    if section == "{" or (section == "hints" and found.key not in (*HEAD, ANSWERS)):
        return False
    if section == ANSWERS and (base < 0 or width <= base):
        return True
    own = parts.get(current.key, ()) if current is not None else ()
    return found.key in parts and found.key not in own


def _section(entry: AnswerEntry) -> str:
    """Return the section that a key of the head opens; "{" for answers in curly brackets."""
    if is_answers(entry.key):
        return "{" if entry.inline.startswith("{") else ANSWERS
    return entry.key


@lru_cache(maxsize=1000)
def is_answers(key: str) -> bool:
    """Tell whether a key is `answers`, or clearly meant to be it."""
    is_similar = key[:1] in ("a", "A") and abs(len(key) - len(ANSWERS)) <= _MAX_SLIPS
    return key == ANSWERS or (is_similar and nearest(key.lower(), [*HEAD, ANSWERS]) == ANSWERS)


def pieces(entry: AnswerEntry, parts: Collection[str]) -> Iterator[AnswerEntry]:
    """Yield the items of answers in curly brackets, cut where the id of an item stands before a colon."""
    found = []
    for offset, line in enumerate(entry.lines):
        for match in re.finditer(r"(?<![\w-])([\"']?)([a-z0-9-]{1,100})\1[ \t]{0,9}:[ \t]*", line):
            if match[2] in parts:
                found.append((offset, match.end(), match[2], match.start()))
    if not found:
        return
    ends = [*((offset, start) for offset, _, _, start in found[1:]), (len(entry.lines), 0)]
    for (offset, begin, key, _), (last, end) in zip(found, ends, strict=True):
        rest = entry.lines[offset][begin : end if last == offset else None]
        yield AnswerEntry(
            key,
            entry.line + offset,
            begin + 1,
            is_item=True,
            lines=[" " * (begin - len(key) - 2) + f"{key}: " + rest.rstrip(" \t,}")],
        )

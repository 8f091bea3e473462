"""Writes single responses into the text of an answers file, and leaves every other line of it as it is.

The file may be open in an editor, in a terminal and on a page at once: each of them changes the entries of its own
responses only. Comments stay, and so does what belongs to no item of the quiz.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace

import yaml

from grader.core.errors import DocumentError
from grader.quiz import answer_lines
from grader.quiz.answer_lines import AnswerEntry
from grader.quiz.answers import Responses, read_answers
from grader.quiz.bank import Bank
from grader.quiz.responses import ResponseError, is_empty
from grader.quiz.sheet import as_written, as_yaml, entry, filled
from grader.quiz.types import Item

_LINE_END = re.compile(r"(\r\n|\r|\n)")
_HASH = re.compile(r"(?:^|(?<=[ \t]))#")
_INDENT = "  "


def edited(
    bank: Bank, text: str, responses: Mapping[str, object], hints: Mapping[str, int] | None = None
) -> str | None:
    """Return the text with these responses, None for an item to leave open, and at least these hints opened.

    Returns None where they cannot stand in the text as it is written, such as in one with all answers in curly
    brackets. Raises DocumentError where the text cannot be read.
    """
    before = read_answers(bank, text, shown="")
    wanted = after(bank, before, responses, hints)
    changed = _AnswersText(bank, text)
    for item in bank.sheet(before.seed, before.draw):
        if item.id in responses:
            changed.respond(item, responses[item.id], before)
    if wanted.hints != before.hints:
        changed.open_hints(wanted.hints)
    found = changed.text
    try:
        is_as_wanted = _meaning(read_answers(bank, found, shown="")) == _meaning(wanted)
    except DocumentError:
        is_as_wanted = False
    return found if is_as_wanted else None


def written_anew(bank: Bank, responses: Responses) -> str:
    """Return an answers file with these responses, also those that cannot be read, in the form of a new one."""
    given = responses.unread | responses.given
    return filled(bank, given, seed=responses.seed, draw=responses.draw, hints=responses.hints)


def after(
    bank: Bank, before: Responses, responses: Mapping[str, object], hints: Mapping[str, int] | None = None
) -> Responses:
    """Return what an answers file says once these responses are written, and these hints are opened."""
    given, unread = dict(before.given), dict(before.unread)
    items = {item.id: item for item in bank.sheet(before.seed, before.draw)}
    for item_id in responses.keys() & items.keys():
        given.pop(item_id, None)
        unread.pop(item_id, None)
        if not is_empty(responses[item_id]):
            place = given if can_be_read(items[item_id], responses[item_id]) else unread
            place[item_id] = responses[item_id]
    opened = {
        item_id: max(count, before.hints.get(item_id, 0))
        for item_id, count in (hints or {}).items()
        if item_id in items and count
    }
    return replace(before, given=given, unread=unread, hints=before.hints | opened, problems=())


def can_be_read(item: Item, value: object) -> bool:
    """Tell whether a value is a response to an item."""
    try:
        item.read(value)
    except ResponseError:
        return False
    return True


def _meaning(responses: Responses) -> object:
    return responses.seed, responses.draw, responses.given, responses.hints


class _AnswersText:
    """The lines of an answers file, each with its end, and the entries in them."""

    def __init__(self, bank: Bank, text: str) -> None:
        self._parts = {item.id: item.inner_keys() for _, item in bank.placed}
        pieces = _LINE_END.split(text.removeprefix("\ufeff"))
        self._lines, self._ends = pieces[::2], [*pieces[1::2], ""]
        self._newline = next(filter(None, self._ends), "\n")

    @property
    def text(self) -> str:
        """The whole text."""
        return "".join(map(str.__add__, self._lines, self._ends))

    def respond(self, item: Item, value: object, before: Responses) -> None:
        """Write the response to one item; where it has no entry, add one with its question."""
        found = [one for one in self._entries() if one.is_item and one.key == item.id]
        if not found:
            if not is_empty(value):
                self._add(item, value)
            return
        used = next((one for one in found if _is_filled(one)), found[0])
        # What was no YAML is on no page and in no prompt, so the student replaces it unseen.
        is_unseen = item.id in before.unread and used.inline != as_yaml(before.unread[item.id])
        for one in reversed(found):
            if one is used:
                self._replace(one, value, keeps=is_unseen)
            elif _is_filled(one):
                self._put(one, _as_comments(self._range(one)))

    def open_hints(self, hints: Mapping[str, int]) -> None:
        """Write which hints are open."""
        heads = [one for one in self._entries() if not one.is_item]
        opened = {item: count for item, count in hints.items() if count}
        found = next((one for one in heads if one.key == "hints"), None)
        if found is not None:
            self._replace(found, opened, keeps=False)
            return
        answers = next((one for one in heads if answer_lines.is_answers(one.key)), None)
        self._insert(answers.line - 1 if answers is not None else None, [f"hints: {as_yaml(opened)}"])

    def _entries(self) -> list[AnswerEntry]:
        return list(answer_lines.entries("\n".join(self._lines), self._parts))

    def _range(self, one: AnswerEntry) -> list[str]:
        """Return the lines of an entry with the comments between them, and none of those behind it."""
        lines = self._lines[one.line - 1 : one.last]
        width = len(one.indent)
        while len(lines) > 1 and (
            not lines[-1].strip()
            or (lines[-1].lstrip().startswith("#") and len(lines[-1]) - len(lines[-1].lstrip()) <= width)
        ):
            lines.pop()
        return lines

    def _replace(self, one: AnswerEntry, value: object, *, keeps: bool) -> None:
        """Replace the value of an entry. Its comments stay; with `keeps`, so does what was written, as a comment."""
        lines = self._range(one)
        behind, others = ("", _as_comments(lines)) if keeps else _comments(lines, one)
        head = lines[0][: one.column - 1].rstrip()
        if "\t" in one.indent:
            head = _INDENT + head.lstrip()
        self._put(one, [*others, " ".join(filter(None, (head, as_written(value), behind)))])

    def _put(self, one: AnswerEntry, lines: list[str]) -> None:
        first, last = one.line - 1, one.line - 1 + len(self._range(one))
        ends = [self._newline] * (len(lines) - 1) + self._ends[last - 1 : last]
        self._lines[first:last], self._ends[first:last] = lines, ends

    def _add(self, item: Item, value: object) -> None:
        """Add an entry behind the last one of an item; without any, behind the key `answers`."""
        entries = self._entries()
        last = [one for one in entries if one.is_item and one.key]
        heads = [one for one in entries if answer_lines.is_answers(one.key) and not one.is_item]
        *asked, key = entry(item)
        new = [*asked, f"{key} {as_yaml(value)}"]
        if last:
            self._insert(last[-1].line - 1 + len(self._range(last[-1])), new)
        elif heads:
            self._insert(heads[-1].line, new)
        else:
            self._insert(None, [f"{answer_lines.ANSWERS}:", *new])

    def _insert(self, at: int | None, lines: list[str]) -> None:
        """Insert lines before the one of this index; at the end where it is None."""
        at = len(self._lines) if at is None else at
        if at == len(self._lines):
            if self._lines[-1]:
                self._ends[-1] = self._newline
            else:  # the text ends with a line end
                self._lines.pop()
                self._ends.pop()
                at -= 1
            lines = [*lines, ""]
        self._lines[at:at] = lines
        ends = [self._newline] * len(lines)
        self._ends[at:at] = ends if at < len(self._ends) else [*ends[:-1], ""]


def _is_filled(one: AnswerEntry) -> bool:
    return bool(one.inline) or not one.is_one_line


def _as_comments(lines: Iterable[str]) -> list[str]:
    """Return lines as comments at the indentation of entries."""
    return [f"{_INDENT}# {line.strip()}" for line in lines if line.strip()]


def _comments(lines: list[str], one: AnswerEntry) -> tuple[str, list[str]]:
    """Return the comment on the first line of an entry, and those on the others as lines of their own."""
    text = "\n".join(lines)
    try:
        spans = [
            (token.start_mark.index, token.end_mark.index)
            for token in yaml.scan(text)
            if isinstance(token, yaml.ScalarToken)
        ]
    except yaml.YAMLError:  # it was taken as it was typed, up to a comment
        behind = lines[0][one.column - 1 :].strip().removeprefix(one.inline).strip()
        return (behind if behind.startswith("#") else ""), []
    found = list(_outside(lines, spans))
    behind = next((comment for number, comment in found if number == 0), "")
    return behind, [f"{_INDENT}{comment}" for number, comment in found if number > 0]


def _outside(lines: list[str], spans: list[tuple[int, int]]) -> Iterator[tuple[int, str]]:
    """Yield each comment with the number of its line: what begins with a hash outside of these spans."""
    start = 0
    for number, line in enumerate(lines):
        for match in _HASH.finditer(line):
            at = start + match.start()
            if not any(begin <= at < end for begin, end in spans):
                yield number, line[match.start() :].rstrip()
                break
        start += len(line) + 1

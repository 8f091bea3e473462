"""Answers files: reading them, and what they earn."""

import math
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from grader.core import yaml_document
from grader.core.errors import DocumentError, Problem
from grader.core.model import QuizResult
from grader.core.safetext import one_line
from grader.core.suggestions import suggestion
from grader.core.yaml_document import Document
from grader.quiz import answer_lines
from grader.quiz.answer_lines import AnswerEntry
from grader.quiz.bank import Bank
from grader.quiz.draw import DRAW, FIRST_DRAW
from grader.quiz.feedback import Shown, seen
from grader.quiz.marking import grade_item
from grader.quiz.responses import ResponseError, is_empty
from grader.quiz.types import Item

_MAX_TYPED = 2000  # characters of a response that is no YAML


def _known_draw(draw: int) -> int:
    if not FIRST_DRAW <= draw <= DRAW:
        raise ValueError(f"this version of the grader knows the draws {FIRST_DRAW} to {DRAW}")
    return draw


class AnswersDocument(BaseModel):
    """The YAML of an answers file."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)

    quiz: str
    seed: Annotated[int, Field(ge=0, lt=2**63)] | None = None
    draw: Annotated[int, AfterValidator(_known_draw)] = FIRST_DRAW
    hints: dict[str, Annotated[int, Field(ge=0)]] | None = None
    answers: dict[str, Any] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Responses:
    """The readable responses of an answers file, by item id, and the problems of the others.

    `seed` and `draw` are what the items were drawn with; `hints` counts the opened hints of each item. `unread` holds
    what was written for an item and cannot be read as a response to it.
    """

    seed: int = 0
    draw: int = DRAW
    given: dict[str, object] = field(default_factory=dict)
    hints: dict[str, int] = field(default_factory=dict)
    unread: dict[str, object] = field(default_factory=dict)
    problems: tuple[Problem, ...] = ()

    def written(self, item_id: str) -> object:
        """Return what was written for an item, whether it can be read or not; None where nothing was."""
        return self.given.get(item_id, self.unread.get(item_id))


def read_answers(bank: Bank, text: str, *, shown: str) -> Responses:
    """Read the text of an answers file. Raises DocumentError where the file as a whole cannot be used.

    That is so where it is empty, where its quiz or seed cannot be read, and where what stands behind `answers` names
    no item. A slip anywhere else costs one item.
    """
    return _Reader(bank, shown).read(text)


class _Reader:
    """Reads one answers file, and collects its problems.

    A problem is a place, and a message; or the id of an item that there is not, whose message is made only where it is
    shown, as it looks for a similar name.
    """

    def __init__(self, bank: Bank, shown: str) -> None:
        self._bank = bank
        self._shown = shown
        self._found: list[tuple[int, int, str, str]] = []  # line, column, message, unknown id
        self._items: dict[str, Item] = {}
        self._given: dict[str, object] = {}
        self._unread: dict[str, object] = {}

    def read(self, text: str) -> Responses:
        """Return the responses of a text."""
        parts = {item.id: item.inner_keys() for _, item in self._bank.placed}
        text = text.removeprefix("\ufeff")
        entries = list(answer_lines.entries(text, parts))
        if not any(entry.key in answer_lines.HEAD for entry in entries):
            return self._read_whole(text)
        head = self._head([entry for entry in entries if entry.key in answer_lines.HEAD])
        self._begin(head)
        for entry in entries:
            if not entry.is_item and entry.key not in answer_lines.HEAD:
                self._other(entry)
        answers = [piece for entry in entries for piece in self._answers(entry, parts)]
        count = Counter(entry.key for entry in answers)
        for entry in answers:
            if count[entry.key] == 1:
                self._respond(entry)
        self._repeated([entry for entry in answers if count[entry.key] > 1])
        return self._responses(head)

    def _read_whole(self, text: str) -> Responses:
        """Read a text in which no line begins with a key: one in curly brackets, or none at all."""
        source = yaml_document.parse(text, AnswersDocument, shown=self._shown)
        self._begin(source)
        for item_id, value in (source.value.answers or {}).items():
            place = source.problem(("answers", item_id), "")
            self._take(item_id, value, place.line, place.column)
        return self._responses(source)

    def _begin(self, head: Document[AnswersDocument]) -> None:
        if head.value.quiz != self._bank.id:
            given = one_line(head.value.quiz, limit=60)
            message = (
                f'this file says that it answers the quiz "{given}", but its name is that of "{self._bank.id}"; '
                "change one or the other"
            )
            raise DocumentError([head.problem(("quiz",), message)])
        self._items = {item.id: item for item in self._bank.sheet(head.value.seed or 0, head.value.draw)}

    def _responses(self, head: Document[AnswersDocument]) -> Responses:
        for item_id in head.value.hints or ():
            if item_id not in self._items:
                self._found.append((0, 0, "", item_id))
        if self._bank.seed is not None and head.value.seed not in (None, self._bank.seed):
            message = f"the course sets the seed of this quiz, {self._bank.seed}; remove this line"
            place = head.problem(("seed",), message)
            self._found.append((place.line, place.column, message, ""))
        problems = (self._problem(head, *one) for one in sorted(self._found, key=lambda one: one[:2]))
        return Responses(
            seed=head.value.seed or 0,
            draw=head.value.draw,
            given=self._given,
            hints=head.value.hints or {},
            unread=self._unread,
            problems=tuple(yaml_document.first_problems(problems, len(self._found))),
        )

    def _problem(
        self, head: Document[AnswersDocument], line: int, column: int, message: str, unknown: str
    ) -> Problem:
        if unknown and not line:
            return head.problem(("hints", unknown), self._unknown(unknown))
        if unknown:
            message = self._unknown(unknown)
        return Problem(path=self._shown, message=message, line=line, column=column)

    def _unknown(self, item_id: str) -> str:
        if self._bank.item(item_id) is not None:
            return f'the item "{item_id}" is not asked in a sheet of this draw'
        hint = suggestion(item_id, self._items)
        return f'the quiz "{self._bank.id}" has no item "{one_line(item_id, limit=60)}"{hint}'

    def _slip(self, entry: AnswerEntry, message: str) -> None:
        """Record a problem with the key of an entry."""
        self._found.append((entry.line, len(entry.indent) + 1, message, ""))

    # --- the head

    def _head(self, entries: list[AnswerEntry]) -> Document[AnswersDocument]:
        """Return the head of the file. Raises DocumentError where its quiz or its seed cannot be read."""
        first: dict[str, AnswerEntry] = {}
        for entry in entries:
            if entry.key in first:
                self._slip(entry, f'the key "{entry.key}" stands here twice; the first one counts')
            first.setdefault(entry.key, entry)
        try:
            return self._parsed_head(first.values())
        except DocumentError as error:
            if "hints" not in first:
                raise
            head = self._parsed_head(entry for entry in first.values() if entry.key != "hints")
            self._found += [(one.line, one.column, one.message, "") for one in error.problems]
            return head

    def _parsed_head(self, entries: Iterable[AnswerEntry]) -> Document[AnswersDocument]:
        lines: list[str] = []
        for entry in sorted(entries, key=lambda entry: entry.line):
            lines += [""] * (entry.line - 1 - len(lines))  # so that each keeps its line
            lines += entry.lines
        return yaml_document.parse("\n".join(lines) + "\n", AnswersDocument, shown=self._shown)

    def _other(self, entry: AnswerEntry) -> None:
        """Record a key of the head that is not known; one that is meant to be `answers` is read as that."""
        if entry.key != answer_lines.ANSWERS:
            is_shown = len(self._found) < yaml_document.MAX_PROBLEMS
            hint = suggestion(entry.key, [*answer_lines.HEAD, answer_lines.ANSWERS]) if is_shown else ""
            self._slip(entry, f'the key "{one_line(entry.key)}" is not known here{hint}')

    # --- the answers

    def _answers(self, entry: AnswerEntry, parts: Mapping[str, Collection[str]]) -> Iterator[AnswerEntry]:
        """Yield the answers in an entry: itself, or those in curly brackets behind `answers`."""
        if entry.is_item:
            yield entry
        elif answer_lines.is_answers(entry.key) and entry.inline:
            found = list(answer_lines.pieces(entry, parts))
            try:
                source = yaml_document.parse_part(entry.text, shown=self._shown, line=entry.line)
            except DocumentError as error:
                if not found:
                    raise DocumentError(error.problems) from None
                yield from found
                return
            value = source.value[entry.key]
            if not isinstance(value, dict):
                raise DocumentError(
                    [source.problem((entry.key,), '"answers" must be a mapping (key: value)')]
                )
            if not value.keys() <= parts.keys() and found:
                yield from found  # (1, 64) without quotes is cut at its comma
                return
            for item_id, given in value.items():
                place = source.problem((entry.key, item_id), "")
                self._take(item_id, given, place.line, place.column)

    def _respond(self, entry: AnswerEntry) -> None:
        """Take the response of one entry. What is not YAML is taken as it was typed, if it stands on one line."""
        if not entry.key:
            words = one_line(entry.lines[0].strip(), limit=40)
            self._slip(
                entry, f'"{words}" belongs to no item: write the id of an item, a colon and the answer'
            )
        elif entry.key not in self._items:
            self._found.append((entry.line, entry.column, "", entry.key))
        elif "\t" in entry.indent:
            self._unread[entry.key] = entry.inline
            self._slip(entry, f"{entry.key}: indent with spaces, not tabs")
        else:
            try:
                source = yaml_document.parse_part(entry.text, shown=self._shown, line=entry.line)
            except DocumentError as error:
                self._take_as_typed(entry, error)
                return
            value = source.value.get(entry.key) if isinstance(source.value, dict) else None
            if not isinstance(source.value, dict) or entry.key not in source.value or len(source.value) > 1:
                self._take_as_typed(entry, None)
                return
            place = source.problem((entry.key,), "")
            self._take(entry.key, value, place.line, place.column)

    def _take_as_typed(self, entry: AnswerEntry, error: DocumentError | None) -> None:
        typed = entry.inline
        if answer_lines.is_open(typed) and typed[0] in "'\"":
            self._unread[entry.key] = typed
            self._found.append(
                (entry.line, entry.column, f"{entry.key}: the quote {typed[0]} is not closed", "")
            )
        elif not typed or not entry.is_one_line or len(typed) > _MAX_TYPED or "\t" in typed:
            problems = error.problems if error is not None else ()
            self._unread[entry.key] = "\n".join(entry.lines)[entry.column - 1 :].strip()
            message = (
                problems[0].message if problems else "cannot be read; write a colon, a space and the answer"
            )
            line, column = (problems[0].line, problems[0].column) if problems else (entry.line, entry.column)
            self._found.append((line, column, f"{entry.key}: {message}", ""))
        else:
            self._take(entry.key, typed, entry.line, entry.column)

    def _repeated(self, entries: list[AnswerEntry]) -> None:
        """Take the response of items that stand twice, where all but one are empty; no response counts twice."""
        filled: dict[str, list[AnswerEntry]] = {}
        for entry in entries:
            filled.setdefault(entry.key, [])
            if entry.inline or not entry.is_one_line:
                filled[entry.key].append(entry)
        for found in filled.values():
            for entry in found[:1] if len(found) == 1 or not (found and found[0].key in self._items) else ():
                self._respond(entry)
            if len(found) > 1 and found[0].key in self._items:
                self._unread[found[0].key] = "\n".join(entry.inline for entry in found)
            for entry in found[1:]:
                self._slip(entry, f'the key "{one_line(entry.key)}" stands here twice; leave one of them')

    def _take(self, item_id: str, value: object, line: int, column: int) -> None:
        if item_id not in self._items:
            self._found.append((line, column, "", item_id))
        elif not is_empty(value):
            try:
                self._items[item_id].read(value)
                self._given[item_id] = value
            except ResponseError as error:
                self._unread[item_id] = value
                self._found.append((line, column, f"{item_id}: {error}", ""))


def grade(
    bank: Bank, answers: str | Problem | None, *, shown: str = "", tries: int | None = None
) -> QuizResult:
    """Grade the text of an answers file. Without one, or with one that cannot be read, nothing is answered.

    A response that cannot be read is reported as a problem, and the others are graded. With `tries`, the result is as
    students see it after that many; else it is whole.
    """
    responses = Responses(problems=(answers,)) if isinstance(answers, Problem) else Responses()
    if isinstance(answers, str):
        try:
            responses = read_answers(bank, answers, shown=shown)
        except DocumentError as error:
            responses = Responses(problems=error.problems)
    return graded(bank, responses, None if tries is None else bank.shown_after(tries))


def graded(bank: Bank, responses: Responses, shown: Shown | None = None) -> QuizResult:
    """Grade responses; of the result, return as much as is shown, or all."""
    asked, aliases = bank.sheet(responses.seed, responses.draw), bank.aliases
    items = [
        grade_item(item, responses.given.get(item.id), aliases, hints=responses.hints.get(item.id, 0))
        for item in asked
    ]
    if shown is not None:
        items = [seen(result, item, shown) for result, item in zip(items, asked, strict=True)]
    return QuizResult(
        id=bank.id,
        title=bank.title,
        points=math.fsum(item.points for item in items),
        max_points=math.fsum(item.max_points for item in items),
        items=tuple(items),
        problems=tuple(str(problem) for problem in responses.problems),
    )

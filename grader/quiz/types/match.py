"""`match`: rows, each with one of several choices."""

import re
from collections.abc import Iterator, Mapping
from typing import Annotated, ClassVar, Literal

from pydantic import Field

from grader.quiz.credit import guessed_credit
from grader.quiz.evaluation import Evaluator
from grader.quiz.fields import BankPart, PartRule, Text, Wrong
from grader.quiz.numeric_answers import read_number, same_number
from grader.quiz.responses import ResponseError, letters_in
from grader.quiz.text_answers import MAX_LENGTH, normal
from grader.quiz.types.base import (
    IS_RIGHT,
    RIGHT,
    Item,
    MarkedResponse,
    Problems,
    foreseen_mark,
    joint_mark,
    within,
)
from grader.quiz.types.html_controls import lettered_list, lettered_text, select
from grader.quiz.types.lettered import distinct, lettered, verify_names
from grader.quiz.typography import plain, strange
from grader.report.html_markup import Markup, joined, tag

_PAIR = re.compile(r"(\d+)\s*[=:.)-]?\s*([a-z]+)")
_SEVERAL_OR_NONE = "Choose one of these for each row; you may use one several times, or not at all."


class Row(BankPart):
    """One row of a match: what stands on the left, and the letter that belongs to it."""

    text: Text
    key: str
    expected_wrong: dict[str, Wrong] = {}

    def mark(self, letter: str) -> MarkedResponse:
        """Mark the choice of this row."""
        if letter == self.key:
            return RIGHT
        foreseen = self.expected_wrong.get(letter)
        return foreseen_mark([foreseen] if foreseen else [])


class MatchItem(Item):
    """Rows, each with one choice; a choice may serve several rows, or none."""

    control_kind: ClassVar[str] = "match"
    shows_answer_form: ClassVar[bool] = False

    type: Literal["match"]
    rows: Annotated[dict[str, Row], Field(min_length=2)]
    choices: Annotated[dict[str, Text], Field(min_length=2)]
    credit: PartRule = "each"
    verify: dict[str, Text] | None = None

    def read(self, value: object) -> dict[str, str]:
        """Read letters by row: "1a 2b", {1: a, 2: b}, or a letter for each row."""
        pairs = self._pairs(value)
        for row, letter in pairs.items():
            if row not in self.rows:
                raise ResponseError(f'there is no row "{row[:20]}"; the rows are {", ".join(self.rows)}')
            if letter not in self.choices:
                words = f'"{letter[:20]}" is not one of the choices: {", ".join(self.choices)}'
                raise ResponseError(words + strange(letter))
        return pairs

    def _pairs(self, value: object) -> dict[str, str]:
        if isinstance(value, dict):
            return {
                str(row): plain(str(letter)).strip().lower()
                for row, letter in value.items()
                if letter is not None
            }
        parts = letters_in(value)
        if len(parts) == len(self.rows) and all(part.isalpha() for part in parts):
            return dict(zip(self.rows, parts, strict=True))
        text = " ".join(parts)[:MAX_LENGTH]
        found = _PAIR.findall(text)
        rest = _PAIR.sub("", text).strip()
        if rest or not found or len(dict(found)) != len(found):
            raise ResponseError(f"write a letter for each row, for example: 1a 2b{strange(text)}")
        return dict(found)

    def mark(self, response: dict[str, str], aliases: Mapping[str, str]) -> MarkedResponse:
        """Mark row by row."""
        marks = {f"row {name}": row.mark(response.get(name, "")) for name, row in self.rows.items()}
        return joint_mark(marks, exact=self.credit == "exact")

    def problems(self, aliases: Mapping[str, str]) -> Problems:
        """Yield what is wrong with choices and rows, and expressions for rows that do not exist."""
        yield from within(("choices",), lettered(self.choices, "choices"))
        yield from within(("choices",), distinct(self.choices))
        if list(self.rows) != [str(n) for n in range(1, len(self.rows) + 1)]:
            yield ("rows",), "number the rows 1, 2, 3, ..., in this order"
        for name, row in self.rows.items():
            yield from within(("rows", name), self._row_problems(row))
        yield from verify_names(self.verify, self.rows, "row")

    def _row_problems(self, row: Row) -> Problems:
        if row.key not in self.choices:
            yield ("key",), f"there is no choice {row.key}"
        for letter in row.expected_wrong:
            if letter not in self.choices:
                yield ("expected_wrong", letter), f"there is no choice {letter}"
            elif letter == row.key:
                yield ("expected_wrong", letter), IS_RIGHT

    def answer_form(self) -> str:
        """Return what to write."""
        return "a letter for each row: 1b 2a"

    def listed_choices(self) -> Iterator[str]:
        """Yield the rows, then the choices."""
        yield from (f"{name}) {row.text}" for name, row in self.rows.items())
        yield _SEVERAL_OR_NONE
        yield from (f"{letter}) {text}" for letter, text in self.choices.items())

    def key_response(self) -> object:
        """Return the letter of each row."""
        return {name: row.key for name, row in self.rows.items()}

    def empty_response(self) -> object:
        """Return no letter for any row."""
        return {}

    def key_differences(self, evaluator: Evaluator) -> Problems:
        """Yield the rows whose expression gives neither the text nor the number of their choice."""
        for name, expression in (self.verify or {}).items():
            value = evaluator.value(expression)
            text = self.choices[self.rows[name].key]
            if not _same_choice(text, value):
                yield ("rows", name, "key"), f"row {name} goes to {text}, but torch says {value}"

    def controls(self, name: str) -> Markup:
        """Return the choices, and a drop-down list for each row."""
        choices = {letter: f"{letter}) {text}" for letter, text in self.choices.items()}
        rows = [select(name, lettered_text(row, part.text), row, choices) for row, part in self.rows.items()]
        return joined((tag("p", _SEVERAL_OR_NONE), lettered_list(self.choices), *rows))

    def control_values(self, value: object) -> dict[str, str]:
        """Return the letter of each row."""
        return self.read(value)

    def chance(self) -> float:
        """Return what a random choice for each row earns."""
        return guessed_credit([1 / len(self.choices)] * len(self.rows), exact=self.credit == "exact")


def _same_choice(text: str, value: object) -> bool:
    try:
        return same_number(float(str(value)), read_number(text), None)
    except (ResponseError, ValueError):
        return normal(text) == normal(str(value))

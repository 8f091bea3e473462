"""A bank: the items of one quiz, as `quizzes/<section>.yaml` holds them."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from grader import document
from grader.document import Document
from grader.errors import DocumentError, Problem
from grader.model import section_order
from grader.quiz.responses import same_number

Text = Annotated[str, Field(min_length=1, max_length=4000)]
_ID = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")
_LETTERS = "abcdefgh"


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class Option(_Strict):
    """One option of a choice. A wrong one is a distractor: it says what misconception it betrays."""

    text: Text
    correct: bool = False
    feedback: Text
    misconception: Text | None = None


class _Item(_Strict):
    """What every item has."""

    id: Text
    prompt: Text
    points: Annotated[float, Field(gt=0)] = 1.0
    objective: Text
    explanation: Text


class _Choice(_Item):
    options: Annotated[dict[str, Option], Field(min_length=2)]
    verify: dict[str, Text] | None = None

    @property
    def key(self) -> frozenset[str]:
        """The letters of the right options."""
        return frozenset(letter for letter, option in self.options.items() if option.correct)


class SingleItem(_Choice):
    """One right option."""

    type: Literal["single"]


class MultiItem(_Choice):
    """One or more right options."""

    type: Literal["multi"]


class WrongNumber(_Strict):
    """A number that betrays a misconception."""

    value: float
    feedback: Text
    misconception: Text


class NumericItem(_Item):
    """A number, right within `tolerance` (absolute; nearly exact unless given)."""

    type: Literal["numeric"]
    key: float
    tolerance: Annotated[float, Field(ge=0)] | None = None
    expected_wrong: list[WrongNumber] = []
    verify: Text | None = None


class WrongShape(_Strict):
    """A shape that betrays a misconception."""

    value: list[int]
    feedback: Text
    misconception: Text


class ShapeItem(_Item):
    """The shape of a tensor."""

    type: Literal["shape"]
    key: Annotated[list[int], Field(min_length=1)]
    expected_wrong: list[WrongShape] = []
    verify: Text | None = None


Item = SingleItem | MultiItem | NumericItem | ShapeItem


class BankDocument(_Strict):
    """The YAML of a bank."""

    title: Text
    section: Text
    items: Annotated[list[Annotated[Item, Field(discriminator="type")]], Field(min_length=1)]


@dataclass(frozen=True, slots=True)
class Bank:
    """A bank that was read: its id is the stem of its file."""

    id: str
    source: Document[BankDocument]

    @property
    def title(self) -> str:
        """What the quiz is about."""
        return self.source.value.title

    @property
    def section(self) -> str:
        """The section of the notes."""
        return self.source.value.section

    @property
    def items(self) -> list[Item]:
        """The items in their order."""
        return self.source.value.items

    @property
    def max_points(self) -> float:
        """What full marks are worth."""
        return sum(item.points for item in self.items)

    def item(self, item_id: str) -> Item | None:
        """Return the item of that id."""
        return next((item for item in self.items if item.id == item_id), None)


def load_bank(path: Path, *, shown: str | None = None) -> Bank:
    """Read the bank at `path`. Raises DocumentError with every problem, each at its line and column."""
    source = document.read(path, BankDocument, shown=shown)
    problems = list(_problems(source))
    if problems:
        raise DocumentError(problems)
    return Bank(path.stem, source)


def load_banks(folder: Path) -> list[Bank]:
    """Read every bank of a folder, in the order of the notes. Raises DocumentError with every problem of all."""
    banks: list[Bank] = []
    problems: list[Problem] = []
    for path in sorted(folder.glob("*.yaml")):
        try:
            banks.append(load_bank(path, shown=f"{folder.name}/{path.name}"))
        except DocumentError as error:
            problems += error.problems
    if problems:
        raise DocumentError(problems)
    return sorted(banks, key=lambda bank: section_order(bank.section))


def _problems(source: Document[BankDocument]) -> Iterator[Problem]:
    seen: set[str] = set()
    for n, item in enumerate(source.value.items):
        where = ("items", n)
        if not _ID.fullmatch(item.id):
            yield source.problem(
                (*where, "id"), f'"{item.id}" is no id: write lower-case words joined by hyphens'
            )
        if item.id in seen:
            yield source.problem((*where, "id"), f'the id "{item.id}" is used twice')
        seen.add(item.id)
        for location, message in _item_problems(item):
            yield source.problem((*where, *location), message)


def _item_problems(item: Item) -> Iterator[tuple[tuple[str | int, ...], str]]:
    if isinstance(item, (SingleItem, MultiItem)):
        yield from _choice_problems(item)
        return
    if isinstance(item, ShapeItem):
        right = [wrong.value == item.key for wrong in item.expected_wrong]
    else:
        right = [same_number(wrong.value, item.key, item.tolerance) for wrong in item.expected_wrong]
    for n, is_right in enumerate(right):
        if is_right:
            yield ("expected_wrong", n, "value"), "this expected wrong answer is right"


def _choice_problems(item: SingleItem | MultiItem) -> Iterator[tuple[tuple[str | int, ...], str]]:
    letters = list(item.options)
    if letters != list(_LETTERS[: len(letters)]):
        yield ("options",), f"name the options {', '.join(_LETTERS[: len(letters)])}, in this order"
    if isinstance(item, SingleItem) and len(item.key) != 1:
        yield ("options",), f"a single item has one right option, and this one has {len(item.key)}"
    if not item.key:
        yield ("options",), "no option is right"
    for letter, option in item.options.items():
        if not option.correct and option.misconception is None:
            yield ("options", letter), f'the distractor {letter} lacks the "misconception" it betrays'
    for letter in sorted(set(item.verify or ()) - set(letters)):
        yield ("verify", letter), f"there is no option {letter}"

"""A bank: the items of one quiz, as `quizzes/<section>.yaml` holds them."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal, Self, Union

from pydantic import Field, model_validator

from grader.core import yaml_document
from grader.core.errors import DocumentError, Problem
from grader.core.model import section_order
from grader.core.yaml_document import Document, Location
from grader.quiz.draw import DRAW, FIRST_DRAW, drawn
from grader.quiz.feedback import Feedback, Shown
from grader.quiz.fields import SLUG, BankPart, Text
from grader.quiz.formulas import FormulaError
from grader.quiz.text_answers import normal
from grader.quiz.types import ITEM_TYPES, Item

# Seeds that every item is drawn with when its bank is loaded; `grade check` draws it with many more.
_LOADING_SEEDS = range(3)


if TYPE_CHECKING:
    AnyItem = Item
else:
    AnyItem = Annotated[Union[ITEM_TYPES], Field(discriminator="type")]  # noqa: UP007 - of a tuple


class BankDocument(BankPart):
    """The YAML of a bank."""

    title: Text
    section: Text
    salt: Text | None = None
    seed: Annotated[int, Field(ge=0)] | None = None
    tries: Annotated[int, Field(ge=1)] | None = None
    feedback: Literal["at-once", "after-tries", "never"] = "at-once"
    aliases: dict[Text, list[Text]] = Field(default_factory=dict)
    items: Annotated[list[AnyItem], Field(min_length=1)]
    earlier: list[AnyItem] = Field(default_factory=list)

    @model_validator(mode="after")
    def _feedback_fits_tries(self) -> Self:
        if self.feedback == Feedback.AFTER_TRIES.value and self.tries is None:
            raise ValueError("feedback: after-tries needs tries: the number after which it is shown")
        if self.feedback == Feedback.NEVER.value and self.tries is not None:
            raise ValueError("feedback: never shows nothing after any number of tries; remove tries")
        return self


@dataclass(frozen=True, slots=True)
class Bank:
    """A bank, with the lines and columns of its values. The id is the stem of the file name."""

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
        """The items in their order, as they were written: formulas are not drawn."""
        return self.source.value.items

    @property
    def placed(self) -> list[tuple[Location, Item]]:
        """The items, and those that only answers files of earlier draws ask, each with its place in the document."""
        document = self.source.value
        return [
            *((("items", n), item) for n, item in enumerate(document.items)),
            *((("earlier", n), item) for n, item in enumerate(document.earlier)),
        ]

    @property
    def seed(self) -> int | None:
        """The seed of all students; None where each has one."""
        return self.source.value.seed

    @property
    def tries(self) -> int | None:
        """How often students may have the quiz graded until its explanations are shown; None: without end."""
        return self.source.value.tries

    def shown_after(self, used: int) -> Shown:
        """Return how much of the result students see after `used` tries."""
        return Feedback(self.source.value.feedback).after(used, self.tries)

    @property
    def salt(self) -> str:
        """The text that every draw depends on besides the seed; the id unless given."""
        return self.source.value.salt or self.id

    @property
    def draws(self) -> bool:
        """Whether anything depends on the seed."""
        return any(item.varies for item in self.items)

    @property
    def aliases(self) -> dict[str, str]:
        """The normal form of each alias, and the word it means."""
        return {
            normal(other): normal(word)
            for word, others in self.source.value.aliases.items()
            for other in others
        }

    @property
    def max_points(self) -> float:
        """The points of full marks, without withdrawn items."""
        return sum(item.points for item in self.asked() if item.void != "drop")

    def item(self, item_id: str) -> Item | None:
        """Return the item of that id, as it was written."""
        return next((item for _, item in self.placed if item.id == item_id), None)

    def asked(self, draw: int = DRAW) -> list[Item]:
        """Return the items that an answers file of this draw has, as they were written."""
        return [item for _, item in self.placed if item.since <= draw <= (item.until or draw)]

    def sheet(self, seed: int = 0, draw: int = DRAW) -> list[Item]:
        """Return the items drawn with this seed, or with that of the bank where it sets one, each with its number.

        Raises DocumentError where an item has no draw for the seed, which `grade check` makes unlikely.
        """
        asked = [
            self._drawn(where, item, seed if self.seed is None else self.seed, draw)
            for where, item in self.placed
            if item.since <= draw <= (item.until or draw)
        ]
        return [item.numbered(number) for number, item in enumerate(asked, start=1)]

    def _drawn(self, where: Location, item: Item, seed: int, draw: int) -> Item:
        try:
            return drawn(item, self.salt, seed, draw)
        except FormulaError as error:
            raise DocumentError([self.source.problem(where, f"{item.id}, seed {seed}: {error}")]) from None


def load_bank(path: Path, *, shown: str | None = None) -> Bank:
    """Read the bank at `path`. Raises DocumentError with every problem, each at its line and column."""
    bank = Bank(path.stem, yaml_document.read(path, BankDocument, shown=shown))
    problems = list(_problems(bank))
    if problems:
        raise DocumentError(problems)
    return bank


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


def _problems(bank: Bank) -> Iterator[Problem]:
    source = bank.source
    seen: dict[str, list[Item]] = {}
    for where, item in bank.placed:
        if where[0] == "earlier" and item.until is None:
            yield source.problem(where, f'{item.id} needs "until", the last draw that asks it')
        if not SLUG.fullmatch(item.id):
            yield source.problem(
                (*where, "id"), f'"{item.id}" is not an id: write lower-case words joined by hyphens'
            )
        if any(_asked_together(item, other) for other in seen.get(item.id, ())):
            yield source.problem((*where, "id"), f'the id "{item.id}" is used twice')
        seen.setdefault(item.id, []).append(item)
        for location, message in _drawn_problems(item, bank):
            yield source.problem((*where, *location), message)


def _asked_together(one: Item, other: Item) -> bool:
    """Tell whether the sheets of some draw have both items."""
    return one.since <= (other.until or one.since) and other.since <= (one.until or other.since)


def _drawn_problems(item: Item, bank: Bank) -> Iterator[tuple[tuple[str | int, ...], str]]:
    """Yield the problems of the first seed that has any; options have their own letters in them."""
    for seed in _LOADING_SEEDS if item.params else (0,):
        try:
            found = list(drawn(item, bank.salt, seed, FIRST_DRAW).item_problems(bank.aliases))
        except FormulaError as error:
            found = [((), f"{item.id}: {error}")]
        if found:
            yield from found
            return

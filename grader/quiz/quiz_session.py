"""The state of a quiz that is being answered: current item, responses, opened hints. It has no input or output."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Self

from grader.quiz.answers import Responses
from grader.quiz.bank import Bank
from grader.quiz.fields import Hint
from grader.quiz.types import Item


@dataclass(slots=True, kw_only=True)
class QuizSession:
    """A quiz that is being answered. `place` is the index of the current item; len(items) after the last one.

    Withdrawn items are not asked. Earlier responses to them stay in the file.
    """

    items: tuple[Item, ...]
    given: dict[str, object]
    hints: dict[str, int]
    place: int = 0

    @classmethod
    def begin(cls, bank: Bank, responses: Responses) -> Self:
        """Start at the first item without a response; at the first item where all have one."""
        found = cls(
            items=tuple(item for item in bank.sheet(responses.seed, responses.draw) if item.void is None),
            given=dict(responses.given),
            hints=dict(responses.hints),
        )
        found.place = next((n for n, item in enumerate(found.items) if item.id not in found.given), 0)
        return found

    @property
    def item(self) -> Item | None:
        """The current item; None after the last one."""
        return self.items[self.place] if self.place < len(self.items) else None

    def answer(self, text: str) -> None:
        """Store a response, and go on. Raises ResponseError where it cannot be read; then nothing changes."""
        item = self.items[self.place]
        item.read(text)
        self.given[item.id] = text
        self.go_on()

    def go_on(self) -> None:
        """Go to the next item."""
        self.place += 1

    def go_back(self) -> None:
        """Go to the item before."""
        self.place = max(0, self.place - 1)

    def go_to(self, number: int) -> bool:
        """Go to the item of this number; return False where there is none, or it was withdrawn."""
        found = next((n for n, item in enumerate(self.items) if item.number == number), None)
        if found is not None:
            self.place = found
        return found is not None

    @property
    def last_number(self) -> int:
        """The largest number of an item that is asked; 0 where none is."""
        return self.items[-1].number if self.items else 0

    def open_hint(self) -> Hint | None:
        """Open and return the next hint of the current item; None where all are open."""
        item = self.items[self.place]
        opened = self.hints.get(item.id, 0)
        if opened >= len(item.hints):
            return None
        self.hints[item.id] = opened + 1
        return item.hints[opened]

    def still_open(self) -> Iterator[Item]:
        """Yield every item without a response."""
        return (item for item in self.items if item.id not in self.given)

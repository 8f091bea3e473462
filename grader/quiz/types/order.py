"""`order`: parts to put in order."""

from collections.abc import Iterator, Mapping
from typing import Annotated, ClassVar, Literal

from pydantic import Field

from grader.quiz.credit import order_credit
from grader.quiz.fields import Text, Wrong
from grader.quiz.responses import ResponseError, letters_in
from grader.quiz.types.base import IS_RIGHT, Item, Location, MarkedResponse, Problems, foreseen_mark, within
from grader.quiz.types.html_controls import lettered_list, select
from grader.quiz.types.lettered import distinct, lettered
from grader.quiz.typography import strange
from grader.report.html_markup import Markup, joined


class WrongOrder(Wrong):
    """An order that shows a misconception."""

    value: list[str]


class OrderItem(Item):
    """Parts to put in order."""

    control_kind: ClassVar[str] = "order"
    shows_answer_form: ClassVar[bool] = False

    type: Literal["order"]
    parts: Annotated[dict[str, Text], Field(min_length=3)]
    key: list[str]
    credit: Literal["moves", "exact"] = "moves"
    expected_wrong: list[WrongOrder] = []
    verify: Text | None = None

    def read(self, value: object) -> list[str]:
        """Read every letter once: "c, a, b" or "cab"."""
        letters = letters_in(value, "/<-")
        if len(letters) == 1:
            letters = list(letters[0])
        if sorted(letters) != sorted(self.parts):
            raise ResponseError(f"write each of {', '.join(self.parts)} once, in order{strange(str(value))}")
        return letters

    def mark(self, response: list[str], aliases: Mapping[str, str]) -> MarkedResponse:
        """Give credit by the parts that need not move, or all or nothing."""
        credit = order_credit(response, self.key) if self.credit == "moves" else float(response == self.key)
        foreseen = foreseen_mark(wrong for wrong in self.expected_wrong if wrong.value == response)
        return MarkedResponse(
            credit=credit, feedback=foreseen.feedback, misconceptions=foreseen.misconceptions
        )

    def problems(self, aliases: Mapping[str, str]) -> Problems:
        """Yield what is wrong with the parts, orders that are none, and foreseen orders that are right."""
        yield from within(("parts",), lettered(self.parts, "parts"))
        yield from within(("parts",), distinct(self.parts))
        orders: list[tuple[Location, list[str]]] = [(("key",), self.key)]
        orders += [
            (("expected_wrong", n, "value"), wrong.value) for n, wrong in enumerate(self.expected_wrong)
        ]
        for where, order in orders:
            if sorted(order) != sorted(self.parts):
                yield where, f"an order names each of {', '.join(self.parts)} once"
        if self.key == sorted(self.parts):
            yield ("parts",), "the parts are in the right order already; list them in another"
        for n, wrong in enumerate(self.expected_wrong):
            if wrong.value == self.key:
                yield ("expected_wrong", n, "value"), IS_RIGHT

    def answer_form(self) -> str:
        """Return what to write."""
        return "all letters in order: c, a, b"

    def listed_choices(self) -> Iterator[str]:
        """Yield the parts."""
        yield from (f"{letter}) {text}" for letter, text in self.parts.items())

    def key_response(self) -> object:
        """Return the letters in order."""
        return list(self.key)

    def controls(self, name: str) -> Markup:
        """Return the parts, and a drop-down list for each place."""
        parts = {letter: f"{letter}) {text}" for letter, text in self.parts.items()}
        places = [select(name, f"Place {n}", str(n), parts) for n in range(1, len(parts) + 1)]
        return joined((lettered_list(self.parts), *places))

    def control_values(self, value: object) -> dict[str, str]:
        """Return the letter at each place."""
        return {str(n): letter for n, letter in enumerate(self.read(value), start=1)}

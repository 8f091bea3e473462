"""`single`: one right option."""

from collections.abc import Mapping
from typing import ClassVar, Literal

from grader.quiz.responses import read_letters
from grader.quiz.types.base import RIGHT, MarkedResponse
from grader.quiz.types.choice import ChoiceItem, option_mark, right_share
from grader.quiz.types.html_controls import choice, lettered_text
from grader.report.html_markup import Markup, joined


class SingleItem(ChoiceItem):
    """One right option."""

    control_kind: ClassVar[str] = "one"
    shows_answer_form: ClassVar[bool] = False
    has_one_right: ClassVar[bool] = True

    type: Literal["single"]

    def read(self, value: object) -> frozenset[str]:
        """Read one letter: `b`."""
        return read_letters(value, self.options, several=False)

    def mark(self, response: frozenset[str], aliases: Mapping[str, str]) -> MarkedResponse:
        """Give full credit for the right option, and for one that is void with full credit."""
        if any(self.options[letter].void == "full" for letter in response):
            return RIGHT
        return option_mark(self.options, response, float(response == self.key))

    def answer_form(self) -> str:
        """Return what to write."""
        return "one letter: b"

    def controls(self, name: str) -> Markup:
        """Return a radio button for each option."""
        return joined(
            choice("radio", name, "choice", letter, lettered_text(letter, option.text))
            for letter, option in self.options.items()
        )

    def control_values(self, value: object) -> dict[str, str]:
        """Return the letter."""
        (letter,) = self.read(value)
        return {"choice": letter}

    def right_places(self) -> list[str]:
        """Return the letter of the right option."""
        return sorted(self.key)

    def chance(self) -> float:
        """Return what picking one option at random earns."""
        return right_share(self.options)

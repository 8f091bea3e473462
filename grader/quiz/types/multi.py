"""`multi`: one or more right options, with a rule of partial credit."""

from collections.abc import Mapping
from itertools import combinations
from math import fsum
from typing import Annotated, ClassVar, Literal

from pydantic import Field

from grader.quiz.credit import Rule, choice_credit
from grader.quiz.responses import read_letters
from grader.quiz.types.base import MarkedResponse, Problems
from grader.quiz.types.choice import ChoiceItem, Option, option_mark, right_letters
from grader.quiz.types.html_controls import choice, lettered_text
from grader.report.html_markup import Markup, joined

MAX_RIGHT_SHARE = 0.6


class MultiItem(ChoiceItem):
    """One or more right options."""

    control_kind: ClassVar[str] = "several"
    shows_answer_form: ClassVar[bool] = False

    type: Literal["multi"]
    credit: Annotated[Rule, Field(strict=False)] = Rule.NET

    def read(self, value: object) -> frozenset[str]:
        """Read letters: [a, c] or "a, c"."""
        return read_letters(value, self.options, several=True)

    def mark(self, response: frozenset[str], aliases: Mapping[str, str]) -> MarkedResponse:
        """Give credit by the rule. An option that is void counts as decided rightly (full), or not at all (drop)."""
        options = self._counting()
        given = {letter for letter, option in options.items() if option.void == "full"}
        key = right_letters(options)
        decided = frozenset((response & set(options)) - given | key & given)
        marked = option_mark(options, decided, choice_credit(self.credit, decided, key, len(options)))
        if marked.credit == 1.0 or not key - decided:
            return marked
        missed = "At least one more option is right: go through them once more."
        return MarkedResponse(
            credit=marked.credit, feedback=(*marked.feedback, missed), misconceptions=marked.misconceptions
        )

    def _counting(self) -> dict[str, Option]:
        return {letter: option for letter, option in self.options.items() if option.void != "drop"}

    def answer_form(self) -> str:
        """Return what to write."""
        return "letters: [a, c]"

    def controls(self, name: str) -> Markup:
        """Return a checkbox for each option."""
        return joined(
            choice("checkbox", f"{name}-{letter}", letter, "on", lettered_text(letter, option.text))
            for letter, option in self.options.items()
        )

    def control_values(self, value: object) -> dict[str, str]:
        """Return which boxes are checked."""
        return dict.fromkeys(sorted(self.read(value)), "on")

    def design_problems(self) -> Problems:
        """Refuse an item in which choosing everything is a good guess."""
        share = len(self.key) / len(self.options)
        if len(self.key) > MAX_RIGHT_SHARE * len(self.options):
            yield (
                ("options",),
                f"{share:.0%} of the options are right, so choosing all of them earns too much",
            )

    def empty_response(self) -> object:
        """Return the choice of nothing; by the rule `each`, or with an option given to everybody, it earns credit."""
        given = any(option.void == "full" for option in self.options.values())
        return None if given or self.credit is Rule.EACH else frozenset()

    def chance(self) -> float:
        """Return what flipping a coin for each option earns."""
        options = self._counting()
        key = right_letters(options)
        picks = [pick for size in range(len(options) + 1) for pick in combinations(options, size)]
        return fsum(choice_credit(self.credit, pick, key, len(options)) for pick in picks) / len(picks)

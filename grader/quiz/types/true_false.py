"""`true_false`: a statement, and the reason why it is true or false."""

from collections.abc import Iterator, Mapping
from typing import Annotated, ClassVar, Literal

from pydantic import Field

from grader.quiz.evaluation import Evaluator
from grader.quiz.fields import Slug, Text
from grader.quiz.responses import ResponseError, letters_in, read_letters
from grader.quiz.types.base import RIGHT, Item, MarkedResponse, Problems, within
from grader.quiz.types.choice import (
    Option,
    listed,
    named_options,
    option_mark,
    option_problems,
    right_letters,
    right_share,
)
from grader.quiz.types.html_controls import choice, lettered_text, radio_group
from grader.quiz.typography import strange
from grader.report.html_markup import Markup, inline, joined

_VERDICTS = {"true": True, "t": True, "yes": True, "false": False, "f": False, "no": False}
_CREDIT_OF_VERDICT = 0.5


class TrueFalseItem(Item):
    """A statement that is true or false, and the reason why. `feedback` is for the wrong verdict."""

    control_kind: ClassVar[str] = "verdict"
    shows_answer_form: ClassVar[bool] = False

    type: Literal["true_false"]
    key: bool
    feedback: Text
    misconception: Slug
    reasons: Annotated[dict[str, Option], Field(min_length=2)]
    shuffle: bool = False
    verify: Text | None = None

    def read(self, value: object) -> tuple[bool, str]:
        """Read a verdict and the letter of a reason: "true, b"."""
        verdict, *reason = letters_in(value, ":/-") or [""]
        if verdict not in _VERDICTS or len(reason) != 1:
            raise ResponseError(
                f"write true or false and the letter of your reason: true, {min(self.reasons)}{strange(str(value))}"
            )
        return _VERDICTS[verdict], next(iter(read_letters(reason, self.reasons, several=False)))

    def mark(self, response: tuple[bool, str], aliases: Mapping[str, str]) -> MarkedResponse:
        """Give a half for the right verdict with a wrong reason, and nothing for the wrong verdict."""
        verdict, letter = response
        if verdict is not self.key:
            return MarkedResponse(credit=0.0, feedback=(self.feedback,), misconceptions=(self.misconception,))
        if self.reasons[letter].counts_as_right:
            return RIGHT
        return option_mark(self.reasons, {letter}, _CREDIT_OF_VERDICT)

    def problems(self, aliases: Mapping[str, str]) -> Problems:
        """Yield what is wrong with the reasons."""
        yield from within(("reasons",), option_problems(self.reasons, one=True))

    def answer_form(self) -> str:
        """Return what to write."""
        return "true or false, and the letter of your reason: true, b"

    def key_response(self) -> object:
        """Return the verdict and the right reason."""
        return [self.key, *right_letters(self.reasons)]

    def key_differences(self, evaluator: Evaluator) -> Problems:
        """Compare the truth of what is computed."""
        value = bool(evaluator.value(self.verify or "None"))
        if value is not self.key:
            yield ("key",), self.key_message(value)

    def listed_choices(self) -> Iterator[str]:
        """Yield the reasons."""
        yield "True or false, and why?"
        yield from listed(self.reasons)

    def shuffled_field(self) -> str | None:
        """Return "reasons" where they are shuffled."""
        return "reasons" if self.shuffle else None

    def controls(self, name: str) -> Markup:
        """Return radio buttons for the verdict, and others for the reason."""
        verdicts = [
            choice("radio", f"{name}-verdict", "verdict", word.lower(), inline(word))
            for word in ("True", "False")
        ]
        reasons = [
            choice("radio", f"{name}-reason", "reason", letter, lettered_text(letter, reason.text))
            for letter, reason in self.reasons.items()
        ]
        return joined(
            (
                radio_group(f"{name}-v", "True or false?", verdicts),
                radio_group(f"{name}-r", "Why?", reasons),
            )
        )

    def control_values(self, value: object) -> dict[str, str]:
        """Return verdict and reason."""
        verdict, reason = self.read(value)
        return {"verdict": str(verdict).lower(), "reason": reason}

    def right_places(self) -> list[str]:
        """Return the letter of the right reason."""
        return sorted(right_letters(self.reasons))

    @property
    def verdict(self) -> bool:
        """Whether the statement is true."""
        return self.key

    def chance(self) -> float:
        """Half of the guesses have the verdict, and earn all with the right reason, else a half."""
        return 0.5 * (1 + right_share(self.reasons)) / 2

    def answer_options(self) -> dict[str, tuple[str, bool]]:
        """Return the verdicts, then the reasons."""
        verdicts = {"true": ("", self.key), "false": ("", not self.key)}
        return verdicts | named_options(self.reasons)

    def chosen_options(self, response: tuple[bool, str]) -> frozenset[str]:
        """Return the verdict and the reason chosen."""
        verdict, reason = response
        return frozenset({"true" if verdict else "false", reason})

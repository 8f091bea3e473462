"""`text`: a word or two; as an item, and as a blank of a cloze."""

from collections.abc import Mapping
from typing import Annotated, ClassVar, Literal

from pydantic import Field

from grader.quiz.fields import Pattern, Text, Wrong
from grader.quiz.responses import ResponseError
from grader.quiz.text_answers import MAX_LENGTH, matches, near, normal
from grader.quiz.types.base import (
    IS_RIGHT,
    RIGHT,
    Answerable,
    Item,
    MarkedResponse,
    Problems,
    foreseen_mark,
)
from grader.quiz.types.html_controls import field, select
from grader.report.html_markup import Markup


class WrongText(Wrong):
    """A text that shows a misconception."""

    value: Text


class WordsKey(Answerable):
    """A word or two: one of `accept`, or all of it by one of `patterns`. With `choices` only these are taken."""

    key_field: ClassVar[str] = "accept"

    accept: Annotated[list[Text], Field(min_length=1)]
    patterns: list[Pattern] = []
    choices: Annotated[list[Text], Field(min_length=2)] | None = None
    expected_wrong: list[WrongText] = []

    def read(self, value: object) -> str:
        """Read a text, which with `choices` must be one of them."""
        if isinstance(value, (list, dict)):
            raise ResponseError("a word or two are expected; put them in quotes")
        text = str(value).strip()
        if not 0 < len(text) <= MAX_LENGTH:
            raise ResponseError(f"a word or two are expected, at most {MAX_LENGTH} characters")
        if self.choices is not None and normal(text) not in {normal(choice) for choice in self.choices}:
            raise ResponseError(f'"{text[:20]}" is not one of {", ".join(self.choices)}')
        return text

    def mark(self, response: str, aliases: Mapping[str, str]) -> MarkedResponse:
        """Compare normal forms with what is accepted, then with the foreseen texts; point out a typing error."""
        text = normal(response, aliases)
        accepted = {normal(word, aliases) for word in self.accept}
        if text in accepted or matches(text, self.patterns):
            return RIGHT
        foreseen = foreseen_mark(
            wrong for wrong in self.expected_wrong if normal(wrong.value, aliases) == text
        )
        if not foreseen.feedback and near(text, accepted):
            return MarkedResponse(credit=0.0, feedback=("Almost: check the spelling.",))
        return foreseen

    def problems(self, aliases: Mapping[str, str]) -> Problems:
        """Yield words without a normal form, choices without a right one, and foreseen texts that are right."""
        accepted = {normal(word, aliases) for word in self.accept}
        for n, word in enumerate(self.accept):
            if not normal(word):
                yield ("accept", n), "this text has nothing but punctuation"
        choices = {normal(word, aliases) for word in self.choices or ()}
        if self.choices is not None and not accepted & choices:
            yield ("choices",), "none of the choices is accepted"
        for n, wrong in enumerate(self.expected_wrong):
            value = normal(wrong.value, aliases)
            if value in accepted or matches(value, self.patterns):
                yield ("expected_wrong", n, "value"), IS_RIGHT

    def answer_form(self) -> str:
        """Return what to write: the choices, where there are any."""
        return f"one of: {', '.join(self.choices)}" if self.choices else "a word or two"

    def key_response(self) -> object:
        """Return the first of the accepted texts."""
        return self.accept[0]

    def equals_key(self, value: object) -> bool:
        """Tell whether a computed text is accepted."""
        return normal(str(value)) in {normal(word) for word in self.accept}

    def written(self, value: str) -> object:
        """Return the text."""
        return value

    def choice_chance(self) -> float | None:
        """Return the share of the choices that are accepted; None without choices."""
        if not self.choices:
            return None
        accepted = {normal(word) for word in self.accept}
        return sum(normal(word) in accepted for word in self.choices) / len(self.choices)

    def control(self, name: str, part: str, label: str) -> Markup:
        """Return a list of the choices, or the field to type into."""
        if self.choices:
            return select(name, label, part, {choice: choice for choice in self.choices})
        return field(name, label, part, max_length=MAX_LENGTH)


class TextItem(Item, WordsKey):
    """A word or two."""

    type: Literal["text"]
    verify: Text | None = None


class TextBlank(WordsKey):
    """A word in a gap."""

    type: Literal["text"]

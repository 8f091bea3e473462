"""`text`: a word or two; as an item, and as a blank of a cloze."""

from collections.abc import Iterable, Mapping
from typing import Annotated, ClassVar, Literal

from pydantic import Field

from grader.quiz.fields import Pattern, Text, Wrong
from grader.quiz.responses import ResponseError
from grader.quiz.text_answers import MAX_LENGTH, matches, meanings, near, normal, without_arguments
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
        if self.choices is not None and not _one_of(meanings(text), self.choices, {}):
            raise ResponseError(f'"{text[:20]}" is not one of {", ".join(self.choices)}')
        return text

    def mark(self, response: str, aliases: Mapping[str, str]) -> MarkedResponse:
        """Compare with what is accepted, then with the foreseen texts; point out a typing error.

        Arguments count where what is compared with has some, so both are compared with them first.
        """
        text, exact = normal(response, aliases), meanings(response, aliases)
        if self._is_right(text, exact, aliases):
            return RIGHT
        foreseen = self._foreseen(exact, aliases)
        loose = without_arguments(exact)
        if not foreseen.feedback and loose != exact:
            if _one_of(loose, self.accept, aliases):
                return RIGHT
            foreseen = self._foreseen(loose, aliases)
        if not foreseen.feedback and near(text, {normal(word, aliases) for word in self.accept}):
            return MarkedResponse(credit=0.0, feedback=("Almost: check the spelling.",))
        return foreseen

    def _is_right(self, text: str, exact: frozenset[str], aliases: Mapping[str, str]) -> bool:
        return _one_of(exact, self.accept, aliases) or matches(text, self.patterns)

    def _foreseen(self, found: frozenset[str], aliases: Mapping[str, str]) -> MarkedResponse:
        return foreseen_mark(
            wrong for wrong in self.expected_wrong if not found.isdisjoint(meanings(wrong.value, aliases))
        )

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
            if self._is_right(normal(wrong.value, aliases), meanings(wrong.value, aliases), aliases):
                yield ("expected_wrong", n, "value"), IS_RIGHT

    def answer_form(self) -> str:
        """Return what to write: the choices, where there are any."""
        return f"one of: {', '.join(self.choices)}" if self.choices else "a word or two"

    def key_response(self) -> object:
        """Return the first of the accepted texts."""
        return self.accept[0]

    def equals_key(self, value: object) -> bool:
        """Tell whether a computed text is accepted."""
        return _one_of(meanings(str(value)), self.accept, {})

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


def _one_of(found: frozenset[str], words: Iterable[str], aliases: Mapping[str, str]) -> bool:
    """Tell whether what a text is compared by says one of these words."""
    return any(not found.isdisjoint(meanings(word, aliases)) for word in words)


class TextItem(Item, WordsKey):
    """A word or two."""

    type: Literal["text"]
    verify: Text | None = None


class TextBlank(WordsKey):
    """A word in a gap."""

    type: Literal["text"]

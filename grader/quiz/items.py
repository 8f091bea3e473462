"""The items of a bank, type by type, as YAML holds them. docs/quizzes.md explains every key.

Where an item has `params`, its texts hold `{formulas}` and its numbers are formulas until `draw.drawn` fills them.
"""

import math
import re
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    PlainValidator,
    field_validator,
    model_validator,
)

from grader.quiz.credit import Rule
from grader.quiz.formulas import Formula, Value, read_formula
from grader.quiz.text_answers import check_pattern
from grader.quiz.units import UNITS

SLUG = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")
_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,30}")


def _slug(text: str) -> str:
    if not SLUG.fullmatch(text):
        raise ValueError(f'"{text}" is no id: write lower-case words joined by hyphens')
    return text


def _name(text: str) -> str:
    if not _NAME.fullmatch(text):
        raise ValueError(f'"{text}" is no name: write a letter, then letters, digits or _')
    return text


def _unit(text: str) -> str:
    if text not in UNITS:
        raise ValueError(f'"{text}" is none of the units {", ".join(UNITS)}')
    return text


def _number(value: object) -> Value | Formula:
    if isinstance(value, str):
        return read_formula(value)
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value):
        raise ValueError("a number is expected, or a formula such as (n - k) // s + 1")
    return value


def _size(value: object) -> int | str | Formula:
    if value == "N":
        return "N"
    number = _number(value)
    if isinstance(number, float) or (isinstance(number, int) and number < 0):
        raise ValueError("a size is expected: a whole number, a formula, or N for any batch size")
    return number


def _formula(value: object) -> Formula:
    if not isinstance(value, str):
        raise ValueError("a formula is expected, such as n >= k")  # noqa: TRY004 - pydantic reads ValueError
    return read_formula(value)


Text = Annotated[str, Field(min_length=1, max_length=4000)]
Slug = Annotated[Text, AfterValidator(_slug)]
Name = Annotated[Text, AfterValidator(_name)]
Number = Annotated[Value | Formula, PlainValidator(_number)]
Size = Annotated[int | str | Formula, PlainValidator(_size)]
Condition = Annotated[Formula, PlainValidator(_formula)]
Pattern = Annotated[Text, AfterValidator(check_pattern)]
Unit = Annotated[Text, AfterValidator(_unit)]
Void = Literal["drop", "full"]
PartRule = Literal["each", "exact"]


class Strict(BaseModel):
    """What every part of a bank is: frozen, and without unknown keys.

    Validators are built with the bank's own, once, and not for each part as it is defined: `grade list` is quicker.
    """

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, defer_build=True)


class Param(Strict):
    """A number drawn from the seed: out of `low` to `high`, out of `choices`, or computed from earlier ones."""

    low: int | None = None
    high: int | None = None
    step: Annotated[int, Field(gt=0)] = 1
    choices: Annotated[list[Number], Field(min_length=2)] | None = None
    value: Condition | None = None

    @model_validator(mode="after")
    def _one_way(self) -> "Param":
        ways = [
            self.low is not None or self.high is not None,
            self.choices is not None,
            self.value is not None,
        ]
        if sum(ways) != 1:
            raise ValueError("write low and high, or choices, or value")
        if ways[0] and (self.low is None or self.high is None or self.low > self.high):
            raise ValueError("low and high are both needed, low first")
        return self


class Hint(Strict):
    """A hint, opened on request. `cost` is in points."""

    text: Text
    cost: Annotated[float, Field(ge=0)] = 0.0


class Wrong(Strict):
    """What a foreseen wrong answer betrays."""

    feedback: Text
    misconception: Slug


class Option(Strict):
    """One option of a choice. A wrong one is a distractor: it says what misconception it betrays."""

    text: Text
    correct: bool = False
    feedback: Text
    misconception: Slug | None = None
    void: Void | None = None


class _Item(Strict):
    """What every item has."""

    id: Text
    prompt: Text
    points: Annotated[float, Field(gt=0)] = 1.0
    objective: Text
    explanation: Text
    hints: list[Hint] = []
    params: dict[Name, Param] = {}
    where: list[Condition] = []
    void: Void | None = None

    @field_validator("hints", mode="before")
    @classmethod
    def _hints_may_be_texts(cls, value: Any) -> Any:
        return [{"text": h} if isinstance(h, str) else h for h in value] if isinstance(value, list) else value


# --- choices


class _Choice(_Item):
    options: Annotated[dict[str, Option], Field(min_length=2)]
    shuffle: bool = False
    verify: dict[str, Text] | None = None

    @property
    def key(self) -> frozenset[str]:
        """The letters of the right options."""
        return right_letters(self.options)


class SingleItem(_Choice):
    """One right option."""

    type: Literal["single"]


class MultiItem(_Choice):
    """One or more right options."""

    type: Literal["multi"]
    credit: Annotated[Rule, Field(strict=False)] = Rule.NET


class TrueFalseItem(_Item):
    """A statement that is true or false, and the reason why. `feedback` is for the wrong verdict."""

    type: Literal["true_false"]
    key: bool
    feedback: Text
    misconception: Slug
    reasons: Annotated[dict[str, Option], Field(min_length=2)]
    shuffle: bool = False
    verify: Text | None = None


def right_letters(options: dict[str, Option]) -> frozenset[str]:
    """Return the letters of the right options."""
    return frozenset(letter for letter, option in options.items() if option.correct)


# --- numbers, shapes, words: keys that items and blanks of a cloze share


class Tolerance(Strict):
    """How far a number may be off: absolutely, relatively (the larger of both), or by rounding to decimals."""

    atol: Annotated[float, Field(ge=0)] = 0.0
    rtol: Annotated[float, Field(ge=0, lt=1)] = 0.0
    decimals: Annotated[int, Field(ge=0, le=12)] | None = None

    @model_validator(mode="after")
    def _one_way(self) -> "Tolerance":
        if (self.decimals is None) == (not self.atol and not self.rtol):
            raise ValueError("write atol, rtol or both, or else decimals")
        return self


class WrongNumber(Wrong):
    """A number that betrays a misconception, in the unit of the key."""

    value: Number


class NumberKey(Strict):
    """A number, right within `tolerance` (nearly exact unless given)."""

    key: Number
    tolerance: Tolerance | None = None
    unit: Unit | None = None
    unit_required: bool = False
    expected_wrong: list[WrongNumber] = []


class WrongShape(Wrong):
    """A shape that betrays a misconception."""

    value: list[Size]


class ShapeKey(Strict):
    """The shape of a tensor."""

    key: Annotated[list[Size], Field(min_length=1, max_length=8)]
    expected_wrong: list[WrongShape] = []


class WrongText(Wrong):
    """A text that betrays a misconception."""

    value: Text


class WordsKey(Strict):
    """A word or two: one of `accept`, or all of it by one of `patterns`. With `choices` only these are taken."""

    accept: Annotated[list[Text], Field(min_length=1)]
    patterns: list[Pattern] = []
    choices: Annotated[list[Text], Field(min_length=2)] | None = None
    expected_wrong: list[WrongText] = []


class NumericItem(_Item, NumberKey):
    """A number."""

    type: Literal["numeric"]
    verify: Text | None = None


class ShapeItem(_Item, ShapeKey):
    """The shape of a tensor."""

    type: Literal["shape"]
    verify: Text | None = None


class TextItem(_Item, WordsKey):
    """A word or two."""

    type: Literal["text"]
    verify: Text | None = None


# --- several parts


class Row(Strict):
    """One row of a match: what stands on the left, and the letter that belongs to it."""

    text: Text
    key: str
    expected_wrong: dict[str, Wrong] = {}


class MatchItem(_Item):
    """Rows, each with one choice; a choice may serve several rows, or none."""

    type: Literal["match"]
    rows: Annotated[dict[str, Row], Field(min_length=2)]
    choices: Annotated[dict[str, Text], Field(min_length=2)]
    credit: PartRule = "each"
    verify: dict[str, Text] | None = None


class WrongOrder(Wrong):
    """An order that betrays a misconception."""

    value: list[str]


class OrderItem(_Item):
    """Parts to put in order."""

    type: Literal["order"]
    parts: Annotated[dict[str, Text], Field(min_length=3)]
    key: list[str]
    credit: Literal["moves", "exact"] = "moves"
    expected_wrong: list[WrongOrder] = []
    verify: Text | None = None


class NumericBlank(NumberKey):
    """A number in a gap."""

    type: Literal["numeric"]


class ShapeBlank(ShapeKey):
    """A shape in a gap."""

    type: Literal["shape"]


class TextBlank(WordsKey):
    """A word in a gap."""

    type: Literal["text"]


Blank = Annotated[NumericBlank | ShapeBlank | TextBlank, Field(discriminator="type")]


class ClozeItem(_Item):
    """A text with gaps: `[[name]]` in the prompt."""

    type: Literal["cloze"]
    blanks: Annotated[dict[Name, Blank], Field(min_length=1)]
    credit: PartRule = "each"
    verify: dict[str, Text] | None = None


class CodeOutputItem(_Item):
    """What a piece of code prints. `grade check` runs the code and compares."""

    type: Literal["code_output"]
    code: Text
    key: Text
    expected_wrong: list[WrongText] = []


class WrongGrid(Wrong):
    """A matrix that betrays a misconception."""

    value: list[list[Number]]


class GridItem(_Item):
    """A small matrix, worked out by hand."""

    type: Literal["grid"]
    key: Annotated[
        list[Annotated[list[Number], Field(min_length=1, max_length=8)]], Field(min_length=1, max_length=8)
    ]
    tolerance: Tolerance | None = None
    credit: PartRule = "each"
    expected_wrong: list[WrongGrid] = []
    verify: Text | None = None


Item = (
    SingleItem
    | MultiItem
    | TrueFalseItem
    | NumericItem
    | ShapeItem
    | TextItem
    | MatchItem
    | OrderItem
    | ClozeItem
    | CodeOutputItem
    | GridItem
)

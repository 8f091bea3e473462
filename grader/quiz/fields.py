"""What the YAML of a bank is made of: names, numbers, formulas and texts that are checked as they are read.

Where an item has `params`, its texts hold `{formulas}` and its numbers are formulas until `draw.drawn` fills them.
"""

import math
import re
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, PlainValidator, model_validator

from grader.quiz.formulas import Formula, Value, read_formula
from grader.quiz.text_answers import check_pattern
from grader.quiz.units import UNITS

SLUG = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")
_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,30}")


def _slug(text: str) -> str:
    if not SLUG.fullmatch(text):
        raise ValueError(f'"{text}" is not an id: write lower-case words joined by hyphens')
    return text


def _name(text: str) -> str:
    if not _NAME.fullmatch(text):
        raise ValueError(f'"{text}" is not a name: write a letter, then letters, digits or _')
    return text


def _unit(text: str) -> str:
    if text not in UNITS:
        raise ValueError(f'"{text}" is not one of the units {", ".join(UNITS)}')
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


class BankPart(BaseModel):
    """Base of every part of a bank: frozen, and without unknown keys.

    Validators are built with the bank's own, once, and not for each part as it is defined: `grade list` is quicker.
    """

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, defer_build=True)


class Param(BankPart):
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


class Hint(BankPart):
    """A hint, opened on request. `cost` is in points."""

    text: Text
    cost: Annotated[float, Field(ge=0)] = 0.0


class Wrong(BankPart):
    """The feedback on a foreseen wrong answer, and the misconception it shows."""

    feedback: Text
    misconception: Slug


class Tolerance(BankPart):
    """How far a number may be off: absolutely, relatively (the larger of both), or by rounding to decimals."""

    atol: Annotated[float, Field(ge=0)] = 0.0
    rtol: Annotated[float, Field(ge=0, lt=1)] = 0.0
    decimals: Annotated[int, Field(ge=0, le=12)] | None = None

    @model_validator(mode="after")
    def _one_way(self) -> "Tolerance":
        if (self.decimals is None) == (not self.atol and not self.rtol):
            raise ValueError("write atol, rtol or both, or else decimals")
        return self

    def allowed(self, key: float) -> float:
        """Return how far a number may be from the key."""
        if self.decimals is not None:
            return 0.5 * 10.0**-self.decimals
        return max(self.atol, self.rtol * abs(key))

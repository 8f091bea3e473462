"""`numeric`: a number, with or without a unit; as an item, and as a blank of a cloze."""

from collections.abc import Iterator, Mapping
from typing import Literal, SupportsFloat, cast

from grader.quiz.fields import Number, Text, Tolerance, Unit, Wrong
from grader.quiz.formulas import Formula, Value
from grader.quiz.numeric_answers import (
    leading_number,
    plain,
    read_number,
    same_number,
    tolerance_words,
)
from grader.quiz.responses import ResponseError
from grader.quiz.types.base import (
    IS_RIGHT,
    RIGHT,
    Answerable,
    Item,
    MarkedResponse,
    Problems,
    foreseen_mark,
)
from grader.quiz.typography import strange
from grader.quiz.units import converted, counts_one, find_unit, names_counted, siblings


class WrongNumber(Wrong):
    """A number that shows a misconception, in the unit of the key."""

    value: Number


class NumberKey(Answerable):
    """A number, right within `tolerance` (nearly exact unless given)."""

    key: Number
    tolerance: Tolerance | None = None
    unit: Unit | None = None
    unit_required: bool = False
    expected_wrong: list[WrongNumber] = []

    def read(self, value: object) -> float:
        """Read a number, and return it in the unit of the key."""
        if self.unit is None:
            number, written = leading_number(value)
            return number if counts_one(written) else read_number(value)
        return read_quantity(value, self.unit, required=self.unit_required)

    def mark(self, response: float, aliases: Mapping[str, str]) -> MarkedResponse:
        """Compare with the key, then with the foreseen numbers."""
        if self._is_key(response):
            return RIGHT
        return foreseen_mark(
            wrong
            for wrong in self.expected_wrong
            if same_number(response, plain(wrong.value), self.tolerance)
        )

    def _is_key(self, number: float) -> bool:
        return same_number(number, plain(self.key), self.tolerance)

    def problems(self, aliases: Mapping[str, str]) -> Problems:
        """Yield a required unit that is not named, and foreseen numbers that are right."""
        if self.unit_required and self.unit is None:
            yield ("unit_required",), 'a unit can only be required where there is a "unit"'
        for n, wrong in enumerate(self.expected_wrong):
            if self._is_key(plain(wrong.value)):
                yield ("expected_wrong", n, "value"), IS_RIGHT

    def answer_form(self) -> str:
        """Return what to write: unit and tolerance too."""
        words = "a number"
        if self.unit:
            words += f" with its unit, such as {self.unit}" if self.unit_required else f" (in {self.unit})"
        return words + tolerance_words(self.tolerance)

    def key_response(self) -> object:
        """Return the number, with its unit."""
        return self.written(self.key)

    def equals_key(self, value: object) -> bool:
        """Tell whether a computed number is right."""
        try:
            return self._is_key(float(cast("SupportsFloat", value)))
        except (TypeError, ValueError):
            return False

    def written(self, value: Value | Formula) -> object:
        """Return a number, with its unit."""
        number = plain(value)
        return number if self.unit is None else f"{number!r} {self.unit}"

    def numbers(self) -> Iterator[float]:
        """Yield the key and the foreseen numbers."""
        yield from (plain(self.key), *(plain(wrong.value) for wrong in self.expected_wrong))


class NumericItem(Item, NumberKey):
    """A number."""

    type: Literal["numeric"]
    verify: Text | None = None

    def read(self, value: object) -> float:
        """Read a number. What the question counts may stand behind it, as a unit may."""
        if self.unit is None:
            number, written = leading_number(value)
            if names_counted(written, self.prompt):
                return number
        return super().read(value)


class NumericBlank(NumberKey):
    """A number in a gap."""

    type: Literal["numeric"]


def read_quantity(value: object, wanted: str, *, required: bool) -> float:
    """Read a number with a unit, and return it in the unit `wanted`. A bare number is in it, unless refused."""
    number, written = leading_number(value)
    if not written:
        if required:
            raise ResponseError(f"write the unit too, one of {', '.join(siblings(wanted))}")
        return number
    unit = find_unit(written)
    found = converted(number, unit, wanted) if unit else None
    if found is None:
        words = f'"{written[:20]}" is not one of the units {", ".join(siblings(wanted))}'
        raise ResponseError(words + strange(str(value)))
    return found

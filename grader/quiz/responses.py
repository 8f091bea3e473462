"""Reads what students write as answers. Nothing here evaluates anything, and every text is bounded before it is read.

`read(item, value)` takes a response as it stands in an answers file (a scalar, a list, a mapping) or as it was typed.
"""

import re
from collections.abc import Collection, Sequence
from fractions import Fraction
from functools import singledispatch

from grader.quiz import output_answers
from grader.quiz.items import (
    ClozeItem,
    CodeOutputItem,
    GridItem,
    MatchItem,
    MultiItem,
    NumberKey,
    OrderItem,
    ShapeKey,
    SingleItem,
    TrueFalseItem,
    WordsKey,
)
from grader.quiz.numeric_answers import Matrix
from grader.quiz.soundness import gap_names
from grader.quiz.text_answers import MAX_LENGTH as MAX_TEXT
from grader.quiz.text_answers import normal
from grader.quiz.units import converted, find_unit, siblings

MAX_LENGTH = 60
MAX_AXES = 8
MAX_CELLS_LENGTH = 600
ANY_BATCH = {"N", "B", "*", "-1", "None"}
_NUMBER = r"[+-]?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d{1,2})?"
_NUMERIC = re.compile(rf"({_NUMBER})\s*(?:/\s*({_NUMBER}))?\s*(%)?")
_WITH_UNIT = re.compile(r"(.*?[\d.])\s*([A-Za-z]+|%)?")
_SHAPE = re.compile(r"(?:torch\.)?(?:Size)?\s*[\[(]*([^\[\]()]*?),?\s*[\])]*")
_ROW = re.compile(r"[\[(]([^\[\]()]*)[\])]")
_VERDICTS = {"true": True, "t": True, "yes": True, "false": False, "f": False, "no": False}
_A_SHAPE = "a shape is expected, for example: (1, 8, 32, 32)"
_A_NUMBER = "a number is expected, for example: 28, 0.5, 1/2 or 50%"
_A_MATRIX = "a matrix is expected, for example: 1 2; 3 4 or [[1, 2], [3, 4]]"


class ResponseError(Exception):
    """What a student wrote cannot be read as an answer. The message says what was expected, with an example."""


def read_letters(value: object, letters: Collection[str], *, several: bool) -> frozenset[str]:
    """Read `b`, or with `several` also [a, c] and "a, c". Raises ResponseError for unknown letters."""
    found = _parts(value)
    choices = ", ".join(sorted(letters))
    for letter in found:
        if letter not in letters:
            raise ResponseError(f'"{letter[:20]}" is none of the options; they are {choices}')
    if not several and len(found) != 1:
        raise ResponseError(f"choose one of {choices}, for example: {min(letters)}")
    return frozenset(found)


def _parts(value: object) -> list[str]:
    """Return letters and short words: of a list, or of a text with commas or spaces between them."""
    parts = value if isinstance(value, list) else re.split(r"[,;>\s]+", str(value).strip().strip("[]"))
    found = [str(part).strip().strip("().").lower() for part in parts]
    return [part for part in found if part]


def read_number(value: object) -> float:
    """Read 0.5, "1/2", "50%", "5e-1" or "-3". Raises ResponseError for everything else, nan and inf included."""
    text = _number_text(value)
    match = _NUMERIC.fullmatch(text)
    if match is None:
        raise ResponseError(_A_NUMBER)
    numerator, denominator, percent = match.groups()
    number = Fraction(numerator) / (100 if percent else 1)
    if denominator is not None:
        if not Fraction(denominator):
            raise ResponseError("this divides by zero")
        number /= Fraction(denominator)
    return float(number)


def _number_text(value: object) -> str:
    if isinstance(value, bool) or not isinstance(value, (int, float, str)):
        raise ResponseError(_A_NUMBER)
    text = str(value).strip().replace("\N{MINUS SIGN}", "-")
    if len(text) > MAX_LENGTH:
        raise ResponseError(_A_NUMBER)
    if "," in text:
        raise ResponseError("write numbers with a point and without thousands separators: 0.875, 1225500")
    return text


def read_quantity(value: object, wanted: str, *, required: bool) -> float:
    """Read a number with a unit, and return it in the unit `wanted`. A bare number is in it, unless refused."""
    match = _WITH_UNIT.fullmatch(_number_text(value))
    if match is None:
        raise ResponseError(f"a number is expected, for example: 28 {wanted}")
    number, written = read_number(match[1]), match[2]
    if written is None:
        if required:
            raise ResponseError(f"write the unit too, one of {', '.join(siblings(wanted))}")
        return number
    unit = find_unit(written)
    found = converted(number, unit, wanted) if unit else None
    if found is None:
        raise ResponseError(f'"{written[:20]}" is not one of the units {", ".join(siblings(wanted))}')
    return found


def read_shape(value: object) -> list[int | str]:
    """Read (1, 8, 32, 32), [1, 8], torch.Size([1, 8]), 1x8x32x32 or (N, 8). Raises ResponseError otherwise."""
    if isinstance(value, bool) or not isinstance(value, (int, str, list)):
        raise ResponseError(_A_SHAPE)
    if isinstance(value, list):
        parts: Sequence[object] = value
    else:
        match = _SHAPE.fullmatch(str(value).strip()) if len(str(value)) <= MAX_LENGTH else None
        text = match[1] if match else ""
        written = re.split(r"\s*,\s*" if "," in text else r"\s*[x\u00d7*]\s*|\s+", text.strip())
        parts = [int(part) if re.fullmatch(r"[0-9]{1,9}", part) else part for part in written]
    if not 0 < len(parts) <= MAX_AXES:
        raise ResponseError(_A_SHAPE)
    return [_size(part, batch=n == 0 and len(parts) > 1) for n, part in enumerate(parts)]


def _size(part: object, *, batch: bool) -> int | str:
    if batch and str(part) in ANY_BATCH:
        return "N"
    if isinstance(part, bool) or not isinstance(part, int) or not 0 <= part < 10**9:
        raise ResponseError(_A_SHAPE)
    return part


def read_matrix(value: object) -> Matrix:
    """Read [[1, 2], [3, 4]] or "1 2; 3 4", as long as all rows have the same length."""
    rows = _listed_rows(value) if isinstance(value, list) else _written_rows(str(value))
    matrix = [[read_number(cell) for cell in row] for row in rows]
    if not matrix or not matrix[0] or len({len(row) for row in matrix}) > 1:
        raise ResponseError(f"{_A_MATRIX}; all rows have the same length")
    return matrix


def _listed_rows(value: list[object]) -> Sequence[Sequence[object]]:
    rows = value if any(isinstance(row, (list, str)) for row in value) else [value]
    return [row if isinstance(row, list) else re.split(r"[,\s]+", str(row).strip()) for row in rows]


def _written_rows(text: str) -> list[list[str]]:
    if len(text) > MAX_CELLS_LENGTH:
        raise ResponseError(_A_MATRIX)
    rows = _ROW.findall(text) if re.search(r"[\[(]", text) else re.split(r"[;\n]", text.strip().strip(";"))
    return [[cell for cell in re.split(r"[,\s]+", row.strip()) if cell] for row in rows]


# --- item by item


@singledispatch
def read(item: object, value: object) -> object:  # noqa: ARG001 - the others need it
    """Read one response to an item, or to a blank of one. Raises ResponseError with what was expected."""
    raise TypeError(f"{type(item).__name__} is no type of item")


@read.register
def _(item: SingleItem, value: object) -> frozenset[str]:
    return read_letters(value, item.options, several=False)


@read.register
def _(item: MultiItem, value: object) -> frozenset[str]:
    return read_letters(value, item.options, several=True)


@read.register
def _(item: TrueFalseItem, value: object) -> tuple[bool, str]:
    verdict, *reason = _parts(value) or [""]
    if verdict not in _VERDICTS or len(reason) != 1:
        raise ResponseError(f"write true or false and the letter of your reason: true, {min(item.reasons)}")
    return _VERDICTS[verdict], next(iter(read_letters(reason, item.reasons, several=False)))


@read.register
def _(item: NumberKey, value: object) -> float:
    if item.unit is not None:
        return read_quantity(value, item.unit, required=item.unit_required)
    return read_number(value)


@read.register
def _(_item: ShapeKey, value: object) -> list[int | str]:
    return read_shape(value)


@read.register
def _(item: WordsKey, value: object) -> str:
    if isinstance(value, (list, dict)):
        raise ResponseError("a word or two are expected; put them in quotes")
    text = str(value).strip()
    if not 0 < len(text) <= MAX_TEXT:
        raise ResponseError(f"a word or two are expected, at most {MAX_TEXT} characters")
    if item.choices is not None and normal(text) not in {normal(choice) for choice in item.choices}:
        raise ResponseError(f'"{text[:20]}" is none of {", ".join(item.choices)}')
    return text


@read.register
def _(item: MatchItem, value: object) -> dict[str, str]:
    pairs = _pairs(item, value)
    for row, letter in pairs.items():
        if row not in item.rows:
            raise ResponseError(f'there is no row "{row[:20]}"; they are {", ".join(item.rows)}')
        if letter not in item.choices:
            raise ResponseError(f'"{letter[:20]}" is none of the choices; they are {", ".join(item.choices)}')
    return pairs


def _pairs(item: MatchItem, value: object) -> dict[str, str]:
    expected = "write a letter for each row, for example: 1a 2b"
    if isinstance(value, dict):
        return {str(row): str(letter).strip().lower() for row, letter in value.items() if letter is not None}
    parts = _parts(value)
    if len(parts) == len(item.rows) and all(part.isalpha() for part in parts):
        return dict(zip(item.rows, parts, strict=True))
    text = " ".join(parts)[:MAX_TEXT]
    found = re.findall(r"(\d+)\s*[=:.)-]?\s*([a-z]+)", text)
    rest = re.sub(r"(\d+)\s*[=:.)-]?\s*([a-z]+)", "", text).strip()
    if rest or not found or len(dict(found)) != len(found):
        raise ResponseError(expected)
    return dict(found)


@read.register
def _(item: OrderItem, value: object) -> list[str]:
    parts = _parts(value)
    if len(parts) == 1:
        parts = list(parts[0])
    if sorted(parts) != sorted(item.parts):
        raise ResponseError(f"write each of {', '.join(item.parts)} once, in order")
    return parts


@read.register
def _(item: ClozeItem, value: object) -> dict[str, object]:
    names = gap_names(item.prompt)
    if isinstance(value, dict):
        given = {str(name): part for name, part in value.items()}
    else:
        parts = value if isinstance(value, list) else str(value).split(";")
        if len(parts) > len(names):
            raise ResponseError(f"there are {len(names)} gaps, in this order: {'; '.join(names)}")
        given = dict(zip(names, parts, strict=False))
    for name in given:
        if name not in names:
            raise ResponseError(f'there is no gap "{name[:20]}"; they are {", ".join(names)}')
    return {name: _read_blank(item, name, part) for name, part in given.items() if not is_empty(part)}


def _read_blank(item: ClozeItem, name: str, part: object) -> object:
    try:
        return read(item.blanks[name], part)
    except ResponseError as error:
        raise ResponseError(f"{name}: {error}") from None


@read.register
def _(_item: CodeOutputItem, value: object) -> str:
    text = brackets(value) if isinstance(value, list) else str(value)
    if isinstance(value, dict) or not output_answers.tokens(text) or len(text) > output_answers.MAX_LENGTH:
        raise ResponseError("what is printed is expected, for example: tensor([1., 2.]); put it in quotes")
    return text


@read.register
def _(_item: GridItem, value: object) -> Matrix:
    if isinstance(value, (bool, dict)):
        raise ResponseError(_A_MATRIX)
    return read_matrix(value)


def is_empty(value: object) -> bool:
    """Tell whether nothing was written."""
    return value is None or value in ([], {}) or (isinstance(value, str) and not value.strip(" ;"))


def brackets(value: object) -> str:
    """Return a nested list as it is printed."""
    return f"[{', '.join(map(brackets, value))}]" if isinstance(value, list) else str(value)


def shown(value: object) -> str:
    """Return a response as a student would write it."""
    if isinstance(value, dict):
        return ", ".join(f"{name}: {shown(part)}" for name, part in value.items())
    if isinstance(value, list):
        return (
            brackets(value) if any(isinstance(part, list) for part in value) else ", ".join(map(str, value))
        )
    return str(value)

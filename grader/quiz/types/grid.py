"""`grid`: a small matrix, worked out by hand."""

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Annotated, Literal, cast

from pydantic import Field

from grader.quiz.credit import part_credit
from grader.quiz.fields import Number, PartRule, Text, Tolerance, Wrong
from grader.quiz.formulas import Formula, Value
from grader.quiz.numeric_answers import plain, read_number, same_number, tolerance_words
from grader.quiz.responses import ResponseError
from grader.quiz.types.base import IS_RIGHT, Item, MarkedResponse, Problems, foreseen_mark, within
from grader.quiz.types.html_controls import field
from grader.quiz.typography import plain as plain_text
from grader.report.html_markup import Markup

MAX_LENGTH = 600
Matrix = list[list[float]]
_ROW = re.compile(r"[\[(]([^\[\]()]*)[\])]")
_EXPECTED = "a matrix is expected, for example: 1 2; 3 4 or [[1, 2], [3, 4]]"


class WrongGrid(Wrong):
    """A matrix that shows a misconception."""

    value: list[list[Number]]


class GridItem(Item):
    """A small matrix, worked out by hand."""

    type: Literal["grid"]
    key: Annotated[
        list[Annotated[list[Number], Field(min_length=1, max_length=8)]], Field(min_length=1, max_length=8)
    ]
    tolerance: Tolerance | None = None
    credit: PartRule = "each"
    expected_wrong: list[WrongGrid] = []
    verify: Text | None = None

    def read(self, value: object) -> Matrix:
        """Read a matrix."""
        if isinstance(value, (bool, dict)):
            raise ResponseError(_EXPECTED)
        return read_matrix(value)

    def mark(self, response: Matrix, aliases: Mapping[str, str]) -> MarkedResponse:
        """Compare with the foreseen matrices, then with the key, cell by cell."""
        foreseen = foreseen_mark(
            wrong for wrong in self.expected_wrong if self._equal(response, plain_matrix(wrong.value))
        )
        if foreseen.feedback:
            return foreseen
        key = plain_matrix(self.key)
        if not _same_size(response, key):
            return MarkedResponse(credit=0.0, feedback=("The right matrix has another size.",))
        cells = _same_cells(response, key, self.tolerance)
        credit = part_credit(cells, exact=self.credit == "exact")
        return MarkedResponse(credit=credit, feedback=(f"{sum(cells)} of {len(cells)} cells are right.",))

    def _equal(self, one: Matrix, key: Matrix) -> bool:
        return _same_size(one, key) and all(_same_cells(one, key, self.tolerance))

    def problems(self, aliases: Mapping[str, str]) -> Problems:
        """Yield rows of different lengths, and foreseen matrices that are right."""
        key = plain_matrix(self.key)
        yield from within(("key",), _rectangular(key))
        for n, wrong in enumerate(self.expected_wrong):
            value = plain_matrix(wrong.value)
            yield from within(("expected_wrong", n, "value"), _rectangular(value))
            if all(_same_cells(value, key, self.tolerance)):
                yield ("expected_wrong", n, "value"), IS_RIGHT

    def answer_form(self) -> str:
        """Return what to write, and the tolerance of each cell."""
        return f"a matrix, row by row: 1 2; 3 4 or [[1, 2], [3, 4]]{tolerance_words(self.tolerance)}"

    def key_response(self) -> object:
        """Return the matrix."""
        return plain_matrix(self.key)

    def equals_key(self, value: object) -> bool:
        """Tell whether a computed matrix or tensor of shape (rows, columns) is right."""
        rows = cast("list[list[float]]", value.tolist() if hasattr(value, "tolist") else value)
        try:
            matrix = [[float(cell) for cell in row] for row in rows]
        except (TypeError, ValueError):
            return False
        return self._equal(matrix, plain_matrix(self.key))

    def numbers(self) -> Iterator[float]:
        """Yield the cells of the key."""
        yield from (cell for row in plain_matrix(self.key) for cell in row)

    def controls(self, name: str) -> Markup:
        """Return a field of several lines."""
        return field(name, "Your matrix", "text", max_length=MAX_LENGTH, lines=4)


def read_matrix(value: object) -> Matrix:
    """Read [[1, 2], [3, 4]] or "1 2; 3 4", as long as all rows have the same length. Raises ResponseError."""
    rows = _listed_rows(value) if isinstance(value, list) else _written_rows(plain_text(str(value)))
    matrix = [[read_number(cell) for cell in row] for row in rows]
    if not matrix or not matrix[0] or len({len(row) for row in matrix}) > 1:
        raise ResponseError(f"{_EXPECTED}; all rows have the same length")
    return matrix


def _listed_rows(value: list[object]) -> Sequence[Sequence[object]]:
    rows = value if any(isinstance(row, (list, str)) for row in value) else [value]
    return [
        row if isinstance(row, list) else re.split(r"[,\s]+", plain_text(str(row)).strip()) for row in rows
    ]


def _written_rows(text: str) -> list[list[str]]:
    if len(text) > MAX_LENGTH:
        raise ResponseError(_EXPECTED)
    rows = _ROW.findall(text) if re.search(r"[\[(]", text) else re.split(r"[;\n]", text.strip().strip(";"))
    return [[cell for cell in re.split(r"[,\s]+", row.strip()) if cell] for row in rows]


def plain_matrix(rows: Sequence[Sequence[Value | Formula]]) -> Matrix:
    """Return the matrix of a drawn item."""
    return [[plain(cell) for cell in row] for row in rows]


def _rectangular(matrix: Matrix) -> Problems:
    if len({len(row) for row in matrix}) > 1 or not matrix or not matrix[0]:
        yield (), "the rows of a matrix have the same length, at least 1"


def _same_size(one: Matrix, other: Matrix) -> bool:
    """Tell whether two matrices have the same numbers of rows and columns."""
    return [len(row) for row in one] == [len(row) for row in other]


def _same_cells(one: Matrix, key: Matrix, tolerance: Tolerance | None) -> list[bool]:
    """Tell for each cell whether it is right; none is where the size differs."""
    if not _same_size(one, key):
        return [False for row in key for _ in row]
    return [
        same_number(a, b, tolerance)
        for row, key_row in zip(one, key, strict=True)
        for a, b in zip(row, key_row, strict=True)
    ]

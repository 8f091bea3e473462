"""What a suite sends: parameter x mode x kind of value, and the cells that stay empty without a reason.

Which cells count is read from the annotations of the reference: a stride of 0 means nothing, a padding of 0 does. The
calls were counted when the reference was graded (`grading.engine.sent_values`), so the matrix costs no grading.
`untested.yaml` says of an empty cell why it may stay so.
"""

import ast
import textwrap
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from grader.authoring.input_operators import (
    Function,
    Parameter,
    is_elementwise,
    parameters_of,
    returns_tensor,
)
from grader.authoring.reasons import read_reasons, reason_problems
from grader.core.errors import DocumentError, Problem
from grader.core.model import Exercise
from grader.core.suggestions import suggestion
from grader.core.yaml_document import Document
from grader.course.catalog import Course

UNTESTED = "untested.yaml"
MODES = ("training mode", "evaluation mode")

NonEmpty = Annotated[str, Field(min_length=1)]
Matrix = dict[str, dict[str, int]]  # calls by row (`conv2d.stride`) and kind of value (`larger`)


class _UntestedModel(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class Untested(_UntestedModel):
    """Kinds of values that no check sends, and why. The matrix of `grade check -v` names rows and kinds."""

    rows: Annotated[list[NonEmpty], Field(min_length=1)]
    values: Annotated[list[NonEmpty], Field(min_length=1)]
    reason: NonEmpty


class UntestedDocument(_UntestedModel):
    """An untested.yaml."""

    untested: Annotated[list[Untested], Field(min_length=1)]


@dataclass(frozen=True, slots=True, kw_only=True)
class InputFindings:
    """The matrix of one exercise: `sent` counts calls; `explained` has the kinds of each row that have a reason."""

    sent: Matrix
    explained: dict[str, tuple[str, ...]]

    @property
    def missing(self) -> dict[str, tuple[str, ...]]:
        """The kinds of each row that no check sends, and that have no reason; only rows with such."""
        found = {
            row: tuple(
                kind for kind, calls in kinds.items() if not calls and kind not in self.explained.get(row, ())
            )
            for row, kinds in self.sent.items()
        }
        return {row: kinds for row, kinds in found.items() if kinds}


def read_untested(course: Course, exercise: Exercise) -> Document[UntestedDocument] | None:
    """Read the untested.yaml of an exercise; None where there is none. Raises DocumentError."""
    return read_reasons(course, exercise, UNTESTED, UntestedDocument)


def check_untested(course: Course, exercise: Exercise) -> tuple[Problem, ...]:
    """Return the problems of an untested.yaml; none where it can be read or does not exist."""
    return reason_problems(course, exercise, UNTESTED, UntestedDocument)


def check_inputs(
    course: Course, exercise: Exercise, reference: str, sent: Mapping[str, Mapping[str, int]]
) -> tuple[InputFindings, tuple[Problem, ...]]:
    """Return the matrix of an exercise, and the problems of its untested.yaml: reasons that are outdated."""
    matrix = {
        row: {kind: sent.get(row, {}).get(kind, 0) for kind in kinds}
        for row, kinds in cells(reference, exercise.names).items()
    }
    try:
        known = read_untested(course, exercise)
    except DocumentError:
        return InputFindings(sent=matrix, explained={}), ()  # check_untested reports it
    explained: dict[str, tuple[str, ...]] = {}
    for entry in known.value.untested if known else ():
        for row in entry.rows:
            explained[row] = (*explained.get(row, ()), *entry.values)
    found = InputFindings(sent=matrix, explained=explained)
    return found, tuple(_outdated(known, matrix)) if known else ()


def _outdated(known: Document[UntestedDocument], matrix: Matrix) -> Iterator[Problem]:
    """Yield what a reason names that is no cell, or that a check sends, or that an earlier reason names."""
    seen: set[tuple[str, str]] = set()
    for n, entry in enumerate(known.value.untested):
        for m, row in enumerate(entry.rows):
            if row not in matrix:
                message = f"{row!r} is no row of the matrix{suggestion(row, matrix)}"
                yield known.problem(("untested", n, "rows", m), message)
                continue
            for k, value in enumerate(entry.values):
                place = ("untested", n, "values", k)
                if value not in matrix[row]:
                    message = f"{value!r} is no cell of {row}{suggestion(value, matrix[row])}"
                    yield known.problem(place, f"{message}; it has {', '.join(matrix[row])}")
                elif matrix[row][value]:
                    yield known.problem(place, f"a check sends {row}: {value}; delete it here")
                elif (row, value) in seen:
                    yield known.problem(place, f"{row}: {value} has a reason already; delete one")
                seen.add((row, value))


# --- which cells there are


def cells(reference: str, names: Sequence[str]) -> dict[str, tuple[str, ...]]:
    """Return the kinds of value that count, by row, of the functions and classes that students write."""
    found: dict[str, tuple[str, ...]] = {}
    for node in ast.parse(reference).body:
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)) and node.name in names:
            found |= _of_function(node, f"{node.name}.")
        elif isinstance(node, ast.ClassDef) and node.name in names:
            found |= _of_class(node)
    return {row: kinds for row, kinds in found.items() if kinds}


def _of_function(function: Function, prefix: str) -> dict[str, tuple[str, ...]]:
    return {f"{prefix}{p.name}": tuple(_kinds(p, function)) for p in parameters_of(function)}


def _of_class(node: ast.ClassDef) -> dict[str, tuple[str, ...]]:
    """Return the rows of a class; where its code asks for the mode, what is no size counts in each."""
    methods = {part.name: part for part in node.body if isinstance(part, ast.FunctionDef)}
    has_modes = any(ast.unparse(part) == "self.training" for part in ast.walk(node))
    found: dict[str, tuple[str, ...]] = {}
    for name, prefix in (("__init__", f"{node.name}."), ("forward", f"{node.name}.forward.")):
        for parameter in parameters_of(methods[name]) if name in methods else ():
            row, kinds = f"{prefix}{parameter.name}", tuple(_kinds(parameter, methods[name], is_method=True))
            is_size = parameter.is_a("int") or parameter.is_a("sequence")
            rows = [f"{row} in {mode}" for mode in MODES] if has_modes and not is_size else [row]
            found |= dict.fromkeys(rows, kinds)
    return found


def _kinds(parameter: Parameter, function: Function, *, is_method: bool = False) -> Iterator[str]:
    """Yield the kinds of value of one parameter that a suite should send."""
    default = parameter.default.value if isinstance(parameter.default, ast.Constant) else None
    if parameter.optional:
        yield "None"
    if parameter.is_a("bool"):
        yield from ("is true", "is false")
    elif parameter.is_a("int"):
        yield from ("zero",) if default == 0 and default is not None else ()
        yield from ("one", "two or three", "larger")
    elif parameter.is_a("float") and default is not None:
        yield from ("default", "other") if default == 0 else ("default", "zero", "other")
    elif parameter.is_a("sequence"):
        yield from ("one item", "two items", "more items")
    elif parameter.is_a("Tensor") and returns_tensor(function):
        yield from ("given", "gradient") if parameter.optional else _of_tensor(function, is_method)


def _of_tensor(function: Function, is_method: bool) -> Iterator[str]:
    if not is_method:  # a module computes in the dtype of its parameters
        yield from ("float64", "half")
    yield from (
        "gradient",
        "not finite",
        "far from zero",
        "not contiguous",
        "batch of one",
        "axis of one",
    )
    yield "no axes" if is_elementwise(function) else "not square"


# --- as text


def rows_as_text(found: InputFindings, width: int) -> Iterator[str]:
    """Yield the matrix: `larger 3` for three calls, `larger -` for none, `larger (-)` for none with a reason."""
    for row, kinds in found.sent.items():
        shown = ", ".join(f"{kind} {calls or _empty(found, row, kind)}" for kind, calls in kinds.items())
        yield from textwrap.wrap(f"{row}: {shown}", width, subsequent_indent="    ")


def _empty(found: InputFindings, row: str, kind: str) -> str:
    return "(-)" if kind in found.explained.get(row, ()) else "-"

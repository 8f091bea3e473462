"""Computes the keys of items with torch and the references, and says where a key is wrong.

The expressions and the code are the course's own, and run in `grade check` only.
"""

import contextlib
import io
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import singledispatch
from typing import cast

from grader.core.errors import Problem
from grader.quiz.bank import Bank
from grader.quiz.draw import draw_values, drawn
from grader.quiz.items import (
    ClozeItem,
    CodeOutputItem,
    GridItem,
    Item,
    MatchItem,
    MultiItem,
    NumberKey,
    NumericItem,
    OrderItem,
    ShapeItem,
    ShapeKey,
    SingleItem,
    TextItem,
    TrueFalseItem,
    WordsKey,
)
from grader.quiz.numeric_answers import is_key, plain_matrix, same_cells, same_number, same_size
from grader.quiz.output_answers import same_output
from grader.quiz.responses import ResponseError, read_number
from grader.quiz.text_answers import normal

SEEDS = 20

Names = Mapping[str, object]
Found = Iterator[tuple[tuple[str, ...], str]]


class _Failed(Exception):
    """An expression raised; the message says what."""


def raises(call: Callable[[], object]) -> str:
    """Return the name of the exception that a call raises, or "": `raises(lambda: nn.Conv2d(3, 8, 3, stride=0))`."""
    try:
        call()
    except Exception as error:  # noqa: BLE001 - which one it is, is the question
        return type(error).__name__
    return ""


def computable(item: Item) -> bool:
    """Tell whether anything computes the key of an item."""
    return isinstance(item, CodeOutputItem) or item.verify is not None


def verify(bank: Bank, namespace: Names) -> list[Problem]:
    """Compute the key of each item with these names, and return every key that differs.

    Parametrised items are computed for several seeds, with their parameters as names; the first that differs counts.
    """
    problems = []
    for n, item in enumerate(bank.items):
        for seed in range(SEEDS if item.params else 1):
            values = draw_values(item, bank.salt, seed)[0]
            found = list(
                _differences(drawn(item, bank.salt, seed), {"raises": raises, **namespace, **values})
            )
            told = (
                f" (with {', '.join(f'{name} = {value}' for name, value in values.items())})"
                if values
                else ""
            )
            for where, message in found:
                problems.append(bank.source.problem(("items", n, *where), f"{item.id}: {message}{told}"))
            if found:
                break
    return problems


def _differences(item: Item, names: Names) -> Found:
    if not computable(item):
        return
    try:
        yield from _compare(item, names)
    except _Failed as failed:
        yield ("verify",), str(failed)


@singledispatch
def _compare(item: object, names: Names) -> Found:  # noqa: ARG001 - the others need them
    raise TypeError(f"{type(item).__name__} is no type of item")


@_compare.register(SingleItem)
@_compare.register(MultiItem)
def _(item: SingleItem | MultiItem, names: Names) -> Found:
    for letter, expression in (item.verify or {}).items():
        value = bool(_evaluate(expression, names))
        if value is not item.options[letter].correct:
            yield (
                ("verify", letter),
                f"option {letter} is marked {item.options[letter].correct}, but computed {value}",
            )


@_compare.register
def _(item: TrueFalseItem, names: Names) -> Found:
    value = bool(_evaluate(item.verify, names))
    if value is not item.key:
        yield ("key",), f"the key is {item.key}, but torch says {value}"


@_compare.register(NumericItem)
@_compare.register(ShapeItem)
@_compare.register(TextItem)
@_compare.register(GridItem)
@_compare.register(OrderItem)
def _(item: NumericItem | ShapeItem | TextItem | GridItem | OrderItem, names: Names) -> Found:
    value = _evaluate(item.verify, names)
    if not _same(item, value):
        yield ("accept" if isinstance(item, TextItem) else "key",), _says(item, value)


@_compare.register
def _(item: ClozeItem, names: Names) -> Found:
    for name, expression in (item.verify or {}).items():
        value = _evaluate(expression, names)
        if not _same(item.blanks[name], value):
            yield ("blanks", name), f"{name}: {_says(item.blanks[name], value)}"


@_compare.register
def _(item: MatchItem, names: Names) -> Found:
    for name, expression in (item.verify or {}).items():
        value = _evaluate(expression, names)
        text = item.choices[item.rows[name].key]
        if not _same_choice(text, value):
            yield ("rows", name, "key"), f"row {name} goes to {text}, but torch says {value}"


def _same_choice(text: str, value: object) -> bool:
    try:
        return same_number(float(str(value)), read_number(text), None)
    except (ResponseError, ValueError):
        return normal(text) == normal(str(value))


@_compare.register
def _(item: CodeOutputItem, names: Names) -> Found:
    printed = _run(item.code, names)
    if not same_output(item.key, printed):
        yield ("key",), f"the key is {item.key!r}, but the code prints {printed.strip()!r}"


def _says(item: object, value: object) -> str:
    key = item.accept if isinstance(item, WordsKey) else getattr(item, "key", None)
    return f"the key is {key}, but torch says {value}"


@singledispatch
def _same(item: object, value: object) -> bool:  # noqa: ARG001 - the others need them
    raise TypeError(f"{type(item).__name__} has no key to compare")


@_same.register
def _(item: NumberKey, value: object) -> bool:
    try:
        return is_key(float(cast("float", value)), item)
    except (TypeError, ValueError):
        return False


@_same.register
def _(item: ShapeKey, value: object) -> bool:
    return isinstance(value, Sequence) and list(value) == item.key


@_same.register
def _(item: WordsKey, value: object) -> bool:
    return normal(str(value)) in {normal(word) for word in item.accept}


@_same.register
def _(item: OrderItem, value: object) -> bool:
    return value == item.key


@_same.register
def _(item: GridItem, value: object) -> bool:
    rows = cast("list[list[float]]", value.tolist() if hasattr(value, "tolist") else value)
    try:
        matrix = [[float(cell) for cell in row] for row in rows]
    except (TypeError, ValueError):
        return False
    key = plain_matrix(item.key)
    return same_size(matrix, key) and all(same_cells(matrix, key, item.tolerance))


def _evaluate(expression: str | None, names: Names) -> object:
    try:
        return eval(expression or "None", dict(names))  # noqa: S307 - the course's own expression
    except Exception as error:  # noqa: BLE001 - whatever it raises, the author must know
        raise _Failed(f"verify fails: {type(error).__name__}: {error}") from None


def _run(code: str, names: Names) -> str:
    """Return what a piece of the course's code prints, and the name of the exception it ends with, if any."""
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            exec(compile(code, "<code>", "exec"), dict(names))  # noqa: S102 - the course's own code
        except Exception as error:  # noqa: BLE001 - its name is the key
            printed.write(type(error).__name__)
    return printed.getvalue()

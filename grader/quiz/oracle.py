"""Computes the keys of items with torch and the references, and says where a key is wrong."""

from collections.abc import Iterator, Mapping

from grader.errors import Problem
from grader.quiz.bank import Bank
from grader.quiz.items import Item, MultiItem, NumericItem, SingleItem
from grader.quiz.numbers import same_number


def verify(bank: Bank, namespace: Mapping[str, object]) -> list[Problem]:
    """Evaluate each item's `verify` with these names, and return every key that differs from it.

    A choice maps letters to conditions: true for the right options. The expressions are the course's own.
    """
    problems = []
    for n, item in enumerate(bank.items):
        for where, message in _differences(item, namespace):
            problems.append(bank.source.problem(("items", n, *where), f"{item.id}: {message}"))
    return problems


def _differences(item: Item, namespace: Mapping[str, object]) -> Iterator[tuple[tuple[str, ...], str]]:
    if item.verify is None:
        return
    if isinstance(item, (SingleItem, MultiItem)):
        for letter, expression in item.verify.items():
            value, error = _evaluate(expression, namespace)
            if error:
                yield ("verify", letter), error
            elif bool(value) is not item.options[letter].correct:
                yield (
                    ("verify", letter),
                    f"option {letter} is marked {item.options[letter].correct}, but computed {bool(value)}",
                )
        return
    value, error = _evaluate(item.verify, namespace)
    if error:
        yield ("verify",), error
    elif not _equal(item, value):
        yield ("key",), f"the key is {item.key}, but torch says {value}"


def _equal(item: Item, value: object) -> bool:
    if isinstance(item, NumericItem):
        return same_number(float(value), item.key, item.tolerance)  # type: ignore[arg-type]
    return [int(size) for size in value] == item.key  # type: ignore[attr-defined]


def _evaluate(expression: str, namespace: Mapping[str, object]) -> tuple[object, str]:
    try:
        return eval(expression, dict(namespace)), ""  # noqa: S307 - the course's own expression, in `grade check` only
    except Exception as error:  # noqa: BLE001 - whatever it raises, the author must know
        return None, f"verify fails: {type(error).__name__}: {error}"

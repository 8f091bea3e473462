"""Computes the keys of items with torch and the references, and says where a key is wrong."""

from collections.abc import Mapping

from grader.core.errors import Problem
from grader.quiz.bank import Bank
from grader.quiz.draw import FIRST_DRAW, draw_values, drawn
from grader.quiz.evaluation import EvaluationError, Evaluator, raises
from grader.quiz.types import Item
from grader.quiz.types.base import Problems

SEEDS = 20


def verify(bank: Bank, namespace: Mapping[str, object]) -> list[Problem]:
    """Compute the key of each item with these names, and return every key that differs.

    Items with parameters are computed for several seeds, with their parameters as names; the first that differs counts.
    """
    problems = []
    for place, item in bank.placed:
        for seed in range(SEEDS if item.params else 1):
            values = draw_values(item, bank.salt, seed)[0]
            evaluator = Evaluator({"raises": raises, **namespace, **values})
            found = list(_differences(drawn(item, bank.salt, seed, FIRST_DRAW), evaluator))
            drawn_values = ", ".join(f"{name} = {value}" for name, value in values.items())
            suffix = f" (with {drawn_values})" if values else ""
            for where, message in found:
                problems.append(bank.source.problem((*place, *where), f"{item.id}: {message}{suffix}"))
            if found:
                break
    return problems


def _differences(item: Item, evaluator: Evaluator) -> Problems:
    if not item.has_computed_key:
        return
    try:
        yield from item.key_differences(evaluator)
    except EvaluationError as error:
        yield ("verify",), str(error)

"""Grades one response: its points, its feedback, and the misconceptions it shows."""

from grader.core.model import ItemResult
from grader.quiz.responses import shown
from grader.quiz.types import Item
from grader.quiz.types.base import RIGHT, WRONG, Aliases

_WITHDRAWN = "This item was withdrawn. It does not count."
_GIVEN = "This item has an error. Everyone gets its points."


def grade_item(item: Item, value: object, aliases: Aliases | None = None, *, hints: int = 0) -> ItemResult:
    """Grade one response to a drawn item; None is no response. `hints` of its hints were opened.

    Raises ResponseError for a response that cannot be read.
    """
    marked = WRONG if value is None else item.mark(item.read(value), aliases or {})
    is_right = marked.credit == RIGHT.credit
    cost = sum(hint.cost for hint in item.hints[:hints])
    points = max(0.0, item.points * marked.credit - cost)
    feedback = (item.explanation,) if is_right else marked.feedback
    if not feedback and value is not None:
        feedback = (f"Not yet. The goal: {item.objective}.",)
    if cost and marked.credit:
        feedback = (*feedback, f"Hints cost {cost:g} of the points.")
    if item.void is not None:
        points = item.points if item.void == "full" else 0.0
        feedback = (_GIVEN if item.void == "full" else _WITHDRAWN,)
    misconceptions = () if is_right or item.void is not None else marked.misconceptions
    return ItemResult(
        id=item.id,
        type=item.type,
        prompt=item.prompt_text(),
        points=points,
        max_points=0.0 if item.void == "drop" else item.points,
        answered=value is not None,
        response=shown(value) if value is not None else "",
        letters=item.letters,
        feedback=feedback,
        misconceptions=tuple(dict.fromkeys(misconceptions)),
        number=item.number,
    )

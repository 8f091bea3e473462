"""How much of the result of a quiz its students see: the course says it, and how often they have had it graded."""

from dataclasses import replace
from enum import StrEnum

from grader.core.model import ItemResult
from grader.quiz.types import Item


class Feedback(StrEnum):
    """When students see why an answer is wrong. The points of each answer they always see."""

    AT_ONCE = "at-once"
    AFTER_TRIES = "after-tries"
    NEVER = "never"

    def after(self, used: int, tries: int | None) -> "Shown":
        """Return what is shown after `used` tries of `tries`; None for as many as students like."""
        if self is Feedback.NEVER:
            return Shown.POINTS
        if tries is not None and used >= tries:
            return Shown.EXPLANATIONS
        return Shown.FEEDBACK if self is Feedback.AT_ONCE else Shown.POINTS


class Shown(StrEnum):
    """What is shown of a graded item: its points; also the feedback on the answer; also how it is answered."""

    POINTS = "points"
    FEEDBACK = "feedback"
    EXPLANATIONS = "explanations"


def seen(result: ItemResult, item: Item, shown: Shown) -> ItemResult:
    """Return the result of an item as students see it. What is said of a withdrawn item they always see."""
    if item.void is not None or shown is Shown.FEEDBACK:
        return result
    if shown is Shown.POINTS:
        return replace(result, feedback=(), misconceptions=())
    others = [text for text in result.feedback if text != item.explanation]
    return replace(result, feedback=(*others, item.explanation))

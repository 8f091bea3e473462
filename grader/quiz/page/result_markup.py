"""The result of a quiz on the page that is answered: what is said beside each question, and of all together."""

from collections.abc import Mapping
from dataclasses import dataclass

from grader.core.model import ItemResult, QuizResult
from grader.report.html_markup import Markup, inline, joined, prose, tag
from grader.report.text_layout import number

_NOT_ANSWERED = "Not answered."


@dataclass(frozen=True, slots=True)
class Result:
    """The result of a quiz: a summary, and what stands beside each item."""

    summary: Markup
    items: Mapping[str, Markup]


def result_markup(result: QuizResult, outlook: str) -> Result:
    """Return a result. `outlook` says when there is more to see."""
    points = f"{number(result.points)} of {number(result.max_points)} points."
    summary = tag("p", tag("b", points), " ", inline(outlook), class_="next")
    return Result(summary, {item.id: _beside(item) for item in result.items})


def _beside(result: ItemResult) -> Markup:
    """Return what is said beside a question: its points, the answer that earned them, and the feedback there is."""
    if result.answered:
        answer = joined((" Your answer: ", tag("code", result.response)))
    else:
        answer = joined((" ", _NOT_ANSWERED))
    is_right = result.answered and result.points >= result.max_points
    points = f"{number(result.points)} of {number(result.max_points)} point{'s' * (result.max_points != 1)}."
    head = tag("p", tag("b", points), answer)
    return tag("div", head, *map(prose, result.feedback), class_="right" if is_right else "not-right")

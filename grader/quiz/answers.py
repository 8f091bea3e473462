"""Answers files: the sheet a student fills, reading it, and what it earns."""

import difflib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml
from pydantic import BaseModel, ConfigDict

from grader import document
from grader.document import Document
from grader.errors import DocumentError, Problem
from grader.model import ItemResult, QuizResult
from grader.quiz.bank import Bank
from grader.quiz.items import Item, MultiItem, NumericItem, ShapeItem, SingleItem
from grader.quiz.numbers import same_number
from grader.quiz.responses import (
    ResponseError,
    net_credit,
    read_letters,
    read_number,
    read_shape,
    shown,
)

_FORMS = {
    "single": "one letter: b",
    "multi": "letters: [a, c]",
    "numeric": "a number",
    "shape": "a shape: (1, 8, 32, 32)",
}


class AnswersDocument(BaseModel):
    """The YAML of an answers file."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)

    quiz: str
    answers: dict[str, Any] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Responses:
    """The readable responses of an answers file, by item id, and what is wrong with the others."""

    given: dict[str, object] = field(default_factory=dict)
    problems: tuple[Problem, ...] = ()


def read_answers(bank: Bank, text: str, *, shown: str) -> Responses:
    """Read the text of an answers file. Raises DocumentError where the file as a whole cannot be used."""
    source = document.parse(text, AnswersDocument, shown=shown)
    if source.value.quiz != bank.id:
        message = (
            f'this file says that it answers the quiz "{source.value.quiz}", but its name is that of "{bank.id}"; '
            "change one or the other"
        )
        raise DocumentError([source.problem(("quiz",), message)])
    return _checked(bank, source)


def read_answers_file(bank: Bank, path: Path) -> Responses:
    """Read an answers file of one's own. Raises DocumentError where it cannot be used."""
    return read_answers(bank, document.read_text(path, str(path)), shown=str(path))


def _checked(bank: Bank, source: Document[AnswersDocument]) -> Responses:
    given: dict[str, object] = {}
    problems: list[Problem] = []
    known = [item.id for item in bank.items]
    for item_id, value in (source.value.answers or {}).items():
        item = bank.item(item_id)
        if item is None:
            near = difflib.get_close_matches(item_id, known, n=1, cutoff=0.5)
            hint = f'; did you mean "{near[0]}"?' if near else ""
            message = f'the quiz "{bank.id}" has no item "{item_id}"{hint}'
            problems.append(source.problem(("answers", item_id), message))
        elif value is not None and value not in ("", []):
            try:
                parse(item, value)
                given[item_id] = value
            except ResponseError as error:
                problems.append(source.problem(("answers", item_id), f"{item_id}: {error}"))
    return Responses(given=given, problems=tuple(problems))


def parse(item: Item, value: object) -> frozenset[str] | float | list[int]:
    """Read one response. Raises ResponseError with what was expected."""
    if isinstance(item, (SingleItem, MultiItem)):
        return read_letters(value, item.options, several=isinstance(item, MultiItem))
    return read_number(value) if isinstance(item, NumericItem) else read_shape(value)


def grade(bank: Bank, answers: str | Problem | None, *, shown: str = "") -> QuizResult:
    """Grade the text of an answers file. Without one, or with one that cannot be read, nothing is answered.

    A response that cannot be read is a problem of its own and costs no other response anything.
    """
    responses = Responses(problems=(answers,)) if isinstance(answers, Problem) else Responses()
    if isinstance(answers, str):
        try:
            responses = read_answers(bank, answers, shown=shown)
        except DocumentError as error:
            responses = Responses(problems=error.problems)
    items = tuple(grade_item(item, responses.given.get(item.id)) for item in bank.items)
    return QuizResult(
        id=bank.id,
        title=bank.title,
        points=sum(item.points for item in items),
        max_points=bank.max_points,
        items=items,
        problems=tuple(str(problem) for problem in responses.problems),
    )


def grade_item(item: Item, value: object) -> ItemResult:
    """Grade one response; None is no response."""
    credit, feedback, misconceptions = _credit(item, value) if value is not None else (0.0, [], [])
    return ItemResult(
        id=item.id,
        type=item.type,
        prompt=item.prompt,
        points=item.points * credit,
        max_points=item.points,
        answered=value is not None,
        response=shown(value) if value is not None else "",
        feedback=tuple(feedback),
        misconceptions=tuple(misconceptions),
    )


def _credit(item: Item, value: object) -> tuple[float, list[str], list[str]]:
    """Return credit in [0, 1], feedback, and the misconceptions a response betrays."""
    if isinstance(item, (SingleItem, MultiItem)):
        return _choice_credit(item, read_letters(value, item.options, several=isinstance(item, MultiItem)))
    if isinstance(item, NumericItem):
        number = read_number(value)
        right = same_number(number, item.key, item.tolerance)
        wrong = [w for w in item.expected_wrong if same_number(number, w.value, item.tolerance)]
        return _outcome(item, right, [w.feedback for w in wrong], [w.misconception for w in wrong])
    shape = read_shape(value)
    betrayed = [w for w in item.expected_wrong if w.value == shape]
    return _outcome(
        item, shape == item.key, [w.feedback for w in betrayed], [w.misconception for w in betrayed]
    )


def _choice_credit(
    item: SingleItem | MultiItem, chosen: frozenset[str]
) -> tuple[float, list[str], list[str]]:
    if chosen == item.key:
        return 1.0, [item.explanation], []
    wrong = [item.options[letter] for letter in item.options if letter in chosen - item.key]
    feedback = [option.feedback for option in wrong]
    if item.key - chosen and isinstance(item, MultiItem):
        feedback.append("What you left out is right too: go through the options once more.")
    credit = net_credit(chosen, item.key) if isinstance(item, MultiItem) else 0.0
    return credit, feedback, [option.misconception for option in wrong if option.misconception]


def _outcome(
    item: NumericItem | ShapeItem,
    right: bool,
    feedback: list[str],
    misconceptions: list[str],
) -> tuple[float, list[str], list[str]]:
    if right:
        return 1.0, [item.explanation], []
    return 0.0, feedback or [f"Not yet. What this asks of you: {item.objective}."], misconceptions


# --- sheets


def template(bank: Bank) -> str:
    """Return an empty answers file: every item with its question and options as comments."""
    return filled(bank, {})


def filled(bank: Bank, given: Mapping[str, object]) -> str:
    """Return an answers file with these responses filled in."""
    lines = [
        f"# {bank.title} (notes, section {bank.section}).",
        f"# Fill in by hand, or with `grade quiz {bank.id}`.",
    ]
    lines += [f"quiz: {bank.id}", "answers:"]
    for item in bank.items:
        lines.append("")
        lines += [f"  # {line}".rstrip() for line in question(item)]
        lines.append(f"  # Write {_FORMS[item.type]}")
        lines.append(f"  {item.id}: {_yaml(given[item.id]) if item.id in given else ''}".rstrip())
    return "\n".join(lines) + "\n"


def question(item: Item) -> list[str]:
    """Return the prompt and the options of an item, line by line."""
    lines = item.prompt.strip().split("\n")
    if isinstance(item, (SingleItem, MultiItem)):
        lines += [f"{letter}) {option.text}" for letter, option in item.options.items()]
    return lines


def _yaml(value: object) -> str:
    text: str = yaml.safe_dump(value, default_flow_style=True, allow_unicode=True, width=10_000)
    return text.removesuffix("\n").removesuffix("...").strip()

"""Answers files: reading them, and what they earn."""

import math
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field

from grader.core import yaml_document
from grader.core.errors import DocumentError, Problem
from grader.core.model import QuizResult
from grader.core.safetext import one_line
from grader.core.suggestions import suggestion
from grader.core.yaml_document import Document, Location
from grader.quiz.bank import Bank
from grader.quiz.marking import grade_item
from grader.quiz.responses import ResponseError, is_empty


class AnswersDocument(BaseModel):
    """The YAML of an answers file."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)

    quiz: str
    seed: Annotated[int, Field(ge=0, lt=2**63)] | None = None
    hints: dict[str, Annotated[int, Field(ge=0)]] | None = None
    answers: dict[str, Any] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Responses:
    """The readable responses of an answers file, by item id, and the problems of the others.

    `seed` is the seed the items were drawn with; `hints` counts the opened hints of each item.
    """

    seed: int = 0
    given: dict[str, object] = field(default_factory=dict)
    hints: dict[str, int] = field(default_factory=dict)
    problems: tuple[Problem, ...] = ()


def read_answers(bank: Bank, text: str, *, shown: str) -> Responses:
    """Read the text of an answers file. Raises DocumentError where the file as a whole cannot be used."""
    source = yaml_document.parse(text, AnswersDocument, shown=shown)
    if source.value.quiz != bank.id:
        message = (
            f'this file says that it answers the quiz "{source.value.quiz}", but its name is that of "{bank.id}"; '
            "change one or the other"
        )
        raise DocumentError([source.problem(("quiz",), message)])
    return _checked(bank, source)


def read_answers_file(bank: Bank, path: Path) -> Responses:
    """Read the answers file at `path`. Raises DocumentError where it cannot be used."""
    return read_answers(bank, yaml_document.read_text(path, str(path)), shown=str(path))


def _checked(bank: Bank, source: Document[AnswersDocument]) -> Responses:
    seed = source.value.seed or 0
    items = {item.id: item for item in bank.sheet(seed)}
    given: dict[str, object] = {}
    wrong: list[
        tuple[Location, str]
    ] = []  # the place and what is wrong there; "" for an item that there is not
    for item_id, value in (source.value.answers or {}).items():
        if item_id not in items:
            wrong.append((("answers", item_id), ""))
        elif not is_empty(value):
            try:
                items[item_id].read(value)
                given[item_id] = value
            except ResponseError as error:
                wrong.append((("answers", item_id), f"{item_id}: {error}"))
    wrong += ((("hints", item_id), "") for item_id in source.value.hints or () if item_id not in items)
    if bank.seed is not None and source.value.seed not in (None, bank.seed):
        message = f"the course sets the seed of this quiz, {bank.seed}; remove this line"
        wrong.append((("seed",), message))
    # Made only for those that are shown: each looks for its place, and for a name that is similar.
    problems = (source.problem(place, said or _unknown(bank, str(place[-1]))) for place, said in wrong)
    return Responses(
        seed=seed,
        given=given,
        hints=source.value.hints or {},
        problems=tuple(yaml_document.first_problems(problems, len(wrong))),
    )


def _unknown(bank: Bank, item_id: str) -> str:
    hint = suggestion(item_id, [item.id for item in bank.items])
    return f'the quiz "{bank.id}" has no item "{one_line(item_id, limit=60)}"{hint}'


def grade(bank: Bank, answers: str | Problem | None, *, shown: str = "") -> QuizResult:
    """Grade the text of an answers file. Without one, or with one that cannot be read, nothing is answered.

    A response that cannot be read is reported as a problem, and the others are graded.
    """
    responses = Responses(problems=(answers,)) if isinstance(answers, Problem) else Responses()
    if isinstance(answers, str):
        try:
            responses = read_answers(bank, answers, shown=shown)
        except DocumentError as error:
            responses = Responses(problems=error.problems)
    asked, aliases = bank.sheet(responses.seed), bank.aliases
    items = tuple(
        grade_item(item, responses.given.get(item.id), aliases, hints=responses.hints.get(item.id, 0))
        for item in asked
    )
    return QuizResult(
        id=bank.id,
        title=bank.title,
        points=math.fsum(item.points for item in items),
        max_points=math.fsum(item.max_points for item in items),
        items=items,
        problems=tuple(str(problem) for problem in responses.problems),
    )

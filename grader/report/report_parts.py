"""A report in parts: its head, and each exercise and quiz, as JSON each. Equal parts can then be stored once."""

import json
import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Any, TypeVar

from grader.core import scoring
from grader.core.model import ExerciseResult, QuizResult, Report
from grader.report.json_report import FORMAT, converted, from_json, parsed, plain, to_document

_Part = TypeVar("_Part", ExerciseResult, QuizResult)
_TOLERANCE = 1e-6
_PARTS = ("exercises", "quizzes")


def part_to_json(part: ExerciseResult | QuizResult) -> str:
    """Return one part as JSON in ASCII: equal parts give equal texts."""
    return _compact(plain(part))


def part_from_json(text: str, kind: type[_Part]) -> _Part:
    """Read a part. Raises ValueError unless `text` is what `part_to_json` writes or wrote."""
    return converted(parsed(text), kind)


def head_to_json(report: Report) -> str:
    """Return all of a report but its parts, as JSON."""
    document = to_document(replace(report, exercises=(), quizzes=()))
    head = {name: value for name, value in document.items() if name not in _PARTS}
    return _compact({**head, "final": report.final})


def split(text: str) -> tuple[str, dict[str, str], dict[str, str]]:
    """Return the head of a report in JSON, and its exercises and its quizzes: the JSON of each by its id.

    They hold what the text holds: a report of an older version stays one. Raises ValueError where it is none.
    """
    document = _object(text)
    exercises, quizzes = (_by_id(document.pop(part, None)) for part in _PARTS)
    return _compact(document), exercises, quizzes


def _object(text: str) -> dict[str, Any]:
    document = parsed(text)
    if isinstance(document, dict):
        return document
    raise ValueError("This is not a report: it is no JSON object.")


def _by_id(parts: object) -> dict[str, str]:
    parts = parts if isinstance(parts, list) else [None]
    found = {part["id"]: _compact(part) for part in parts if isinstance(part, dict) and "id" in part}
    if len(found) < len(parts):
        raise ValueError(
            "This is not a report: it has no exercises and quizzes with names, or one of them twice."
        )
    return found


def join(head: str, exercises: Sequence[ExerciseResult], quizzes: Sequence[QuizResult]) -> Report:
    """Return the report of a head and its parts; a head that holds parts itself is whole. Raises ValueError."""
    document = _object(head)
    if any(part in document for part in _PARTS):
        return from_json(head)
    final = document.pop("final", None)
    report = from_json(_compact({**document, **{part: [] for part in _PARTS}}))
    whole = replace(report, exercises=tuple(exercises), quizzes=tuple(quizzes))
    if final not in (None, whole.final):
        raise ValueError(f"This report does not follow {FORMAT}: `final` contradicts the outcomes.")
    if whole.final and not math.isclose(
        scoring.total(exercises, quizzes)[1], whole.max_points, abs_tol=_TOLERANCE
    ):
        raise ValueError(f"The parts of this report have other maximum points than {whole.max_points:g}.")
    return whole


def _compact(document: object) -> str:
    return json.dumps(document, separators=(",", ":"), allow_nan=False)


def say_the_same(one: Report, other: Report) -> bool:
    """Tell whether two reports are equal but for times, isolation and versions: same inputs, points and results."""
    return _said(one) == _said(other)


def _said(report: Report) -> list[object]:
    timeless = scoring.without_times(report)
    exercises, quizzes = map(part_to_json, timeless.exercises), map(part_to_json, timeless.quizzes)
    return [report.seed, report.points, report.max_points, *exercises, *quizzes]

"""The JSON document of a report, version convgrader/report/1: docs/report-format.md describes every field."""

import json
import math
from collections.abc import Iterator
from typing import Any, NoReturn, TypeVar

import msgspec

from grader.core.model import CheckResult, ExerciseResult, ItemResult, Picture, QuizResult, Report

FORMAT = "convgrader/report/1"
# Fields that the format did not have at first: an older report lacks them.
_ADDED = frozenset({"hidden", "letters", "number", "of_check_alone", "passage", "picture", "wrong"})
_ABSENT = object()
MAX_POINTS = 1e9  # of a report, and its longest time in seconds: a sum of such numbers is still one
_TOLERANCE = 1e-6  # of sums of thirds
_Counted = Report | ExerciseResult | CheckResult | QuizResult | ItemResult
_Part = TypeVar("_Part", Report, ExerciseResult, QuizResult)


def to_document(report: Report) -> dict[str, Any]:
    """Return the report as plain dicts and lists, with every text valid Unicode."""
    return {"format": FORMAT, "final": report.final, **plain(report)}


def plain(part: Report | ExerciseResult | QuizResult) -> dict[str, Any]:
    """Return a report, or a part of one, as plain dicts and lists, with every text valid Unicode."""
    try:
        document = msgspec.msgpack.decode(msgspec.msgpack.encode(part))
    except UnicodeEncodeError:  # checking each text takes ten times as long, and few reports need it
        document = valid(msgspec.to_builtins(part))
    assert isinstance(document, dict)
    return document


def to_json(report: Report, *, indent: int | None = 1) -> str:
    """Return the report as JSON text: ASCII only, so that no reader has to guess the encoding."""
    return json.dumps(to_document(report), indent=indent, allow_nan=False)


def from_json(text: str) -> Report:
    """Read a report. Raises ValueError unless `text` is exactly what `to_json` writes or wrote.

    An older report lacks `final`, which its outcomes decide. It may also have left a void exercise out of its sums.
    What renders a report can rely on its numbers: points are from 0 to max_points, and no sum of them overflows.
    """
    document = parsed(text)
    found = document.pop("format", None) if isinstance(document, dict) else None
    if found != FORMAT:
        raise ValueError(f"This is not a report of the format {FORMAT}: its format is {found!r}.")
    final = document.pop("final", _ABSENT)
    report = converted(document, Report)
    if final is not _ABSENT and final is not report.final:
        raise ValueError(f"This report does not follow {FORMAT}: `final` contradicts the outcomes.")
    return report


def parsed(text: str) -> Any:
    """Return the value of a JSON text. Raises ValueError for what a report cannot hold, such as NaN."""
    try:
        return json.loads(text, parse_constant=refuse_constant, parse_float=finite, parse_int=of_64_bits)
    except RecursionError:
        raise ValueError("This is not a report: it is nested too deeply.") from None


def converted(document: object, kind: type[_Part]) -> _Part:
    """Return a report, or a part of one, of which this is the document. Raises ValueError where it is none."""
    try:
        part = msgspec.convert(document, kind)
    except msgspec.ValidationError as error:
        raise ValueError(f"This report does not follow {FORMAT}: {error}.") from None
    for problem in _number_problems(part):
        raise ValueError(f"This report does not follow {FORMAT}: {problem}.")
    if _without_empty_added(plain(part)) != _without_empty_added(document):
        raise ValueError(f"This report does not follow {FORMAT}: fields are missing or unknown.")
    return part


def _without_empty_added(value: Any) -> Any:
    """Return a document without the added fields that are empty."""
    if isinstance(value, dict):
        return {
            key: _without_empty_added(item) for key, item in value.items() if not (key in _ADDED and not item)
        }
    return [_without_empty_added(item) for item in value] if isinstance(value, list) else value


def _counted(part: Report | ExerciseResult | QuizResult) -> Iterator[_Counted]:
    """Yield everything that has points."""
    yield part
    if isinstance(part, Report):
        for exercise in part.exercises:
            yield from _counted(exercise)
        for quiz in part.quizzes:
            yield from _counted(quiz)
    else:
        yield from part.checks if isinstance(part, ExerciseResult) else part.items


def _number_problems(whole: Report | ExerciseResult | QuizResult) -> Iterator[str]:
    """Yield what is wrong with the numbers of a report, or of a part of one."""
    if isinstance(whole, Report) and not 0 <= whole.score <= 1 + _TOLERANCE:
        yield f"`score` is {whole.score:g}, and not from 0 to 1"
    for part in _counted(whole):
        name = "the whole" if isinstance(part, Report) else repr(part.id)
        most = part.max_points
        if not are_points(part.points, most):
            yield f"{name} has {part.points:g} of {most:g} points"
        if isinstance(part, ExerciseResult | CheckResult) and not 0 <= part.duration_s <= MAX_POINTS:
            yield f"{name} took {part.duration_s:g} s"
        if isinstance(part, ItemResult) and not 0 <= part.number <= MAX_POINTS:
            yield f"{name} has the number {part.number}"
        hidden = part.hidden if isinstance(part, ExerciseResult) else None
        if hidden is not None and not (0 <= hidden.max_points <= MAX_POINTS and hidden.checks >= 0):
            yield f"{name} hides {hidden.checks} checks with {hidden.max_points:g} points"
        if isinstance(part, CheckResult) and part.picture is not None and not _is_drawable(part.picture):
            yield f"the picture of {name} has no planes of equal size"


def are_points(points: float, max_points: float) -> bool:
    """Tell whether these can be the points of a result."""
    return 0 <= max_points <= MAX_POINTS and 0 <= points <= max_points + _TOLERANCE


def _is_drawable(picture: Picture) -> bool:
    """Tell whether the planes of a picture are rectangles of one size, and not empty."""
    planes = (picture.expected, picture.got, picture.difference)
    widths = {len(row) for plane in planes for row in plane}
    return len({len(plane) for plane in planes}) == 1 and len(widths) == 1 and 0 not in widths


def finite(text: str) -> float:
    """Return the number of a JSON text. Raises ValueError where it is too large for a float."""
    number = float(text)
    if not math.isfinite(number):
        raise ValueError(f"It holds the number {text[:20]}.")
    return number


def of_64_bits(text: str) -> int:
    """Return the integer of a JSON text. Raises ValueError where it has more than 64 bits."""
    if len(text) > 20 or not -(2**63) <= int(text) < 2**64:
        raise ValueError(f"It holds the number {text[:20]}.")
    return int(text)


def refuse_constant(name: str) -> NoReturn:
    """Raise ValueError for a number that JSON does not have, such as NaN."""
    raise ValueError(f"This is not JSON: it holds {name}.")


def valid(value: Any) -> Any:
    """Return `value` as JSON types, with lone surrogates spelled out: many readers refuse them."""
    if isinstance(value, str):
        return value.encode("utf-8", "backslashreplace").decode("utf-8")
    if isinstance(value, dict):
        return {key: valid(item) for key, item in value.items()}
    return [valid(item) for item in value] if isinstance(value, tuple | list) else value

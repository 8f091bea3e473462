"""What differs between two reports on the same work."""

from collections.abc import Iterator

from grader.core.model import ExerciseResult, QuizResult, Report


def changes(before: Report, after: Report) -> list[str]:
    """Return a phrase for each check or item with another result, and for each exercise or quiz that is new or gone."""
    return [
        *_parts({e.id: e for e in before.exercises}, {e.id: e for e in after.exercises}),
        *_parts({f"quiz {q.id}": q for q in before.quizzes}, {f"quiz {q.id}": q for q in after.quizzes}),
    ]


_Part = ExerciseResult | QuizResult


def _parts(before: dict[str, _Part], after: dict[str, _Part]) -> Iterator[str]:
    for name in {**before, **after}:
        if name not in before:
            yield f"{name} is new"
        elif name not in after:
            yield f"{name} is gone"
        else:
            yield from _within(name, _results(before[name]), _results(after[name]))


def _results(part: _Part) -> dict[str, tuple[str, float, float]]:
    """Return the outcome, points and max_points of each check or item, by id; an item has no outcome."""
    if isinstance(part, QuizResult):
        return {item.id: ("", item.points, item.max_points) for item in part.items}
    results = {check.id: (str(check.outcome), check.points, check.max_points) for check in part.checks}
    return results or {"": (str(part.outcome), part.points, part.max_points)}


def _within(
    name: str, before: dict[str, tuple[str, float, float]], after: dict[str, tuple[str, float, float]]
) -> Iterator[str]:
    for one in {**before, **after}:
        label = f"{name} {one}".rstrip()
        if one not in before or one not in after:
            yield f"{label} is {'new' if one in after else 'gone'}"
        elif before[one] != after[one]:
            yield f"{label}: {_phrase(before[one])} -> {_phrase(after[one])}"


def _phrase(result: tuple[str, float, float]) -> str:
    outcome, points, most = result
    return f"{outcome} {points:.6g}/{most:g}".strip()

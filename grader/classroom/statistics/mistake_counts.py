"""Counts what a class misunderstood: known mistakes in code, and misconceptions that answers betray."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from functools import cache
from pathlib import Path

from grader.classroom.statistics.gathering import Gathered, attempted
from grader.classroom.statistics.summary_records import MisconceptionSummary, MistakeSummary, Share
from grader.core.model import CheckResult, Counterexample, Diagnosis, ItemResult
from grader.course.catalog import Course
from grader.course.known_mistakes import Listed, read_mistakes

_MOST_CHECKS = 3
_MOST_CHARACTERS = 400  # a longer example is none for a blackboard

# Of one student: the checks of one exercise that one mistake explains.
_Case = tuple[str, list[CheckResult]]


def mistakes(students: Sequence[Gathered], course: Course) -> tuple[MistakeSummary, ...]:
    """Return every known mistake that anybody made, by how many did; a pair of mistakes counts for both."""
    cases: dict[tuple[str, str], list[_Case]] = defaultdict(list)
    tried: Counter[str] = Counter()
    for student in students:
        for result in filter(attempted, student.exercises):
            tried[result.id] += 1
            for name, checks in _diagnosed(result.checks).items():
                cases[result.id, name].append((student.student, checks))
    found = [_mistake(course, *key, cases[key], tried[key[0]]) for key in cases]
    places = {exercise.id: n for n, exercise in enumerate(course.exercises)}
    return tuple(sorted(found, key=lambda m: (-m.made.count, places.get(m.exercise, len(places)), m.id)))


def _diagnosed(checks: Sequence[CheckResult]) -> dict[str, list[CheckResult]]:
    found: dict[str, list[CheckResult]] = defaultdict(list)
    for check in checks:
        for name in names(check.diagnosis):
            found[name].append(check)
    return found


def names(diagnosis: Diagnosis | None) -> list[str]:
    """Return the mistakes of a diagnosis: none, one, or the two that were made together."""
    return diagnosis.mistake.split("+") if diagnosis is not None else []


def _mistake(course: Course, exercise: str, name: str, cases: Sequence[_Case], tried: int) -> MistakeSummary:
    folder = course.exercise(exercise)
    listed = _listed(folder.folder / "mistakes.py").get(name) if folder is not None else None
    alone = [
        (student, [check for check in checks if len(names(check.diagnosis)) == 1])
        for student, checks in cases
    ]
    told = next((c.diagnosis.message for _, checks in alone for c in checks if c.diagnosis), "")
    titles = Counter(check.title for _, checks in cases for check in checks)
    return MistakeSummary(
        exercise=exercise,
        id=name,
        name=listed.name if listed else "",
        message=listed.message if listed else told,
        made=Share(count=len(cases), of=tried),
        together=sum(any(len(names(c.diagnosis)) > 1 for c in checks) for _, checks in cases),
        checks=tuple(title for title, _ in titles.most_common(_MOST_CHECKS)),
        example=_example(alone),
    )


@cache
def _listed(path: Path) -> dict[str, Listed]:
    return {mistake.id: mistake for mistake in read_mistakes(path)} if path.is_file() else {}


def _example(cases: Iterable[_Case]) -> Counterexample | None:
    """Return the call that most of them failed: the smallest found, else any.

    None that is too long, or lacks its result; and none that names a student.
    """
    counted: Counter[Counterexample] = Counter()
    for student, checks in cases:
        examples = (check.counterexample for check in checks)
        counted.update({e for e in examples if e is not None and _teaches(e) and not _names(e, student)})
    return max(counted, key=lambda e: (e.smallest, counted[e], -_size(e), e.call), default=None)


def _teaches(example: Counterexample) -> bool:
    return bool(example.call and example.expected) and _size(example) <= _MOST_CHARACTERS


def _texts(example: Counterexample) -> Iterator[str]:
    yield from (example.call, example.expected, example.got, example.where)
    yield from (text for argument in example.arguments for text in (argument.name, argument.value))


def _size(example: Counterexample) -> int:
    return sum(map(len, _texts(example)))


def _names(example: Counterexample, student: str) -> bool:
    """Tell whether an example holds the student's name, or a longer part of it: a message of their own may."""
    parts = {part for part in student.casefold().replace("@", " ").split() if len(part) > 2}
    return any(part in text.casefold() for text in _texts(example) for part in parts)


def misconceptions(students: Sequence[Gathered]) -> tuple[MisconceptionSummary, ...]:
    """Return every misconception that anybody's first answers betray, by how many hold it."""
    holders: dict[str, set[str]] = defaultdict(set)
    items: dict[str, set[tuple[str, str]]] = defaultdict(set)
    told: dict[str, Counter[str]] = defaultdict(Counter)
    answered: dict[tuple[str, str], set[str]] = defaultdict(set)
    for student in students:
        for place, item in _answered(student):
            answered[place].add(student.student)
            for name in item.misconceptions:
                holders[name].add(student.student)
                items[name].add(place)
                if len(item.misconceptions) == 1 and item.feedback:
                    told[name][item.feedback[0]] += 1
    found = [
        MisconceptionSummary(
            id=name,
            items=tuple(sorted(items[name])),
            made=Share(count=len(who), of=len(set().union(*(answered[key] for key in items[name])))),
            feedback=max(told[name], key=lambda text: (told[name][text], text), default=""),
        )
        for name, who in holders.items()
    ]
    return tuple(sorted(found, key=lambda m: (-m.made.count, m.id)))


def _answered(student: Gathered) -> Iterator[tuple[tuple[str, str], ItemResult]]:
    for quiz in student.quizzes:
        yield from (((quiz.id, item.id), item) for item in quiz.items if item.answered)

"""Counts known mistakes in code, and misconceptions in answers to quizzes."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from functools import cache
from pathlib import Path

from grader.classroom.statistics.gathering import StudentRecord, attempted
from grader.classroom.statistics.summary_records import MisconceptionSummary, MistakeSummary, Share
from grader.core.model import CheckResult, Counterexample, Diagnosis, ItemResult
from grader.course.catalog import Course
from grader.course.known_mistakes import Listed, read_mistakes

MAX_CHECKS = 3
MAX_CHARACTERS = 400  # a longer example does not fit on a slide

# A student, and the checks of one exercise that one mistake explains.
_Case = tuple[str, list[CheckResult]]


def mistakes(students: Sequence[StudentRecord], course: Course) -> tuple[MistakeSummary, ...]:
    """Return every known mistake that was made, the most frequent first; a pair of mistakes counts for both."""
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
        for name in mistake_ids(check.diagnosis):
            found[name].append(check)
    return found


def mistake_ids(diagnosis: Diagnosis | None) -> list[str]:
    """Return the ids of a diagnosis: none, one, or two for mistakes that were made together."""
    return diagnosis.mistake.split("+") if diagnosis is not None else []


def _mistake(course: Course, exercise: str, name: str, cases: Sequence[_Case], tried: int) -> MistakeSummary:
    folder = course.exercise(exercise)
    listed = _listed(folder.folder / "mistakes.py").get(name) if folder is not None else None
    alone = [
        (student, [check for check in checks if len(mistake_ids(check.diagnosis)) == 1])
        for student, checks in cases
    ]
    reported = next((c.diagnosis.message for _, checks in alone for c in checks if c.diagnosis), "")
    titles = Counter(check.title for _, checks in cases for check in checks)
    return MistakeSummary(
        exercise=exercise,
        id=name,
        name=listed.name if listed else "",
        message=listed.message if listed else reported,
        made=Share(count=len(cases), of=tried),
        together=sum(any(len(mistake_ids(c.diagnosis)) > 1 for c in checks) for _, checks in cases),
        checks=tuple(title for title, _ in titles.most_common(MAX_CHECKS)),
        example=_example(alone),
    )


@cache
def _listed(path: Path) -> dict[str, Listed]:
    return {mistake.id: mistake for mistake in read_mistakes(path)} if path.is_file() else {}


def _example(cases: Iterable[_Case]) -> Counterexample | None:
    """Return the call that most students failed; a smallest failing one if there is one.

    Calls that are too long, lack a result, or contain the name of their student are left out.
    """
    counted: Counter[Counterexample] = Counter()
    for student, checks in cases:
        examples = (check.counterexample for check in checks)
        counted.update({e for e in examples if e is not None and _teaches(e) and not _holds_name(e, student)})
    return max(counted, key=lambda e: (e.smallest, counted[e], -_size(e), e.call), default=None)


def _teaches(example: Counterexample) -> bool:
    return bool(example.call and example.expected) and _size(example) <= MAX_CHARACTERS


def _texts(example: Counterexample) -> Iterator[str]:
    yield from (example.call, example.expected, example.got, example.where)
    yield from (text for argument in example.arguments for text in (argument.name, argument.value))


def _size(example: Counterexample) -> int:
    return sum(map(len, _texts(example)))


def _holds_name(example: Counterexample, student: str) -> bool:
    """Return whether an example contains a part of the student's name of three letters or more, as in a message."""
    parts = {part for part in student.casefold().replace("@", " ").split() if len(part) > 2}
    return any(part in text.casefold() for text in _texts(example) for part in parts)


def misconceptions(students: Sequence[StudentRecord]) -> tuple[MisconceptionSummary, ...]:
    """Return every misconception that first answers show, the most frequent first."""
    holders: dict[str, set[str]] = defaultdict(set)
    items: dict[str, set[tuple[str, str]]] = defaultdict(set)
    feedback: dict[str, Counter[str]] = defaultdict(Counter)
    answered: dict[tuple[str, str], set[str]] = defaultdict(set)
    for student in students:
        for place, item in _answered(student):
            answered[place].add(student.student)
            for name in item.misconceptions:
                holders[name].add(student.student)
                items[name].add(place)
                if len(item.misconceptions) == 1 and item.feedback:
                    feedback[name][item.feedback[0]] += 1
    found = [
        MisconceptionSummary(
            id=name,
            items=tuple(sorted(items[name])),
            made=Share(count=len(who), of=len(set().union(*(answered[key] for key in items[name])))),
            feedback=max(feedback[name], key=lambda text: (feedback[name][text], text), default=""),
        )
        for name, who in holders.items()
    ]
    return tuple(sorted(found, key=lambda m: (-m.made.count, m.id)))


def _answered(student: StudentRecord) -> Iterator[tuple[tuple[str, str], ItemResult]]:
    for quiz in student.quizzes:
        yield from (((quiz.id, item.id), item) for item in quiz.items if item.answered)

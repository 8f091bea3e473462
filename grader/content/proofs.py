"""Proves exercises: stubs earn nothing, references everything, every known mistake is caught and told apart.

All three are graded through the real boundary, as submissions.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from grader.catalog import Course
from grader.content.submissions import mistaken, reference_of, solved
from grader.content.tree import shown
from grader.dispatch import Dispatcher
from grader.errors import Problem
from grader.jobs import Graded, Job, NotGraded
from grader.mistakes import Listed, read_mistakes
from grader.model import CheckResult, Exercise, Outcome

MIN_MISTAKES, MIN_HINTS, MIN_CHECKS, MAX_CHECKS = 5, 3, 8, 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Proof:
    """What one exercise's check found. `caught` maps each known mistake to the checks that catch it."""

    exercise: str
    checks: int
    caught: dict[str, tuple[str, ...]]
    problems: tuple[Problem, ...]


def check_exercises(
    course: Course, exercises: Sequence[Exercise], dispatcher: Dispatcher, seed: int
) -> Iterator[Proof]:
    """Grade stub, reference and every known mistake of each exercise; yield one proof per exercise, in order."""
    listed = {exercise.id: read_mistakes(exercise.folder / "mistakes.py") for exercise in exercises}
    todo = [job for exercise in exercises for job in _jobs(course, exercise, listed[exercise.id], seed)]
    graded = dispatcher.grade(todo)
    for exercise in exercises:
        mistakes = listed[exercise.id]
        stub, reference = next(graded), next(graded)
        variants = [next(graded) for _ in mistakes]
        yield _prove(course, exercise, stub, reference, list(zip(mistakes, variants, strict=True)))


def _jobs(course: Course, exercise: Exercise, mistakes: Sequence[Listed], seed: int) -> Iterator[Job]:
    stub = exercise.stub.read_text(encoding="utf-8")
    beside = solved(course)
    for source in (stub, reference_of(exercise)):
        sources = beside | {f"{exercise.id}.py": source}
        yield Job(exercise=exercise, module=exercise.id, sources=sources, seed=seed, explain=False)
    for mistake in mistakes:
        sources = beside | mistaken(exercise, mistake)
        yield Job(exercise=exercise, module=exercise.id, sources=sources, seed=seed)


def _prove(
    course: Course,
    exercise: Exercise,
    stub: Graded | NotGraded,
    reference: Graded | NotGraded,
    variants: Sequence[tuple[Listed, Graded | NotGraded]],
) -> Proof:
    suite = shown(course, exercise.folder / f"test_{exercise.id}.py")
    known = shown(course, exercise.folder / "mistakes.py")
    found: list[Problem] = []
    found += (Problem(path=shown(course, exercise.stub), message=text) for text in _stub_problems(stub))
    found += (Problem(path=suite, message=text) for text in _reference_problems(exercise, reference))
    caught: dict[str, tuple[str, ...]] = {}
    for mistake, ending in variants:
        checks, problem = _caught(mistake, ending)
        caught[mistake.id] = checks
        if problem:
            found.append(Problem(path=known, line=mistake.line, column=1, message=problem))
    if len(variants) < MIN_MISTAKES:
        message = f"holds {len(variants)} known mistakes, and at least {MIN_MISTAKES} are wanted"
        found.append(Problem(path=known, message=message))
    if len(exercise.hints) < MIN_HINTS:
        message = f"holds {len(exercise.hints)} hints, and at least {MIN_HINTS} are wanted"
        found.append(Problem(path=shown(course, exercise.folder / "exercise.yaml"), message=message))
    checks_run = len(reference.result.checks) if isinstance(reference, Graded) else 0
    return Proof(exercise=exercise.id, checks=checks_run, caught=caught, problems=tuple(found))


def _stub_problems(ending: Graded | NotGraded) -> Iterator[str]:
    if isinstance(ending, NotGraded):
        yield f"the stub could not be graded: {ending.reason}"
        return
    result = ending.result
    if result.points:
        yield f"the stub earns {result.points:g} points, and must earn none"
    if result.outcome is not Outcome.NOT_ATTEMPTED:
        reason = _first_failure(result.checks) or result.message
        yield f'the stub is "{result.outcome}" and must be "not_attempted": {reason}'


def _reference_problems(exercise: Exercise, ending: Graded | NotGraded) -> Iterator[str]:
    if isinstance(ending, NotGraded):
        yield f"the reference could not be graded: {ending.reason}"
        return
    result = ending.result
    if result.outcome is not Outcome.PASSED:
        yield f"the reference does not pass: {_first_failure(result.checks) or result.message}"
    total = sum(check.max_points for check in result.checks)
    if total != exercise.points:
        yield f"the checks add up to {total:g} points, but exercise.yaml says {exercise.points:g}"
    if not MIN_CHECKS <= len(result.checks) <= MAX_CHECKS:
        yield f"the suite has {len(result.checks)} checks, and {MIN_CHECKS} to {MAX_CHECKS} are wanted"
    for title in {check.title for check in result.checks}:
        same = [check.id for check in result.checks if check.title == title]
        if len(same) > 1:
            yield f"{' and '.join(same)} share the title {title!r}"


def _caught(mistake: Listed, ending: Graded | NotGraded) -> tuple[tuple[str, ...], str]:
    """Return the checks that catch a mistake, and what is wrong with it, if anything."""
    if isinstance(ending, NotGraded):
        return (), f"{mistake.id} could not be graded: {ending.reason}"
    checks = tuple(
        check.id for check in ending.result.checks if check.outcome not in (Outcome.PASSED, Outcome.SKIPPED)
    )
    if not checks:
        reason = ending.result.message or "every check passes"
        return checks, f"{mistake.id} is missed: {reason}"
    explained = ending.explained_by.get(mistake.name, ())
    if mistake.id not in explained:
        return (
            checks,
            f"{mistake.id} is caught by {checks[0]}, but its own results do not lead to it as the diagnosis",
        )
    if len(explained) > 1:
        others = ", ".join(other for other in explained if other != mistake.id)
        return checks, f"{mistake.id} is not told apart from {others}: no check gives them different results"
    return (
        checks,
        "" if mistake.message else f"{mistake.id} has no docstring, which is the sentence students read",
    )


def _first_failure(checks: Sequence[CheckResult]) -> str:
    return next((f"{c.id}: {c.rationale}" for c in checks if c.outcome is not Outcome.PASSED), "")

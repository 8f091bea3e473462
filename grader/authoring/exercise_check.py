"""Proves exercises: stubs earn nothing, references everything, every known mistake is caught and told apart.

All three are graded through the real boundary, as submissions.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from grader.authoring.mutation_check import check_equivalents
from grader.authoring.reference_submissions import blamed, mistaken, place_of, reference_of, solved, text_of
from grader.authoring.source_lint import check_sources, in_yaml, places
from grader.authoring.tree_check import shown
from grader.core.errors import Problem
from grader.core.model import CheckResult, Exercise, Outcome
from grader.core.safetext import one_line
from grader.course.catalog import Course
from grader.course.known_mistakes import Listed, read_mistakes
from grader.grading.dispatcher import Dispatcher
from grader.grading.messages import Graded, Job, NotGraded

_IMPORT_RAISED = re.compile(r"^`import \w+` raised (\w+): (.*?)\.?$")
MIN_MISTAKES, MIN_HINTS, MIN_CHECKS, MAX_CHECKS = 5, 3, 8, 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Proof:
    """What one exercise's check found. `caught` maps each known mistake to the checks that catch it.

    Where there are no `checks`, nothing was graded.
    """

    exercise: str
    checks: int
    caught: dict[str, tuple[str, ...]]
    problems: tuple[Problem, ...]

    @property
    def is_sound(self) -> bool:
        """Tell whether nothing is wrong."""
        return not self.problems


def check_exercises(
    course: Course, exercises: Sequence[Exercise], dispatcher: Dispatcher, seed: int
) -> Iterator[Proof]:
    """Grade stub, reference and every known mistake of each exercise; yield one proof per exercise, in order.

    An exercise whose files cannot be read is not graded, and hides no other's problems.
    """
    sources = {exercise.id: check_sources(course, exercise) for exercise in exercises}
    graded = [exercise for exercise in exercises if not sources[exercise.id]]
    mistakes = {exercise.id: read_mistakes(exercise.folder / "mistakes.py") for exercise in graded}
    todo = [job for exercise in graded for job in _jobs(course, exercise, mistakes[exercise.id], seed)]
    endings = dispatcher.grade(todo)
    for exercise in exercises:
        read = (*sources[exercise.id], *check_equivalents(course, exercise))
        if exercise in graded:
            stub, reference = next(endings), next(endings)
            variants = [(mistake, next(endings)) for mistake in mistakes[exercise.id]]
            proof = _prove(course, exercise, stub, reference, variants)
            yield replace(proof, problems=(*read, *proof.problems))
        else:
            yield Proof(exercise=exercise.id, checks=0, caught={}, problems=read)


def _jobs(course: Course, exercise: Exercise, mistakes: Sequence[Listed], seed: int) -> Iterator[Job]:
    beside = solved(course)
    for source in (text_of(exercise.stub), reference_of(exercise)):
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
    found: list[Problem] = []
    for ending in (stub, reference):
        if isinstance(ending, NotGraded):
            found += _ungraded(course, exercise, ending)
    if isinstance(stub, Graded):
        found += _stub_problems(course, exercise, stub)
    if isinstance(reference, Graded):
        found += _reference_problems(course, exercise, reference)
    told = {ending.reason for ending in (stub, reference) if isinstance(ending, NotGraded)}
    known = shown(course, exercise.folder / "mistakes.py")
    caught: dict[str, tuple[str, ...]] = {}
    for mistake, ending in variants:
        caught[mistake.id], problem = _caught(mistake, ending)
        if isinstance(ending, Graded) and not ending.result.checks:
            unloaded = _unloaded(course, exercise, ending, None)
            found += [unloaded] if unloaded else []  # the same for all of them, and told once
            problem = "" if unloaded else problem
        elif isinstance(ending, NotGraded) and ending.reason in told:
            problem = ""
        if problem:
            found.append(Problem(path=known, line=mistake.line, column=1, message=problem))
    found += _too_few(course, exercise, len(variants))
    checks_run = len(reference.result.checks) if isinstance(reference, Graded) else 0
    problems = tuple(dict.fromkeys(found))
    return Proof(exercise=exercise.id, checks=checks_run, caught=caught, problems=problems)


def _ungraded(course: Course, exercise: Exercise, ending: NotGraded) -> Iterator[Problem]:
    """Yield the lines that kept a submission from being graded; where they are not known, the reason."""
    message = f"the exercise could not be graded: {one_line(ending.reason, limit=400)}"
    unplaced = Problem(path=shown(course, exercise.suite), message=message)
    yield from list(blamed(course, exercise, ending)) or [unplaced]


def _unloaded(course: Course, exercise: Exercise, ending: Graded, own: Path | None) -> Problem | None:
    """Return why a module did not load, at the line of the course's that raised."""
    for frame in reversed(ending.result.traceback):
        place = place_of(course, exercise, frame, own=own)
        if place is not None:
            said = _IMPORT_RAISED.sub(r"raises \1 while it is imported: \2", ending.result.message)
            return replace(place, message=said)
    return None


def _too_few(course: Course, exercise: Exercise, count: int) -> Iterator[Problem]:
    if count < MIN_MISTAKES:
        message = f"holds {count} known mistakes, and at least {MIN_MISTAKES} are wanted"
        yield Problem(path=shown(course, exercise.folder / "mistakes.py"), message=message)
    if len(exercise.hints) < MIN_HINTS:
        message = f"holds {len(exercise.hints)} hints, and at least {MIN_HINTS} are wanted"
        yield in_yaml(course, exercise, ("hints",), message)


def _stub_problems(course: Course, exercise: Exercise, ending: Graded) -> Iterator[Problem]:
    result, path = ending.result, shown(course, exercise.stub)
    if result.points:
        message = f"the stub earns {result.points:g} points, and must earn none"
        yield Problem(path=path, message=message)
    if unloaded := not result.checks and _unloaded(course, exercise, ending, exercise.stub):
        yield unloaded
    elif result.outcome is not Outcome.NOT_ATTEMPTED:
        reason = _first_failure(result.checks) or result.message
        message = f'the stub is "{result.outcome}" and must be "not_attempted": {reason}'
        yield Problem(path=path, message=message)


def _reference_problems(course: Course, exercise: Exercise, ending: Graded) -> Iterator[Problem]:
    result, suite = ending.result, places(course, exercise.suite)
    own = exercise.folder / "reference.py"
    if not result.checks:
        yield _unloaded(course, exercise, ending, own) or Problem(
            path=shown(course, own), message=f"the reference does not load: {result.message}"
        )
        return
    if result.outcome is not Outcome.PASSED:
        message = f"the reference does not pass: {_first_failure(result.checks) or result.message}"
        yield suite.problem(message, _failing(result.checks)[0] if _failing(result.checks) else "")
    total = sum(check.max_points for check in result.checks)
    if total != exercise.points:
        message = f"the checks add up to {total:g} points, but exercise.yaml says {exercise.points:g}"
        yield in_yaml(course, exercise, ("points",), message)
    if not MIN_CHECKS <= len(result.checks) <= MAX_CHECKS:
        message = f"the suite has {len(result.checks)} checks, and {MIN_CHECKS} to {MAX_CHECKS} are wanted"
        yield suite.problem(message)
    for title in dict.fromkeys(check.title for check in result.checks):
        same = [check.id for check in result.checks if check.title == title]
        if len(same) > 1:
            yield suite.problem(f"{' and '.join(same)} share the title {title!r}", same[1])


def _caught(mistake: Listed, ending: Graded | NotGraded) -> tuple[tuple[str, ...], str]:
    """Return the checks that catch a mistake, and what is wrong with it, if anything."""
    if isinstance(ending, NotGraded):
        return (), f"{mistake.id} could not be graded: {one_line(ending.reason, limit=400)}"
    checks = tuple(
        check.id for check in ending.result.checks if check.outcome not in (Outcome.PASSED, Outcome.SKIPPED)
    )
    if not checks:
        reason = ending.result.message or "every check passes"
        return checks, f"{mistake.id} is missed: {reason}"
    explained = ending.explained_by.get(mistake.name, ())
    if mistake.id not in explained and ending.result.message:
        return checks, f"{mistake.id} is caught by {checks[0]}. {ending.result.message}"
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
    """Tell the first check that does not pass, and how many more; those that only wait for another do not count."""
    failing = _failing(checks)
    more = f" (and {len(failing) - 1} more)" if len(failing) > 1 else ""
    return next((f"{c.id}: {c.rationale}{more}" for c in checks if c.id in failing), "")


def _failing(checks: Sequence[CheckResult]) -> list[str]:
    return [check.id for check in checks if check.outcome not in (Outcome.PASSED, Outcome.SKIPPED)]

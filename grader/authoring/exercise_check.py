"""Checks exercises: the stub earns nothing, the reference earns full marks, every known mistake is caught.

Each mistake must also be the diagnosis of its own results. All of them are graded as submissions, in a worker behind
the trust boundary.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from grader.authoring.input_matrix import InputFindings, check_inputs, check_untested
from grader.authoring.mutation_check import check_equivalents
from grader.authoring.reference_submissions import (
    locate_frame,
    mistake_modules,
    not_graded_problems,
    read_source,
    reference_modules,
    reference_source,
)
from grader.authoring.source_lint import check_sources, definition_lines, yaml_problem
from grader.authoring.tree_check import course_path
from grader.core.errors import Problem
from grader.core.model import CheckResult, Exercise, Outcome
from grader.core.safetext import one_line
from grader.course.catalog import Course
from grader.course.known_mistakes import Listed, read_mistakes
from grader.grading.dispatcher import Dispatcher, Ended, ignore_end
from grader.grading.messages import Graded, Job, NotGraded

_IMPORT_RAISED = re.compile(r"^`import \w+` raised (\w+): (.*?)\.?$")
MIN_MISTAKES, MIN_HINTS, MIN_CHECKS, MAX_CHECKS = 5, 3, 8, 24
MIN_COST, MAX_COST = 0.05, 0.35  # of the points, for one mistake
COST_RANGE = f"{MIN_COST:.0%} to {MAX_COST:.0%}"


@dataclass(frozen=True, slots=True, kw_only=True)
class ExerciseFindings:
    """What `grade check` found in one exercise. `caught` maps each known mistake to the checks that fail with it.

    `costs` has the share of the points that each of these mistakes costs, from 0 to 1. `outliers` has those outside of
    MIN_COST to MAX_COST, with the reason that mistakes.py gives, or "".
    `checks` is 0 where nothing was graded. `inputs` is what the suite sends, where the reference passes.
    """

    exercise: str
    checks: int
    caught: dict[str, tuple[str, ...]]
    costs: dict[str, float] = field(default_factory=dict)
    outliers: dict[str, str] = field(default_factory=dict)
    problems: tuple[Problem, ...]
    inputs: InputFindings | None = None

    @property
    def passed(self) -> bool:
        """Tell whether there is no problem."""
        return not self.problems


def check_exercises(
    course: Course,
    exercises: Sequence[Exercise],
    dispatcher: Dispatcher,
    seed: int,
    ended: Ended = ignore_end,
) -> Iterator[ExerciseFindings]:
    """Grade stub, reference and every known mistake of each exercise; yield the findings per exercise, in order.

    An exercise whose files cannot be read is not graded; the others are.
    """
    sources = {exercise.id: check_sources(course, exercise) for exercise in exercises}
    graded = [exercise for exercise in exercises if not sources[exercise.id]]
    mistakes = {exercise.id: read_mistakes(exercise.folder / "mistakes.py") for exercise in graded}
    todo = [job for exercise in graded for job in _jobs(course, exercise, mistakes[exercise.id], seed)]
    endings = dispatcher.grade(todo, ended=ended)
    for exercise in exercises:
        of_reasons = (*check_equivalents(course, exercise), *check_untested(course, exercise))
        unreadable = (*sources[exercise.id], *of_reasons)
        if exercise in graded:
            stub, reference = next(endings), next(endings)
            variants = [(mistake, next(endings)) for mistake in mistakes[exercise.id]]
            findings = _findings(course, exercise, stub, reference, variants)
            yield replace(findings, problems=(*unreadable, *findings.problems))
        else:
            yield ExerciseFindings(exercise=exercise.id, checks=0, caught={}, problems=unreadable)


def _jobs(course: Course, exercise: Exercise, mistakes: Sequence[Listed], seed: int) -> Iterator[Job]:
    beside = reference_modules(course)
    for source, is_reference in ((read_source(exercise.stub), False), (reference_source(exercise), True)):
        yield Job(
            exercise=exercise,
            module=exercise.id,
            sources=beside | {f"{exercise.id}.py": source},
            seed=seed,
            explain=False,
            count_sent=is_reference,
        )
    for mistake in mistakes:
        sources = beside | mistake_modules(exercise, mistake)
        # No finding needs the smallest failing call of a mistake, and the search for it takes longer than all else.
        yield Job(exercise=exercise, module=exercise.id, sources=sources, seed=seed, search=False)


def _findings(
    course: Course,
    exercise: Exercise,
    stub: Graded | NotGraded,
    reference: Graded | NotGraded,
    variants: Sequence[tuple[Listed, Graded | NotGraded]],
) -> ExerciseFindings:
    found: list[Problem] = []
    for ending in (stub, reference):
        if isinstance(ending, NotGraded):
            found += _ungraded(course, exercise, ending)
    if isinstance(stub, Graded):
        found += _stub_problems(course, exercise, stub)
    if isinstance(reference, Graded):
        found += _reference_problems(course, exercise, reference)
    reported = {ending.reason for ending in (stub, reference) if isinstance(ending, NotGraded)}
    path = course_path(course, exercise.folder / "mistakes.py")
    caught: dict[str, tuple[str, ...]] = {}
    costs = {
        m.id: (exercise.points - e.result.points) / exercise.points
        for m, e in variants
        if isinstance(e, Graded)
    }
    outliers, outdated = _outliers(path, [mistake for mistake, _ in variants], costs)
    found += outdated
    for mistake, ending in variants:
        caught[mistake.id], message = _check_mistake(mistake, ending)
        if isinstance(ending, Graded) and not ending.result.checks:
            import_problem = _import_problem(course, exercise, ending, None)
            if import_problem:
                found.append(import_problem)  # the same for every mistake: duplicates are dropped below
                message = ""
        elif isinstance(ending, NotGraded) and ending.reason in reported:
            message = ""
        if message:
            found.append(Problem(path=path, line=mistake.line, column=1, message=message))
    found += _too_few(course, exercise, len(variants))
    checks_run = len(reference.result.checks) if isinstance(reference, Graded) else 0
    inputs, outdated_reasons = _inputs(course, exercise, reference)
    found += outdated_reasons
    problems = tuple(dict.fromkeys(found))
    return ExerciseFindings(
        exercise=exercise.id,
        checks=checks_run,
        caught=caught,
        costs=costs,
        outliers=outliers,
        problems=problems,
        inputs=inputs,
    )


def _outliers(
    path: str, mistakes: Sequence[Listed], costs: Mapping[str, float]
) -> tuple[dict[str, str], list[Problem]]:
    """Return the reasons of mistakes that cost unusually little or much, and a problem for each reason of another."""
    usual = {mistake for mistake, cost in costs.items() if MIN_COST <= cost <= MAX_COST}
    outliers = {mistake.id: mistake.outlier for mistake in mistakes if mistake.id in costs.keys() - usual}
    outdated = [
        Problem(
            path=path,
            line=mistake.line,
            column=1,
            message=f"{mistake.id} costs {costs[mistake.id]:.0%} of the points: its `outlier` explains nothing",
        )
        for mistake in mistakes
        if mistake.id in usual and mistake.outlier
    ]
    return outliers, outdated


def _inputs(
    course: Course, exercise: Exercise, reference: Graded | NotGraded
) -> tuple[InputFindings | None, tuple[Problem, ...]]:
    """Return what the suite sends, where it ran to its end, and reasons for what it does not that are outdated."""
    if isinstance(reference, NotGraded) or reference.result.outcome is not Outcome.PASSED:
        return None, ()
    return check_inputs(course, exercise, reference_source(exercise), reference.sent)


def _ungraded(course: Course, exercise: Exercise, ending: NotGraded) -> Iterator[Problem]:
    """Yield the lines that prevented a grading, or the reason alone where no line is known."""
    message = f"the exercise could not be graded: {one_line(ending.reason, limit=400)}"
    without_line = Problem(path=course_path(course, exercise.suite), message=message)
    yield from list(not_graded_problems(course, exercise, ending)) or [without_line]


def _import_problem(course: Course, exercise: Exercise, ending: Graded, own: Path | None) -> Problem | None:
    """Return why a module could not be imported, at the line of the course that raised; None where no line is known."""
    for frame in reversed(ending.result.traceback):
        place = locate_frame(course, exercise, frame, own=own)
        if place is not None:
            message = _IMPORT_RAISED.sub(r"raises \1 while it is imported: \2", ending.result.message)
            return replace(place, message=message)
    return None


def _too_few(course: Course, exercise: Exercise, count: int) -> Iterator[Problem]:
    if count < MIN_MISTAKES:
        message = f"holds {count} known mistakes; at least {MIN_MISTAKES} are required"
        yield Problem(path=course_path(course, exercise.folder / "mistakes.py"), message=message)
    if len(exercise.hints) < MIN_HINTS:
        message = f"holds {len(exercise.hints)} hints; at least {MIN_HINTS} are required"
        yield yaml_problem(course, exercise, ("hints",), message)
    if exercise.tolerated_operators and "@pytest.mark.by_hand" not in read_source(exercise.suite):
        message = "costs nothing: no check of the suite is marked @pytest.mark.by_hand"
        yield yaml_problem(course, exercise, ("tolerated_operators",), message)


def _stub_problems(course: Course, exercise: Exercise, ending: Graded) -> Iterator[Problem]:
    result, path = ending.result, course_path(course, exercise.stub)
    if result.points:
        message = f"the stub earns {result.points:g} points, and must earn none"
        yield Problem(path=path, message=message)
    if import_problem := not result.checks and _import_problem(course, exercise, ending, exercise.stub):
        yield import_problem
    elif result.outcome is not Outcome.NOT_ATTEMPTED:
        reason = _first_failure(result.checks) or result.message
        message = f'the stub is "{result.outcome}" and must be "not_attempted": {reason}'
        yield Problem(path=path, message=message)


def _reference_problems(course: Course, exercise: Exercise, ending: Graded) -> Iterator[Problem]:
    result, suite = ending.result, definition_lines(course, exercise.suite)
    own = exercise.folder / "reference.py"
    if not result.checks:
        yield _import_problem(course, exercise, ending, own) or Problem(
            path=course_path(course, own), message=f"the reference cannot be imported: {result.message}"
        )
        return
    if result.outcome is not Outcome.PASSED:
        message = f"the reference does not pass: {_first_failure(result.checks) or result.message}"
        yield suite.problem(message, _failing(result.checks)[0] if _failing(result.checks) else "")
    total = sum(check.max_points for check in result.checks)
    if total != exercise.points:
        message = f"the checks add up to {total:g} points, but exercise.yaml says {exercise.points:g}"
        yield yaml_problem(course, exercise, ("points",), message)
    if not MIN_CHECKS <= len(result.checks) <= MAX_CHECKS:
        message = f"the suite has {len(result.checks)} checks; {MIN_CHECKS} to {MAX_CHECKS} are required"
        yield suite.problem(message)
    for title in dict.fromkeys(check.title for check in result.checks):
        same = [check.id for check in result.checks if check.title == title]
        if len(same) > 1:
            yield suite.problem(f"{' and '.join(same)} share the title {title!r}", same[1])


def _check_mistake(mistake: Listed, ending: Graded | NotGraded) -> tuple[tuple[str, ...], str]:
    """Return the checks that catch a mistake, and what is wrong with it; "" where nothing is."""
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
            f"{mistake.id} is caught by {checks[0]}, but the diagnosis does not name it",
        )
    if len(explained) > 1:
        others = ", ".join(other for other in explained if other != mistake.id)
        return (
            checks,
            f"{mistake.id} cannot be distinguished from {others}: no check gives them different results",
        )
    return (
        checks,
        "" if mistake.message else f"{mistake.id} has no docstring, which is the sentence students read",
    )


def _first_failure(checks: Sequence[CheckResult]) -> str:
    """Return the first check that fails, with its rationale and the number of others; skipped checks do not count."""
    failing = _failing(checks)
    more = f" (and {len(failing) - 1} more)" if len(failing) > 1 else ""
    return next((f"{c.id}: {c.rationale}{more}" for c in checks if c.id in failing), "")


def _failing(checks: Sequence[CheckResult]) -> list[str]:
    return [check.id for check in checks if check.outcome not in (Outcome.PASSED, Outcome.SKIPPED)]

"""Mutation testing of suites: a check must fail for every mutant of a reference, unless it is listed as equivalent.

Mutants are graded as submissions, in a worker behind the trust boundary, each until the first check that fails.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from grader.authoring.mutants import Mutant, mutants
from grader.authoring.reasons import read_reasons, reason_problems
from grader.authoring.reference_submissions import not_graded_problems, reference_modules, reference_source
from grader.authoring.source_lint import check_sources
from grader.authoring.tree_check import course_path
from grader.core.errors import Problem
from grader.core.model import Exercise, Limits, Outcome
from grader.core.yaml_document import Document
from grader.course.catalog import Course
from grader.grading.dispatcher import Dispatcher, Ended, ignore_end
from grader.grading.messages import Graded, Job, NotGraded

EQUIVALENTS = "equivalents.yaml"
# An infinite loop costs the whole limit. Most references need a hundredth of these times on an idle machine.
MUTANT_LIMITS = Limits(import_limit_s=5.0, call_limit_s=2.0, check_limit_s=4.0, exercise_limit_s=20.0)

NonEmpty = Annotated[str, Field(min_length=1)]


class _EquivalentsModel(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class Equivalent(_EquivalentsModel):
    """One mutant that no check can or should kill. It is matched by scope and text, which change less than its line."""

    scope: NonEmpty
    old: str
    new: str
    reason: NonEmpty


class EquivalentsDocument(_EquivalentsModel):
    """An equivalents.yaml."""

    equivalents: Annotated[list[Equivalent], Field(min_length=1)]


@dataclass(frozen=True, slots=True, kw_only=True)
class MutationFindings:
    """How the mutants of one reference ended.

    `overdue` counts those of the `killed` that exceeded a time limit, `explained` the survivors that equivalents.yaml
    lists, and `survivors` holds the others. `mutants` is 0 where nothing was graded.
    """

    exercise: str
    reference: str
    mutants: int
    killed: int
    overdue: int
    explained: int
    survivors: tuple[Mutant, ...]
    problems: tuple[Problem, ...]

    @property
    def passed(self) -> bool:
        """Tell whether there is neither a problem nor a survivor without an explanation."""
        return not self.problems and not self.survivors


def check_mutants(
    course: Course,
    exercises: Sequence[Exercise],
    dispatcher: Dispatcher,
    seed: int,
    ended: Ended = ignore_end,
) -> Iterator[MutationFindings]:
    """Grade every mutant of every reference; yield the findings per exercise, in order.

    An exercise whose files cannot be read is not graded; the others are.
    """
    unreadable = {
        exercise.id: (*check_sources(course, exercise), *check_equivalents(course, exercise))
        for exercise in exercises
    }
    gradable = [exercise for exercise in exercises if not unreadable[exercise.id]]
    known = {exercise.id: read_equivalents(course, exercise) for exercise in gradable}
    other_modules = reference_modules(course)
    made = {exercise.id: mutants(reference_source(exercise), exercise.names) for exercise in gradable}
    todo: list[Job] = []
    for exercise in gradable:
        todo.append(_job(exercise, other_modules, seed))
        limited = replace(exercise, limits=_mutant_limits(exercise.limits))
        todo += (
            _job(limited, other_modules | {f"{exercise.id}.py": mutant.source}, seed)
            for mutant in made[exercise.id]
        )
    graded = dispatcher.grade(todo, ended=ended)
    for exercise in exercises:
        if exercise not in gradable:
            yield _not_graded(course, exercise, unreadable[exercise.id])
            continue
        reference = next(graded)
        variants = [(mutant, next(graded)) for mutant in made[exercise.id]]
        variants = _regrade_timeouts(dispatcher, exercise, other_modules, seed, variants)
        yield _findings(course, exercise, known[exercise.id], reference, variants)


def check_equivalents(course: Course, exercise: Exercise) -> tuple[Problem, ...]:
    """Return the problems of an equivalents.yaml; none where it can be read or does not exist."""
    return reason_problems(course, exercise, EQUIVALENTS, EquivalentsDocument)


def _not_graded(course: Course, exercise: Exercise, problems: tuple[Problem, ...]) -> MutationFindings:
    return MutationFindings(
        exercise=exercise.id,
        reference=course_path(course, exercise.folder / "reference.py"),
        mutants=0,
        killed=0,
        overdue=0,
        explained=0,
        survivors=(),
        problems=problems,
    )


_GradedMutants = list[tuple[Mutant, Graded | NotGraded]]


def _regrade_timeouts(
    dispatcher: Dispatcher,
    exercise: Exercise,
    other_modules: dict[str, str],
    seed: int,
    ended: _GradedMutants,
) -> _GradedMutants:
    """Grade mutants that exceeded a limit again, within the exercise's own limits: they may only have been slow."""
    late = [n for n, (_, ending) in enumerate(ended) if _outcome(ending) is Outcome.TIME_LIMIT]
    todo = [_job(exercise, other_modules | {f"{exercise.id}.py": ended[n][0].source}, seed) for n in late]
    again = dict(zip(late, dispatcher.grade(todo), strict=True)) if todo else {}
    return [(mutant, again.get(n, ending)) for n, (mutant, ending) in enumerate(ended)]


def read_equivalents(course: Course, exercise: Exercise) -> Document[EquivalentsDocument] | None:
    """Read the equivalents.yaml of an exercise; None where there is none. Raises DocumentError."""
    return read_reasons(course, exercise, EQUIVALENTS, EquivalentsDocument)


def _mutant_limits(given: Limits) -> Limits:
    return replace(
        given,
        import_limit_s=min(given.import_limit_s, MUTANT_LIMITS.import_limit_s),
        call_limit_s=min(given.call_limit_s, MUTANT_LIMITS.call_limit_s),
        check_limit_s=min(given.check_limit_s, MUTANT_LIMITS.check_limit_s),
        exercise_limit_s=min(given.exercise_limit_s, MUTANT_LIMITS.exercise_limit_s),
    )


def _job(exercise: Exercise, sources: dict[str, str], seed: int) -> Job:
    return Job(
        exercise=exercise,
        module=exercise.id,
        sources=sources,
        seed=seed,
        explain=False,
        first_failure=True,
    )


def _findings(
    course: Course,
    exercise: Exercise,
    known: Document[EquivalentsDocument] | None,
    reference: Graded | NotGraded,
    ended: Sequence[tuple[Mutant, Graded | NotGraded]],
) -> MutationFindings:
    path = course_path(course, exercise.folder / "reference.py")
    problems = (
        list(not_graded_problems(course, exercise, reference)) if isinstance(reference, NotGraded) else []
    )
    if problems:
        ended, known = [], None  # its mutants could not be graded either, for the same reason
    elif _outcome(reference) is not Outcome.PASSED:
        message = "does not earn full marks itself, so its mutants show nothing; run `grade check`"
        problems.append(Problem(path=path, message=message))
    outcomes = {mutant.id: _outcome(ending) for mutant, ending in ended}
    alive = [mutant for mutant, _ in ended if outcomes[mutant.id] is Outcome.PASSED]
    listed = {_key(entry) for entry in known.value.equivalents} if known else set()
    for mutant, ending in ended:
        if reason := _grader_error(ending):
            message = f"{mutant.id} could not be graded: {reason}"
            problems.append(Problem(path=path, line=mutant.line, column=mutant.column, message=message))
    if known:
        problems += _stale_entries(known, [mutant for mutant, _ in ended], alive)
    return MutationFindings(
        exercise=exercise.id,
        reference=path,
        mutants=len(ended),
        killed=sum(outcome not in (Outcome.PASSED, Outcome.INTERNAL_ERROR) for outcome in outcomes.values()),
        overdue=sum(outcome is Outcome.TIME_LIMIT for outcome in outcomes.values()),
        explained=sum(_key(mutant) in listed for mutant in alive),
        survivors=tuple(mutant for mutant in alive if _key(mutant) not in listed),
        problems=tuple(problems),
    )


def _outcome(ending: Graded | NotGraded) -> Outcome:
    return ending.result.outcome if isinstance(ending, Graded) else Outcome.INTERNAL_ERROR


def _grader_error(ending: Graded | NotGraded) -> str:
    """Return the error in the grader or the suite that ended a grading, or "": such a mutant is not killed."""
    if isinstance(ending, NotGraded):
        return ending.reason
    broken = (check for check in ending.result.checks if check.outcome is Outcome.INTERNAL_ERROR)
    return next((f"{check.id}: {check.rationale}" for check in broken), "")


def _key(described: Mutant | Equivalent) -> tuple[str, str, str]:
    """Return what identifies a mutant and its entry; line breaks and indentation do not count."""
    old, new = (" ".join(text.split()) for text in (described.old, described.new))
    return described.scope, old, new


def _stale_entries(
    known: Document[EquivalentsDocument], made: Sequence[Mutant], survivors: Sequence[Mutant]
) -> Iterator[Problem]:
    """Yield the entries that match no mutant, match one that is killed, or repeat an earlier entry."""
    every, alive = {_key(mutant) for mutant in made}, {_key(mutant) for mutant in survivors}
    seen: set[tuple[str, str, str]] = set()
    for n, entry in enumerate(known.value.equivalents):
        key = _key(entry)
        if key in seen:
            yield known.problem(("equivalents", n), "repeats an earlier entry; delete it")
        elif key not in every:
            yield known.problem(
                ("equivalents", n), f"matches no mutant of {entry.scope}; delete or correct it"
            )
        elif key not in alive:
            yield known.problem(
                ("equivalents", n), "is killed by a check, so it is not equivalent; delete it"
            )
        seen.add(key)

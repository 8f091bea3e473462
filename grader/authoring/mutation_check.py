"""Proves suites: every mutant of a reference is killed by a check, or is listed as equivalent, with the reason.

Mutants are graded through the real boundary, as submissions, each until the first check that fails.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from grader.authoring.mutants import Mutant, mutants
from grader.authoring.reference_submissions import blamed, reference_of, solved
from grader.authoring.source_lint import check_sources
from grader.authoring.tree_check import shown
from grader.core import yaml_document
from grader.core.errors import DocumentError, Problem
from grader.core.model import Exercise, Limits, Outcome
from grader.core.yaml_document import Document
from grader.course.catalog import Course
from grader.grading.dispatcher import Dispatcher
from grader.grading.messages import Graded, Job, NotGraded

EQUIVALENTS = "equivalents.yaml"
# A mutant that hangs costs its limit. Most references need a hundredth of these on an idle machine.
MUTANT_LIMITS = Limits(import_limit_s=5.0, call_limit_s=2.0, check_limit_s=4.0, exercise_limit_s=20.0)

Text = Annotated[str, Field(min_length=1)]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class Equivalent(_Strict):
    """One mutant that no check can or should kill. It is found by its scope and lines, which outlive line numbers."""

    scope: Text
    old: str
    new: str
    reason: Text


class EquivalentsDocument(_Strict):
    """An equivalents.yaml."""

    equivalents: Annotated[list[Equivalent], Field(min_length=1)]


@dataclass(frozen=True, slots=True, kw_only=True)
class Survival:
    """What became of the mutants of one reference. `overdue` of the killed ones were stopped by a limit."""

    exercise: str
    reference: str
    mutants: int
    killed: int
    overdue: int
    explained: int
    survivors: tuple[Mutant, ...]
    problems: tuple[Problem, ...]

    @property
    def is_sound(self) -> bool:
        """Tell whether nothing is wrong."""
        return not self.problems and not self.survivors


def check_mutants(
    course: Course, exercises: Sequence[Exercise], dispatcher: Dispatcher, seed: int
) -> Iterator[Survival]:
    """Grade every mutant of every reference; yield what survived, per exercise, in order.

    An exercise whose files cannot be read is not graded, and hides no other's problems.
    """
    read = {
        exercise.id: (*check_sources(course, exercise), *check_equivalents(course, exercise))
        for exercise in exercises
    }
    gradable = [exercise for exercise in exercises if not read[exercise.id]]
    known = {exercise.id: read_equivalents(course, exercise) for exercise in gradable}
    beside = solved(course)
    made = {exercise.id: mutants(reference_of(exercise)) for exercise in gradable}
    todo: list[Job] = []
    for exercise in gradable:
        todo.append(_job(exercise, beside, seed))
        hasty = replace(exercise, limits=_tight(exercise.limits))
        todo += (
            _job(hasty, beside | {f"{exercise.id}.py": mutant.source}, seed) for mutant in made[exercise.id]
        )
    graded = dispatcher.grade(todo)
    for exercise in exercises:
        if exercise not in gradable:
            yield _unread(course, exercise, read[exercise.id])
            continue
        reference = next(graded)
        ended = [(mutant, next(graded)) for mutant in made[exercise.id]]
        ended = _with_patience(dispatcher, exercise, beside, seed, ended)
        yield _survival(course, exercise, known[exercise.id], reference, ended)


def check_equivalents(course: Course, exercise: Exercise) -> tuple[Problem, ...]:
    """Return what keeps an equivalents.yaml from being read."""
    try:
        read_equivalents(course, exercise)
    except DocumentError as error:
        return error.problems
    return ()


def _unread(course: Course, exercise: Exercise, problems: tuple[Problem, ...]) -> Survival:
    return Survival(
        exercise=exercise.id,
        reference=shown(course, exercise.folder / "reference.py"),
        mutants=0,
        killed=0,
        overdue=0,
        explained=0,
        survivors=(),
        problems=problems,
    )


_Ended = list[tuple[Mutant, Graded | NotGraded]]


def _with_patience(
    dispatcher: Dispatcher, exercise: Exercise, beside: dict[str, str], seed: int, ended: _Ended
) -> _Ended:
    """Grade once more, within the exercise's own limits, what a limit stopped: it may only have been slow."""
    late = [n for n, (_, ending) in enumerate(ended) if _outcome(ending) is Outcome.TIME_LIMIT]
    todo = [_job(exercise, beside | {f"{exercise.id}.py": ended[n][0].source}, seed) for n in late]
    again = dict(zip(late, dispatcher.grade(todo), strict=True)) if todo else {}
    return [(mutant, again.get(n, ending)) for n, (mutant, ending) in enumerate(ended)]


def read_equivalents(course: Course, exercise: Exercise) -> Document[EquivalentsDocument] | None:
    """Read the equivalents.yaml of an exercise, if it has one. Raises DocumentError."""
    path = exercise.folder / EQUIVALENTS
    if not path.is_file():
        return None
    return yaml_document.read(path, EquivalentsDocument, shown=shown(course, path))


def _tight(given: Limits) -> Limits:
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


def _survival(
    course: Course,
    exercise: Exercise,
    known: Document[EquivalentsDocument] | None,
    reference: Graded | NotGraded,
    ended: Sequence[tuple[Mutant, Graded | NotGraded]],
) -> Survival:
    path = shown(course, exercise.folder / "reference.py")
    problems = list(blamed(course, exercise, reference)) if isinstance(reference, NotGraded) else []
    if problems:
        ended, known = [], None  # what keeps the reference from being graded keeps its mutants from it
    elif _outcome(reference) is not Outcome.PASSED:
        message = "does not earn full marks itself, so its mutants prove nothing; run `grade check`"
        problems.append(Problem(path=path, message=message))
    outcomes = {mutant.id: _outcome(ending) for mutant, ending in ended}
    alive = [mutant for mutant, _ in ended if outcomes[mutant.id] is Outcome.PASSED]
    listed = {_key(entry) for entry in known.value.equivalents} if known else set()
    for mutant, ending in ended:
        if fault := _our_fault(ending):
            message = f"{mutant.id} could not be graded: {fault}"
            problems.append(Problem(path=path, line=mutant.line, column=mutant.column, message=message))
    if known:
        problems += _stale(known, [mutant for mutant, _ in ended], alive)
    return Survival(
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


def _our_fault(ending: Graded | NotGraded) -> str:
    """Return why a grading tells nothing about its mutant, or nothing: a broken check kills nobody."""
    if isinstance(ending, NotGraded):
        return ending.reason
    broken = (check for check in ending.result.checks if check.outcome is Outcome.INTERNAL_ERROR)
    return next((f"{check.id}: {check.rationale}" for check in broken), "")


def _key(described: Mutant | Equivalent) -> tuple[str, str, str]:
    """Return what a mutant and its entry share; line breaks and indentation are the author's to choose."""
    old, new = (" ".join(text.split()) for text in (described.old, described.new))
    return described.scope, old, new


def _stale(
    known: Document[EquivalentsDocument], made: Sequence[Mutant], spared: Sequence[Mutant]
) -> Iterator[Problem]:
    """Yield the entries that explain nothing: none of the mutants, one that is killed, or one explained before."""
    every, living = {_key(mutant) for mutant in made}, {_key(mutant) for mutant in spared}
    seen: set[tuple[str, str, str]] = set()
    for n, entry in enumerate(known.value.equivalents):
        key = _key(entry)
        if key in seen:
            yield known.problem(("equivalents", n), "stands here twice")
        elif key not in every:
            yield known.problem(("equivalents", n), f"matches no mutant of {entry.scope}; delete or mend it")
        elif key not in living:
            yield known.problem(
                ("equivalents", n), "is killed by a check, so it is not equivalent; delete it"
            )
        seen.add(key)

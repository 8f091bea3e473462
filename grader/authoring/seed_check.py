"""Checks suites with many seeds: the reference earns full marks each time, and every known mistake is caught.

The reference is graded with one thread of torch and with two. The share of its tolerance that each check uses is
measured as well: a check that comes near to its tolerance on this machine may fail on another.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from grader.authoring.reference_submissions import (
    mistake_modules,
    not_graded_problems,
    reference_modules,
)
from grader.authoring.source_lint import check_sources, definition_lines
from grader.authoring.tree_check import course_path
from grader.core.errors import Problem
from grader.core.model import Exercise, Outcome
from grader.course.catalog import Course
from grader.course.known_mistakes import Listed, read_mistakes
from grader.grading.dispatcher import Dispatcher, Ended, ignore_end
from grader.grading.messages import Graded, Job, NotGraded

# Threads of torch in the grading process and in the worker. With two, sums are computed in another order and differ in
# their last digits.
THREADS = (1, 2)
TIGHT_SHARE = 0.5
# Time limits are multiplied by this: speed is not what is checked here, and threads that share a core are slow.
_LIMIT_FACTOR = 10.0
# An exercise has about thirty known mistakes, so each is graded with fewer seeds than the reference.
MISTAKE_SEEDS = 5
_MAX_SEEDS_NAMED = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class SeedFindings:
    """What gradings with many seeds found in one exercise.

    `gradings` counts those of the reference, `mistakes_graded` those of known mistakes. `tolerance_used` maps each
    check to the largest share of its tolerance that the reference used, from 0 to 1.
    """

    exercise: str
    gradings: int
    mistakes_graded: int
    tolerance_used: dict[str, float]
    problems: tuple[Problem, ...]

    @property
    def passed(self) -> bool:
        """Tell whether there is no problem; a tight tolerance is a warning only."""
        return not self.problems

    @property
    def tight(self) -> dict[str, float]:
        """The checks that use more than TIGHT_SHARE of their tolerance."""
        return {check: share for check, share in self.tolerance_used.items() if share > TIGHT_SHARE}


@dataclass(frozen=True, slots=True)
class _SeedRun:
    seed: int
    threads: int

    def __str__(self) -> str:
        return f"{self.seed}" if self.threads == 1 else f"{self.seed} ({self.threads} threads)"


def check_seeds(
    course: Course,
    exercises: Sequence[Exercise],
    dispatcher: Dispatcher,
    seed: int,
    times: int,
    ended: Ended = ignore_end,
) -> Iterator[SeedFindings]:
    """Grade every reference with the seeds `seed`, ..., `seed + times - 1` and each number of threads.

    Every known mistake is graded with the first MISTAKE_SEEDS of them, each time until the first check that fails.
    Yields the findings per exercise, in order.
    """
    runs = [_SeedRun(seed + n, threads) for threads in THREADS for n in range(times)]
    seeds = range(seed, seed + min(times, MISTAKE_SEEDS))
    sources = {exercise.id: check_sources(course, exercise) for exercise in exercises}
    graded = [exercise for exercise in exercises if not sources[exercise.id]]
    mistakes = {
        exercise.id: [(m, s) for m in read_mistakes(exercise.folder / "mistakes.py") for s in seeds]
        for exercise in graded
    }
    references = reference_modules(course)
    todo: list[Job] = []
    for exercise in graded:
        todo += (_job(references, exercise, run) for run in runs)
        todo += (_mistaken_job(references, exercise, *pair) for pair in mistakes[exercise.id])
    endings = dispatcher.grade(todo, ended=ended)
    for exercise in exercises:
        if exercise not in graded:
            problems = tuple(sources[exercise.id])
            yield SeedFindings(
                exercise=exercise.id, gradings=0, mistakes_graded=0, tolerance_used={}, problems=problems
            )
            continue
        runs_ended = [(run, next(endings)) for run in runs]
        caught = [(mistake, n, next(endings)) for mistake, n in mistakes[exercise.id]]
        yield _findings(course, exercise, runs_ended, caught)


def _job(references: dict[str, str], exercise: Exercise, run: _SeedRun) -> Job:
    limits = replace(
        exercise.limits,
        call_limit_s=exercise.limits.call_limit_s * _LIMIT_FACTOR,
        check_limit_s=exercise.limits.check_limit_s * _LIMIT_FACTOR,
        exercise_limit_s=exercise.limits.exercise_limit_s * _LIMIT_FACTOR,
    )
    return Job(
        exercise=replace(exercise, limits=limits),
        module=exercise.id,
        sources=references,
        seed=run.seed,
        explain=False,
        threads=run.threads,
        measure=True,
    )


def _mistaken_job(references: Mapping[str, str], exercise: Exercise, mistake: Listed, seed: int) -> Job:
    return Job(
        exercise=exercise,
        module=exercise.id,
        sources={**references, **mistake_modules(exercise, mistake)},
        seed=seed,
        explain=False,
        first_failure=True,
    )


def _findings(
    course: Course,
    exercise: Exercise,
    ended: Sequence[tuple[_SeedRun, Graded | NotGraded]],
    tried: Sequence[tuple[Listed, int, Graded | NotGraded]],
) -> SeedFindings:
    used: dict[str, float] = {}
    failed: dict[str, list[tuple[_SeedRun, str]]] = {}
    for run, ending in ended:
        for check, reason in _failures(ending):
            failed.setdefault(check, []).append((run, reason))
        if isinstance(ending, Graded):
            for check, share in ending.tolerance_used.items():
                used[check] = max(share, used.get(check, 0.0))
    suite = definition_lines(course, exercise.suite)
    problems = _not_graded_lines(course, exercise, ended) or [
        suite.problem(_failure_message(check, failures, len(ended)), check)
        for check, failures in failed.items()
    ]
    if not any(isinstance(ending, Graded) for _, ending in ended):
        tried = []  # the mistakes could not be graded either, for the same reason
    return SeedFindings(
        exercise=exercise.id,
        gradings=len(ended),
        mistakes_graded=len(tried),
        tolerance_used=used,
        problems=(*problems, *_missed_mistakes(course_path(course, exercise.folder / "mistakes.py"), tried)),
    )


def _not_graded_lines(
    course: Course, exercise: Exercise, ended: Sequence[tuple[_SeedRun, Graded | NotGraded]]
) -> list[Problem]:
    """Return the lines of the exercise that prevented the grading of its reference, each once."""
    found = [
        not_graded_problems(course, exercise, ending) for _, ending in ended if isinstance(ending, NotGraded)
    ]
    return list(dict.fromkeys(problem for problems in found for problem in problems))


def _missed_mistakes(path: str, tried: Sequence[tuple[Listed, int, Graded | NotGraded]]) -> Iterator[Problem]:
    """Yield each known mistake that no check catches with some seed, with these seeds."""
    found: dict[Listed, list[str]] = {}
    for mistake, seed, ending in tried:
        if isinstance(ending, NotGraded):
            found.setdefault(mistake, []).append(f"{seed} (not graded: {ending.reason})")
        elif ending.result.outcome is Outcome.PASSED:
            found.setdefault(mistake, []).append(f"{seed}")
    for mistake, seeds in found.items():
        message = f"{mistake.id} is missed with seed {', '.join(seeds)}"
        yield Problem(path=path, line=mistake.line, column=1, message=message)


def _failures(ending: Graded | NotGraded) -> Iterator[tuple[str, str]]:
    """Yield each check that failed, with its rationale; skipped checks are left out."""
    if isinstance(ending, NotGraded):
        yield "the grading", ending.reason
        return
    result = ending.result
    if result.message:
        yield "the grading", result.message
    for check in result.checks:
        if check.outcome not in (Outcome.PASSED, Outcome.SKIPPED):
            yield check.id, check.rationale


def _failure_message(check: str, failures: Sequence[tuple[_SeedRun, str]], gradings: int) -> str:
    seeds = ", ".join(str(run) for run, _ in failures[:_MAX_SEEDS_NAMED])
    seeds += ", ..." if len(failures) > _MAX_SEEDS_NAMED else ""
    reason = failures[0][1]
    return f"{check} fails in {len(failures)} of {gradings} gradings of the reference, with seed {seeds}: {reason}"

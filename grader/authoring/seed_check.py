"""Proves suites steady, whatever is drawn: the reference earns full marks, and every known mistake is caught.

The reference is graded with one thread of torch and with more. It also tells how much of its tolerance each check
uses: what comes near to it on this machine fails on another.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from grader.authoring.reference_submissions import blamed, mistaken, reference_of, solved
from grader.authoring.source_lint import check_sources, places
from grader.authoring.tree_check import shown
from grader.core.errors import Problem
from grader.core.model import Exercise, Outcome
from grader.course.catalog import Course
from grader.course.known_mistakes import Listed, read_mistakes
from grader.grading.dispatcher import Dispatcher
from grader.grading.messages import Graded, Job, NotGraded

# Of torch, on both sides. With two, sums are added in another order, and differ in their last digits.
THREADS = (1, 2)
TIGHT = 0.5
# Time is not what is looked at, and threads that share a core wait for each other.
_PATIENCE = 10.0
MISTAKE_SEEDS = 5  # an exercise has about thirty known mistakes, so they get fewer seeds than the reference


@dataclass(frozen=True, slots=True, kw_only=True)
class Steadiness:
    """What repeated gradings found. `tolerance_used` maps checks to the largest share of it the reference used."""

    exercise: str
    gradings: int
    mistaken: int
    tolerance_used: dict[str, float]
    problems: tuple[Problem, ...]

    @property
    def is_sound(self) -> bool:
        """Tell whether nothing is wrong."""
        return not self.problems

    @property
    def tight(self) -> dict[str, float]:
        """The checks that use more than TIGHT of their tolerance."""
        return {check: share for check, share in self.tolerance_used.items() if share > TIGHT}


@dataclass(frozen=True, slots=True)
class _Run:
    seed: int
    threads: int

    def __str__(self) -> str:
        return f"{self.seed}" if self.threads == 1 else f"{self.seed} ({self.threads} threads)"


def check_repeatedly(
    course: Course, exercises: Sequence[Exercise], dispatcher: Dispatcher, seed: int, times: int
) -> Iterator[Steadiness]:
    """Grade every reference with `times` seeds from `seed` on and each number of threads; yield in order.

    Every known mistake is graded with the first few of the seeds, each time until the first check that fails.
    """
    runs = [_Run(seed + n, threads) for threads in THREADS for n in range(times)]
    seeds = range(seed, seed + min(times, MISTAKE_SEEDS))
    sources = {exercise.id: check_sources(course, exercise) for exercise in exercises}
    graded = [exercise for exercise in exercises if not sources[exercise.id]]
    mistakes = {
        exercise.id: [(m, s) for m in read_mistakes(exercise.folder / "mistakes.py") for s in seeds]
        for exercise in graded
    }
    beside = solved(course)
    todo: list[Job] = []
    for exercise in graded:
        todo += (_job(beside, exercise, run) for run in runs)
        todo += (_mistaken_job(beside, exercise, *pair) for pair in mistakes[exercise.id])
    endings = dispatcher.grade(todo)
    for exercise in exercises:
        if exercise not in graded:
            problems = tuple(sources[exercise.id])
            yield Steadiness(
                exercise=exercise.id, gradings=0, mistaken=0, tolerance_used={}, problems=problems
            )
            continue
        ended = [(run, next(endings)) for run in runs]
        caught = [(mistake, n, next(endings)) for mistake, n in mistakes[exercise.id]]
        yield _steadiness(course, exercise, ended, caught)


def _job(beside: Mapping[str, str], exercise: Exercise, run: _Run) -> Job:
    lines = ("import torch", f"torch.set_num_threads({run.threads})", "from reference import *")
    limits = replace(
        exercise.limits,
        call_limit_s=exercise.limits.call_limit_s * _PATIENCE,
        check_limit_s=exercise.limits.check_limit_s * _PATIENCE,
        exercise_limit_s=exercise.limits.exercise_limit_s * _PATIENCE,
    )
    return Job(
        exercise=replace(exercise, limits=limits),
        module=exercise.id,
        sources={**beside, f"{exercise.id}.py": "\n".join(lines), "reference.py": reference_of(exercise)},
        seed=run.seed,
        explain=False,
        threads=run.threads,
        measure=True,
    )


def _mistaken_job(beside: Mapping[str, str], exercise: Exercise, mistake: Listed, seed: int) -> Job:
    return Job(
        exercise=exercise,
        module=exercise.id,
        sources={**beside, **mistaken(exercise, mistake)},
        seed=seed,
        explain=False,
        first_failure=True,
    )


def _steadiness(
    course: Course,
    exercise: Exercise,
    ended: Sequence[tuple[_Run, Graded | NotGraded]],
    tried: Sequence[tuple[Listed, int, Graded | NotGraded]],
) -> Steadiness:
    used: dict[str, float] = {}
    failed: dict[str, list[tuple[_Run, str]]] = {}
    for run, ending in ended:
        for check, reason in _failures(ending):
            failed.setdefault(check, []).append((run, reason))
        if isinstance(ending, Graded):
            for check, share in ending.tolerance_used.items():
                used[check] = max(share, used.get(check, 0.0))
    suite = places(course, exercise.suite)
    problems = _blamed(course, exercise, ended) or [
        suite.problem(_told(check, failures, len(ended)), check) for check, failures in failed.items()
    ]
    if not any(isinstance(ending, Graded) for _, ending in ended):
        tried = []  # what keeps the reference from being graded keeps them from it too
    return Steadiness(
        exercise=exercise.id,
        gradings=len(ended),
        mistaken=len(tried),
        tolerance_used=used,
        problems=(*problems, *_missed(shown(course, exercise.folder / "mistakes.py"), tried)),
    )


def _blamed(
    course: Course, exercise: Exercise, ended: Sequence[tuple[_Run, Graded | NotGraded]]
) -> list[Problem]:
    """Return the lines of the exercise that kept its reference from being graded at all."""
    told = [blamed(course, exercise, ending) for _, ending in ended if isinstance(ending, NotGraded)]
    return list(dict.fromkeys(problem for problems in told for problem in problems))


def _missed(path: str, tried: Sequence[tuple[Listed, int, Graded | NotGraded]]) -> Iterator[Problem]:
    """Yield each known mistake that some seed lets through, with its seeds."""
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
    """Yield what did not pass, and why; the checks that only waited for another are left out."""
    if isinstance(ending, NotGraded):
        yield "the grading", ending.reason
        return
    result = ending.result
    if result.message:
        yield "the grading", result.message
    for check in result.checks:
        if check.outcome not in (Outcome.PASSED, Outcome.SKIPPED):
            yield check.id, check.rationale


def _told(check: str, failures: Sequence[tuple[_Run, str]], gradings: int) -> str:
    seeds = ", ".join(str(run) for run, _ in failures[:8]) + (", ..." if len(failures) > 8 else "")
    reason = failures[0][1]
    return f"{check} fails in {len(failures)} of {gradings} gradings of the reference, with seed {seeds}: {reason}"

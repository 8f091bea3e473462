"""Proves suites steady: the reference earns full marks whatever is drawn, with one thread of torch and with more.

It also tells how much of its tolerance each check uses: what comes near to it on this machine fails on another.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from grader.catalog import Course
from grader.content.tree import shown
from grader.dispatch import Dispatcher
from grader.errors import Problem
from grader.jobs import Graded, Job, NotGraded
from grader.model import Exercise, Outcome

# Of torch, on both sides. With two, sums are added in another order, and differ in their last digits.
THREADS = (1, 2)
TIGHT = 0.5
# Time is not what is looked at, and threads that share a core wait for each other.
_PATIENCE = 10.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Steadiness:
    """What repeated gradings of one reference found. `tolerance_used` maps checks to their largest share of it."""

    exercise: str
    gradings: int
    tolerance_used: dict[str, float]
    problems: tuple[Problem, ...]

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
    """Grade every reference with `times` seeds from `seed` on, and with each number of threads; yield in order."""
    runs = [_Run(seed + n, threads) for threads in THREADS for n in range(times)]
    graded = dispatcher.grade([_job(exercise, run) for exercise in exercises for run in runs])
    for exercise in exercises:
        yield _steadiness(course, exercise, [(run, next(graded)) for run in runs])


def _job(exercise: Exercise, run: _Run) -> Job:
    reference = (exercise.folder / "reference.py").read_text(encoding="utf-8")
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
        sources={f"{exercise.id}.py": "\n".join(lines), "reference.py": reference},
        seed=run.seed,
        explain=False,
        threads=run.threads,
        measure=True,
    )


def _steadiness(
    course: Course, exercise: Exercise, ended: Sequence[tuple[_Run, Graded | NotGraded]]
) -> Steadiness:
    used: dict[str, float] = {}
    failed: dict[str, list[tuple[_Run, str]]] = {}
    for run, ending in ended:
        for check, reason in _failures(ending):
            failed.setdefault(check, []).append((run, reason))
        if isinstance(ending, Graded):
            for check, share in ending.tolerance_used.items():
                used[check] = max(share, used.get(check, 0.0))
    path = shown(course, exercise.folder / f"test_{exercise.id}.py")
    problems = tuple(Problem(path=path, message=_told(*item, len(ended))) for item in failed.items())
    return Steadiness(exercise=exercise.id, gradings=len(ended), tolerance_used=used, problems=problems)


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

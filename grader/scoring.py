"""Points arithmetic: from checks to an exercise, from exercises and quizzes to a report."""

import math
from collections.abc import Sequence
from dataclasses import replace

from grader.model import (
    CheckResult,
    Exercise,
    ExerciseResult,
    Frame,
    Isolation,
    Outcome,
    QuizResult,
    Report,
    Versions,
)


def exercise_result(
    exercise: Exercise,
    checks: Sequence[CheckResult],
    *,
    outcome: Outcome | None = None,
    message: str = "",
    traceback: tuple[Frame, ...] = (),
    output: str = "",
    duration_s: float = 0.0,
) -> ExerciseResult:
    """Sum up the checks of an exercise; `outcome` is given where no check could run.

    The outcome is the most severe one of its checks, except that a part not yet written counts as failed
    once another part was: only an exercise in which nothing was attempted is "not attempted". A failure of
    ours voids its check: its points leave both sums.
    """
    counted = [check for check in checks if check.outcome is not Outcome.INTERNAL_ERROR]
    void = sum(check.max_points for check in checks) - sum(check.max_points for check in counted)
    whole_void = not checks and outcome is Outcome.INTERNAL_ERROR
    return ExerciseResult(
        id=exercise.id,
        title=exercise.title,
        outcome=outcome or _outcome(checks),
        points=math.fsum(check.points for check in counted),
        max_points=0.0 if whole_void else exercise.points - void,
        checks=tuple(checks),
        message=message,
        traceback=traceback,
        output=output,
        duration_s=duration_s,
    )


def _outcome(checks: Sequence[CheckResult]) -> Outcome:
    outcomes = {check.outcome for check in checks}
    if Outcome.NOT_ATTEMPTED in outcomes and outcomes - {Outcome.NOT_ATTEMPTED, Outcome.SKIPPED}:
        outcomes = outcomes - {Outcome.NOT_ATTEMPTED} | {Outcome.FAILED}
    return min(outcomes, key=lambda outcome: outcome.severity)


def report(
    exercises: Sequence[ExerciseResult],
    quizzes: Sequence[QuizResult],
    *,
    isolation: Isolation,
    versions: Versions,
    seed: int,
) -> Report:
    """Add everything up. The score is points / max_points; 0 where there is nothing to earn."""
    parts = [*exercises, *quizzes]
    points = math.fsum(part.points for part in parts)
    max_points = math.fsum(part.max_points for part in parts)
    return Report(
        points=points,
        max_points=max_points,
        score=points / max_points if max_points else 0.0,
        isolation=isolation,
        versions=versions,
        seed=seed,
        exercises=tuple(exercises),
        quizzes=tuple(quizzes),
    )


def has_internal_error(graded: Report) -> bool:
    """Tell whether any part could not be graded through a fault of ours."""
    return any(
        Outcome.INTERNAL_ERROR in {exercise.outcome, *(check.outcome for check in exercise.checks)}
        for exercise in graded.exercises
    )


def meets(graded: Report, fail_under_percent: float) -> bool:
    """Tell whether the score is at least this many percent."""
    return graded.points * 100 >= fail_under_percent * graded.max_points - 1e-9


def without_times(graded: Report) -> Report:
    """Return the report with all durations set to zero: what two gradings of one submission must agree on."""
    exercises = (
        replace(
            exercise,
            duration_s=0.0,
            checks=tuple(replace(check, duration_s=0.0) for check in exercise.checks),
        )
        for exercise in graded.exercises
    )
    return replace(graded, exercises=tuple(exercises))

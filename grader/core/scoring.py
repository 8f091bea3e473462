"""Points arithmetic: from checks to an exercise, from exercises and quizzes to a report.

Points of exercises are sums of quarters, which floats hold exactly; those of quizzes may be thirds. Nothing is rounded.
An error in the grader voids the exercise: it keeps its max_points and has 0 points, whatever its checks earned. So the
sums are a lower bound, which such an error never raises, and the report is not final: nothing publishes them as a mark.
"""

import math
from collections.abc import Sequence
from dataclasses import replace
from fractions import Fraction

from grader.core.model import (
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

    The outcome is the most severe one. Without any, nothing was graded, and that is an internal error.
    An internal error voids the whole exercise, as other checks may depend on the one that could not be graded:
    it has 0 of its points, whatever the checks earned, until it is graded again.
    """
    ended = most_severe({check.outcome for check in checks} | ({outcome} if outcome else set()))
    void = ended is Outcome.INTERNAL_ERROR
    return ExerciseResult(
        id=exercise.id,
        title=exercise.title,
        outcome=ended,
        points=0.0 if void else math.fsum(check.points for check in checks),
        max_points=exercise.points,
        checks=tuple(checks),
        message=message,
        traceback=traceback,
        output=output,
        duration_s=duration_s,
    )


def most_severe(outcomes: set[Outcome]) -> Outcome:
    """Return the most severe outcome; "not attempted" counts as failed if anything else was attempted."""
    if Outcome.NOT_ATTEMPTED in outcomes and outcomes - {Outcome.NOT_ATTEMPTED, Outcome.SKIPPED}:
        outcomes = outcomes - {Outcome.NOT_ATTEMPTED} | {Outcome.FAILED}
    return min(outcomes, key=lambda outcome: outcome.severity, default=Outcome.INTERNAL_ERROR)


def total(exercises: Sequence[ExerciseResult], quizzes: Sequence[QuizResult]) -> tuple[float, float, float]:
    """Return points, max_points and score: 1.0 only if all points were earned, 0.0 if max_points is 0."""
    parts: list[ExerciseResult | QuizResult] = [*exercises, *quizzes]
    points = math.fsum(part.points for part in parts)
    max_points = math.fsum(part.max_points for part in parts)
    return points, max_points, points / max_points if max_points else 0.0


def report(
    exercises: Sequence[ExerciseResult],
    quizzes: Sequence[QuizResult],
    *,
    isolation: Isolation,
    versions: Versions,
    seed: int,
) -> Report:
    """Return the report on exercises and quizzes, with their total."""
    points, max_points, score = total(exercises, quizzes)
    return Report(
        points=points,
        max_points=max_points,
        score=score,
        isolation=isolation,
        versions=versions,
        seed=seed,
        exercises=tuple(exercises),
        quizzes=tuple(quizzes),
    )


def meets(graded: Report, fail_under_percent: float = 100.0) -> bool:
    """Return whether the score is at least this many percent; where max_points is 0, the score is 0.

    A report that is not final has no score, and meets nothing.
    Where every check with points is hidden, the threshold is met unless a shown one failed.
    The threshold is compared exactly, as it was typed: 37 of 1000 points are 3.7 percent, though not in floats.
    """
    if not graded.final:
        return False
    if not graded.max_points and any(exercise.hidden is not None for exercise in graded.exercises):
        return fail_under_percent <= 0 or all(exercise.is_full for exercise in graded.exercises)
    if not graded.max_points:
        return fail_under_percent <= 0
    score = Fraction(graded.points) / Fraction(graded.max_points)
    return score * 100 >= Fraction(str(fail_under_percent))


def without_times(graded: Report) -> Report:
    """Return the report with all durations set to zero: two gradings of one submission must be equal in the rest."""
    return replace(graded, exercises=tuple(map(without_time, graded.exercises)))


def without_time(result: ExerciseResult) -> ExerciseResult:
    """Return the result of an exercise with all durations set to zero."""
    checks = tuple(replace(check, duration_s=0.0) for check in result.checks)
    return replace(result, duration_s=0.0, checks=checks)

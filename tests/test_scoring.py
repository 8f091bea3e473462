"""Points arithmetic: outcomes, voiding, totals and the threshold."""

from pathlib import Path

import pytest

from grader.core import scoring
from grader.core.model import (
    CheckResult,
    Exercise,
    ExerciseResult,
    Isolation,
    Outcome,
    QuizResult,
    Report,
    Versions,
)


def exercise(points: float = 4.0) -> Exercise:
    return Exercise(
        id="pooling",
        title="Pooling by hand",
        section="4",
        points=points,
        names=("max_pool2d",),
        hints=(),
        objectives=(),
        source="",
        stub=Path("exercises/pooling.py"),
        folder=Path("solutions/pooling"),
    )


def check(outcome: Outcome, points: float = 0.0, max_points: float = 2.0) -> CheckResult:
    return CheckResult(
        id=f"test_{outcome}", title="A title", outcome=outcome, points=points, max_points=max_points
    )


def graded(*parts: ExerciseResult, quizzes: tuple[QuizResult, ...] = ()) -> Report:
    versions = Versions(grader="0", torch="2", python="3.11")
    return scoring.report(parts, quizzes, isolation=Isolation(level=3), versions=versions, seed=0)


def earned(points: float, max_points: float) -> ExerciseResult:
    rest = [check(Outcome.FAILED, 0.0, max_points - points)] if points < max_points else []
    return scoring.exercise_result(
        exercise(max_points), [check(Outcome.PASSED, points, points), *rest], duration_s=1.5
    )


def quiz(points: float, max_points: float) -> QuizResult:
    return QuizResult(id="pooling", title="Pooling", points=points, max_points=max_points)


def test_an_exercise_passes_only_if_all_checks_pass() -> None:
    result = scoring.exercise_result(exercise(), [check(Outcome.PASSED, 2.0), check(Outcome.PASSED, 2.0)])
    assert (result.outcome, result.points, result.max_points) == (Outcome.PASSED, 4.0, 4.0)
    result = scoring.exercise_result(exercise(), [check(Outcome.PASSED, 2.0), check(Outcome.FAILED)])
    assert (result.outcome, result.points, result.max_points) == (Outcome.FAILED, 2.0, 4.0)


@pytest.mark.parametrize("outcome", [o for o in Outcome if o is not Outcome.NOT_ATTEMPTED])
def test_the_most_severe_outcome_wins_whatever_the_order(outcome: Outcome) -> None:
    milder = [o for o in Outcome if o.severity > outcome.severity and o is not Outcome.NOT_ATTEMPTED]
    checks = [check(o) for o in [*milder, outcome]]
    assert scoring.exercise_result(exercise(), checks).outcome is outcome
    assert scoring.exercise_result(exercise(), checks[::-1]).outcome is outcome


def test_a_skipped_check_never_makes_an_exercise_worse_than_its_cause() -> None:
    checks = [check(Outcome.FAILED), check(Outcome.SKIPPED)]
    assert scoring.exercise_result(exercise(), checks).outcome is Outcome.FAILED


def test_an_exercise_is_not_attempted_only_if_nothing_in_it_was() -> None:
    nothing = [check(Outcome.NOT_ATTEMPTED), check(Outcome.SKIPPED)]
    assert scoring.exercise_result(exercise(), nothing).outcome is Outcome.NOT_ATTEMPTED
    begun = [check(Outcome.PASSED, 2.0), check(Outcome.NOT_ATTEMPTED)]
    assert scoring.exercise_result(exercise(), begun).outcome is Outcome.FAILED


def test_an_internal_error_voids_its_exercise_and_nothing_else() -> None:
    void = scoring.exercise_result(
        exercise(6.0),
        [check(Outcome.PASSED, 2.0), check(Outcome.INTERNAL_ERROR), check(Outcome.SKIPPED)],
    )
    assert (void.outcome, void.points, void.max_points) == (Outcome.INTERNAL_ERROR, 0.0, 6.0)
    report = graded(void, earned(4.0, 4.0))
    assert (report.points, report.max_points, report.score) == (4.0, 10.0, 0.4)
    assert not report.final
    assert graded(earned(1.0, 4.0)).final


def test_a_report_that_is_not_final_meets_no_threshold() -> None:
    void = scoring.exercise_result(exercise(1.0), ())
    assert not scoring.meets(graded(void, earned(99.0, 99.0)), 50)
    assert not scoring.meets(graded(void), 0)


def test_without_checks_the_given_outcome_stands() -> None:
    result = scoring.exercise_result(exercise(), (), outcome=Outcome.RAISED, message="It does not load.")
    assert (result.outcome, result.points, result.max_points) == (Outcome.RAISED, 0.0, 4.0)
    assert result.message == "It does not load."


def test_without_checks_and_outcome_nothing_was_graded() -> None:
    assert scoring.exercise_result(exercise(), ()).outcome is Outcome.INTERNAL_ERROR


def test_a_given_outcome_cannot_hide_a_more_severe_one() -> None:
    result = scoring.exercise_result(exercise(), [check(Outcome.TAMPERING)], outcome=Outcome.FAILED)
    assert result.outcome is Outcome.TAMPERING


def test_quarter_points_and_tenths_add_up_without_rounding() -> None:
    quarters = [earned(0.25, 0.75) for _ in range(40)]
    assert scoring.total(quarters, [quiz(2.5, 2.5)]) == (12.5, 32.5, 12.5 / 32.5)
    tenths = [check(Outcome.PASSED, 0.1, 0.1) for _ in range(10)]
    assert scoring.exercise_result(exercise(1.0), tenths).points == 1.0


def test_the_score_is_one_only_if_all_points_were_earned() -> None:
    assert scoring.total([earned(4.0, 4.0)], [quiz(6.0, 6.0)])[2] == 1.0
    assert scoring.total([earned(99_999.75, 100_000.0)], [])[2] < 1.0


def test_where_nothing_can_be_earned_the_score_is_zero() -> None:
    assert scoring.total([], []) == (0.0, 0.0, 0.0)
    assert not scoring.meets(graded(), 100)
    assert not scoring.meets(graded(), 0.5)
    assert scoring.meets(graded(), 0)


@pytest.mark.parametrize(
    ("points", "max_points", "percent", "met"),
    [
        (10.0, 10.0, 100.0, True),
        (9.75, 10.0, 100.0, False),
        (99_999.75, 100_000.0, 100.0, False),
        (37.0, 1000.0, 3.7, True),  # in floats, 37 / 1000 * 100 is less than 3.7
        (36.75, 1000.0, 3.7, False),
        (0.0, 10.0, 0.0, True),
    ],
)
def test_the_threshold_is_compared_exactly(
    points: float, max_points: float, percent: float, met: bool
) -> None:
    assert scoring.meets(graded(earned(points, max_points)), percent) is met


def test_the_threshold_is_full_marks_by_default() -> None:
    assert scoring.meets(graded(earned(4.0, 4.0)))
    assert not scoring.meets(graded(earned(3.75, 4.0)))


def test_two_gradings_that_differ_in_time_alone_are_equal_without_times() -> None:
    report = graded(earned(1.0, 4.0))
    bare = scoring.without_times(report)
    assert bare != report
    assert all(part.duration_s == 0.0 for part in bare.exercises)
    assert (bare.points, bare.exercises[0].checks[0].id) == (1.0, "test_passed")

"""A report as its students may see it: details and checks that are not revealed are removed, hidden checks counted.

A report is graded and stored whole. How much of it is shown is decided each time it is shown. Pure functions.
"""

import math
from collections.abc import Mapping
from dataclasses import replace

from grader.core import scoring
from grader.core.model import CheckResult, ExerciseResult, Hidden, Outcome, Report, Reveal, Seen

WITHHELD = "This check keeps its details to itself."
_WAITS = "Waits for a check that you cannot see."
_VOID = "This part could not be graded, through an error in the grader."
_ALL = Seen()


def shown(report: Report, seen: Mapping[str, Seen]) -> Report:
    """Return the report as its students see it. `seen` says how much of an exercise, by id; of others they see all."""
    exercises = tuple(shown_exercise(result, seen.get(result.id, _ALL)) for result in report.exercises)
    return _with(report, exercises)


def unseen(report: Report, seen: Mapping[str, Seen]) -> Report:
    """Return the checks that `shown` removes, whole, in their exercises: for instructors."""
    exercises = tuple(
        replace(result, checks=secret, message="", traceback=(), output="")
        for result in report.exercises
        if (secret := _secret(result, seen.get(result.id, _ALL)))
    )
    return replace(_with(report, exercises), quizzes=())


def _with(report: Report, exercises: tuple[ExerciseResult, ...]) -> Report:
    points, max_points, score = scoring.total(exercises, report.quizzes)
    return replace(report, exercises=exercises, points=points, max_points=max_points, score=score)


def shown_exercise(result: ExerciseResult, seen: Seen) -> ExerciseResult:
    """Return the result of one exercise as its students see it. A result that was redacted before stays as it is."""
    if result.hidden is not None:
        return result
    secret = _secret(result, seen)
    if not result.checks:
        return _without_checks(result, seen)
    if not secret and all(seen.of(check.id) is Reveal.ALL for check in result.checks):
        return result
    titles = {check.title for check in secret}
    checks = tuple(_shown_check(check, seen, titles) for check in result.checks if check not in secret)
    # Output, message and traceback belong to all checks together, and a print shows what a hidden check asks for.
    visible = replace(result, checks=checks, message="", traceback=(), output="")
    if not secret:
        return visible
    hidden = Hidden(checks=len(secret), max_points=math.fsum(check.max_points for check in secret))
    void = result.is_void
    outcome = scoring.most_severe({check.outcome for check in checks}) if checks else Outcome.SKIPPED
    return replace(
        visible,
        message=_VOID if void else "",
        outcome=Outcome.INTERNAL_ERROR if void else outcome,
        points=0.0 if void else math.fsum(check.points for check in checks),
        max_points=max(
            0.0, result.max_points - hidden.max_points
        ),  # an older report has 0 of a void exercise
        duration_s=math.fsum(check.duration_s for check in checks),
        hidden=hidden,
    )


def _secret(result: ExerciseResult, seen: Seen) -> tuple[CheckResult, ...]:
    return tuple(check for check in result.checks if seen.of(check.id) is Reveal.NOTHING)


def _without_checks(result: ExerciseResult, seen: Seen) -> ExerciseResult:
    """Subtract the hidden points where no check ran. Why none ran is shown, unless it was an error in the grader."""
    if seen.hidden is None:
        return result
    message = _VOID if result.is_void else result.message
    max_points = max(0.0, result.max_points - seen.hidden.max_points)
    return replace(result, message=message, max_points=max_points, hidden=seen.hidden)


def _shown_check(check: CheckResult, seen: Seen, secret_titles: set[str]) -> CheckResult:
    if check.outcome is Outcome.SKIPPED and check.rationale in {
        f"Waits for: {title}." for title in secret_titles
    }:
        return replace(check, rationale=_WAITS)
    if seen.of(check.id) is Reveal.ALL or check.outcome in (Outcome.PASSED, Outcome.SKIPPED):
        return check
    return replace(
        check,
        rationale=WITHHELD,
        counterexample=None,
        picture=None,
        diagnosis=None,
        traceback=(),
        passage=None,
    )

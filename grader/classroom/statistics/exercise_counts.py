"""Summarizes the exercises of a class and their checks."""

from collections import Counter
from collections.abc import Iterable, Sequence

from grader.classroom.statistics.distribution import spread
from grader.classroom.statistics.gathering import StudentRecord, attempted
from grader.classroom.statistics.summary_records import CheckSummary, ExerciseSummary, Share, Tally
from grader.core.model import ExerciseResult, Outcome
from grader.course.catalog import Course


def exercises(students: Sequence[StudentRecord], course: Course) -> tuple[ExerciseSummary, ...]:
    """Return every exercise in any attempt: in the order of the course, then those that it no longer has."""
    found: dict[str, list[ExerciseResult]] = {exercise.id: [] for exercise in course.exercises}
    for student in students:
        for result in student.exercises:
            found.setdefault(result.id, []).append(result)
    return tuple(_exercise(results) for results in found.values() if results)


def _exercise(results: Sequence[ExerciseResult]) -> ExerciseSummary:
    scores = [result.points / result.max_points for result in results if result.max_points]
    outcomes = [result.outcome for result in results]
    return ExerciseSummary(
        id=results[-1].id,
        title=results[-1].title,
        max_points=max(result.max_points for result in results),
        graded=len(results),
        full=_share(outcomes, Outcome.PASSED),
        not_attempted=_share(outcomes, Outcome.NOT_ATTEMPTED),
        unexplained=Share(count=sum(map(_unexplained, results)), of=len(results)),
        scores=spread(scores),
        seconds=spread([result.duration_s for result in results if attempted(result)]),
        tallies=_tallies(outcomes),
        checks=_checks(results),
    )


def _share(outcomes: Sequence[Outcome], wanted: Outcome) -> Share:
    return Share(count=outcomes.count(wanted), of=len(outcomes))


def _tallies(outcomes: Iterable[Outcome]) -> tuple[Tally, ...]:
    counted = Counter(outcomes)
    return tuple(Tally(outcome=outcome, count=counted[outcome]) for outcome in Outcome if counted[outcome])


def _unexplained(result: ExerciseResult) -> bool:
    wrong = any(check.outcome is Outcome.FAILED for check in result.checks)
    return wrong and attempted(result) and not any(check.diagnosis for check in result.checks)


def _checks(results: Sequence[ExerciseResult]) -> tuple[CheckSummary, ...]:
    """Return every check. Where the suite has changed, a student is counted only for the checks of their suite."""
    longest_first = sorted(results, key=lambda result: -len(result.checks))
    known = dict.fromkeys(check.id for result in longest_first for check in result.checks)
    latest = {check.id: check for result in results for check in result.checks}
    outcomes: dict[str, list[Outcome]] = {name: [] for name in known}
    for result in results:
        outcome_of = {check.id: check.outcome for check in result.checks} or dict.fromkeys(
            known, result.outcome
        )
        for name, outcome in outcome_of.items():
            outcomes[name].append(outcome)
    return tuple(
        CheckSummary(
            id=name,
            title=latest[name].title,
            max_points=latest[name].max_points,
            passed=_share(found, Outcome.PASSED),
            not_attempted=_share(found, Outcome.NOT_ATTEMPTED),
            tallies=_tallies(found),
        )
        for name, found in outcomes.items()
    )

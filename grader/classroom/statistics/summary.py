"""Builds the summary of a class from its gradebook."""

import math
from collections import Counter
from collections.abc import Collection, Sequence
from datetime import date, tzinfo

from grader.classroom.gradebook import Gradebook
from grader.classroom.late_policy import Policy
from grader.classroom.statistics.distribution import histogram, spread
from grader.classroom.statistics.exercise_counts import exercises
from grader.classroom.statistics.gathering import StudentRecord, attempted, gather
from grader.classroom.statistics.item_analysis import quizzes
from grader.classroom.statistics.mistake_counts import misconceptions, mistakes
from grader.classroom.statistics.summary_records import ClassSummary, Day, StudentSummary
from grader.core.errors import InternalError, UsageError
from grader.course.catalog import Course


def summarize(
    book: Gradebook,
    course: Course,
    policy: Policy,
    *,
    title: str,
    chosen: Collection[str] = (),
    zone: tzinfo | None = None,
) -> ClassSummary:
    """Return the summary of a class, or of the chosen exercises of it.

    Times are in `zone`, by default that of this machine. Raises UsageError where there is no attempt, InternalError
    where every attempt is void.
    """
    found, void = gather(book, policy, chosen)
    scores = spread([student.mark.score for student in found])
    seconds = spread([math.fsum(result.duration_s for result in student.exercises) for student in found])
    if scores is None or seconds is None:
        of_exercises = f" of {', '.join(sorted(chosen))}" if chosen else ""
        if void:
            raise InternalError(
                f"No attempt{of_exercises} in {title} could be graded in full. Run `grade regrade`."
            )
        raise UsageError(
            f"{title} holds no attempt{of_exercises}. `grade class SUBMISSIONS --gradebook FILE` adds them."
        )
    return ClassSummary(
        title=title,
        keep=policy.keep,
        due=policy.due.astimezone(zone) if policy.due else None,
        students=tuple(_student(student, zone) for student in found),
        void=tuple(void),
        max_points=max(student.mark.max_points for student in found),
        scores=scores,
        histogram=histogram([student.mark.score for student in found]),
        hand_ins=tuple(sorted(Counter(len(student.times) for student in found).items())),
        days=_days(found, policy, zone),
        seconds=seconds,
        exercises=exercises(found, course),
        mistakes=mistakes(found, course),
        misconceptions=misconceptions(found),
        quizzes=quizzes(found, course),
    )


def _student(found: StudentRecord, zone: tzinfo | None) -> StudentSummary:
    mark = found.mark
    return StudentSummary(
        student=found.student,
        hand_ins=len(found.times),
        first=found.times[0].astimezone(zone),
        last=found.times[-1].astimezone(zone),
        number=mark.number,
        points=mark.points,
        max_points=mark.max_points,
        score=mark.score,
        days_late=mark.days_late,
        penalty_percent=mark.penalty_percent,
        begun=found.answered or any(map(attempted, found.exercises)),
    )


def _days(found: Sequence[StudentRecord], policy: Policy, zone: tzinfo | None) -> tuple[Day, ...]:
    counted: Counter[date] = Counter()
    late: Counter[date] = Counter()
    for student, time in ((record.student, time) for record in found for time in record.times):
        day = time.astimezone(zone).date()
        counted[day] += 1
        late[day] += policy.days_late(time, student) > 0
    return tuple(Day(day=day, count=counted[day], late=late[day]) for day in sorted(counted))

"""Marks: which hand-in counts, and the late penalty, to the second."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from grader.classroom.late_policy import Keep, Policy
from grader.core.model import Score

DUE = datetime(2026, 11, 30, 23, 59, tzinfo=UTC)
MICROSECOND = timedelta(microseconds=1)
SECOND = timedelta(seconds=1)
HOUR = timedelta(hours=1)
DAY = timedelta(days=1)


def score(number: int, points: float, submitted_at: datetime = DUE, student: str = "ada") -> Score:
    return Score(student=student, number=number, submitted_at=submitted_at, points=points, max_points=10.0)


@pytest.mark.parametrize(
    ("after", "grace", "days"),
    [
        (-DAY, 0 * HOUR, 0),
        (0 * DAY, 0 * HOUR, 0),
        (SECOND, 0 * HOUR, 1),
        (DAY, 0 * HOUR, 1),
        (DAY + SECOND, 0 * HOUR, 2),
        (MICROSECOND, 0 * HOUR, 1),
        (DAY + MICROSECOND, 0 * HOUR, 2),
        (HOUR, HOUR, 0),
        (HOUR + MICROSECOND, HOUR, 1),
        (HOUR + SECOND, HOUR, 1),
        (DAY + HOUR, HOUR, 1),
        (10 * DAY, HOUR, 10),
    ],
)
def test_a_day_is_late_from_its_first_second_on(after, grace, days):
    assert Policy(due=DUE, grace=grace).days_late(DUE + after) == days


def test_a_deadline_at_the_end_of_time_has_a_grace_period_too():
    last = datetime.max.replace(tzinfo=UTC)
    assert Policy(due=last, grace=timedelta.max).days_late(last) == 0
    assert Policy(due=DUE, grace=timedelta.max).days_late(last) == 0


def test_time_zones_do_not_change_the_late_days():
    east = timezone(timedelta(hours=9))
    assert Policy(due=DUE).days_late((DUE + SECOND).astimezone(east)) == 1
    assert Policy(due=DUE).days_late(DUE.astimezone(east)) == 0


def test_without_a_due_date_nothing_is_late():
    assert Policy(per_day_percent=10).days_late(datetime(2999, 1, 1, tzinfo=UTC)) == 0


@pytest.mark.parametrize(("per_day", "penalty"), [(24.9, 49.8), (25, 50), (25.1, 50)])
def test_the_cap_limits_the_total_penalty_from_its_exact_value_on(per_day, penalty):
    mark = Policy(due=DUE, per_day_percent=per_day, cap_percent=50).mark([score(1, 8.0, DUE + 2 * DAY)])
    assert mark.penalty_percent == pytest.approx(penalty)


def test_each_late_day_costs_its_percentage_up_to_the_cap():
    policy = Policy(due=DUE, per_day_percent=20, cap_percent=50)
    marks = [policy.mark([score(1, 8.0, DUE + n * DAY)]) for n in range(5)]
    assert [mark.points for mark in marks] == [8.0, 6.4, 4.8, 4.0, 4.0]
    assert [mark.penalty_percent for mark in marks] == [0, 20, 40, 50, 50]
    assert {mark.raw_points for mark in marks} == {8.0}


def test_the_best_hand_in_counts_after_its_penalty():
    policy = Policy(due=DUE, per_day_percent=50)
    early, late = score(1, 6.0), score(2, 10.0, DUE + DAY)
    assert policy.mark([early, late]).number == 1
    assert Policy(due=DUE, per_day_percent=10).mark([early, late]).number == 2


def test_the_last_hand_in_counts_with_keep_last():
    assert Policy(keep=Keep.LAST).mark([score(2, 1.0), score(1, 9.0)]).number == 2


def test_of_equally_good_hand_ins_the_earlier_counts():
    assert Policy().mark([score(3, 5.0), score(2, 5.0), score(1, 4.0)]).number == 2


def test_every_student_has_one_mark_by_name():
    marks = Policy().marks([score(1, 1.0, student="bob"), score(1, 2.0), score(2, 3.0)])
    assert [(mark.student, mark.points) for mark in marks] == [("ada", 3.0), ("bob", 1.0)]


def test_a_mark_of_zero_maximum_points_is_zero():
    nothing = Score(student="ada", number=1, submitted_at=DUE, points=0.0, max_points=0.0)
    assert Policy().mark([nothing]).score == 0.0


@pytest.mark.parametrize(("keep", "number"), [(Keep.BEST, 1), (Keep.BEST, 3), (Keep.LAST, 1)])
def test_a_void_hand_in_never_counts(keep, number):
    void = replace(score(number, 10.0), void=True)
    assert Policy(keep=keep).mark([score(2, 1.0), void]).number == 2


@pytest.mark.parametrize("keep", Keep)
def test_a_student_with_only_void_hand_ins_has_no_mark_rather_than_zero(keep):
    void = replace(score(1, 10.0, student="eve"), void=True)
    assert Policy(keep=keep).mark([void]) is None
    assert [mark.student for mark in Policy(keep=keep).marks([void, score(1, 0.0)])] == ["ada"]


def test_another_hand_in_does_not_stand_in_for_the_last():
    """It may be the better one: an error in the grader must not bring it back."""
    better, last = score(1, 9.0), score(2, 3.0)
    assert Policy(keep=Keep.LAST).mark([better, replace(last, void=True)]) is None
    assert Policy(keep=Keep.BEST).mark([better, replace(last, void=True)]).number == 1


def test_the_last_hand_in_is_that_which_came_last_and_not_that_which_was_collected_last():
    policy = Policy(keep=Keep.LAST)
    assert policy.mark([score(1, 8.0, DUE + SECOND), score(2, 9.0, DUE)]).number == 1
    assert policy.mark([score(1, 8.0, DUE), score(2, 9.0, DUE)]).number == 2


@given(
    st.lists(st.tuples(st.floats(0, 10), st.integers(0, 2), st.booleans()), min_size=1, max_size=5),
    st.integers(0, 4),
    st.sampled_from(Keep),
)
def test_an_error_in_the_grader_never_raises_a_mark(attempts, at, keep):
    policy = Policy(keep=keep, due=DUE, per_day_percent=30)
    scores = [
        replace(score(n + 1, points, DUE + days * DAY), void=void)
        for n, (points, days, void) in enumerate(attempts)
    ]
    at %= len(scores)
    before = policy.mark(scores)
    after = policy.mark([*scores[:at], replace(scores[at], void=True), *scores[at + 1 :]])
    assert after is None or (before is not None and after.points <= before.points)


@given(
    st.floats(0, 100),
    st.floats(0, 100),
    st.integers(0, 10**6),
    st.floats(0, 10),
)
def test_a_penalty_is_at_most_the_points_and_the_cap(per_day, cap, seconds, points):
    policy = Policy(due=DUE, per_day_percent=per_day, cap_percent=cap)
    mark = policy.mark([score(1, points, DUE + seconds * SECOND)])
    assert 0 <= mark.points <= points
    assert mark.penalty_percent <= cap

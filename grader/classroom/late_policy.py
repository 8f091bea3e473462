"""From hand-ins to a mark: which of them counts, and the penalty for handing in late.

The points of a hand-in are those of its newest verdict, which never changes; a policy is applied when marks are
computed, and can be changed at any time.
"""

import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta, tzinfo
from enum import StrEnum

from grader.core.model import Mark, Score


class Keep(StrEnum):
    """Which hand-in of a student counts."""

    BEST = "best"
    LAST = "last"


class WithoutHandIn(StrEnum):
    """What students of the roster get who handed in nothing."""

    BLANK = "blank"
    ZERO = "zero"
    EXCUSED = "excused"


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """When work is due, and the late penalty, in percent of the points earned.

    Once `grace` after `due` has passed, each started day costs `per_day_percent`, up to the maximum total late penalty
    `cap_percent`. A hand-in exactly at the end of `grace` is in time. A day ends at the same time of day in `zone`, by
    default that of this machine, so that the day on which the clock is changed has 23 or 25 hours.

    `extensions` has the due date of students who have one of their own. `excused` students get no mark. `receipts` has
    the times at which hand-ins were received, by student and number, where others than those recorded count. `groups`
    has the members of each group: what the group hands in counts for each of them. `missing` says what students of the
    roster get who handed in nothing.
    """

    keep: Keep = Keep.BEST
    due: datetime | None = None
    grace: timedelta = timedelta()
    per_day_percent: float = 0.0
    cap_percent: float = 100.0
    zone: tzinfo | None = None
    extensions: Mapping[str, datetime] = field(default_factory=dict)
    excused: frozenset[str] = frozenset()
    receipts: Mapping[tuple[str, int], datetime] = field(default_factory=dict)
    groups: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    missing: WithoutHandIn = WithoutHandIn.BLANK

    def days_late(self, submitted_at: datetime, *names: str) -> int:
        """Return the number of started late days; 0 within the grace period, or without a due date.

        The first of `names`, a student and a group, that has a due date of its own decides.
        """
        due = next((self.extensions[name] for name in names if name in self.extensions), self.due)
        if due is None or submitted_at - due <= self.grace:  # a sum may be past the year 9999
            return 0
        clock, end = (self._clock(moment) for moment in (submitted_at, due + self.grace))
        return max(1, math.ceil((clock - end) / timedelta(days=1)))  # the clock may be set back meanwhile

    def _clock(self, moment: datetime) -> datetime:
        """Return the date and time of day of a moment in the time zone of the course."""
        try:
            return moment.astimezone(self.zone).replace(tzinfo=None)
        except OverflowError:  # in that zone it is past the year 9999, or before the year 1
            return moment.replace(tzinfo=None)

    def received(self, scores: Iterable[Score]) -> Iterator[Score]:
        """Yield scores with the times that count: of those that were received at another time, that one."""
        for score in scores:
            at = self.receipts.get((score.student, score.number))
            yield score if at is None else replace(score, submitted_at=at)

    def members(self, student: str) -> tuple[str, ...]:
        """Return those for whom a hand-in under this name counts: the members of a group, or the student alone."""
        return self.groups.get(student, (student,))

    def mark(self, scores: Iterable[Score], student: str = "") -> Mark | None:
        """Return the mark of one student with these hand-ins. Of equal marks, the earlier hand-in counts.

        Of hand-ins of a group, `student` is the member whose mark it is.

        A hand-in that is void, even in part, never counts, as its points may be too low. Where the last one counts,
        another never stands in for it: it may be better, or less late, and an error in the grader must raise no mark.
        Returns None where no hand-in that may count is whole, and for students who are excused.
        """
        hand_ins = sorted(self.received(scores), key=_when)
        if self.keep is Keep.LAST:
            hand_ins = hand_ins[-1:]
        marks = (
            self._mark(score, student or score.student)
            for score in hand_ins
            if not score.void and self.excused.isdisjoint((student, score.student))
        )
        return max(marks, key=lambda mark: mark.score, default=None)

    def _mark(self, score: Score, student: str) -> Mark:
        days = self.days_late(score.submitted_at, student, score.student)
        penalty = min(days * self.per_day_percent, self.cap_percent)
        return Mark(
            student=student,
            number=score.number,
            submitted_at=score.submitted_at,
            raw_points=score.points,
            max_points=score.max_points,
            days_late=days,
            penalty_percent=penalty,
            points=score.points * ((100 - penalty) / 100),
            version=score.version,
        )

    def marks(self, scores: Iterable[Score]) -> list[Mark]:
        """Return the mark of every student who has one, by name. A student without a mark is not graded: not zero."""
        by_student: dict[str, list[Score]] = {}
        for score in scores:
            for student in self.members(score.student):
                by_student.setdefault(student, []).append(score)
        marks = (self.mark(hand_ins, student) for student, hand_ins in sorted(by_student.items()))
        return [mark for mark in marks if mark is not None]


def last_hand_ins(scores: Iterable[Score]) -> dict[str, Score]:
    """Return what each student handed in last."""
    return {score.student: score for score in sorted(scores, key=_when)}


def _when(score: Score) -> tuple[datetime, int]:
    return score.submitted_at, score.number

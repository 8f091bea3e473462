"""From hand-ins to a mark: which of them counts, and the penalty for handing in late.

The points of a hand-in are those of its newest verdict, which never changes; a policy is applied when marks are
computed, and can be changed at any time.
"""

import math
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from grader.core.model import Mark, Score


class Keep(StrEnum):
    """Which hand-in of a student counts."""

    BEST = "best"
    LAST = "last"


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """When work is due, and the late penalty, in percent of the points earned.

    Once `grace` after `due` has passed, each started day costs `per_day_percent`, up to the maximum total late penalty
    `cap_percent`. A hand-in exactly at the end of `grace` is in time.
    """

    keep: Keep = Keep.BEST
    due: datetime | None = None
    grace: timedelta = timedelta()
    per_day_percent: float = 0.0
    cap_percent: float = 100.0

    def days_late(self, submitted_at: datetime) -> int:
        """Return the number of started late days; 0 within the grace period, or without a due date."""
        if self.due is None or submitted_at - self.due <= self.grace:  # a sum may be past the year 9999
            return 0
        return math.ceil((submitted_at - self.due - self.grace) / timedelta(days=1))

    def mark(self, scores: Iterable[Score]) -> Mark | None:
        """Return the mark of one student with these hand-ins. Of equal marks, the earlier hand-in counts.

        A hand-in that is void, even in part, never counts, as its points may be too low. Where the last one counts,
        another never stands in for it: it may be better, or less late, and an error in the grader must raise no mark.
        Returns None where no hand-in that may count is whole.
        """
        hand_ins = sorted(scores, key=_when)
        if self.keep is Keep.LAST:
            hand_ins = hand_ins[-1:]
        marks = (self._mark(score) for score in hand_ins if not score.void)
        return max(marks, key=lambda mark: mark.score, default=None)

    def _mark(self, score: Score) -> Mark:
        days = self.days_late(score.submitted_at)
        penalty = min(days * self.per_day_percent, self.cap_percent)
        return Mark(
            student=score.student,
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
            by_student.setdefault(score.student, []).append(score)
        marks = (self.mark(hand_ins) for _, hand_ins in sorted(by_student.items()))
        return [mark for mark in marks if mark is not None]


def last_hand_ins(scores: Iterable[Score]) -> dict[str, Score]:
    """Return what each student handed in last."""
    return {score.student: score for score in sorted(scores, key=_when)}


def _when(score: Score) -> tuple[datetime, int]:
    return score.submitted_at, score.number

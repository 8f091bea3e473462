"""From attempts to a mark: which attempt counts, and the penalty for handing in late.

Attempts are never changed; a policy is applied when marks are computed, and can be changed at any time.
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum

from grader.core.model import Mark, Score


class Keep(StrEnum):
    """Which attempt of a student counts."""

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
        """Return the mark of one student with these attempts. Of equal marks, the earlier attempt counts.

        An attempt that is void, even in part, never counts, as its points may be too low. Returns None where no attempt
        that may count is whole.
        """
        attempts = sorted(scores, key=lambda score: score.number)
        if self.keep is Keep.LAST:
            return self._last(attempts)
        marks = (self._mark(score) for score in attempts if not score.void)
        return max(marks, key=lambda mark: mark.score, default=None)

    def _last(self, attempts: Sequence[Score]) -> Mark | None:
        """Return the mark of the last hand-in, from its newest attempt that is whole.

        Another hand-in never stands in for it: it may be better, or less late, and an error in the grader must raise no
        mark. Where the same files were handed in again, the last time counts.
        """
        same = [score for score in attempts if score.hand_in == attempts[-1].hand_in and not score.void]
        return self._mark(replace(same[-1], submitted_at=attempts[-1].submitted_at)) if same else None

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
        )

    def marks(self, scores: Iterable[Score]) -> list[Mark]:
        """Return the mark of every student who has one, by name. A student without a mark is not graded: not zero."""
        by_student: dict[str, list[Score]] = {}
        for score in scores:
            by_student.setdefault(score.student, []).append(score)
        marks = (self.mark(attempts) for _, attempts in sorted(by_student.items()))
        return [mark for mark in marks if mark is not None]

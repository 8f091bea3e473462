"""From attempts to a mark: which attempt counts, and what handing in late costs.

Attempts are facts and stay as they are; a policy is applied when marks are asked for, and can be changed at any time.
"""

import math
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from grader.core.model import Mark, Score


class Keep(StrEnum):
    """Which attempt of a student counts."""

    BEST = "best"
    LAST = "last"


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """When work is due, and what a late day costs, in percent of what was earned.

    A day is begun when its first second is: `grace` after `due` has passed, each day begun costs `per_day_percent`, and
    all of them together at most `cap_percent`.
    """

    keep: Keep = Keep.BEST
    due: datetime | None = None
    grace: timedelta = timedelta()
    per_day_percent: float = 0.0
    cap_percent: float = 100.0

    def days_late(self, submitted_at: datetime) -> int:
        """Return how many days late were begun; 0 within the grace, or where nothing is due."""
        if self.due is None or submitted_at <= self.due + self.grace:
            return 0
        return math.ceil((submitted_at - self.due - self.grace) / timedelta(days=1))

    def mark(self, scores: Iterable[Score]) -> Mark | None:
        """Return the mark of one student with these attempts. The earlier of two equally good ones counts.

        What is void, be it in part, never counts: it can be too little as well as too much. None where all is void.
        """
        whole = sorted((score for score in scores if not score.void), key=lambda score: score.number)
        marks = [self._mark(score) for score in whole]
        if self.keep is Keep.LAST:
            return marks[-1] if marks else None
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
        )

    def marks(self, scores: Iterable[Score]) -> list[Mark]:
        """Return the mark of every student who has one, by name; the others are not graded yet, which is not zero."""
        by_student: dict[str, list[Score]] = {}
        for score in scores:
            by_student.setdefault(score.student, []).append(score)
        found = (self.mark(attempts) for _, attempts in sorted(by_student.items()))
        return [mark for mark in found if mark is not None]

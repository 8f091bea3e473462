"""Which marks are of the course as it was graded last: marks of one export are on one scale.

A course changes while a class is graded. `grade class` grades what it is given once more, `grade regrade` all that a
gradebook holds; until that was run, hand-ins may have verdicts of several versions of the course.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from grader.core.model import Mark, Score


@dataclass(frozen=True, slots=True, kw_only=True)
class SortedMarks:
    """Marks by the version of the course that they are of.

    `usable` are on one scale, out of `max_points`; `outdated` are those of them that are not of the newest version.
    `off_scale` are out of other maximum points.
    """

    max_points: float
    usable: tuple[Mark, ...]
    outdated: tuple[Mark, ...]
    off_scale: tuple[Mark, ...]


def sort(marks: Iterable[Mark], scores: Iterable[Score], newest: int) -> SortedMarks:
    """Sort marks of a class with these scores, of which there is one at least. `newest` is the version graded last."""
    reference = max(scores, key=lambda score: (not score.void, score.version == newest, score.version))
    found = list(marks)
    usable = [mark for mark in found if mark.max_points == reference.max_points]
    return SortedMarks(
        max_points=reference.max_points,
        usable=tuple(usable),
        outdated=tuple(mark for mark in usable if mark.version != reference.version),
        off_scale=tuple(mark for mark in found if mark not in usable),
    )

"""Which hand-ins before a student's newest one are graded, and in which order."""

from collections.abc import Iterable, Sequence
from datetime import datetime

from grader.core.model import Score
from grader.submission.handed_in import HandedIn


def rounds(older: Sequence[HandedIn], recorded: Iterable[Score]) -> list[list[HandedIn]]:
    """Return hand-ins in rounds, the earliest of each student first: attempts are numbered in the order of time.

    One that is not later than all that are recorded of its student is left out: it is among them, or it would be
    numbered as if it had come last. So is one whose download does not say when it came.
    """
    last: dict[str, datetime] = {}
    for score in recorded:
        last[score.student] = max(score.submitted_at, last.get(score.student, score.submitted_at))
    found: list[list[HandedIn]] = []
    count: dict[str, int] = {}
    timed = [(one.at, one) for one in older if one.at is not None]
    for at, one in sorted(timed, key=lambda pair: (pair[0], pair[1].student)):
        if one.student in last and at <= last[one.student]:
            continue
        number = count.get(one.student, 0)
        count[one.student] = number + 1
        if number == len(found):
            found.append([])
        found[number].append(one)
    return found

"""The distribution of numbers: spread and histogram."""

import math
import statistics
from collections.abc import Collection, Sequence

from grader.classroom.statistics.summary_records import Bin, Spread

BINS = 10


def spread(numbers: Collection[float]) -> Spread | None:
    """Return the spread of numbers; None where there are none."""
    if not numbers:
        return None
    low, *_, high = ordered = sorted([*numbers, *numbers] if len(numbers) == 1 else numbers)
    lower, median, upper = statistics.quantiles(ordered, n=4, method="inclusive")
    return Spread(
        n=len(numbers),
        mean=math.fsum(numbers) / len(numbers),
        deviation=statistics.stdev(numbers) if len(numbers) > 1 else None,
        low=low,
        lower_quartile=lower,
        median=median,
        upper_quartile=upper,
        high=high,
    )


def histogram(scores: Sequence[float]) -> tuple[Bin, ...]:
    """Return the counts of scores, all in [0, 1], in ten bins. A score on an edge, as 0.3, lies in the upper bin."""
    counts = [0] * BINS
    for score in scores:
        counts[min(BINS - 1, math.floor(score * BINS + 1e-9))] += 1
    return tuple(Bin(low=n / BINS, high=(n + 1) / BINS, count=count) for n, count in enumerate(counts))

"""Adds the pairs of similar solutions to a summary."""

from collections.abc import Collection
from dataclasses import replace

from grader.classroom import similarity
from grader.classroom.gradebook import Gradebook
from grader.classroom.statistics.summary_records import ClassSummary
from grader.course.catalog import Course

MAX_SIMILAR = 20  # pairs in a summary


def with_similar(
    summary: ClassSummary,
    book: Gradebook,
    course: Course,
    chosen: Collection[str] = (),
    cache: similarity.Cache | None = None,
) -> ClassSummary:
    """Return a summary with the most similar pairs of solutions, of all exercises or of the chosen ones."""
    found = [
        similarity.compare(
            exercise.id,
            similarity.of_class(book, exercise.id, exercise.stub.read_text(encoding="utf-8")),
            similarity.published(exercise),
            most=MAX_SIMILAR,
            cache=cache,
        )
        for exercise in course.exercises
        if not chosen or exercise.id in chosen
    ]
    pairs = sorted((pair for one in found for pair in one.pairs), key=lambda pair: -pair.score)
    return replace(summary, similar=tuple(pairs[:MAX_SIMILAR]))

"""Checks the settings of how much students see: each must be a known word, and hidden checks must stay hidden."""

from collections.abc import Iterator

from grader.authoring.tree_check import course_path
from grader.core.errors import DocumentError, Problem
from grader.core.model import Exercise
from grader.course import visibility
from grader.course.catalog import COURSE_FILE, Course


def check_visibility(course: Course) -> list[Problem]:
    """Return `reveal` marks with an unknown word, and hidden checks whose outcome a visible check could show."""
    problems = [problem for exercise in course.exercises for problem in _of_exercise(course, exercise)]
    other = course.root / "course.yml"
    if other.is_file():
        problems.append(
            Problem(path=course_path(course, other), message=f"is not read; rename it to {COURSE_FILE}")
        )
    return problems


def _of_exercise(course: Course, exercise: Exercise) -> Iterator[Problem]:
    try:
        seen = visibility.seen(exercise)
    except DocumentError as error:
        yield from error.problems
        return
    if seen.hidden is None:
        return
    path = course_path(course, exercise.suite)
    for test in visibility.out_of_order(exercise):
        message = f"{test.id} is hidden and comes before a visible check, which could show its outcome"
        yield Problem(path=path, line=test.line, column=test.column, message=f"{message}; move it to the end")
    for test in visibility.read(exercise.suite):
        if test.points is None:
            message = (
                f"{test.id} needs its points as a number, as checks here are hidden: @pytest.mark.points(2)"
            )
            yield Problem(path=path, line=test.line, column=test.column, message=message)

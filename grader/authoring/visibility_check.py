"""Checks what a course says of how much its students see: in words we know, and so that nothing hidden shows."""

from collections.abc import Iterator

from grader.authoring.tree_check import shown
from grader.core.errors import DocumentError, Problem
from grader.core.model import Exercise
from grader.course import visibility
from grader.course.catalog import COURSE_FILE, Course


def check_reveals(course: Course) -> list[Problem]:
    """Look for marks that say nothing we know, and for hidden checks that would show."""
    problems = [problem for exercise in course.exercises for problem in _of_exercise(course, exercise)]
    other = course.root / "course.yml"
    if other.is_file():
        problems.append(
            Problem(path=shown(course, other), message=f"is read by nobody: name it {COURSE_FILE}")
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
    path = shown(course, exercise.suite)
    for test in visibility.out_of_order(exercise):
        message = (
            f"{test.id} is hidden and stands before a check that is not, which can show what became of it"
        )
        yield Problem(path=path, line=test.line, column=test.column, message=f"{message}; put it last")
    for test in visibility.read(exercise.suite):
        if test.points is None:
            message = (
                f"{test.id} needs its points as a number, as checks here are hidden: @pytest.mark.points(2)"
            )
            yield Problem(path=path, line=test.line, column=test.column, message=message)

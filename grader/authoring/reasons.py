"""The optional files of an exercise that give reasons: equivalents.yaml and untested.yaml."""

from grader.authoring.tree_check import course_path
from grader.core import yaml_document
from grader.core.errors import DocumentError, Problem
from grader.core.model import Exercise
from grader.core.yaml_document import Document, Schema
from grader.course.catalog import Course


def read_reasons(
    course: Course, exercise: Exercise, name: str, schema: type[Schema]
) -> Document[Schema] | None:
    """Read the file of this name beside an exercise.yaml; None where there is none. Raises DocumentError."""
    path = exercise.folder / name
    if not path.is_file():
        return None
    return yaml_document.read(path, schema, shown=course_path(course, path))


def reason_problems(
    course: Course, exercise: Exercise, name: str, schema: type[Schema]
) -> tuple[Problem, ...]:
    """Return the problems of such a file; none where it can be read or does not exist."""
    try:
        read_reasons(course, exercise, name, schema)
    except DocumentError as error:
        return error.problems
    return ()

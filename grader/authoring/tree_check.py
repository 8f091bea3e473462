"""Checks the folders of a course for files that do not belong there."""

from collections.abc import Iterator
from pathlib import Path

from grader.core.errors import Problem
from grader.core.suggestions import suggestion
from grader.course.catalog import Course

_SOLUTION_FILES = {"exercise.yaml", "reference.py", "mistakes.py", "fixtures.py"} | {
    "equivalents.yaml",
    "untested.yaml",
}


def check_tree(course: Course) -> list[Problem]:
    """Return stubs without a solution, and files that belong to no exercise and no quiz.

    Data files belong in exercises/data, with a README.md that names their source and license.
    """
    problems: list[Problem] = []
    folders = course.folders
    for folder in folders:
        for path in _entries(folder):
            if path.name not in {*_SOLUTION_FILES, f"test_{folder.name}.py", "__pycache__"}:
                problems.append(Problem(path=course_path(course, path), message="belongs to no exercise"))
    ids = [folder.name for folder in folders]
    for path in _entries(course.root / "exercises"):
        if path.name not in ("__pycache__", "data") and path.stem not in ids:
            message = f"is a stub without an exercise{suggestion(path.stem, ids)}"
            problems.append(Problem(path=course_path(course, path), message=message))
    problems += _data_problems(course)
    for path in _entries(course.quizzes):
        if path.suffix != ".yaml":
            problems.append(Problem(path=course_path(course, path), message="is not a quiz bank (.yaml)"))
    return problems


def _data_problems(course: Course) -> Iterator[Problem]:
    """Yield a missing README.md, which states the license of the data, and files that students would not receive."""
    folder = course.root / "exercises" / "data"
    if course.data and folder / "README.md" not in course.data:
        message = "is missing; it must name the source and the license of the data"
        yield Problem(path=course_path(course, folder / "README.md"), message=message)
    for path in _entries(folder):
        if path not in course.data or path.suffix == ".py":
            yield Problem(
                path=course_path(course, path),
                message="is not a data file; the folder holds data and their README",
            )


def _entries(folder: Path) -> list[Path]:
    """Return the entries of a folder, sorted; none where it does not exist: a course may have no quizzes."""
    return sorted(folder.iterdir()) if folder.is_dir() else []


def course_path(course: Course, path: Path) -> str:
    """Return a path as problems name it: relative to the root of the course, with slashes."""
    return path.relative_to(course.root).as_posix()

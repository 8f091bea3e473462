"""Looks at the tree of a course: what belongs nowhere."""

from collections.abc import Iterator
from pathlib import Path

from grader.core.errors import Problem
from grader.core.suggestions import suggestion
from grader.course.catalog import Course

_SOLUTION_FILES = {"exercise.yaml", "reference.py", "mistakes.py", "fixtures.py", "equivalents.yaml"}


def check_tree(course: Course) -> list[Problem]:
    """Look for stubs without a solution, and files that belong nowhere.

    Data belong to the course in exercises/data, with a README.md that says where they are from.
    """
    problems: list[Problem] = []
    folders = course.folders
    for folder in folders:
        for path in _entries(folder):
            if path.name not in {*_SOLUTION_FILES, f"test_{folder.name}.py", "__pycache__"}:
                problems.append(Problem(path=shown(course, path), message="belongs to no exercise"))
    ids = [folder.name for folder in folders]
    for path in _entries(course.root / "exercises"):
        if path.name not in ("__pycache__", "data") and path.stem not in ids:
            message = f"is the stub of no exercise{suggestion(path.stem, ids)}"
            problems.append(Problem(path=shown(course, path), message=message))
    problems += _data_problems(course)
    for path in _entries(course.quizzes):
        if path.suffix != ".yaml":
            problems.append(Problem(path=shown(course, path), message="is not a quiz bank (.yaml)"))
    return problems


def _data_problems(course: Course) -> Iterator[Problem]:
    """Look for data that nobody may share, since no README tells their licence, and for what no student would get."""
    folder = course.root / "exercises" / "data"
    if course.data and folder / "README.md" not in course.data:
        message = "is missing: it names the source and the licence of the data"
        yield Problem(path=shown(course, folder / "README.md"), message=message)
    for path in _entries(folder):
        if path not in course.data or path.suffix == ".py":
            yield Problem(
                path=shown(course, path), message="is no data file; the folder holds data and their README"
            )


def _entries(folder: Path) -> list[Path]:
    """Return what a folder holds, in order; nothing where there is no folder: a course may have no quizzes."""
    return sorted(folder.iterdir()) if folder.is_dir() else []


def shown(course: Course, path: Path) -> str:
    """Return a path as problems name it: from the root of the course."""
    return path.relative_to(course.root).as_posix()

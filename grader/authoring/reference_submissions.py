"""Submissions made of a course's own code, to check it: every exercise solved, or one with a known mistake."""

import ast
import linecache
from collections.abc import Iterator
from pathlib import Path

from grader.authoring.tree_check import course_path
from grader.core.errors import Problem
from grader.core.model import Exercise, Frame
from grader.course.catalog import Course
from grader.course.known_mistakes import Listed
from grader.grading.messages import NotGraded


def reference_source(exercise: Exercise) -> str:
    """Return the source of an exercise's reference."""
    return read_source(exercise.folder / "reference.py")


def read_source(path: Path) -> str:
    """Return the text of a file of the course, without a byte order mark."""
    return path.read_text(encoding="utf-8-sig")


def reference_modules(course: Course) -> dict[str, str]:
    """Return a solved module for every exercise, by file name: an exercise may import the student's other modules."""
    return {f"{name}.py": text for name, text in reference_sources(course).items()}


def reference_sources(course: Course) -> dict[str, str]:
    """Return the source of every reference by exercise. `check_sources` reports those that cannot be read."""
    found: dict[str, str] = {}
    for name, path in course.references.items():
        try:
            found[name] = read_source(path)
        except (OSError, UnicodeDecodeError):
            continue
    return found


def mistake_modules(exercise: Exercise, mistake: Listed) -> dict[str, str]:
    """Return the modules of a submission that is the reference with one known mistake in it, by file name."""
    lines = (
        "import mistakes",
        "from reference import *",
        f"{mistake.name} = mistakes.{mistake.attribute}",
    )
    own = {"reference.py": reference_source(exercise), "mistakes.py": _without_registration(exercise)}
    return {f"{exercise.id}.py": "\n".join(lines)} | own


def _without_registration(exercise: Exercise) -> str:
    """Return the source of a mistakes.py in which `mistake` is a local decorator that does nothing.

    A worker cannot import `grader.mistakes`. Line numbers stay the same. A file with a syntax error is returned
    unchanged: importing it raises that error.
    """
    text = read_source(exercise.folder / "mistakes.py")
    try:
        statements = ast.walk(ast.parse(text))
    except (SyntaxError, ValueError):
        return text
    lines = text.split("\n")
    for node in statements:
        if not (isinstance(node, ast.ImportFrom) and node.module == "grader.mistakes" and node.end_lineno):
            continue
        names = [imported.asname or imported.name for imported in node.names]
        stands_in = "; ".join(f"{name} = lambda *_, **__: lambda variant: variant" for name in names)
        lines[node.lineno - 1] = " " * node.col_offset + stands_in
        lines[node.lineno : node.end_lineno] = [""] * (node.end_lineno - node.lineno)
    return "\n".join(lines)


# --- from an error in such a submission to the line of the course


def not_graded_problems(course: Course, exercise: Exercise, ending: NotGraded) -> Iterator[Problem]:
    """Yield the lines of an exercise that prevented its grading; nothing where none is known."""
    for found in ending.problems:
        path = course_path(course, exercise.folder / found.path)
        yield Problem(path=path, message=found.message, line=found.line, column=found.column)


def locate_frame(course: Course, exercise: Exercise, frame: Frame, *, own: Path | None) -> Problem | None:
    """Return the line of the course that a frame of such a submission came from, as a Problem without a message.

    `own` is the file that the module of the exercise was read from. Returns None for a frame outside the course.
    """
    name = Path(frame.path).name
    paths = {"reference.py": exercise.folder / "reference.py", "mistakes.py": exercise.folder / "mistakes.py"}
    paths |= {f"{other}.py": path for other, path in course.references.items() if other != exercise.id}
    if own is not None:
        paths[f"{exercise.id}.py"] = own
    if name not in paths or not frame.line:
        return None
    line = linecache.getline(str(paths[name]), frame.line)
    column = len(line) - len(line.lstrip()) + 1
    return Problem(path=course_path(course, paths[name]), message="", line=frame.line, column=column)

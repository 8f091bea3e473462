"""Submissions that a course makes of its own code, to prove itself: all solved, or solved but for one mistake."""

import ast
import linecache
from collections.abc import Iterator
from pathlib import Path

from grader.authoring.tree_check import shown
from grader.core.errors import Problem
from grader.core.model import Exercise, Frame
from grader.course.catalog import Course
from grader.course.known_mistakes import Listed
from grader.grading.messages import NotGraded


def reference_of(exercise: Exercise) -> str:
    """Return the text of an exercise's reference."""
    return text_of(exercise.folder / "reference.py")


def text_of(path: Path) -> str:
    """Return the text of a file of the course, without the mark that some editors begin files with."""
    return path.read_text(encoding="utf-8-sig")


def solved(course: Course) -> dict[str, str]:
    """Return every exercise solved: one may build on what the student wrote for another."""
    return {f"{name}.py": text for name, text in course_references(course).items()}


def course_references(course: Course) -> dict[str, str]:
    """Return the text of every reference that is text, by exercise; the others are told where they are checked."""
    found: dict[str, str] = {}
    for name, path in course.references.items():
        try:
            found[name] = text_of(path)
        except (OSError, UnicodeDecodeError):
            continue
    return found


def mistaken(exercise: Exercise, mistake: Listed) -> dict[str, str]:
    """Return an exercise solved but for one known mistake."""
    lines = (
        "import mistakes",
        "from reference import *",
        f"{mistake.name} = mistakes.{mistake.attribute}",
    )
    own = {"reference.py": reference_of(exercise), "mistakes.py": _unregistered(exercise)}
    return {f"{exercise.id}.py": "\n".join(lines)} | own


def _unregistered(exercise: Exercise) -> str:
    """Return the text of a mistakes.py with a decorator of its own that registers nothing.

    A worker has no `grader.mistakes` to import. Lines keep their numbers. A text that is not Python is left as it is:
    importing it raises its error.
    """
    text = text_of(exercise.folder / "mistakes.py")
    try:
        statements = ast.walk(ast.parse(text))
    except (SyntaxError, ValueError):
        return text
    lines = text.split("\n")
    for node in statements:
        if not (isinstance(node, ast.ImportFrom) and node.module == "grader.mistakes" and node.end_lineno):
            continue
        names = [imported.asname or imported.name for imported in node.names]
        stands_in = "; ".join(f"{name} = lambda _: lambda variant: variant" for name in names)
        lines[node.lineno - 1] = " " * node.col_offset + stands_in
        lines[node.lineno : node.end_lineno] = [""] * (node.end_lineno - node.lineno)
    return "\n".join(lines)


# --- where what went wrong with them stands in the course


def blamed(course: Course, exercise: Exercise, ending: NotGraded) -> Iterator[Problem]:
    """Yield the lines of an exercise that kept it from being graded; nothing where none is known."""
    for found in ending.problems:
        path = shown(course, exercise.folder / found.path)
        yield Problem(path=path, message=found.message, line=found.line, column=found.column)


def place_of(course: Course, exercise: Exercise, frame: Frame, *, own: Path | None) -> Problem | None:
    """Return where in the course a line of a made submission stands; `own` is what its module was read from."""
    name = Path(frame.path).name
    paths = {"reference.py": exercise.folder / "reference.py", "mistakes.py": exercise.folder / "mistakes.py"}
    paths |= {f"{other}.py": path for other, path in course.references.items() if other != exercise.id}
    if own is not None:
        paths[f"{exercise.id}.py"] = own
    if name not in paths or not frame.line:
        return None
    line = linecache.getline(str(paths[name]), frame.line)
    column = len(line) - len(line.lstrip()) + 1
    return Problem(path=shown(course, paths[name]), message="", line=frame.line, column=column)

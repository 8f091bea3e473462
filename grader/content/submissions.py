"""Submissions that a course makes of its own code, to prove itself: all solved, or solved but for one mistake."""

from grader.catalog import Course
from grader.mistakes import Listed
from grader.model import Exercise


def reference_of(exercise: Exercise) -> str:
    """Return the text of an exercise's reference."""
    return (exercise.folder / "reference.py").read_text(encoding="utf-8")


def solved(course: Course) -> dict[str, str]:
    """Return every exercise solved: one may build on what the student wrote for another."""
    return {f"{exercise.id}.py": reference_of(exercise) for exercise in course.exercises}


def mistaken(exercise: Exercise, mistake: Listed) -> dict[str, str]:
    """Return an exercise solved but for one known mistake."""
    lines = (
        "import mistakes",
        "from reference import *",
        f"{mistake.name} = mistakes.{mistake.attribute}",
    )
    names = ("reference.py", "mistakes.py")
    own = {name: (exercise.folder / name).read_text(encoding="utf-8") for name in names}
    return {f"{exercise.id}.py": "\n".join(lines)} | own

"""Writes what a student starts with: stubs, data, answer sheets, and a page that says what to do with them."""

from collections.abc import Mapping
from pathlib import Path

from grader import quiz
from grader.catalog import Course

_README = """\
# Convolutional networks: exercises and quizzes

Fill the stubs in `exercises/`, answer the quizzes in `answers/`, and run `grade` here as often as you like.

    grade                 everything
    grade relu            one exercise
    grade hint relu       a nudge; again, and the next hint opens
    grade quiz pooling    answer a quiz in the terminal, or edit answers/pooling.yaml
    grade solution relu   ours, with the reasons: opens after full marks
    grade list            what there is

## Exercises, in order

{exercises}
"""


def files(course: Course, seed: int) -> dict[str, bytes]:
    """Return what a workspace holds, by path, with quizzes drawn from `seed`."""
    found = {f"exercises/{exercise.id}.py": exercise.stub.read_bytes() for exercise in course.exercises}
    found |= {f"exercises/data/{path.name}": path.read_bytes() for path in course.data}
    for bank in quiz.load_banks(course.quizzes):
        found[f"answers/{bank.id}.yaml"] = quiz.template(bank, seed).encode()
    listing = "\n".join(
        f"- `exercises/{e.id}.py`: {e.title} (section {e.section}, {e.points:g} points)"
        for e in course.exercises
    )
    found["README.md"] = _README.format(exercises=listing).encode()
    return found


def create(course: Course, folder: Path, seed: int) -> tuple[int, int]:
    """Write a workspace to `folder`, with quizzes drawn from `seed`.

    Return how many files were written, and how many were there and stay.
    """
    wanted = files(course, seed)
    missing = {name: content for name, content in wanted.items() if not (folder / name).exists()}
    write(missing, folder)
    return len(missing), len(wanted) - len(missing)


def write(files: Mapping[str, bytes], folder: Path) -> None:
    """Write files below a folder, and the folders they need."""
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)

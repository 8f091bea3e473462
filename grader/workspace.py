"""Writes what a student starts with: stubs, answer sheets, and a page that says what to do with them."""

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


def create(course: Course, folder: Path, seed: int) -> tuple[int, int]:
    """Write a workspace to `folder`, with quizzes drawn from `seed`.

    Return how many files were written, and how many were there and stay.
    """
    files = {
        f"exercises/{exercise.id}.py": exercise.stub.read_text(encoding="utf-8")
        for exercise in course.exercises
    }
    files |= {
        f"answers/{bank.id}.yaml": quiz.template(bank, seed) for bank in quiz.load_banks(course.quizzes)
    }
    listing = "\n".join(
        f"- `exercises/{e.id}.py`: {e.title} (section {e.section}, {e.points:g} points)"
        for e in course.exercises
    )
    files["README.md"] = _README.format(exercises=listing)
    missing = {name: text for name, text in files.items() if not (folder / name).exists()}
    for name, text in missing.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return len(missing), len(files) - len(missing)

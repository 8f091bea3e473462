"""Writes what a student starts with: stubs, data, answer sheets, and a page that says what to do with them.

And puts a stub back, keeping what was there.
"""

import contextlib
import os
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path

from grader import quiz
from grader.core.errors import UsageError
from grader.core.model import Exercise
from grader.course.catalog import Course

_README = """\
# Convolutional networks: exercises and quizzes

Fill the stubs in `exercises/`, answer the quizzes in `answers/`, and run `grade` here as often as you like.

    grade                 everything
    grade relu            one exercise
    grade hint relu       a nudge; again, and the next hint opens
    grade replay relu     the failing case as a file of its own; --pdb stops in it
    grade quiz pooling    answer a quiz in the terminal, or edit answers/pooling.yaml
    grade watch           grade on every save, only what changed
    grade reset relu      back to the stub; yours is kept in backups/
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


def module(exercise: Exercise, folder: Path) -> Path:
    """Return where a workspace keeps an exercise, or would. Raises UsageError where this is no workspace."""
    places = [folder / "exercises" / exercise.stub.name, folder / exercise.stub.name]
    for place in places:
        if os.path.lexists(place):
            return place
    if not (folder / "exercises").is_dir():
        raise UsageError(
            f"There is no workspace in {folder.resolve()}: no exercises/ and no {exercise.stub.name}.\n"
            "Start one with `grade init DIR`, or name it with --submission DIR."
        )
    return places[0]


def is_stub(exercise: Exercise, path: Path) -> bool:
    """Tell whether a file is the stub still, byte for byte."""
    try:
        return path.read_bytes() == exercise.stub.read_bytes()
    except OSError:
        return False


def reset(exercise: Exercise, folder: Path, now: datetime) -> Path | None:
    """Put the stub back. Return where the file that was there is kept; None where there was none.

    It is copied before the stub takes its place. The copy's name does not end in `.py`: it is no module of the
    submission. Raises UsageError where it cannot be done; the file then stays.
    """
    path = module(exercise, folder)
    fresh = path.with_name(f".{path.name}.new")
    kept = None
    try:
        fresh.write_bytes(exercise.stub.read_bytes())
        if os.path.lexists(path):
            kept = _free(folder / "backups", f"{exercise.id}-{now:%Y%m%d-%H%M%S}", ".py.bak")
            kept.parent.mkdir(exist_ok=True)
            kept.write_bytes(path.read_bytes())
        os.replace(fresh, path)  # noqa: PTH105 - whole, or not at all
    except OSError as error:
        with contextlib.suppress(OSError):
            fresh.unlink()
        raise UsageError(f"{path} cannot be reset: {error.strerror}. It is as it was.") from None
    return kept


def _free(folder: Path, stem: str, ending: str) -> Path:
    """Return a path in `folder` that nothing has yet."""
    names = [stem, *(f"{stem}-{number}" for number in range(2, 1000))]
    return next(path for path in (folder / f"{name}{ending}" for name in names) if not path.exists())

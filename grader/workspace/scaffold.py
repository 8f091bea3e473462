"""Creates a workspace: stubs, data, answer sheets, and a README that says what to do with them.

Also restores a stub, and keeps a copy of the file it replaces.
"""

import itertools
import os
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path

from grader import quiz
from grader.core.atomic_write import write_below
from grader.core.errors import UsageError
from grader.core.model import Exercise
from grader.course.catalog import Course
from grader.submission import MAX_MODULE_BYTES, Folder, Unreadable

_README = """\
# Convolutional networks: exercises and quizzes

Fill the stubs in `exercises/`, answer the quizzes in `answers/`, and run `grade` here as often as you like.

    grade                 grade everything
    grade relu            grade one exercise
    grade hint relu       a hint; type it again for the next one
    grade replay relu     write the failing case to a file; --pdb stops in it
    grade quiz pooling    answer a quiz in the terminal, or edit answers/pooling.yaml; --serve: in the browser
    grade watch           grade what changed, on every save
    grade reset relu      start again from the stub; your file is kept in backups/
    grade solution relu   our solution, with the reasons; opens after full marks
    grade list            all exercises and quizzes

## Exercises, in order

{exercises}
"""


def files(course: Course, seed: int) -> dict[str, bytes]:
    """Return the files of a new workspace, by path, with quizzes drawn from `seed`."""
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


def is_new(folder: Path) -> bool:
    """Tell whether a folder is still to be made, or holds nothing that can be seen: then no code in it is another's."""
    return not os.path.lexists(folder) or (
        folder.is_dir() and all(path.name.startswith(".") for path in folder.iterdir())
    )


def create(course: Course, folder: Path, seed: int) -> tuple[int, int]:
    """Write a workspace to `folder`, with quizzes drawn from `seed`.

    Return how many files were written, and how many existed and were kept. Raises UsageError where it cannot be
    written to.
    """
    wanted = files(course, seed)
    missing = {name: content for name, content in wanted.items() if not os.path.lexists(folder / name)}
    try:
        write(missing, folder)
    except OSError as error:
        raise UsageError(f"{folder} cannot be written: {error.strerror}.") from None
    return len(missing), len(wanted) - len(missing)


def write(files: Mapping[str, bytes], folder: Path) -> None:
    """Write files below a folder, and the folders they need, none of which may be a link. Raises OSError."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in files.items():
        write_below(folder, name, content)


def module(exercise: Exercise, folder: Path) -> Path:
    """Return the path of an exercise in a workspace, existing or not. Raises UsageError outside a workspace."""
    paths = [folder / "exercises" / exercise.stub.name, folder / exercise.stub.name]
    for path in paths:
        if os.path.lexists(path):
            return path
    if not (folder / "exercises").is_dir():
        raise UsageError(
            f"There is no workspace in {folder.resolve()}: no exercises/ and no {exercise.stub.name}.\n"
            "Start one with `grade init DIR`, or name it with --submission DIR."
        )
    return paths[0]


def is_stub(exercise: Exercise, path: Path) -> bool:
    """Tell whether a file is still the stub, byte for byte."""
    return _is_same(exercise.stub, path)


def looks_untouched(course_root: Path, folder: Path) -> bool:
    """Tell whether every module of a workspace is a stub, byte for byte, without reading the course."""
    modules = [path.name for path in (folder / "exercises").glob("*.py")]
    return bool(modules) and all(
        _is_same(course_root / "exercises" / name, folder / "exercises" / name) for name in modules
    )


def _is_same(stub: Path, path: Path) -> bool:
    try:
        expected = stub.read_bytes()
    except OSError:
        return False
    return Folder(path.parent).read(path.name, len(expected)) == expected


def reset(exercise: Exercise, folder: Path, now: datetime) -> Path | None:
    """Restore the stub. Return the backup of the file that it replaces; None where there was none.

    The backup is written first. Its name does not end in `.py`, so that it is not a module of the submission. Raises
    UsageError where the stub cannot be restored; the file is then unchanged.
    """
    path = module(exercise, folder)
    name = path.relative_to(folder).as_posix()
    old = Folder(folder).read(name, MAX_MODULE_BYTES)
    if isinstance(old, Unreadable):
        raise UsageError(
            f"{path} cannot be reset: {old.sentence} It is unchanged; move it away, and reset again."
        )
    backup = None
    try:
        if old is not None:
            backup = _free(folder / "backups", f"{exercise.id}-{now:%Y%m%d-%H%M%S}", ".py.bak")
            write_below(folder, f"backups/{backup.name}", old)
        write_below(folder, name, exercise.stub.read_bytes())
    except OSError as error:
        raise UsageError(f"{path} cannot be reset: {error.strerror}. It is unchanged.") from None
    return backup


def _free(folder: Path, stem: str, ending: str) -> Path:
    """Return a path in `folder` that does not exist."""
    names = itertools.chain([stem], (f"{stem}-{number}" for number in itertools.count(2)))
    return next(path for path in (folder / f"{name}{ending}" for name in names) if not os.path.lexists(path))

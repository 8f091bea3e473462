"""A zip for Gradescope's autograder: two scripts, the engine, the course, and a list of requirements for pip."""

import re
import shlex
from collections.abc import Iterator, Sequence
from importlib.metadata import requires, version
from pathlib import Path

import grader
from grader.core.reproducible_zip import FILE, SCRIPT, pack
from grader.course.catalog import COURSE_FILE, PACKAGED_COURSE
from grader.export.ci import TEMPLATES

_ENGINE = Path(grader.__file__).parent
_COURSE = ("exercises", "solutions", "quizzes")
_NAME = re.compile(r"[A-Za-z0-9._-]+")


def autograder(course: Path, exercises: Sequence[str], *, level: int, seed: int) -> bytes:
    """Return the zip. It grades these exercises, or everything where none is named.

    It refuses to grade below isolation level `level`.
    """
    return pack(_files(course, exercises, level, seed))


def _files(course: Path, exercises: Sequence[str], level: int, seed: int) -> Iterator[tuple[str, bytes, int]]:
    wanted = requirements()
    torch = next(line for line in wanted if line.startswith("torch=="))
    setup = (TEMPLATES / "setup.sh").read_text(encoding="utf-8").replace("@TORCH@", torch)
    yield "setup.sh", setup.encode(), SCRIPT
    script = (TEMPLATES / "run_autograder").read_text(encoding="utf-8")
    for place, value in (
        ("@LEVEL@", str(level)),
        ("@SEED@", str(seed)),
        ("@EXERCISES@", shlex.join(exercises)),
    ):
        script = script.replace(place, value)
    yield "run_autograder", script.encode(), SCRIPT
    yield "requirements.txt", "".join(f"{line}\n" for line in wanted).encode(), FILE
    for path in _below(_ENGINE):
        yield f"grader/{path.relative_to(_ENGINE).as_posix()}", path.read_bytes(), FILE
    for folder in _COURSE:  # where the engine looks for a packaged course
        for path in _below(course / folder):
            yield f"{PACKAGED_COURSE}/{path.relative_to(course).as_posix()}", path.read_bytes(), FILE
    if (course / COURSE_FILE).is_file():  # without it, every check would be shown there
        yield f"{PACKAGED_COURSE}/{COURSE_FILE}", (course / COURSE_FILE).read_bytes(), FILE


def requirements() -> list[str]:
    """Return the requirements of the engine in the versions installed here: the suites were tested with them."""
    declared = (line for line in requires("convgrader") or [] if "extra ==" not in line)
    names = sorted(_NAME.match(line)[0] for line in declared)  # type: ignore[index] # each begins with its name
    return [f"{name}=={version(name).partition('+')[0]}" for name in names]


def _below(folder: Path) -> Iterator[Path]:
    for path in sorted(folder.rglob("*")):
        hidden = any(part.startswith((".", "__pycache__")) for part in path.relative_to(folder).parts)
        if path.is_file() and not hidden:
            yield path

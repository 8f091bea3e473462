"""What the check of an exercise or of a quiz depends on, as one short text: where it is the same, so is the result.

In doubt more counts than is needed: then something is checked again for nothing, and nothing is believed wrongly.
"""

import os
import platform
from collections.abc import Iterable, Iterator, Mapping
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from grader.authoring import quiz_check
from grader.core.model import Exercise
from grader.course import fingerprint
from grader.course.catalog import Course
from grader.grading.dispatcher import MAX_LEVEL_VARIABLE

# Besides torch and Python, which are part of the engine's fingerprint; some of these are too.
PACKAGES = ("click", "hypothesis", "msgspec", "numpy", "pydantic", "pygments", "pytest", "pyyaml")


def exercise_key(exercise: Exercise, mode: str, seed: int, engine: str) -> str:
    """Return what the check of an exercise depends on; `mode` is how it is checked."""
    return fingerprint.of(
        "exercise",
        mode,
        str(seed),
        *_machine(engine),
        fingerprint.exercise(exercise),
        _bytes(exercise.stub),
    )


def bank_key(course: Course, path: Path, engine: str) -> str:
    """Return what the check of a quiz bank depends on."""
    return fingerprint.of(
        "quiz", *_machine(engine), path.name, _bytes(path), *_named(quiz_check.relied_on(course, path))
    )


def _machine(engine: str) -> Iterator[str]:
    """Yield what grades: the engine, its libraries, the kind of machine, and how much isolation it may use."""
    yield from (engine, platform.system(), platform.machine(), os.environ.get(MAX_LEVEL_VARIABLE, ""))
    yield from map(_version, PACKAGES)


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return ""


def _named(texts: Mapping[str, str]) -> Iterable[str]:
    return [text for name in sorted(texts) for text in (name, texts[name])]


def _bytes(path: Path) -> str:
    return path.read_bytes().hex() if path.is_file() else ""

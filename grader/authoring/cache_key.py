"""Cache keys of `grade check`: one hash over everything that the check of an exercise or a quiz bank depends on.

In doubt a key covers more than is needed: an extra check costs time, a stale result would be wrong.
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

# The engine's fingerprint already covers torch, Python and some of these.
PACKAGES = ("click", "hypothesis", "msgspec", "numpy", "pydantic", "pygments", "pytest", "pyyaml")


def exercise_key(exercise: Exercise, mode: str, seed: int, engine: str) -> str:
    """Return the cache key of an exercise; `mode` is "plain", "mutants" or "repeat N"."""
    return fingerprint.of(
        "exercise",
        mode,
        str(seed),
        *_environment(engine),
        fingerprint.exercise(exercise),
        _bytes(exercise.stub),
    )


def bank_key(course: Course, path: Path, engine: str) -> str:
    """Return the cache key of a quiz bank, which covers the references that its keys may use."""
    return fingerprint.of(
        "quiz",
        *_environment(engine),
        path.name,
        _bytes(path),
        *_flat(quiz_check.references_used(course, path)),
    )


def _environment(engine: str) -> Iterator[str]:
    """Yield the engine, the kind of machine, the cap on the isolation level, and the versions of the libraries."""
    yield from (engine, platform.system(), platform.machine(), os.environ.get(MAX_LEVEL_VARIABLE, ""))
    yield from map(_version, PACKAGES)


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return ""


def _flat(texts: Mapping[str, str]) -> Iterable[str]:
    return [text for name in sorted(texts) for text in (name, texts[name])]


def _bytes(path: Path) -> str:
    return path.read_bytes().hex() if path.is_file() else ""

"""Fixtures of the engine's tests: a miniature course, and one warm process for all of them."""

import textwrap
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from grader import catalog
from grader.attempt import grade_exercises
from grader.catalog import Course
from grader.dispatch import Dispatcher
from grader.model import CheckResult, ExerciseResult
from grader.submission import open_submission

COURSE = Path(__file__).parent / "course"
REFERENCE = (COURSE / "solutions" / "scaling" / "reference.py").read_text(encoding="utf-8")


@pytest.fixture(scope="session")
def course() -> Course:
    """The miniature course."""
    return catalog.load(COURSE)


@pytest.fixture(scope="session")
def dispatcher() -> Iterator[Dispatcher]:
    """One warm process for the whole run."""
    with Dispatcher() as started:
        yield started


@pytest.fixture
def grade(dispatcher: Dispatcher, course: Course, tmp_path: Path) -> Callable[..., ExerciseResult]:
    """Grade the text of a `scaling.py`, by default with the reference's other names after it."""

    def run(source: str | bytes, *, rest: bool = True, files: dict[str, str] | None = None) -> ExerciseResult:
        folder = tmp_path / "exercises"
        folder.mkdir(exist_ok=True)
        if isinstance(source, str):
            text = textwrap.dedent(source)
            source = (f"{REFERENCE}\n\n{text}" if rest else text).encode()
        (folder / "scaling.py").write_bytes(source)
        for name, content in (files or {}).items():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_text(content, encoding="utf-8")
        (result,) = grade_exercises(dispatcher, open_submission(tmp_path), course.exercises, seed=0)
        return result

    return run


@pytest.fixture
def check() -> Callable[[ExerciseResult, str], CheckResult]:
    """Find a check of a result by id."""

    def find(result: ExerciseResult, name: str) -> CheckResult:
        return next(check for check in result.checks if check.id == name)

    return find

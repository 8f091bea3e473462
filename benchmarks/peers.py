"""Other graders on the same submissions and checks."""

from collections.abc import Iterator
from pathlib import Path

from grader.model import Exercise


def peer_rows(exercise: Exercise, folder: Path, python: Path) -> Iterator[str]:
    """TODO."""
    yield ""

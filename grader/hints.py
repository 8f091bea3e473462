"""Which hints a student has opened: they open one by one, and the workspace remembers how far."""

import json
import os
from dataclasses import dataclass
from pathlib import Path

from grader.errors import UsageError
from grader.model import Exercise

_FILE = Path(".grade") / "hints.json"


@dataclass(frozen=True, slots=True)
class OpenedHints:
    """The hints opened in a workspace. Where there is no workspace, only the first can be opened."""

    workspace: Path

    def count(self, exercise: Exercise) -> int:
        """Return how many hints of an exercise are open."""
        return min(self._read().get(exercise.id, 0), len(exercise.hints))

    def open(self, exercise: Exercise, number: int) -> None:
        """Open hint `number`, from 1. Raises UsageError unless those before it are open."""
        opened = self.count(exercise)
        if number > len(exercise.hints):
            raise UsageError(f"{exercise.id} has {len(exercise.hints)} hints; there is no hint {number}.")
        if number > opened + 1:
            raise UsageError(
                f"Hints open one by one: {opened} of {len(exercise.hints)} are open here. "
                f"`grade hint {exercise.id}` opens the next."
            )
        if number > opened and self.is_kept(exercise):
            self._write(self._read() | {exercise.id: number})

    def is_kept(self, exercise: Exercise) -> bool:
        """Tell whether this is a workspace, so that what was opened is remembered."""
        return (self.workspace / "exercises").is_dir() or (self.workspace / exercise.stub.name).is_file()

    def _read(self) -> dict[str, int]:
        path = self.workspace / _FILE
        try:
            found = json.loads(path.read_text(encoding="utf-8"))
        except FileNotFoundError:
            return {}
        except (OSError, ValueError, RecursionError):
            found = None
        if not isinstance(found, dict) or not all(type(n) is int and n >= 0 for n in found.values()):
            raise UsageError(f"{path} cannot be read. Delete it: hints then open from the first again.")
        return found

    def _write(self, opened: dict[str, int]) -> None:
        path = self.workspace / _FILE
        try:
            path.parent.mkdir(exist_ok=True)
            fresh = path.with_name(f".{path.name}.new")
            fresh.write_text(json.dumps(opened), encoding="utf-8")
            os.replace(fresh, path)  # noqa: PTH105 - whole, or not at all
        except OSError as error:
            raise UsageError(f"{path} cannot be written: {error.strerror}.") from None

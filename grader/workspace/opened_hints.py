"""Which hints a student has opened: they open one by one, and the workspace remembers how far."""

from dataclasses import dataclass
from pathlib import Path

from grader.core.errors import UsageError
from grader.core.model import Exercise
from grader.workspace.state_file import StateFile


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
            self._kept.write(self._read() | {exercise.id: number})

    def is_kept(self, exercise: Exercise) -> bool:
        """Tell whether this is a workspace, so that what was opened is remembered."""
        return (self.workspace / "exercises").is_dir() or (self.workspace / exercise.stub.name).is_file()

    @property
    def _kept(self) -> StateFile:
        return StateFile(self.workspace, "hints.json", "hints then open from the first again")

    def _read(self) -> dict[str, int]:
        found = self._kept.read()
        if not all(type(n) is int and n >= 0 for n in found.values()):
            raise self._kept.unreadable()
        return found

"""The hints that a student has opened. They open one by one; the workspace stores how many are open."""

from dataclasses import dataclass
from pathlib import Path

import click

from grader.core.errors import UsageError
from grader.core.model import Exercise
from grader.workspace.state_file import StateFile


@dataclass(frozen=True, slots=True)
class OpenedHints:
    """The hints opened in a workspace. Outside a workspace only the first can be opened."""

    workspace: Path

    def count(self, exercise: Exercise) -> int:
        """Return how many hints of an exercise are open."""
        return min(self._read().get(exercise.id, 0), len(exercise.hints))

    def texts(self, exercise: Exercise) -> tuple[str, ...]:
        """Return the hints of an exercise that are open."""
        return exercise.hints[: self.count(exercise)]

    def next(self, exercise: Exercise, number: int | None = None, *, width: int) -> str:
        """Open the next hint, or hint `number`; return it and what to do next, in lines of `width` columns.

        Raises UsageError for a hint that does not exist or may not be opened yet.
        """
        count = len(exercise.hints)
        number = number or min(self.count(exercise) + 1, count)
        self.open(exercise, number)
        hint = click.wrap_text(exercise.hints[number - 1], width=width, preserve_paragraphs=True)
        if number == count:
            more = f"That was the last of {count} hints; `grade hint {exercise.id} 1` shows the first again."
        elif self.is_stored(exercise):
            more = f"Hint {number} of {count}. Not enough? `grade hint {exercise.id}` opens the next."
        else:
            where = "your workspace, the folder with exercises/"
            more = f"Hint {number} of {count}. To open the next, run this in {where}."
        return f"{hint}\n\n{click.wrap_text(more, width=width)}"

    def open(self, exercise: Exercise, number: int) -> None:
        """Open hint `number`, from 1. Raises UsageError unless all before it are open, or where it does not exist."""
        opened = self.count(exercise)
        if number > len(exercise.hints):
            raise UsageError(f"{exercise.id} has {len(exercise.hints)} hints; there is no hint {number}.")
        if number > opened + 1:
            raise UsageError(
                f"Hints open one by one: {opened} of {len(exercise.hints)} are open here. "
                f"`grade hint {exercise.id}` opens the next."
            )
        if number > opened and self.is_stored(exercise):
            self._file.write(self._read() | {exercise.id: number})

    def is_stored(self, exercise: Exercise) -> bool:
        """Tell whether this is a workspace, where the number of open hints is stored."""
        return (self.workspace / "exercises").is_dir() or (self.workspace / exercise.stub.name).is_file()

    @property
    def _file(self) -> StateFile:
        return StateFile(self.workspace, "hints.json", "hints then open from the first again")

    def _read(self) -> dict[str, int]:
        found = self._file.read()
        if not all(type(n) is int and n >= 0 for n in found.values()):
            raise self._file.unreadable()
        return found

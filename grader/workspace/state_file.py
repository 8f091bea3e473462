"""The state of a workspace between commands: small JSON files in its folder `.grade`."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from grader.core.atomic_write import write_below
from grader.core.errors import UsageError

_FOLDER = ".grade"


@dataclass(frozen=True, slots=True)
class StateFile:
    """One state file: a JSON object whose keys are exercises. `loss` says what happens where it is deleted."""

    workspace: Path
    name: str
    loss: str

    def read(self) -> dict[str, Any]:
        """Return the content, empty where there is no file. Raises UsageError where it cannot be read."""
        try:
            found = json.loads(self._path.read_text(encoding="utf-8"))
        except FileNotFoundError:
            return {}
        except (OSError, ValueError, RecursionError):
            found = None
        if not isinstance(found, dict):
            raise self.unreadable()
        return found

    def write(self, content: dict[str, Any]) -> None:
        """Replace the content. Raises UsageError where it cannot be written."""
        try:
            write_below(self.workspace, f"{_FOLDER}/{self.name}", json.dumps(content).encode())
        except OSError as error:
            raise UsageError(f"{self._path} cannot be written: {error.strerror}.") from None

    def unreadable(self) -> UsageError:
        """Return the error for a file with other content than `write` gives it."""
        return UsageError(f"{self._path} cannot be read. Delete it: {self.loss}.")

    @property
    def _path(self) -> Path:
        return self.workspace / _FOLDER / self.name

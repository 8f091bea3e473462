"""The state of a workspace between commands: small JSON files in its folder `.grade`."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from grader.core.atomic_write import write_below
from grader.core.errors import UsageError
from grader.submission import Folder, Unreadable

MAX_STATE_BYTES = 2**20
_FOLDER = ".grade"


@dataclass(frozen=True, slots=True)
class StateFile:
    """One state file: a JSON object whose keys are exercises. `loss` says what happens where it is deleted."""

    workspace: Path
    name: str
    loss: str

    def read(self) -> dict[str, Any]:
        """Return the content, empty where there is no file. Raises UsageError where it cannot be read."""
        data = Folder(self.workspace).read(f"{_FOLDER}/{self.name}", MAX_STATE_BYTES)
        if data is None:
            return {}
        if isinstance(data, Unreadable):  # a link, a pipe, too large: the workspace may be another person's
            raise self.unreadable()
        try:
            found = json.loads(data)
        except (ValueError, RecursionError):
            raise self.unreadable() from None
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

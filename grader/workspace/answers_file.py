"""The answers file of one quiz in a workspace: read, and changed response by response, whatever else changes it."""

import itertools
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from grader import quiz
from grader.core import yaml_document
from grader.core.atomic_write import make_folder, write_whole
from grader.core.errors import DocumentError, UsageError
from grader.quiz import Bank, answer_edits
from grader.quiz.answers import Responses, read_answers
from grader.quiz.sheet import as_written
from grader.submission import MAX_ANSWERS_BYTES


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """What writing responses did: what the file said before and after.

    `conflicts` are the items that had another response by then, and were not written. `backup` is where the earlier
    text is kept, if it is.
    """

    before: Responses
    after: Responses
    conflicts: frozenset[str] = frozenset()
    backup: Path | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class AnswersFile:
    """An answers file. Where there is none, it is made with the draw of `new`."""

    bank: Bank
    path: Path
    new: Responses = field(default_factory=lambda: Responses(seed=quiz.new_seed()))

    @classmethod
    def in_workspace(cls, bank: Bank, workspace: Path, seed: int | None = None) -> "AnswersFile":
        """Return the file of a quiz; a new one is drawn from `seed`, or from a random one."""
        paths = [workspace / "answers" / f"{bank.id}{ending}" for ending in (".yaml", ".yml")]
        path = next((path for path in paths if os.path.lexists(path)), paths[0])
        return cls(bank=bank, path=path, new=Responses(seed=quiz.new_seed() if seed is None else seed))

    def read(self) -> Responses:
        """Return what the file says; nothing answered where there is none. Raises UsageError where it cannot be used.

        It is no file of the course, whose errors are DocumentErrors.
        """
        text = self._text()
        return self.new if text is None else self._read(text)

    def begin(self) -> Responses:
        """Write the file unless there is one, and return what it says. Raises UsageError where it cannot be used."""
        text = self._text()
        if text is None:
            text = answer_edits.written_anew(self.bank, self.new)
            self._write(self.path, text)
        return self._read(text)

    def change(
        self,
        asked: Responses,
        responses: Mapping[str, object],
        hints: Mapping[str, int] | None = None,
        over: Mapping[str, str] | None = None,
    ) -> Change:
        """Write these responses, None for an item to leave open, and at least these hints as opened.

        All else stays as the file says now. Where its form gives items no lines of their own, it is written anew, and
        the earlier text is kept beside it. `asked` is what the file said when the questions were asked. `over` is
        what it said of these items when they were answered, in the form of `as_written`; where it says a third thing by
        now, that stays. Raises UsageError where it cannot be read or written, or has other questions by now.
        """
        text = self._text()
        if text is None:
            text = answer_edits.written_anew(self.bank, Responses(seed=asked.seed, draw=asked.draw))
        before = self._read(text)
        if self._questions(before) != self._questions(asked):
            raise UsageError(
                f"{self.path} has another seed or draw by now, and so other questions. Nothing was saved in it. "
                f"Start `grade quiz {self.bank.id}` again."
            )
        conflicts = frozenset(
            item_id
            for item_id, known in (over or {}).items()
            if as_written(before.written(item_id)) not in (known, as_written(responses[item_id]))
        )
        wanted = {item_id: value for item_id, value in responses.items() if item_id not in conflicts}
        found = answer_edits.edited(self.bank, text, wanted, hints)
        backup = None
        if found is None:
            backup = self._backup(text)
            found = answer_edits.written_anew(self.bank, answer_edits.after(self.bank, before, wanted, hints))
        if found != text or not os.path.lexists(self.path):
            self._write(self.path, found)
        return Change(before=before, after=self._read(found), conflicts=conflicts, backup=backup)

    def _questions(self, responses: Responses) -> tuple[int, int]:
        """Return what the questions depend on: a file without drawn numbers has no seed."""
        return responses.seed if self.bank.draws and self.bank.seed is None else 0, responses.draw

    def _text(self) -> str | None:
        if not os.path.lexists(self.path):
            return None
        try:
            return yaml_document.read_text(self.path, str(self.path))
        except DocumentError as error:
            raise _unusable(error) from None

    def _read(self, text: str) -> Responses:
        try:
            return read_answers(self.bank, text, shown=str(self.path))
        except DocumentError as error:
            raise _unusable(error) from None

    def _backup(self, text: str) -> Path:
        names = (f"{self.path.name}.before{number or ''}" for number in itertools.count())
        path = next(path for path in map(self.path.with_name, names) if not os.path.lexists(path))
        self._write(path, text)
        return path

    @staticmethod
    def _write(path: Path, text: str) -> None:
        data = text.encode()
        if len(data) > MAX_ANSWERS_BYTES:
            raise UsageError(
                f"{path} would be larger than {MAX_ANSWERS_BYTES // 1024} KiB, and is not changed."
            )
        try:
            make_folder(path.parent)
            write_whole(path, data)
        except OSError as error:
            raise UsageError(f"{path} cannot be written: {error.strerror}.") from None


def _unusable(error: DocumentError) -> UsageError:
    return UsageError(
        f"{error}\nThis is your answers file. Correct it, or move it away to start the quiz anew."
    )

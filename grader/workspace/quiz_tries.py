"""How often a student had a quiz graded. Only quizzes of which the course limits the tries are counted.

It counts for nothing but what is shown: it lies in the student's own folder, beside the answers.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from grader.course import fingerprint
from grader.quiz import Bank
from grader.quiz.answers import Responses
from grader.quiz.sheet import as_yaml
from grader.workspace.state_file import StateFile


def untried(_bank: Bank) -> int:
    """Return how many tries of a quiz were used in a submission that is no workspace: none."""
    return 0


@dataclass(frozen=True, slots=True)
class QuizTries:
    """The tries of a workspace."""

    workspace: Path

    def used(self, bank: Bank) -> int:
        """Return how many tries were used. Raises UsageError where that cannot be read."""
        return self._read().get(bank.id, (0, ""))[0] if bank.tries is not None else 0

    def used_of(self, banks: Iterable[Bank]) -> dict[str, int]:
        """Return how many tries of each quiz were used, by id."""
        return {bank.id: self.used(bank) for bank in banks}

    def is_graded(self, bank: Bank, responses: Responses) -> bool:
        """Tell whether the last try was with these responses: seeing its result again is not another one."""
        return bank.tries is not None and self._read().get(bank.id, (0, ""))[1] == _fingerprint(responses)

    def is_over(self, bank: Bank) -> bool:
        """Tell whether all tries are used."""
        return bank.tries is not None and self.used(bank) >= bank.tries

    def use(self, bank: Bank, responses: Responses) -> None:
        """Count a try with these responses, unless it was the last one, or all are used. Raises UsageError."""
        if bank.tries is not None and not self.is_over(bank) and not self.is_graded(bank, responses):
            tried = {bank.id: [self.used(bank) + 1, _fingerprint(responses)]}
            self._file.write(self._file.read() | tried)

    def announced(self, bank: Bank, responses: Responses) -> str:
        """Return a sentence on what grading these responses would cost, with a space behind it; "" where nothing."""
        if bank.tries is None or self.is_over(bank) or self.is_graded(bank, responses):
            return ""
        number = self.used(bank) + 1
        return f"This is try {number} of {bank.tries}{', the last one' * (number == bank.tries)}. "

    def outlook(self, bank: Bank) -> str:
        """Return a sentence on when there is more to see than points, for students who see no feedback."""
        if bank.tries is None:
            return "The course shows no feedback on this quiz here."
        left = bank.tries - self.used(bank)
        return f"Feedback and explanations come with the last try. You have {left} left."

    @property
    def _file(self) -> StateFile:
        return StateFile(self.workspace, "quizzes.json", "the tries of quizzes are then counted from 0 again")

    def _read(self) -> dict[str, tuple[int, str]]:
        found: dict[str, tuple[int, str]] = {}
        for name, entry in self._file.read().items():
            match entry:
                case [int(used), str(responses)] if type(used) is int and used >= 0:
                    found[name] = used, responses
                case _:
                    raise self._file.unreadable()
        return found


def _fingerprint(responses: Responses) -> str:
    given = {item_id: responses.given[item_id] for item_id in sorted(responses.given)}
    return fingerprint.of(
        str(responses.seed), str(responses.draw), as_yaml(given), as_yaml(sorted(responses.hints.items()))
    )

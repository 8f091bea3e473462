"""The exceptions that a command can end with; each class carries its data and its exit code.

    GraderError            3   an error in the grader, and the root of the tree
    ├── UsageError         2   the command cannot be carried out as typed
    ├── DocumentError      4   a YAML file or the course is malformed: every problem found, with its line
    ├── IsolationRefused   3   this machine isolates less than was required
    ├── submission.Damaged 3   a stored hand-in cannot be read
    ├── ProtocolError      3   the worker sent bytes that break the protocol
    └── InternalError      3   a process of the grader failed, or a suite is broken

Student code that fails raises none of these: it is an Outcome. Only `cli` prints errors and exits.
"""

from collections.abc import Iterable
from dataclasses import dataclass


class GraderError(Exception):
    """The root of the tree. The message says what happened, where, and what to do next."""

    exit_code = 3


class UsageError(GraderError):
    """The command cannot be carried out as typed; the message says what to type instead."""

    exit_code = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """One problem of a file. `line` and `column` count from 1; 0 means the file as a whole."""

    path: str
    message: str
    line: int = 0
    column: int = 0

    def __str__(self) -> str:
        place = f"{self.path}:{self.line}:{self.column}" if self.line else self.path
        return f"{place}: {self.message}"


class DocumentError(GraderError):
    """A file of the course, or an answers file, is malformed. Carries all problems found, not only the first."""

    exit_code = 4

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems = tuple(problems)
        super().__init__("\n".join(str(problem) for problem in self.problems))


class IsolationRefused(GraderError):
    """This machine has a lower isolation level than `--require-isolation` requires."""

    def __init__(self, *, level: int, required: int, missing: tuple[str, ...]) -> None:
        self.level, self.required, self.missing = level, required, missing
        super().__init__(
            f"This machine isolates submissions at level {level}, and level {required} was required.\n"
            f"Missing here: {', '.join(missing) or 'unknown'}.\n"
            "`grade doctor` says why, and what to do. Or lower --require-isolation."
        )


class ProtocolError(GraderError):
    """The worker sent bytes that break the protocol. Ends a check with the outcome `tampering`."""


class InternalError(GraderError):
    """An error in the grader: a grading process died or a suite is broken. It takes no points from a student."""

"""What can go wrong for the people who run the grader; each class carries its data and its exit code.

    GraderError            3   our own failure, and the root of the tree
    ├── UsageError         2   the command cannot be carried out as typed
    ├── DocumentError      4   a YAML file or the course is malformed: every problem found, with its place
    ├── IsolationRefused   3   this machine isolates less than was asked for
    ├── ProtocolError      3   the worker sent what no honest worker sends
    └── InternalError      3   a process of ours failed or a suite of ours is broken

Student code that fails is none of these: it is an Outcome. Only `cli` prints errors and exits.
"""

from collections.abc import Iterable
from dataclasses import dataclass


class GraderError(Exception):
    """The root of the tree. The message says what happened, where, and what to do next."""

    exit_code = 3


class UsageError(GraderError):
    """The command cannot be carried out as typed; the person who typed it can mend it."""

    exit_code = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """One thing wrong with one file. `line` and `column` count from 1; 0 means the file as a whole."""

    path: str
    message: str
    line: int = 0
    column: int = 0

    def __str__(self) -> str:
        place = f"{self.path}:{self.line}:{self.column}" if self.line else self.path
        return f"{place}: {self.message}"


class DocumentError(GraderError):
    """A file of the course, or an answers file, is malformed. Carries all problems found, not the first."""

    exit_code = 4

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems = tuple(problems)
        super().__init__("\n".join(str(problem) for problem in self.problems))


class IsolationRefused(GraderError):
    """This machine gives a lower isolation level than `--require-isolation` asks for."""

    def __init__(self, *, level: int, required: int, missing: tuple[str, ...]) -> None:
        self.level, self.required, self.missing = level, required, missing
        super().__init__(
            f"This machine isolates submissions at level {level}, and level {required} was required.\n"
            f"Missing here: {', '.join(missing) or 'nothing that can be named'}.\n"
            "`grade doctor` tells why, and what to do. Or lower --require-isolation."
        )


class ProtocolError(GraderError):
    """The worker sent bytes that no honest worker sends. Ends a check with the outcome `tampering`."""


class InternalError(GraderError):
    """Our own fault: a grading process died or a suite is broken. Takes no points from anyone."""

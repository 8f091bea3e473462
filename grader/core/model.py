"""The records every room shares: frozen, without behaviour beyond arithmetic on themselves.

A specification (Exercise) never turns into a result (ExerciseResult). Units stand in the names:
`_s` seconds, `_mib` mebibytes, `_kib` kibibytes.
"""

import re
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from pathlib import Path


class Outcome(StrEnum):
    """How a check or an exercise ended, most severe first."""

    INTERNAL_ERROR = "internal_error"
    TAMPERING = "tampering"
    TIME_LIMIT = "time_limit"
    MEMORY_LIMIT = "memory_limit"
    OUTPUT_LIMIT = "output_limit"
    CRASHED = "crashed"
    RAISED = "raised"
    NOT_ATTEMPTED = "not_attempted"
    FAILED = "failed"
    SKIPPED = "skipped"
    PASSED = "passed"

    @property
    def severity(self) -> int:
        """0 for the most severe outcome."""
        return list(Outcome).index(self)


class Reveal(StrEnum):
    """How much of a check its students see: all, only its outcome and title, or nothing but that there is one."""

    ALL = "all"
    TITLE = "title"
    NOTHING = "nothing"

    @property
    def strictness(self) -> int:
        """0 for what shows all."""
        return list(Reveal).index(self)


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What one exercise of one submission may use."""

    import_limit_s: float = 10.0
    call_limit_s: float = 4.0
    check_limit_s: float = 20.0
    exercise_limit_s: float = 60.0
    memory_limit_mib: int = 1024
    output_limit_kib: int = 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Exercise:
    """One exercise as the course describes it. `points` equals the sum of its suite's marks.

    `order` is the place among exercises of the same section.
    `reveal` holds for the checks that say nothing themselves; it changes no result, only who reads what of it.
    """

    id: str
    title: str
    section: str
    points: float
    names: tuple[str, ...]
    hints: tuple[str, ...]
    objectives: tuple[str, ...]
    source: str
    stub: Path
    folder: Path
    order: int = 1
    limits: Limits = field(default_factory=Limits)
    banned_operators: tuple[str, ...] = ()
    warm: tuple[str, ...] = ()
    reveal: Reveal = Reveal.ALL

    @property
    def suite(self) -> Path:
        """The hidden suite."""
        return self.folder / f"test_{self.id}.py"


@dataclass(frozen=True, slots=True, kw_only=True)
class Frame:
    """One line of a traceback, in the student's own code."""

    path: str
    line: int
    function: str
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Argument:
    """One argument of a call, as text a person reads."""

    name: str
    value: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Counterexample:
    """One call whose result is wrong. `smallest` tells that shrinking found no smaller one."""

    call: str
    arguments: tuple[Argument, ...] = ()
    expected: str = ""
    got: str = ""
    where: str = ""
    smallest: bool = False


Plane = tuple[tuple[float | None, ...], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Snippet:
    """A failing case as code to run without the grader, behind its imports; or the `reason` why there is none.

    `entry` is what of the student's it calls last: `LeNet.forward`. `judges` tells whether it fails where the
    check does, and not later.
    """

    code: str = ""
    entry: str = ""
    judges: bool = True
    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Picture:
    """One plane of a wrong result beside the expected one, row by row; None stands for NaN or an infinity.

    `plane` names it: that with the largest error; "" where there is no other. `height` and `width` are its own. A large
    one is drawn in blocks of `block_height` x `block_width` values: their mean, and of `difference` (got minus
    expected, 0 where they match) what is farthest from 0, so that nothing wrong is lost.
    """

    call: str
    plane: str
    height: int
    width: int
    block_height: int
    block_width: int
    expected: Plane
    got: Plane
    difference: Plane


@dataclass(frozen=True, slots=True, kw_only=True)
class Diagnosis:
    """The known mistake that explains every result the student's code gave."""

    mistake: str
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckResult:
    """What became of one check. `rationale` is one student-safe sentence.

    The counterexample may come from a search of its own; the picture is always of the check's own last call.
    """

    id: str
    title: str
    outcome: Outcome
    points: float
    max_points: float
    rationale: str = ""
    counterexample: Counterexample | None = None
    picture: Picture | None = None
    diagnosis: Diagnosis | None = None
    traceback: tuple[Frame, ...] = ()
    duration_s: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Flag:
    """A line of the submission that a person should look at: what it uses, and why that may matter."""

    path: str
    line: int
    name: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Hidden:
    """Checks that whoever reads a report is not shown: how many, and what they are worth together."""

    checks: int
    max_points: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """How much its students see of an exercise: `default`, unless a check is in `own`. `hidden` sums up its suite."""

    default: Reveal = Reveal.ALL
    own: dict[str, Reveal] = field(default_factory=dict)
    hidden: Hidden | None = None

    def of(self, check: str) -> Reveal:
        """Return how much of a check they see."""
        return self.own.get(check, self.default)


@dataclass(frozen=True, slots=True, kw_only=True)
class ExerciseResult:
    """What became of one exercise. `message` speaks of the exercise as a whole: a module that did not load.

    With `hidden`, everything else is of the checks that are shown: outcome, points and max_points too.
    """

    id: str
    title: str
    outcome: Outcome
    points: float
    max_points: float
    checks: tuple[CheckResult, ...] = ()
    message: str = ""
    traceback: tuple[Frame, ...] = ()
    output: str = ""
    flags: tuple[Flag, ...] = ()
    duration_s: float = 0.0
    hidden: Hidden | None = None

    @property
    def is_full(self) -> bool:
        """Tell whether nothing that is shown is left to do."""
        went_wrong = self.outcome not in (Outcome.PASSED, Outcome.SKIPPED)
        return self.points >= self.max_points and not (self.hidden is not None and went_wrong)

    @property
    def shows_nothing(self) -> bool:
        """Tell whether checks ran, and all of them are hidden."""
        return self.hidden is not None and not self.checks and self.outcome is Outcome.SKIPPED


@dataclass(frozen=True, slots=True, kw_only=True)
class ItemResult:
    """What became of one quiz item. `response` is what the student wrote, as text; empty when unanswered."""

    id: str
    type: str
    prompt: str
    points: float
    max_points: float
    answered: bool
    response: str = ""
    feedback: tuple[str, ...] = ()
    misconceptions: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class QuizResult:
    """What became of one quiz. `problems` are those of the answers file, each with file, line and column."""

    id: str
    title: str
    points: float
    max_points: float
    items: tuple[ItemResult, ...] = ()
    problems: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Isolation:
    """How well workers were locked in: 3 with namespaces, 2 Landlock and seccomp, 1 seccomp, 0 a process."""

    level: int
    layers: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Versions:
    """What graded."""

    grader: str
    torch: str
    python: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """Everything one grading found out. `score` is points / max_points, in [0, 1]."""

    points: float
    max_points: float
    score: float
    isolation: Isolation
    versions: Versions
    seed: int
    exercises: tuple[ExerciseResult, ...] = ()
    quizzes: tuple[QuizResult, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Score:
    """What one attempt earned. `void` tells that a part of it could not be graded through a fault of ours."""

    student: str
    number: int
    submitted_at: datetime
    points: float
    max_points: float
    void: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Mark:
    """What one student gets: `raw_points` of attempt `number`, less `penalty_percent` of them for being late."""

    student: str
    number: int
    submitted_at: datetime
    raw_points: float
    max_points: float
    days_late: int
    penalty_percent: float
    points: float

    @property
    def score(self) -> float:
        """The mark in [0, 1]."""
        return self.points / self.max_points if self.max_points else 0.0


def section_order(section: str) -> tuple[int, ...]:
    """Return the numbers in a section's name, so that 10 comes after 9: "7.1" -> (7, 1)."""
    return tuple(int(number) for number in re.findall(r"\d+", section))

"""The records that every package shares: frozen, without behavior beyond arithmetic on their fields.

A specification (Exercise) never turns into a result (ExerciseResult). Units are part of the names:
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
    """How much of a check its students see: all, only its outcome and title, or only that it exists."""

    ALL = "all"
    TITLE = "title"
    NOTHING = "nothing"

    @property
    def strictness(self) -> int:
        """0 for what shows all."""
        return list(Reveal).index(self)


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """The limits of one exercise of one submission."""

    import_limit_s: float = 10.0
    call_limit_s: float = 4.0
    check_limit_s: float = 20.0
    exercise_limit_s: float = 60.0
    memory_limit_mib: int = 1024
    output_limit_kib: int = 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Passage:
    """A place in the text of the course: the title of a page, with its section, and a heading on that page."""

    page: str
    heading: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Exercise:
    """One exercise as the course describes it. `points` equals the sum of its suite's marks.

    `order` is the place among exercises of the same section.
    `reveal` holds for the checks that say nothing themselves; it changes no result, only who reads what of it.
    `tolerated_operators` are those banned ones whose use costs the checks marked `by_hand`, and no other.
    `passages` are pairs of a check and the place that explains it; that of "" is for all others.
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
    tolerated_operators: tuple[str, ...] = ()
    warm: tuple[str, ...] = ()
    reveal: Reveal = Reveal.ALL
    passages: tuple[tuple[str, Passage], ...] = ()

    def passage(self, check: str) -> Passage | None:
        """Return the place in the text of the course that explains a check; None if the course names none."""
        known = dict(self.passages)
        return known.get(check, known.get(""))

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
    """One argument of a call, as text for people."""

    name: str
    value: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Counterexample:
    """One call whose result is wrong. `smallest` means that shrinking found no smaller one.

    `wrong` lists the wrong cells that `got` shows, each as the number of its line and its place in that line, from 0.
    """

    call: str
    arguments: tuple[Argument, ...] = ()
    expected: str = ""
    got: str = ""
    where: str = ""
    wrong: tuple[tuple[int, int], ...] = ()
    smallest: bool = False


Plane = tuple[tuple[float | None, ...], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Snippet:
    """A failing case as code to run without the grader, without its imports; or the `reason` why there is none.

    `entry` is the student's function that it calls last: `LeNet.forward`. `judges` is true if the code itself fails
    where the check does.
    """

    code: str = ""
    entry: str = ""
    judges: bool = True
    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Picture:
    """The plane (height x width) of a wrong result with the largest error, and the expected one; None is NaN or inf.

    `plane` is its name, "" if it is the only one. `height` and `width` are its sizes in values. A large plane is
    reduced to blocks of `block_height` x `block_width` values: to their mean, and for `difference` (got minus expected,
    0 where they match) to the value farthest from 0, so that every error stays visible.
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
    """The known mistake that explains every result the student's code gave.

    With `of_check_alone` it explains those of its check, and others show that it is not the only one.
    """

    mistake: str
    message: str
    of_check_alone: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckResult:
    """The result of one check. `rationale` is one student-safe sentence.

    The counterexample may come from a search for a smaller one; the picture is always of the check's own last call.
    `passage` is the place in the text of the course that explains a check which did not pass.
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
    passage: Passage | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Flag:
    """A line of the submission that an instructor should look at: what it uses, and why that may matter."""

    path: str
    line: int
    name: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Hidden:
    """The checks that a report does not show: how many, and their points together."""

    checks: int
    max_points: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """How much students see of the checks of an exercise: `default`, or what `own` says. `hidden` sums up those."""

    default: Reveal = Reveal.ALL
    own: dict[str, Reveal] = field(default_factory=dict)
    hidden: Hidden | None = None

    def of(self, check: str) -> Reveal:
        """Return how much of a check students see."""
        return self.own.get(check, self.default)


@dataclass(frozen=True, slots=True, kw_only=True)
class ExerciseResult:
    """The result of one exercise. `message` is on the exercise as a whole: a module that did not load.

    With `hidden`, all other fields describe the shown checks only: outcome, points and max_points too.
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
    def is_void(self) -> bool:
        """Whether it could not be graded, through an error in the grader: it has no points yet, and no zero either."""
        return self.outcome is Outcome.INTERNAL_ERROR

    @property
    def is_full(self) -> bool:
        """Whether all points that are shown were earned, and no hidden check failed."""
        went_wrong = self.outcome not in (Outcome.PASSED, Outcome.SKIPPED)
        is_open = self.is_void or (self.hidden is not None and went_wrong)
        return self.points >= self.max_points and not is_open

    @property
    def shows_nothing(self) -> bool:
        """Whether checks ran, and all of them are hidden."""
        return self.hidden is not None and not self.checks and self.outcome is Outcome.SKIPPED


@dataclass(frozen=True, slots=True, kw_only=True)
class ItemResult:
    """The result of one quiz item. `response` is what the student wrote, as text; empty when unanswered.

    `letters` are the letters that its options have in the bank, in the order in which they were shown as a, b, c, ...;
    empty where they were shown with their own. `number` is its place among the items as this student was asked them,
    from 1; 0 in a report that was written before items had one.
    """

    id: str
    type: str
    prompt: str
    points: float
    max_points: float
    answered: bool
    response: str = ""
    letters: str = ""
    feedback: tuple[str, ...] = ()
    misconceptions: tuple[str, ...] = ()
    number: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class QuizResult:
    """The result of one quiz. `problems` are those of the answers file, each with file, line and column."""

    id: str
    title: str
    points: float
    max_points: float
    items: tuple[ItemResult, ...] = ()
    problems: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Isolation:
    """How workers were isolated: 3 with namespaces, Landlock and seccomp; 2 with the last two; 1 seccomp; 0 neither."""

    level: int
    layers: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Versions:
    """The versions of what graded."""

    grader: str
    torch: str
    python: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """The result of one grading. `score` is points / max_points, in [0, 1]. `seed` is None where it is kept secret.

    A void exercise has 0 of its points. So points and score of a report that is not `final` are a lower bound, and
    nothing may show or publish them as a mark.
    """

    points: float
    max_points: float
    score: float
    isolation: Isolation
    versions: Versions
    seed: int | None
    exercises: tuple[ExerciseResult, ...] = ()
    quizzes: tuple[QuizResult, ...] = ()

    @property
    def final(self) -> bool:
        """Whether every part was graded, none of them void: only then there is a score."""
        return not any(exercise.is_void for exercise in self.exercises)


@dataclass(frozen=True, slots=True, kw_only=True)
class Score:
    """The points of hand-in `number` of a student, by the newest verdict on it.

    `void` means that a part of it was not graded through an error in the grader. `version` is a number for the version
    of the course that it was last graded with.
    """

    student: str
    number: int
    submitted_at: datetime
    points: float
    max_points: float
    void: bool = False
    version: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    """A student as the roster of a class has them: `id` is the one by which marks are exported."""

    id: str
    name: str = ""
    email: str = ""
    section: str = ""
    moodle: str = ""
    canvas: str = ""
    gradescope: str = ""
    github: str = ""

    @property
    def ids(self) -> tuple[str, ...]:
        """What identifies this person and no other, the most certain first."""
        known = (self.id, self.email, self.moodle, self.canvas, self.gradescope, self.github)
        return tuple(filter(None, known))


@dataclass(frozen=True, slots=True, kw_only=True)
class Mark:
    """The points a student gets: `raw_points` of hand-in `number`, less `penalty_percent` of them for being late.

    `version` is that of the course, as in its `Score`. Of a student who handed in nothing, `number` is 0.
    """

    student: str
    number: int
    submitted_at: datetime | None
    raw_points: float
    max_points: float
    days_late: int
    penalty_percent: float
    points: float
    version: int = 0

    @property
    def score(self) -> float:
        """The mark in [0, 1]."""
        return self.points / self.max_points if self.max_points else 0.0


def section_order(section: str) -> tuple[int, ...]:
    """Return the numbers in a section's name, so that 10 comes after 9: "7.1" -> (7, 1)."""
    return tuple(int(number) for number in re.findall(r"\d+", section))

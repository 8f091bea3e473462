"""What a gradebook says when it is summed up: frozen records, without behaviour beyond arithmetic on themselves."""

from dataclasses import dataclass
from datetime import date, datetime

from grader.model import Counterexample, Outcome
from grader.policy import Keep
from grader.similarity import Pair


@dataclass(frozen=True, slots=True, kw_only=True)
class Share:
    """So many of so many students."""

    count: int
    of: int

    @property
    def value(self) -> float | None:
        """The share in [0, 1]; None of nobody."""
        return self.count / self.of if self.of else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Spread:
    """How `n` numbers are spread.

    Quartiles are linear between the numbers (R's type 7, numpy's default). `deviation` divides by n - 1; one number has
    none.
    """

    n: int
    mean: float
    deviation: float | None
    low: float
    lower_quartile: float
    median: float
    upper_quartile: float
    high: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Bin:
    """How many numbers lie in [low, high); the last bin of a histogram holds its `high` too."""

    low: float
    high: float
    count: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Tally:
    """How many students ended with an outcome."""

    outcome: Outcome
    count: int


@dataclass(frozen=True, slots=True, kw_only=True)
class StudentSummary:
    """One student: how often and when they handed in, and the mark that counts.

    `first` and `last` are the first and the last hand-in, `number` the attempt that counts. `score` is in [0, 1], after
    what being late costs. `begun` tells whether that attempt holds anything of the student's own.
    """

    student: str
    hand_ins: int
    first: datetime
    last: datetime
    number: int
    points: float
    max_points: float
    score: float
    days_late: int
    penalty_percent: float
    begun: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class VoidSummary:
    """A student whose last attempt could not be graded in full, through a fault of ours in these exercises.

    It does not count. `marked` tells whether an earlier one does; else nothing of the student's is counted anywhere.
    """

    student: str
    exercises: tuple[str, ...]
    marked: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckSummary:
    """One check: of the students whose exercise was graded, how many passed it.

    Where no check of an exercise could run, each has the outcome of the exercise. `tallies` have the most severe first.
    """

    id: str
    title: str
    max_points: float
    passed: Share
    not_attempted: Share
    tallies: tuple[Tally, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ExerciseSummary:
    """One exercise. `graded` students have a result of it; the shares are of these.

    `scores` are theirs, in [0, 1]. `unexplained` attempted it and failed, and no known mistake was found in any of it.
    `seconds` is what grading it took.
    """

    id: str
    title: str
    max_points: float
    graded: int
    full: Share
    not_attempted: Share
    unexplained: Share
    scores: Spread | None
    seconds: Spread | None
    tallies: tuple[Tally, ...]
    checks: tuple[CheckSummary, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class MistakeSummary:
    """A known mistake, and how many of those who attempted the exercise made it, alone or with another.

    `name` is what it is made in, "" where the course no longer knows the mistake. `together` counts those who made it
    with another one. `checks` are the titles of what it cost, the most frequent first; `example` is the call that most
    of them failed.
    """

    exercise: str
    id: str
    name: str
    message: str
    made: Share
    together: int
    checks: tuple[str, ...]
    example: Counterexample | None


@dataclass(frozen=True, slots=True, kw_only=True)
class MisconceptionSummary:
    """What answers to quizzes betray: how many held it of those who answered an item that showed it.

    `items` are those, as (quiz, item); `feedback` is what most were told. Each student's first answers count.
    """

    id: str
    items: tuple[tuple[str, str], ...]
    made: Share
    feedback: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Day:
    """How many hand-ins there were on one day, of which `late` came after the work was due."""

    day: date
    count: int
    late: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ClassSummary:
    """Everything a gradebook says about a class, by the attempt of each student that counts.

    `scores` and `histogram` are of marks in [0, 1]. `hand_ins` holds pairs: a number of hand-ins, and how many students
    have so many; grading the same work once more is none. `seconds` is what grading one student's attempt took.
    `mistakes` and `misconceptions` come most frequent first.
    `similar` are pairs of solutions that are alike, the most alike first: leads, not verdicts; none where nobody asked.
    """

    title: str
    keep: Keep
    due: datetime | None
    students: tuple[StudentSummary, ...]
    void: tuple[VoidSummary, ...]
    max_points: float
    scores: Spread
    histogram: tuple[Bin, ...]
    hand_ins: tuple[tuple[int, int], ...]
    days: tuple[Day, ...]
    seconds: Spread
    exercises: tuple[ExerciseSummary, ...]
    mistakes: tuple[MistakeSummary, ...]
    misconceptions: tuple[MisconceptionSummary, ...]
    similar: tuple[Pair, ...] = ()

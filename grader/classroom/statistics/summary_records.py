"""What a gradebook says when it is summed up: frozen records, without behaviour beyond arithmetic on themselves."""

from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum

from grader.classroom.late_policy import Keep
from grader.classroom.similarity import Pair
from grader.core.model import Counterexample, Outcome


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


# --- quizzes


@dataclass(frozen=True, slots=True, kw_only=True)
class Interval:
    """Where a figure of all who might be asked lies, with a confidence of 95 %."""

    low: float
    high: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimate:
    """A figure and its interval; None where too few were asked for one."""

    value: float
    interval: Interval | None


class Void(StrEnum):
    """Why an item counts in no figure: it was withdrawn, or everybody gets its points."""

    DROP = "drop"
    FULL = "full"


class Concern(StrEnum):
    """Why an item, or an option of it, should be looked at; the gravest first.

    None is raised where fewer than 30 were asked.
    """

    RIVAL = "rival"  # a wrong option goes with a good result more than the key does
    REVERSED = "reversed"  # weak students do better on the item than strong ones
    STRONG = "strong"  # more strong than weak students chose a wrong option
    AVOIDED = "avoided"  # more weak than strong students chose a right option
    GUESSED = "guessed"  # no better than guessing
    HARD = "hard"  # little credit
    OMITTED = "omitted"  # many left it out
    SAME = "same"  # everybody has the same credit
    FLAT = "flat"  # it hardly tells strong from weak
    LOWERS_ALPHA = "lowers_alpha"  # the quiz measures better without it
    UNCHOSEN = "unchosen"  # nobody chose a wrong option


@dataclass(frozen=True, slots=True, kw_only=True)
class OptionSummary:
    """One option of an item: how many chose it, which share of the strongest and of the weakest 27 % of students.

    `r` is the point-biserial correlation of choosing it with the result in the rest of the quiz.
    """

    id: str
    text: str
    correct: bool
    chosen: Share
    strong: float | None
    weak: float | None
    r: float | None
    concern: Concern | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class WrongResponse:
    """A wrong response that several may have given, as one of them wrote it, and what it betrays.

    `text` is "" where the item asks everybody for another number: there those are counted whose responses betray the
    same.
    """

    text: str
    misconceptions: tuple[str, ...]
    given: Share


@dataclass(frozen=True, slots=True, kw_only=True)
class Variants:
    """How many draws of an item's numbers enough students had, and the mean credits of the hardest and the easiest."""

    count: int
    hardest: float
    easiest: float


@dataclass(frozen=True, slots=True, kw_only=True)
class ItemSummary:
    """One item of a quiz. What was left out, or could not be read, has the credit 0; `omitted.of` students were asked.

    `difficulty` is the mean credit, as the share of the points; `chance` what guessing earns. `discrimination` is the
    mean credit of the strongest 27 % of students less that of the weakest (D27), `rest` the item's correlation with the
    rest of the quiz. `alpha_without` is Cronbach's alpha of the other items. An item that is `void` has no figures
    and counts in no other.
    """

    id: str
    type: str
    prompt: str
    void: Void | None
    omitted: Share
    difficulty: Estimate | None
    chance: float | None
    discrimination: float | None
    rest: Estimate | None
    alpha_without: float | None
    variants: Variants | None
    options: tuple[OptionSummary, ...]
    wrong: tuple[WrongResponse, ...]
    concerns: tuple[Concern, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class QuizSummary:
    """One quiz, by the first answers of each student who gave any, graded by one version of the quiz.

    `outdated` students were graded by another version, and count nowhere here; `current` tells whether the version is
    that of the course. `scores` are the mean credits of its items, in [0, 1], each item counted alike. `alpha` is
    Cronbach's, `error` the standard error of measurement, in the same [0, 1]. `group` is the size of the strongest and
    of the weakest 27 %.
    """

    id: str
    title: str
    students: int
    outdated: int
    current: bool
    group: int
    scores: Spread | None
    alpha: Estimate | None
    error: float | None
    items: tuple[ItemSummary, ...]


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
    quizzes: tuple[QuizSummary, ...] = ()

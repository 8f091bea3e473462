"""The records of a class summary. Their field names are the keys of the JSON document."""

from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum

from grader.classroom.late_policy import Keep
from grader.classroom.similarity import Pair
from grader.core.model import Counterexample, Outcome


@dataclass(frozen=True, slots=True, kw_only=True)
class Share:
    """A number of students out of a total."""

    count: int
    of: int

    @property
    def value(self) -> float | None:
        """The share in [0, 1]; None where the total is 0."""
        return self.count / self.of if self.of else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Spread:
    """The distribution of `n` numbers.

    Quartiles are interpolated linearly (R's type 7, numpy's default). `deviation` is the sample standard deviation,
    divided by n - 1; None for a single number.
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
    """The count of numbers in [low, high); the last bin of a histogram includes its `high`."""

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
    the late penalty. `begun` is true where that attempt holds any work of the student.
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
    """A student whose last attempt could not be graded in full, because of an error in the grader in these exercises.

    It does not count. `marked` is true where an earlier attempt does; else the student is not counted anywhere.
    """

    student: str
    exercises: tuple[str, ...]
    marked: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckSummary:
    """One check: of the students whose exercise was graded, how many passed it.

    Where no check of an exercise could run, each has the outcome of the exercise. `tallies` are sorted by severity, the
    most severe first.
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

    `scores` are theirs, in [0, 1]. `unexplained` students attempted it and failed, and no known mistake explains any of
    their checks. `seconds` is the time that grading it took.
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
    """A known mistake, and how many of the students who attempted the exercise made it, alone or with another.

    `name` is the function or class it is made in, "" where the course no longer lists the mistake. `together` counts
    students who made it with another one. `checks` are the titles of the checks it failed, the most frequent first;
    `example` is the call that most of them failed.
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
    """A misconception that answers show: how many students, of those who answered an item that showed it.

    `items` are these items, as (quiz, item); `feedback` is the most frequent one. Each student's first answers count.
    """

    id: str
    items: tuple[tuple[str, str], ...]
    made: Share
    feedback: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Day:
    """The hand-ins of one day, of which `late` came after the due time and the grace period."""

    day: date
    count: int
    late: int


# --- quizzes


@dataclass(frozen=True, slots=True, kw_only=True)
class Interval:
    """The 95 % confidence interval of a figure."""

    low: float
    high: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimate:
    """A figure and its interval, None where there are too few students for one."""

    value: float
    interval: Interval | None


class Void(StrEnum):
    """Why an item counts in no figure: it was withdrawn, or all students get its points."""

    DROP = "drop"
    FULL = "full"


class Concern(StrEnum):
    """Why an instructor should check an item, or an option of it; the most serious first.

    None is raised for items with fewer than 30 students.
    """

    RIVAL = "rival"  # a wrong option correlates with the rest of the quiz more than the key does
    REVERSED = "reversed"  # weak students do better on the item than strong ones
    STRONG = "strong"  # more strong than weak students chose a wrong option
    AVOIDED = "avoided"  # more weak than strong students chose a right option
    GUESSED = "guessed"  # no better than guessing
    HARD = "hard"  # little credit
    OMITTED = "omitted"  # many left it out
    SAME = "same"  # all students have the same credit
    FLAT = "flat"  # it hardly separates strong students from weak ones
    LOWERS_ALPHA = "lowers_alpha"  # the quiz measures better without it
    UNCHOSEN = "unchosen"  # a wrong option that no student chose


@dataclass(frozen=True, slots=True, kw_only=True)
class OptionSummary:
    """One option of an item: how many chose it, and the shares of the strongest and weakest 27 % of students who did.

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
    """A frequent wrong response, as one student wrote it, and the misconceptions it shows.

    `text` is "" where the numbers of the item are drawn for each student: there, responses that show the same
    misconceptions are counted together.
    """

    text: str
    misconceptions: tuple[str, ...]
    given: Share


@dataclass(frozen=True, slots=True, kw_only=True)
class Variants:
    """The number of draws of an item that enough students had, and the mean credits of the hardest and the easiest."""

    count: int
    hardest: float
    easiest: float


@dataclass(frozen=True, slots=True, kw_only=True)
class ItemSummary:
    """One item of a quiz, which `omitted.of` students had. An omitted or unreadable answer has the credit 0.

    `difficulty` is the mean credit in [0, 1], as a share of the points; `chance` is that of guessing. `discrimination`
    is the mean credit of the strongest 27 % of students minus that of the weakest (D27), `rest` the item's correlation
    with the rest of the quiz. `alpha_without` is Cronbach's alpha of the other items. A `void` item has no figures, and
    counts in no figure of another item.
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
    """One quiz, by the first answers of each student who gave any, graded with one version of the quiz.

    `outdated` students were graded with another version, and are not counted; `current` is true where the version is
    that of the course. `scores` are the mean credits of its items, in [0, 1], with equal weights. `alpha` is
    Cronbach's, `error` the standard error of measurement, on the same scale. `group` is the size of the strongest and
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
    """The summary of a class: for each student, the attempt that counts.

    `scores` and `histogram` are of marks in [0, 1]. `hand_ins` holds pairs of a number of hand-ins and of how many
    students have as many; grading a hand-in once more does not add one. `seconds` is the time that grading an attempt
    took. `mistakes` and `misconceptions` are sorted by frequency, the most frequent first. `similar` holds pairs of
    similar solutions, the highest score first: leads, not verdicts; empty where they were not requested.
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

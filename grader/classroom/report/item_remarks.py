"""What a report says about quizzes and their items, whatever it is set in: figures, remarks, when to distrust them."""

from collections.abc import Callable

from grader.classroom.report.class_phrases import counted, of, percent
from grader.classroom.statistics import (
    ENOUGH,
    Concern,
    Estimate,
    Interval,
    ItemSummary,
    OptionSummary,
    QuizSummary,
    Void,
    WrongResponse,
)

CAUTIOUS = 100
VOID = {Void.DROP: "withdrawn", Void.FULL: "points to all"}

_ITEM: dict[Concern, Callable[[ItemSummary], str]] = {
    Concern.REVERSED: lambda _: "Weak students do better on it than strong ones: check the key.",
    Concern.GUESSED: lambda item: f"No better than guessing, which earns {percent(item.chance)}.",
    Concern.HARD: lambda item: f"Hard: {percent(value(item.difficulty))} of its points were earned.",
    Concern.OMITTED: lambda item: f"{of(item.omitted)} left it out: is it clear what it asks for?",
    Concern.SAME: lambda _: "Everybody has the same credit: it tells nobody from anybody.",
    Concern.FLAT: lambda _: "It hardly tells strong students from weak ones.",
    Concern.LOWERS_ALPHA: lambda item: (
        f"The quiz measures better without it: alpha would be {figure(item.alpha_without)}."
    ),
}
_OPTIONS = {
    Concern.RIVAL: "{} goes with a good result in the rest of the quiz, more than the key does: check the key.",
    Concern.STRONG: "More strong than weak students chose {}, which is wrong: can it be read as right?",
    Concern.AVOIDED: "More weak than strong students chose {}, which is right: can it be read as wrong?",
    Concern.UNCHOSEN: "Nobody chose {}.",
}


def value(found: Estimate | None) -> float | None:
    """Return the figure itself."""
    return None if found is None else found.value


def figure(number: float | None) -> str:
    """Return a correlation or the like with two decimals; n/a where there is none."""
    return "n/a" if number is None else f"{round(number, 2) + 0.0:.2f}"


def between(found: Estimate | None) -> str:
    """Return the interval of a correlation or the like, else nothing."""
    interval = _interval(found)
    return f"{figure(interval.low)} to {figure(interval.high)}" if interval else ""


def percent_between(found: Estimate | None) -> str:
    """Return the interval of a share, else nothing."""
    interval = _interval(found)
    return f"{interval.low * 100:.0f} to {interval.high * 100:.0f} %" if interval else ""


def _interval(found: Estimate | None) -> Interval | None:
    return None if found is None else found.interval


# --- remarks


def remarks(item: ItemSummary) -> list[str]:
    """Say what an instructor should look at in an item, the gravest first."""
    chosen: dict[Concern, list[str]] = {}
    for option in item.options:
        if option.concern:
            chosen.setdefault(option.concern, []).append(f"`{option.id}`")
    told = {concern: _ITEM[concern](item) for concern in item.concerns}
    told |= {concern: _OPTIONS[concern].format(_listed(names)) for concern, names in chosen.items()}
    return [told[concern] for concern in Concern if concern in told]


def _listed(names: list[str]) -> str:
    return " or ".join(names)


def gravity(item: ItemSummary) -> int:
    """Return the place of an item's gravest concern; items without any come last."""
    found = {*item.concerns, *(option.concern for option in item.options)}
    return next((n for n, concern in enumerate(Concern) if concern in found), len(Concern))


def reliability(quiz: QuizSummary) -> str:
    """Say how well a quiz measures."""
    if quiz.alpha is None or quiz.error is None:
        return "Cronbach's alpha: n/a. It needs two items and two totals, and the same items for everybody."
    within = f" (95 %: {between(quiz.alpha)})" if quiz.alpha.interval else ""
    return (
        f"Cronbach's alpha {figure(quiz.alpha.value)}{within}. A student's score in this quiz is known to about "
        f"{quiz.error * 100:.0f} percentage points (standard error of measurement)."
    )


def cautions(quiz: QuizSummary) -> list[str]:
    """Say when not to trust the figures of a quiz."""
    told = []
    if quiz.outdated:
        told.append(
            f"{counted(quiz.outdated, 'student')} whose first answers another version of this quiz graded are left out."
        )
    if not quiz.current:
        told.append(
            "What graded these answers is not the version of the quiz that the course has now, whose key is shown: "
            "`grade regrade`."
        )
    if quiz.students < ENOUGH:
        told.append(f"Fewer than {ENOUGH} students: the figures are shaky, and no item is remarked on.")
    elif quiz.students < CAUTIOUS:
        told.append(f"Fewer than {CAUTIOUS} students: look at the intervals before you look at a figure.")
    return told


def variants(item: ItemSummary) -> str:
    """Say how the draws of an item differ, where enough students had the same."""
    found = item.variants
    if found is None:
        return ""
    return f"Of {found.count} draws the hardest earned {percent(found.hardest)}, the easiest {percent(found.easiest)}."


# --- options and responses


def option_figures(option: OptionSummary) -> tuple[str, str, str, str]:
    """Return what is said of an option: the shares of all, of the weak, of the strong; the correlation."""
    return percent(option.chosen.value), percent(option.weak), percent(option.strong), figure(option.r)


def wrong_response(found: WrongResponse) -> tuple[str, str]:
    """Return a wrong response and what it betrays."""
    return found.text or "(the numbers are drawn)", ", ".join(found.misconceptions)

"""Figures and remarks on quizzes and their items, and cautions, which the text and the page share."""

from collections.abc import Callable

from grader.classroom.report.class_phrases import count_of, counted, percent
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

CAUTIOUS = 100  # with fewer students the intervals are wide
VOID = {Void.DROP: "withdrawn", Void.FULL: "points to all"}

_ITEM: dict[Concern, Callable[[ItemSummary], str]] = {
    Concern.REVERSED: lambda _: "Weak students do better on it than strong ones: check the key.",
    Concern.GUESSED: lambda item: f"No better than guessing, which earns {percent(item.chance)}.",
    Concern.HARD: lambda item: f"Hard: {percent(value(item.difficulty))} of its points were earned.",
    Concern.OMITTED: lambda item: f"{count_of(item.omitted)} left it out: is it clear what it asks for?",
    Concern.SAME: lambda _: (
        "All students have the same credit: it does not separate strong students from weak ones."
    ),
    Concern.FLAT: lambda _: "It hardly separates strong students from weak ones.",
    Concern.LOWERS_ALPHA: lambda item: (
        f"The quiz measures better without it: alpha would be {figure(item.alpha_without)}."
    ),
}
_OPTIONS = {
    Concern.RIVAL: "{} correlates with the rest of the quiz more than the key does: check the key.",
    Concern.STRONG: "More strong than weak students chose {}, which is wrong: can it be read as right?",
    Concern.AVOIDED: "More weak than strong students chose {}, which is right: can it be read as wrong?",
    Concern.UNCHOSEN: "No student chose {}.",
}


def value(found: Estimate | None) -> float | None:
    """Return the value of an estimate, if there is one."""
    return None if found is None else found.value


def figure(number: float | None) -> str:
    """Return a correlation or the like with two decimals; n/a where there is none."""
    return "n/a" if number is None else f"{round(number, 2) + 0.0:.2f}"


def between(found: Estimate | None) -> str:
    """Return the interval of a correlation or the like; "" where there is none."""
    interval = _interval(found)
    return f"{figure(interval.low)} to {figure(interval.high)}" if interval else ""


def percent_between(found: Estimate | None) -> str:
    """Return the interval of a share in percent; "" where there is none."""
    interval = _interval(found)
    return f"{interval.low * 100:.0f} to {interval.high * 100:.0f} %" if interval else ""


def _interval(found: Estimate | None) -> Interval | None:
    return None if found is None else found.interval


# --- remarks


def remarks(item: ItemSummary) -> list[str]:
    """Return remarks on what an instructor should check in an item, the most serious first."""
    chosen: dict[Concern, list[str]] = {}
    for option in item.options:
        if option.concern:
            chosen.setdefault(option.concern, []).append(f"`{option.id}`")
    texts = {concern: _ITEM[concern](item) for concern in item.concerns}
    texts |= {concern: _OPTIONS[concern].format(_listed(names)) for concern, names in chosen.items()}
    return [texts[concern] for concern in Concern if concern in texts]


def _listed(names: list[str]) -> str:
    return " or ".join(names)


def severity(item: ItemSummary) -> int:
    """Return the position of an item's most serious concern; items without any sort last."""
    found = {*item.concerns, *(option.concern for option in item.options)}
    return next((n for n, concern in enumerate(Concern) if concern in found), len(Concern))


def reliability(quiz: QuizSummary) -> str:
    """Return a sentence on how reliably a quiz measures."""
    if quiz.alpha is None or quiz.error is None:
        return "Cronbach's alpha: n/a. It needs two items and two totals, and the same items for everybody."
    within = f" (95 %: {between(quiz.alpha)})" if quiz.alpha.interval else ""
    return (
        f"Cronbach's alpha {figure(quiz.alpha.value)}{within}. A student's score in this quiz is known to about "
        f"{quiz.error * 100:.0f} percentage points (standard error of measurement)."
    )


def cautions(quiz: QuizSummary) -> list[str]:
    """Return reasons not to trust the figures of a quiz."""
    texts = []
    if quiz.outdated:
        texts.append(
            f"Left out: {counted(quiz.outdated, 'student')} whose first answers were graded with another version of it."
        )
    if not quiz.current:
        texts.append(
            "These answers were graded with another version of the quiz than the course has now, whose key is shown. "
            "Run `grade regrade`."
        )
    if quiz.students < ENOUGH:
        texts.append(f"Fewer than {ENOUGH} students: the figures are unreliable, and items get no remarks.")
    elif quiz.students < CAUTIOUS:
        texts.append(f"Fewer than {CAUTIOUS} students: read each figure with its interval.")
    return texts


def variants(item: ItemSummary) -> str:
    """Return how the draws of an item differ, where enough students had the same ones; else ""."""
    found = item.variants
    if found is None:
        return ""
    return f"Of {found.count} draws the hardest earned {percent(found.hardest)}, the easiest {percent(found.easiest)}."


# --- options and responses


def option_figures(option: OptionSummary) -> tuple[str, str, str, str]:
    """Return the figures of an option: the shares of all, weak and strong students who chose it; the correlation."""
    return percent(option.chosen.value), percent(option.weak), percent(option.strong), figure(option.r)


def wrong_response(found: WrongResponse) -> tuple[str, str]:
    """Return a wrong response and the misconceptions it shows."""
    return found.text or "(the numbers are drawn)", ", ".join(found.misconceptions)

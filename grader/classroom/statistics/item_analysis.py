"""Item analysis of quizzes: the difficulty of each item, its discrimination, and what students chose.

The figures are those of classical test theory, of credit in [0, 1], each item with equal weight. The first answers of
each student count, as in Moodle and Brightspace: later ones were given with feedback, and say less about the items.
"""

import math
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from grader.classroom.statistics import psychometrics
from grader.classroom.statistics.distribution import spread
from grader.classroom.statistics.gathering import StudentRecord
from grader.classroom.statistics.response_counts import ENOUGH, ItemAnswer, options, wrong_responses
from grader.classroom.statistics.summary_records import (
    Concern,
    Estimate,
    ItemSummary,
    QuizSummary,
    Share,
    Variants,
    Void,
)
from grader.core.model import ItemResult, QuizResult
from grader.course import fingerprint
from grader.course.catalog import Course
from grader.quiz import Bank, Item, load_banks

EASY, HARD = 0.9, 0.3  # mean credit
FLAT = 0.2  # D27 by Ebel and Frisbie (1991): from .40 very good, from .30 good, from .20 marginal, below poor
OMITTED = 0.25
MIN_STUDENTS_OF_VARIANT = 10
VISIBLE = 0.005  # a difference that two decimals show


@dataclass(frozen=True, slots=True, kw_only=True)
class _StudentSheet:
    """One student's results by item, and the credits in [0, 1] of the items that count."""

    results: Mapping[str, ItemResult]
    credits: Mapping[str, float]

    def total(self) -> float:
        return psychometrics.mean(list(self.credits.values())) or 0.0

    def rest(self, item: str) -> float | None:
        """Return the mean credit of the other items that count."""
        return psychometrics.mean([credit for name, credit in self.credits.items() if name != item])


@dataclass(frozen=True, slots=True, kw_only=True)
class _QuizTable:
    """The sheets of one quiz, and the figures that need all of them.

    `counting` names the items that count. `strong` and `weak` are the weights of each student in the strongest and the
    weakest 27 %. `rows` are credits by student and item; empty where two students had different items, since their
    totals cannot be compared.
    """

    sheets: Sequence[_StudentSheet]
    counting: Sequence[str]
    strong: Sequence[float]
    weak: Sequence[float]
    rows: Sequence[Sequence[float]]
    alpha: float | None

    def answers(self, name: str) -> Iterator[ItemAnswer]:
        for sheet, strong, weak in zip(self.sheets, self.strong, self.weak, strict=True):
            if name in sheet.results:
                yield ItemAnswer(
                    result=sheet.results[name],
                    credit=sheet.credits[name],
                    rest=sheet.rest(name),
                    strong=strong,
                    weak=weak,
                )

    def alpha_without(self, name: str) -> float | None:
        n = self.counting.index(name)
        return psychometrics.alpha([[*row[:n], *row[n + 1 :]] for row in self.rows])


def quizzes(students: Sequence[StudentRecord], course: Course) -> tuple[QuizSummary, ...]:
    """Return every quiz with answers: in the order of the course, then those that it no longer has."""
    found: dict[str, list[tuple[str, QuizResult]]] = defaultdict(list)
    for student in students:
        for quiz in student.quizzes:
            found[quiz.id].append((student.versions.get(quiz.id, ""), quiz))
    if not found:
        return ()
    banks = {bank.id: bank for bank in load_banks(course.quizzes)}
    order = [*(name for name in banks if name in found), *(name for name in found if name not in banks)]
    prints = {name: fingerprint.bank(course.quizzes / f"{name}.yaml") for name in order if name in banks}
    return tuple(_quiz(found[name], banks.get(name), prints.get(name, "")) for name in order)


def _quiz(found: Sequence[tuple[str, QuizResult]], bank: Bank | None, current: str) -> QuizSummary:
    """Summarize one quiz: of several versions only the most frequent one, since their keys may differ."""
    counted = Counter(version for version, _ in found)
    version = max(counted, key=lambda one: (counted[one], one == current, one))
    results = [result for one, result in found if one == version]
    void = _void(results, bank)
    whole = _class(results, void)
    totals = [sheet.total() for sheet in whole.sheets]
    scores = spread(totals) if whole.counting else None
    alpha, error = whole.alpha, None
    if alpha is not None and scores is not None:
        error = psychometrics.error_of_measurement(scores.deviation or 0.0, alpha)
    return QuizSummary(
        id=results[-1].id,
        title=bank.title if bank else results[-1].title,
        students=len(results),
        outdated=len(found) - len(results),
        current=version == current,
        group=round(math.fsum(whole.strong)),
        scores=scores,
        alpha=_alpha(whole),
        error=error,
        items=tuple(
            _void_item(name, void[name], results)
            if name in void
            else _item(name, whole, bank.item(name) if bank else None)
            for name in _names(results)
        ),
    )


def _class(results: Sequence[QuizResult], void: Mapping[str, Void]) -> _QuizTable:
    sheets = [_sheet(result, void) for result in results]
    counting = [name for name in _names(results) if name not in void]
    same = all(len(sheet.credits) == len(counting) for sheet in sheets)
    rows = [[sheet.credits[name] for name in counting] for sheet in sheets] if same else []
    ends = psychometrics.ends([sheet.total() for sheet in sheets]) if len(counting) > 1 else None
    strong, weak = ends or ([0.0] * len(sheets), [0.0] * len(sheets))
    return _QuizTable(
        sheets=sheets,
        counting=counting,
        strong=strong,
        weak=weak,
        rows=rows,
        alpha=psychometrics.alpha(rows),
    )


def _alpha(whole: _QuizTable) -> Estimate | None:
    if whole.alpha is None:
        return None
    interval = psychometrics.feldt(whole.alpha, len(whole.rows), len(whole.counting))
    return Estimate(value=whole.alpha, interval=interval)


def _names(results: Sequence[QuizResult]) -> list[str]:
    return list(dict.fromkeys(item.id for result in results for item in result.items))


def _void(results: Sequence[QuizResult], bank: Bank | None) -> dict[str, Void]:
    """Return the items that do not count: withdrawn ones have no points, given ones earn theirs without an answer.

    The bank is read too: results do not show it where all students answered, or where another version graded them.
    """
    found = {item.id: Void(item.void) for item in bank.items if item.void} if bank else {}
    for item in (item for result in results for item in result.items):
        if not item.max_points:
            found[item.id] = Void.DROP
        elif item.points and not item.answered:
            found[item.id] = Void.FULL
    return found


def _sheet(result: QuizResult, void: Mapping[str, Void]) -> _StudentSheet:
    return _StudentSheet(
        results={item.id: item for item in result.items},
        credits={item.id: item.points / item.max_points for item in result.items if item.id not in void},
    )


# --- one item


def _void_item(name: str, void: Void, results: Sequence[QuizResult]) -> ItemSummary:
    answers = [item for result in results for item in result.items if item.id == name]
    return ItemSummary(
        id=name,
        type=answers[0].type,
        prompt=answers[0].prompt,
        void=void,
        omitted=Share(count=sum(not item.answered for item in answers), of=len(answers)),
        difficulty=None,
        chance=None,
        discrimination=None,
        rest=None,
        alpha_without=None,
        variants=None,
        options=(),
        wrong=(),
        concerns=(),
    )


def _item(name: str, whole: _QuizTable, item: Item | None) -> ItemSummary:
    answers = list(whole.answers(name))
    credit = math.fsum(one.credit for one in answers) / len(answers)
    prompts = Counter(one.result.prompt for one in answers)
    found = ItemSummary(
        id=name,
        type=answers[0].result.type,
        prompt=answers[0].result.prompt,
        void=None,
        omitted=Share(count=sum(not one.result.answered for one in answers), of=len(answers)),
        difficulty=Estimate(value=credit, interval=psychometrics.wilson(credit, len(answers))),
        chance=item.chance() if item else None,
        discrimination=_discrimination(answers),
        rest=_rest(answers),
        alpha_without=whole.alpha_without(name),
        variants=_variants(answers, prompts),
        options=options(item, answers),
        wrong=()
        if item and item.answer_options()
        else wrong_responses(item, answers, drawn=len(prompts) > 1),
        concerns=(),
    )
    error = math.sqrt(psychometrics.variance([one.credit for one in answers]) / len(answers))
    return replace(found, concerns=tuple(_concerns(found, credit, error, whole.alpha)))


def _discrimination(answers: Sequence[ItemAnswer]) -> float | None:
    found = [one.credit for one in answers]
    strong = psychometrics.weighted(found, [one.strong for one in answers])
    weak = psychometrics.weighted(found, [one.weak for one in answers])
    return None if strong is None or weak is None else strong - weak


def _rest(answers: Sequence[ItemAnswer]) -> Estimate | None:
    """Return the correlation with the rest of the quiz, without the item, which would raise it."""
    pairs = [(one.credit, one.rest) for one in answers if one.rest is not None]
    r = psychometrics.correlation([credit for credit, _ in pairs], [rest for _, rest in pairs])
    return None if r is None else Estimate(value=r, interval=psychometrics.fisher(r, len(pairs)))


def _variants(answers: Sequence[ItemAnswer], prompts: Counter[str]) -> Variants | None:
    often = [prompt for prompt, count in prompts.items() if count >= MIN_STUDENTS_OF_VARIANT]
    if len(often) < 2:
        return None
    means = [
        psychometrics.mean([one.credit for one in answers if one.result.prompt == p]) or 0.0 for p in often
    ]
    return Variants(count=len(often), hardest=min(means), easiest=max(means))


def _concerns(item: ItemSummary, credit: float, error: float, alpha: float | None) -> Iterator[Concern]:
    """Yield the concerns about an item. `error` is the standard error of its mean credit."""
    n, d, r = item.omitted.of, item.discrimination, item.rest
    if n < ENOUGH:
        return
    reversed_ = d is not None and d < 0 and r is not None and r.value < 0
    guessed = item.chance is not None and credit < item.chance + psychometrics.Z * error
    if reversed_:
        yield Concern.REVERSED
    if r is None and alpha is not None:  # the totals differ, and the credit of this item does not
        yield Concern.SAME
    elif guessed:
        yield Concern.GUESSED
    elif credit < HARD:
        yield Concern.HARD
    elif d is not None and d < FLAT and credit <= EASY and not reversed_:
        yield Concern.FLAT
    if item.omitted.count >= OMITTED * n:
        yield Concern.OMITTED
    without = item.alpha_without
    if alpha is not None and without is not None and without > alpha + VISIBLE and not reversed_:
        yield Concern.LOWERS_ALPHA

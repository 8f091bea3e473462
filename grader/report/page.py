"""A report as one HTML page: no network, no script; read by eye, by keyboard, by screen reader, or on paper.

The first failure of an exercise is told in full, every further one can be opened.
"""

from collections.abc import Mapping, Sequence

from grader.core.model import (
    CheckResult,
    Counterexample,
    Diagnosis,
    ExerciseResult,
    Flag,
    Frame,
    ItemResult,
    Outcome,
    QuizResult,
    Report,
)
from grader.report.html_document import NOTHING, bar, document, opening, skip
from grader.report.html_markup import Markup, inline, joined, preformatted, prose, tag
from grader.report.svg import figure
from grader.report.text_layout import amount
from grader.report.wording import (
    NONE_OPENED,
    NOTHING_KNOWN,
    Help,
    advice,
    advice_on,
    all_hidden,
    begun,
    dedented,
    earned,
    earned_of,
    first_to_mend,
    further,
    hidden_of,
    hidden_points,
    hidden_sentence,
    isolation,
    known,
    next_step,
    passing,
    reason,
    share,
)

_CLASSES = {
    Outcome.PASSED: "pass",
    Outcome.SKIPPED: "wait",
    Outcome.NOT_ATTEMPTED: "wait",
    Outcome.INTERNAL_ERROR: "ours",
}
_INSIDE = "main { max-width: none; padding: 0 .25rem .25rem; } article { margin: 0; }"
_WORDS = {
    Outcome.INTERNAL_ERROR: "our fault",
    Outcome.NOT_ATTEMPTED: "not written",
    Outcome.RAISED: "exception",
    Outcome.SKIPPED: "waits",
}


def to_html(report: Report, hints: Mapping[str, Help] = NOTHING_KNOWN) -> str:
    """Return the report as the text of an HTML page; `hints` says of exercises which of their hints are open."""
    parts = [_overview(report), _exercises(report.exercises, hints), _quizzes(report.quizzes)]
    return document(
        f"{earned(report)} - convgrader",
        skip("Skip to the results", "results"),
        _header(report, hints),
        tag("main", *parts, id="results"),
        _footer(report),
    )


def exercise_page(result: ExerciseResult) -> str:
    """Return one exercise, a cell of a notebook, as a page to stand in another page."""
    told = _exercise("exercise", result, Help(is_file=False))
    return document(f"{result.id} - convgrader", tag("main", told), style=_INSIDE)


def _header(report: Report, hints: Mapping[str, Help]) -> Markup:
    step, hidden = next_step(report, hints), all_hidden(report.exercises)
    return tag(
        "header",
        tag("p", "convgrader report", class_="brand"),
        tag("h1", earned(report), tag("small", share(report))),
        bar(report.points, report.max_points + hidden_points(report.exercises)),
        tag("p", hidden_sentence(hidden)) if hidden is not None else NOTHING,
        tag("p", inline(step), class_="next") if step else NOTHING,
    )


def _footer(report: Report) -> Markup:
    versions = report.versions
    made = f"convgrader {versions.grader}, torch {versions.torch}, Python {versions.python}."
    return tag("footer", tag("p", isolation(report)), tag("p", made))


# --- all parts


def _overview(report: Report) -> Markup:
    rows = [_row(f"exercise-{n}", part.id, part) for n, part in enumerate(report.exercises)]
    rows += [_row(f"quiz-{n}", f"quiz {part.id}", part) for n, part in enumerate(report.quizzes)]
    if len(rows) < 2:
        return NOTHING
    head = tag("tr", *(tag("th", name, scope="col") for name in ("Part", "Title")), *_amount_heads())
    table = tag("table", tag("caption", "All parts"), tag("thead", head), tag("tbody", *rows), class_="parts")
    return tag("nav", table, aria_label="All parts")


def _amount_heads() -> tuple[Markup, Markup]:
    return tag("td", class_="how"), tag("th", "Points", scope="col", class_="amount")


def _row(anchor: str, name: str, part: ExerciseResult | QuizResult) -> Markup:
    return tag(
        "tr",
        tag("th", tag("a", name, href=f"#{anchor}"), scope="row"),
        tag("td", part.title),
        tag("td", _bar(part), class_="how"),
        tag("td", earned_of(part), class_="amount"),
        "\n",
    )


def _bar(part: ExerciseResult | QuizResult) -> Markup:
    secret = hidden_points([part]) if isinstance(part, ExerciseResult) else 0.0
    return bar(part.points, part.max_points + secret)


def _article(anchor: str, part: ExerciseResult | QuizResult, *children: str) -> Markup:
    heading = tag("h3", tag("code", part.id), part.title, id=f"{anchor}-title")
    head = tag("div", heading, tag("span", earned_of(part), class_="amount"), class_="head")
    return tag("article", head, _bar(part), *children, "\n", id=anchor, aria_labelledby=f"{anchor}-title")


# --- exercises


def _exercises(results: Sequence[ExerciseResult], hints: Mapping[str, Help]) -> Markup:
    if not results:
        return NOTHING
    told = [
        _exercise(f"exercise-{n}", result, hints.get(result.id, NONE_OPENED))
        for n, result in enumerate(results)
    ]
    return tag("section", tag("h2", "Exercises", id="exercises"), *told, aria_labelledby="exercises")


def _exercise(anchor: str, result: ExerciseResult, hints: Help) -> Markup:
    if result.outcome is Outcome.NOT_ATTEMPTED:
        text = result.message or f"Not attempted yet: open exercises/{result.id}.py."
        told = [tag("p", inline(text))]
    else:
        told = [_whole(result, hints), _checks(result, hints)]
    told.append(tag("p", inline(hidden_of(result))) if result.hidden is not None else NOTHING)
    if result.points < result.max_points:
        told.append(_hints(result.id, hints))
    return _article(anchor, result, *told, _flags(result.flags), _output(result.output))


def _whole(result: ExerciseResult, hints: Help) -> Markup:
    """Tell what became of the exercise as a whole: most often, why no check could run."""
    if not result.message:
        return NOTHING
    loads = "The checks run as soon as the file loads." if result.outcome is Outcome.RAISED else ""
    told = [tag("p", inline(result.message), class_="why"), _trace(result.traceback)]
    told.append(tag("p", inline(loads or advice(result.id, result.outcome, hints)), class_="next"))
    return tag("div", *told, class_=f"check {_class(result.outcome)}")


def _checks(result: ExerciseResult, hints: Help) -> Markup:
    passed = [check for check in result.checks if check.outcome is Outcome.PASSED]
    others = [check for check in result.checks if check.outcome is not Outcome.PASSED]
    first = first_to_mend(others)
    told = first.diagnosis if first is not None else None
    parts = [_full(result.id, first, hints, headed=True)] if first is not None else []
    further = [check for check in others if check is not first]
    waiting = [check for check in further if check.outcome is Outcome.SKIPPED]
    parts += [_further(result.id, check, told, hints) for check in further if check not in waiting]
    if waiting:
        parts.append(_listed(f"{_checks_that(len(waiting), 'wait')} for another to pass", waiting))
    if passed:
        parts.append(_listed(passing(result), passed, class_=" passed"))
    if passed and not others and result.hidden is None:
        parts.append(tag("p", inline(f"`grade solution {result.id}` shows how we wrote it.")))
    return joined(parts)


def _checks_that(count: int, verb: str) -> str:
    return f"1 check {verb}s" if count == 1 else f"{count} checks {verb}"


def _listed(lead: str, checks: Sequence[CheckResult], *, class_: str = "") -> Markup:
    titles = [
        tag("li", inline(check.title), tag("small", inline(check.rationale)) if check.rationale else NOTHING)
        for check in checks
    ]
    return opening(tag("span", lead, class_=f"title{class_}"), tag("ul", *titles))


def _class(outcome: Outcome) -> str:
    return _CLASSES.get(outcome, "fail")


def _badge(outcome: Outcome) -> Markup:
    return tag("span", _WORDS.get(outcome, outcome.replace("_", " ")), class_="badge")


def _further(exercise: str, check: CheckResult, told: Diagnosis | None, hints: Help) -> Markup:
    title = tag("span", inline(check.title), tag("small", inline(reason(check, told))), class_="title")
    badges = tag("span", _badge(check.outcome), class_=_class(check.outcome))
    points = tag("span", amount(check.points, check.max_points), class_="amount")
    return opening(joined((title, badges, points)), _full(exercise, check, hints, headed=False))


def _full(exercise: str, check: CheckResult, hints: Help, *, headed: bool) -> Markup:
    """Tell one check in full."""
    parts: list[str] = []
    if headed:
        points = tag("span", amount(check.points, check.max_points), class_="amount")
        title = tag("h4", inline(check.title), " ", _badge(check.outcome))
        parts.append(tag("div", title, points, class_="head"))
    parts += [tag("p", inline(check.rationale), class_="why"), _trace(check.traceback)]
    if check.counterexample is not None:
        parts.append(_example(check.counterexample, check.rationale))
    if check.picture is not None:
        parts.append(figure(check.picture))
    if check.diagnosis is not None:
        lead = tag("p", f"Your results are exactly those of {known(check.diagnosis)}:")
        parts.append(tag("div", lead, tag("p", inline(check.diagnosis.message)), class_="known"))
    if check.outcome is not Outcome.SKIPPED:
        case = exercise if headed else f"{exercise} {check.id.removeprefix('test_')}"
        case = case if check.counterexample is not None else ""
        parts.append(tag("p", inline(advice_on(exercise, check, hints, case)), class_="next"))
    return tag("div", *parts, class_=f"check {_class(check.outcome)}")


def _trace(frames: Sequence[Frame]) -> Markup:
    """Show the student's own lines of a traceback, outermost first."""
    if not frames:
        return NOTHING
    return tag("ol", *map(_frame, frames), class_="trace")


def _frame(frame: Frame) -> Markup:
    place = tag("code", f"{frame.path}:{frame.line}")
    inside = joined((" in ", tag("code", frame.function))) if frame.function else NOTHING
    return tag("li", place, inside, preformatted("\n".join(dedented(frame.text))))


def _example(example: Counterexample, rationale: str) -> Markup:
    got = "" if example.got == rationale else example.got
    rows = [("call", example.call, "call")]
    rows += [(argument.name, argument.value, "argument") for argument in example.arguments]
    rows += [
        ("expected", example.expected, "expected"),
        ("got", got, "got"),
        ("where", example.where, "where"),
    ]
    shown = [
        tag("tr", tag("th", name, scope="row"), tag("td", _value(value, kind)), class_=kind)
        for name, value, kind in rows
        if value
    ]
    if not shown:
        return NOTHING
    lead = "The smallest input found that fails" if example.smallest else "The call"
    return tag("table", tag("caption", lead), tag("tbody", *shown), class_="example")


def _value(value: str, kind: str) -> Markup:
    if kind == "where":
        return tag("p", inline(value))
    return preformatted(value) if "\n" in value else tag("p", value, class_="mono")


def _hints(exercise: str, hints: Help) -> Markup:
    """Show again what has been opened, and say what is next."""
    if not hints.opened:
        return NOTHING
    lead = f"Your hints: {len(hints.opened)} of {hints.count} open"
    told = tag("ol", *(tag("li", inline(hint)) for hint in hints.opened))
    return opening(tag("span", lead, class_="title"), told, tag("p", inline(further(exercise, hints))))


def _flags(flags: Sequence[Flag]) -> Markup:
    if not flags:
        return NOTHING
    told = [
        tag(
            "li",
            tag("code", f"{flag.path}:{flag.line}"),
            " ",
            tag("code", flag.name),
            " ",
            inline(flag.reason),
        )
        for flag in flags
    ]
    lead = "For a person to look at; it costs no points"
    return opening(tag("span", f"{lead} ({len(flags)})", class_="title"), tag("ul", *told))


def _output(output: str) -> Markup:
    if not output.strip():
        return NOTHING
    return opening(tag("span", "Your code printed", class_="title"), preformatted(output))


# --- quizzes


def _quizzes(quizzes: Sequence[QuizResult]) -> Markup:
    if not quizzes:
        return NOTHING
    told = [_quiz(f"quiz-{n}", quiz) for n, quiz in enumerate(quizzes)]
    return tag("section", tag("h2", "Quizzes", id="quizzes"), *told, aria_labelledby="quizzes")


def _quiz(anchor: str, quiz: QuizResult) -> Markup:
    if not begun(quiz):
        return _article(
            anchor, quiz, tag("p", inline(f"Not begun: `grade quiz {quiz.id}` asks the questions."))
        )
    parts: list[str] = [tag("p", inline(problem), class_="why") for problem in quiz.problems]
    parts += [_item(item) for item in quiz.items if item.answered and item.points < item.max_points]
    right = sum(item.answered and item.points >= item.max_points for item in quiz.items)
    if right:
        parts.append(tag("p", f"{right} of {len(quiz.items)} answers are right.", class_="passed"))
    unanswered = [item.id for item in quiz.items if not item.answered]
    if unanswered:
        parts.append(tag("p", f"{len(unanswered)} not answered yet: {', '.join(unanswered)}."))
    return _article(anchor, quiz, *parts)


def _item(item: ItemResult) -> Markup:
    points = tag("span", amount(item.points, item.max_points), class_="amount")
    head = tag("div", tag("h4", item.id), points, class_="head")
    answer = tag("p", "Your answer: ", tag("code", item.response))
    return tag("div", head, prose(item.prompt), answer, *map(prose, item.feedback), class_="check")

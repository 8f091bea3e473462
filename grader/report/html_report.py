"""A report as one HTML page, without network or script, for screen, keyboard, screen reader and paper.

The part to mend first is open, every other one is a line that can be opened. So it is with the failures of an exercise.
"""

import re
from collections.abc import Mapping, Sequence, Set

from grader.core.model import ExerciseResult, Flag, Frame, Outcome, QuizResult, Report
from grader.report.content import (
    CheckContent,
    Example,
    ExampleRow,
    ExerciseContent,
    FirstToMend,
    Heading,
    HintsContent,
    ItemContent,
    QuizContent,
    Status,
    SummaryContent,
    WholeContent,
    exercise_content,
    heading,
    quiz_content,
    summary_content,
)
from grader.report.html_document import NOTHING, bar, document, opening, skip
from grader.report.html_markup import Markup, inline, joined, preformatted, prose, tag
from grader.report.phrases import (
    NONE_OPENED,
    NOTHING_KNOWN,
    Help,
    dedented,
)
from grader.report.svg import figure

_CLASSES = {Status.PASSED: "pass", Status.FAILED: "fail", Status.WAITING: "wait", Status.VOID: "void"}
_INSIDE = "main { max-width: none; padding: 0 .25rem .25rem; } article { margin: 0; }"
_WORDS = {
    Outcome.INTERNAL_ERROR: "grader error",
    Outcome.NOT_ATTEMPTED: "not written",
    Outcome.RAISED: "exception",
    Outcome.SKIPPED: "waits",
}


def to_html(report: Report, hints: Mapping[str, Help] = NOTHING_KNOWN) -> str:
    """Return the report as the text of an HTML page; `hints` holds the open hints of exercises, by id."""
    summary = summary_content(report, hints)
    is_alone = len(report.exercises) + len(report.quizzes) == 1
    open_part = None if is_alone else _anchor_of(summary.mend)
    parts = [
        _overview(report),
        _exercises(report.exercises, hints, open_part),
        _quizzes(report.quizzes, open_part),
    ]
    return document(
        f"{summary.total.earned} - convgrader",
        skip("Skip to the results", "results"),
        _header(summary),
        tag("main", *parts, id="results"),
        _footer(report, summary),
    )


def exercise_page(result: ExerciseResult, hints: Help) -> str:
    """Return one exercise, a cell of a notebook, as a page that is shown inside another page."""
    article = _exercise("exercise", None, exercise_content(result, hints))
    return document(f"{result.id} - convgrader", tag("main", article), style=_INSIDE)


def _header(summary: SummaryContent) -> Markup:
    total = summary.total
    return tag(
        "header",
        tag("p", "convgrader report", class_="brand"),
        tag("h1", total.earned, tag("small", total.title)),
        _bar(total),
        tag("p", summary.hidden) if summary.hidden else NOTHING,
        _mend(summary.mend),
        _sentence(summary.next_step, "next"),
    )


def _anchor_of(mend: FirstToMend | None) -> str:
    return "" if mend is None else f"{'quiz' if mend.is_quiz else 'exercise'}-{mend.place}"


def _mend(mend: FirstToMend | None) -> Markup:
    """Lead to the first failing check, or to the part where nothing is wrong but something missing."""
    if mend is None:
        return NOTHING
    target = _first(_anchor_of(mend)) if mend.is_found else _anchor_of(mend)
    link = tag("a", tag("code", mend.name), " ", inline(mend.what), href=f"#{target}")
    return tag("p", "First to mend: ", link, class_="mend")


def _first(anchor: str) -> str:
    """Return the id of the first failing check of a part."""
    return f"{anchor}-first"


def _footer(report: Report, summary: SummaryContent) -> Markup:
    versions = report.versions
    made = f"convgrader {versions.grader}, torch {versions.torch}, Python {versions.python}."
    return tag("footer", tag("p", summary.isolation), tag("p", made))


# --- all parts


def _overview(report: Report) -> Markup:
    rows = [_row(f"exercise-{n}", heading(part)) for n, part in enumerate(report.exercises)]
    rows += [_row(f"quiz-{n}", heading(part)) for n, part in enumerate(report.quizzes)]
    if len(rows) < 2:
        return NOTHING
    head = tag("tr", *(tag("th", name, scope="col") for name in ("Part", "Title")), *_amount_heads())
    table = tag("table", tag("caption", "All parts"), tag("thead", head), tag("tbody", *rows), class_="parts")
    return tag("nav", table, aria_label="All parts")


def _amount_heads() -> tuple[Markup, Markup]:
    return tag("td", class_="how"), tag("th", "Points", scope="col", class_="amount")


def _row(anchor: str, part: Heading) -> Markup:
    return tag(
        "tr",
        tag("th", tag("a", part.name, href=f"#{anchor}"), scope="row"),
        tag("td", part.title),
        tag("td", _bar(part), class_="how"),
        _amount("td", part.earned),
        "\n",
    )


def _bar(part: Heading) -> Markup:
    return bar(part.points, part.max_points + part.hidden_points)


def _amount(element: str, earned: str) -> Markup:
    return tag(element, earned, class_="amount")


def _article(anchor: str, open_part: str | None, part: Heading, *children: str) -> Markup:
    """Return a part of the report, open where it is `open_part`; where that is None, it cannot be closed."""
    title = tag("h3", tag("code", part.id), part.title, id=f"{anchor}-title")
    amount, named = _amount("span", part.earned), f"{anchor}-title"
    if open_part is None:
        head = tag("div", title, amount, class_="head")
        return tag("article", head, _bar(part), *children, "\n", id=anchor, aria_labelledby=named)
    line = tag("summary", title, _bar(part), amount)
    # A browser that is led into a closed part opens it: so the id is inside.
    body = tag("div", *children, class_="body", id=anchor)
    is_open = "" if anchor == open_part else None
    return tag(
        "article", tag("details", line, body, class_="part", open=is_open), "\n", aria_labelledby=named
    )


# --- exercises


def _exercises(results: Sequence[ExerciseResult], hints: Mapping[str, Help], open_part: str | None) -> Markup:
    if not results:
        return NOTHING
    articles = [
        _exercise(f"exercise-{n}", open_part, exercise_content(result, hints.get(result.id, NONE_OPENED)))
        for n, result in enumerate(results)
    ]
    return tag("section", tag("h2", "Exercises", id="exercises"), *articles, aria_labelledby="exercises")


def _exercise(anchor: str, open_part: str | None, exercise: ExerciseContent) -> Markup:
    in_whole = exercise.whole is not None
    parts = [_sentence(exercise.not_attempted), _whole(exercise.whole, _first(anchor))]
    parts.append(_checks(exercise, None if in_whole else _first(anchor)))
    parts += [_sentence(exercise.hidden), _hints(exercise.hints)]
    return _article(
        anchor, open_part, exercise.heading, *parts, _flags(exercise.flags), _output(exercise.output)
    )


def _sentence(text: str, class_: str | None = None) -> Markup:
    return tag("p", inline(text), class_=class_) if text else NOTHING


def _whole(whole: WholeContent | None, anchor: str) -> Markup:
    if whole is None:
        return NOTHING
    parts = [tag("p", inline(whole.message), class_="why"), _trace(whole.traceback)]
    parts.append(tag("p", inline(whole.advice), class_="next"))
    return tag("div", *parts, class_=f"check {_CLASSES[whole.status]}", id=anchor)


def _checks(exercise: ExerciseContent, anchor: str | None) -> Markup:
    parts = [_full(exercise.first, headed=True, anchor=anchor)] if exercise.first is not None else []
    parts += [_further(check) for check in exercise.others]
    if exercise.waiting:
        parts.append(
            _listed(f"{_checks_that(len(exercise.waiting), 'wait')} for another to pass", exercise.waiting)
        )
    if exercise.passed:
        parts.append(_listed(exercise.passing, exercise.passed, class_=" passed"))
    elif exercise.passing:
        parts.append(_sentence(exercise.passing))
    return joined([*parts, _sentence(exercise.solution)])


def _checks_that(count: int, verb: str) -> str:
    return f"1 check {verb}s" if count == 1 else f"{count} checks {verb}"


def _listed(lead: str, checks: Sequence[CheckContent], *, class_: str = "") -> Markup:
    titles = [
        tag("li", inline(check.title), tag("small", inline(check.rationale)) if check.rationale else NOTHING)
        for check in checks
    ]
    return opening(tag("span", lead, class_=f"title{class_}"), tag("ul", *titles))


def _badge(check: CheckContent) -> Markup:
    return tag("span", _WORDS.get(check.outcome, check.outcome.replace("_", " ")), class_="badge")


def _further(check: CheckContent) -> Markup:
    title = tag("span", inline(check.title), tag("small", inline(check.reason)), class_="title")
    badges = tag("span", _badge(check), class_=_CLASSES[check.status])
    return opening(joined((title, badges, _amount("span", check.earned))), _full(check, headed=False))


def _full(check: CheckContent, *, headed: bool, anchor: str | None = None) -> Markup:
    """Return one check with everything that is said of it; its title only where nothing above it is its title."""
    parts: list[str] = []
    if headed:
        title = tag("h4", inline(check.title), " ", _badge(check))
        parts.append(tag("div", title, _amount("span", check.earned), class_="head"))
    parts += [tag("p", inline(check.rationale), class_="why"), _trace(check.traceback)]
    if check.example is not None:
        parts.append(_example(check.example))
    if check.picture is not None:
        parts.append(figure(check.picture))
    if check.mistake is not None:
        lead, message = tag("p", check.mistake.lead), tag("p", inline(check.mistake.message))
        parts.append(tag("div", lead, message, class_="known"))
    parts.append(_sentence(" ".join(filter(None, (check.advice, check.read))), "next"))
    return tag("div", *parts, class_=f"check {_CLASSES[check.status]}", id=anchor)


def _trace(frames: Sequence[Frame]) -> Markup:
    """Show the student's own lines of a traceback, outermost first."""
    if not frames:
        return NOTHING
    return tag("ol", *map(_frame, frames), class_="trace")


def _frame(frame: Frame) -> Markup:
    place = tag("code", f"{frame.path}:{frame.line}")
    inside = joined((" in ", tag("code", frame.function))) if frame.function else NOTHING
    return tag("li", place, inside, preformatted("\n".join(dedented(frame.text))))


def _example(example: Example) -> Markup:
    rows = [
        tag("tr", tag("th", row.name, scope="row"), tag("td", _value(row)), class_=row.kind)
        for row in example.rows
    ]
    lead = "The smallest input found that fails" if example.smallest else "The call"
    return tag("table", tag("caption", lead), tag("tbody", *rows), class_="example")


def _value(row: ExampleRow) -> Markup:
    if row.kind == "where" and "\n" not in row.value:
        return tag("p", inline(row.value))
    if "\n" not in row.value:
        return tag("p", row.value, class_="mono")
    return _cells(row.value, set(row.wrong)) if row.wrong else preformatted(row.value)


def _cells(value: str, wrong: Set[tuple[int, int]]) -> Markup:
    """Return a value of several lines, with each wrong cell marked."""
    lines = []
    for number, line in enumerate(value.split("\n")):
        parts = re.split(r"(\S+)", line)  # every second one is a cell
        lines.append(
            joined(
                tag("mark", part) if n % 2 and (number, n // 2) in wrong else part
                for n, part in enumerate(parts)
            )
        )
    return tag("pre", Markup("\n".join(lines)))


def _hints(hints: HintsContent | None) -> Markup:
    """Show again what has been opened, and say what is next."""
    if hints is None:
        return NOTHING
    lead = f"Your hints: {len(hints.opened)} of {hints.count} open"
    opened = tag("ol", *(tag("li", inline(hint)) for hint in hints.opened))
    return opening(tag("span", lead, class_="title"), opened, _sentence(hints.further))


def _flags(flags: Sequence[Flag]) -> Markup:
    if not flags:
        return NOTHING
    lead = f"For a person to look at; it costs no points ({len(flags)})"
    return opening(tag("span", lead, class_="title"), tag("ul", *map(_flag, flags)))


def _flag(flag: Flag) -> Markup:
    place, name = tag("code", f"{flag.path}:{flag.line}"), tag("code", flag.name)
    return tag("li", place, " ", name, " ", inline(flag.reason))


def _output(output: str) -> Markup:
    if not output:
        return NOTHING
    return opening(tag("span", "Your code printed", class_="title"), preformatted(output))


# --- quizzes


def _quizzes(quizzes: Sequence[QuizResult], open_part: str | None) -> Markup:
    if not quizzes:
        return NOTHING
    articles = [_quiz(f"quiz-{n}", open_part, quiz_content(quiz)) for n, quiz in enumerate(quizzes)]
    return tag("section", tag("h2", "Quizzes", id="quizzes"), *articles, aria_labelledby="quizzes")


def _quiz(anchor: str, open_part: str | None, quiz: QuizContent) -> Markup:
    if quiz.to_begin:
        return _article(anchor, open_part, quiz.heading, _sentence(f"Not begun: {quiz.to_begin}"))
    parts: list[str] = [tag("p", inline(problem), class_="why") for problem in quiz.problems]
    parts += [_item(item, None if n else _first(anchor)) for n, item in enumerate(quiz.items)]
    if quiz.right:
        parts.append(tag("p", quiz.right, class_="passed"))
    if quiz.unanswered:
        parts.append(tag("p", quiz.unanswered))
    return _article(anchor, open_part, quiz.heading, *parts)


def _item(item: ItemContent, anchor: str | None) -> Markup:
    head = tag("div", tag("h4", item.name), _amount("span", item.earned), class_="head")
    answer = tag("p", "Your answer: ", tag("code", item.response))
    return tag("div", head, prose(item.prompt), answer, *map(prose, item.feedback), class_="check", id=anchor)

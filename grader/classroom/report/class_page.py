"""The class report as one HTML page, without network or script; readable on a screen, a projector and paper."""

from collections.abc import Iterator, Sequence
from datetime import timedelta
from pathlib import Path

from grader.classroom.report import chart
from grader.classroom.report.class_phrases import (
    count_of,
    counted,
    hand_in_sentences,
    lecture_note,
    misconception,
    notices,
    outcome_words,
    percent,
    places,
    rule,
    seconds,
    spread_sentence,
)
from grader.classroom.report.item_tables import quizzes
from grader.classroom.report.similarity_page import alike
from grader.classroom.statistics import (
    CheckSummary,
    ClassSummary,
    Day,
    ExerciseSummary,
    MistakeSummary,
    Share,
    Tally,
)
from grader.core.model import Outcome
from grader.report.html_document import NOTHING, bar, document, opening, skip
from grader.report.html_markup import Markup, inline, joined, preformatted, tag
from grader.report.text_layout import number

_OPEN_MISTAKES = 10  # further ones are collapsed
_OPEN_MISCONCEPTIONS = 12
_MAX_COLUMNS = 14

Section = tuple[str, str, Markup]


def to_html(summary: ClassSummary) -> str:
    """Return the class report as the text of an HTML page."""
    sections = [section for section in _sections(summary) if section[2]]
    shown = [
        tag("section", tag("h2", title, id=anchor), body, "\n", aria_labelledby=anchor)
        for anchor, title, body in sections
    ]
    own = Path(__file__).with_name("class.css").read_text(encoding="utf-8")
    return document(
        f"{summary.title} - convgrader",
        skip("Skip to the report", "report"),
        _header(summary),
        _contents(sections),
        tag("main", *shown, id="report"),
        tag(
            "footer",
            tag("p", "Made by convgrader. This page loads nothing from a network and runs no script."),
        ),
        style=own,
    )


def _sections(summary: ClassSummary) -> Iterator[Section]:
    yield "scores", "Scores", _scores(summary)
    yield "exercises", "Exercises", _exercises(summary.exercises)
    yield "mistakes", "What the code gets wrong", _mistakes(summary)
    yield "misconceptions", "What the answers get wrong", _misconceptions(summary)
    yield "items", "Quiz items", quizzes(summary.quizzes)
    yield "hand-ins", "Hand-ins", _hand_ins(summary)
    yield "to-look-at", "Needs attention", _notices(summary)
    yield "alike", "Similar solutions", alike(summary.similar)


def _header(summary: ClassSummary) -> Markup:
    count = counted(len(summary.students), "student")
    return tag(
        "header",
        tag("p", "convgrader class report", class_="brand"),
        tag("h1", summary.title, tag("small", count)),
        tag("p", rule(summary)),
    )


def _contents(sections: Sequence[Section]) -> Markup:
    links = [tag("li", tag("a", title, href=f"#{anchor}")) for anchor, title, _ in sections]
    return tag("nav", tag("ul", *links), aria_label="Contents", class_="contents")


def _article(*children: str) -> Markup:
    return tag("article", *children, "\n")


def _scores(summary: ClassSummary) -> Markup:
    found = [
        chart.Column(
            label=f"{part.low * 100:.0f} to {part.high * 100:.0f} %",
            short=f"{part.low * 100:.0f}",
            count=part.count,
        )
        for part in summary.histogram
    ]
    caption = "Students by score, in steps of 10 %"
    return _article(
        tag("p", spread_sentence(summary.scores), class_="lead"),
        chart.columns(caption, ("Score", "Students"), found),
    )


# --- exercises


def _exercises(exercises: Sequence[ExerciseSummary]) -> Markup:
    rows = [_row(f"exercise-{n}", exercise) for n, exercise in enumerate(exercises)]
    heads = tag(
        "tr",
        tag("th", "Exercise", scope="col"),
        tag("td", class_="how"),
        *(tag("th", name, scope="col", class_="amount") for name in ("Mean", "Full marks", "Not written")),
    )
    table = tag(
        "table",
        tag("caption", "All exercises"),
        tag("thead", heads),
        tag("tbody", *rows),
        class_="parts class",
    )
    details = [_exercise(f"exercise-{n}", exercise) for n, exercise in enumerate(exercises)]
    return joined([table, *details])


def _row(anchor: str, exercise: ExerciseSummary) -> Markup:
    mean = exercise.scores.mean if exercise.scores else None
    return tag(
        "tr",
        tag("th", tag("a", exercise.id, href=f"#{anchor}"), " ", tag("small", exercise.title), scope="row"),
        tag("td", bar(mean or 0.0, 1.0), class_="how"),
        tag("td", percent(mean), class_="amount"),
        tag("td", count_of(exercise.full), class_="amount"),
        tag("td", count_of(exercise.not_attempted), class_="amount"),
        "\n",
    )


def _exercise(anchor: str, exercise: ExerciseSummary) -> Markup:
    mean = percent(exercise.scores.mean if exercise.scores else None)
    heading = tag("h3", tag("code", exercise.id), exercise.title, id=f"{anchor}-title")
    head = tag("div", heading, tag("span", f"mean {mean}", class_="amount"), class_="head")
    hardest = min(exercise.checks, key=lambda check: check.passed.value or 0.0, default=None)
    lead = counted(len(exercise.checks), "check")
    if hardest is not None and hardest.passed.count < hardest.passed.of:
        lead += f"; the hardest, passed by {count_of(hardest.passed)}: {hardest.title}"
    checks = (
        opening(tag("span", inline(lead), class_="title"), _checks(exercise)) if exercise.checks else NOTHING
    )
    body = tag("p", inline(_endings(exercise)))
    return tag("article", head, body, checks, "\n", id=anchor, aria_labelledby=f"{anchor}-title")


def _endings(exercise: ExerciseSummary) -> str:
    """Return how the exercise ended for the class."""
    if not exercise.graded:
        return "No solution of it could be graded."
    sentences = [f"Of {counted(exercise.graded, 'student')}: {_tallied(exercise.tallies)}."]
    if exercise.unexplained.count:
        sentences.append(f"{count_of(exercise.unexplained)} made mistakes that the course does not list.")
    if exercise.seconds:
        sentences.append(f"Grading took {seconds(exercise.seconds.median)} in the median.")
    return " ".join(sentences)


def _tallied(tallies: Sequence[Tally]) -> str:
    return ", ".join(f"{tally.count} {outcome_words(tally.outcome)}" for tally in reversed(tallies))


def _checks(exercise: ExerciseSummary) -> Markup:
    heads = ("Passed", "Share", "Points")
    head = tag(
        "tr",
        tag("th", "Check", scope="col"),
        tag("td", class_="how"),
        *(tag("th", name, scope="col", class_="amount") for name in heads),
    )
    rows = [_check(check) for check in exercise.checks]
    caption = tag("caption", f"Checks of {exercise.id}")
    return tag("table", caption, tag("thead", head), tag("tbody", *rows), class_="parts class")


def _check(check: CheckSummary) -> Markup:
    others = [tally for tally in check.tallies if tally.outcome not in (Outcome.PASSED, Outcome.FAILED)]
    also = tag("small", _tallied(others)) if others else NOTHING
    return tag(
        "tr",
        tag("th", inline(check.title), also, scope="row"),
        tag("td", _stack(check), class_="how"),
        tag("td", count_of(check.passed), class_="amount"),
        tag("td", percent(check.passed.value), class_="amount"),
        tag("td", number(check.max_points), class_="amount"),
        "\n",
    )


def _stack(check: CheckSummary) -> Markup:
    """Draw the shares that passed and that are not written; the numbers beside it and below the title say the same."""
    parts = [("passed", check.passed), ("unwritten", check.not_attempted)]
    spans = [tag("span", class_=name, style=_width(share)) for name, share in parts if share.count]
    return tag("span", *spans, class_="bar stack", aria_hidden="true")


def _width(share: Share) -> str:
    return f"width: {100 * (share.value or 0.0):.1f}%"


# --- mistakes and misconceptions


def _mistakes(summary: ClassSummary) -> Markup:
    articles = [_mistake(n, mistake) for n, mistake in enumerate(summary.mistakes, 1)]
    return _collapsed(articles, _OPEN_MISTAKES, "more known mistake")


def _collapsed(articles: Sequence[Markup], most: int, noun: str) -> Markup:
    """Join articles, the first `most` shown and the rest collapsed; a single one is not worth a click."""
    if len(articles) <= most + 1:
        return joined(articles)
    lead = tag("span", counted(len(articles) - most, noun), class_="title")
    return joined([*articles[:most], opening(lead, *articles[most:])])


def _mistake(place: int, mistake: MistakeSummary) -> Markup:
    anchor = f"mistake-{place}"
    note = lecture_note(mistake)
    heading = tag("h3", tag("code", mistake.exercise), mistake.id, id=anchor)
    head = tag("div", heading, tag("span", count_of(mistake.made), class_="amount"), class_="head")
    parts = [head, bar(mistake.made.count, mistake.made.of), tag("p", inline(note.text), class_="say")]
    if note.call:
        rows = [_shown(name, value) for name, value in note.rows]
        caption = tag("caption", "Try it on ", tag("code", note.call))
        parts.append(tag("table", caption, tag("tbody", *rows), class_="example"))
    cost = "; ".join(mistake.checks)
    also = f" {_together(mistake)}" if mistake.together else ""
    parts.append(tag("p", "Failed checks: ", inline(f"{cost}.{also}"), class_="aside"))
    return tag("article", *parts, "\n", aria_labelledby=anchor)


def _together(mistake: MistakeSummary) -> str:
    return f"{mistake.together} of them made it together with another mistake."


def _shown(name: str, value: str) -> Markup:
    return tag("tr", tag("th", name, scope="row"), tag("td", _value(value)), class_=_kind(name))


def _kind(name: str) -> str:
    return {"right": "expected", "mistaken": "got"}.get(name, "argument")


def _value(value: str) -> Markup:
    return preformatted(value) if "\n" in value else tag("p", value, class_="mono")


def _misconceptions(summary: ClassSummary) -> Markup:
    entries = [
        tag(
            "li",
            tag(
                "div", tag("h3", found.id), tag("span", count_of(found.made), class_="amount"), class_="head"
            ),
            tag("p", inline(misconception(found, summary.mistakes))),
            tag("p", f"Quizzes: {places(found)}.", class_="aside"),
        )
        for found in summary.misconceptions
    ]
    if not entries:
        return NOTHING
    first, rest = entries[:_OPEN_MISCONCEPTIONS], entries[_OPEN_MISCONCEPTIONS:]
    parts = [tag("ul", *first, class_="plain")]
    if rest:
        lead = tag("span", counted(len(rest), "more misconception"), class_="title")
        parts.append(opening(lead, tag("ul", *rest, class_="plain")))
    return _article(*parts)


# --- the rest


def _hand_ins(summary: ClassSummary) -> Markup:
    late = "; the lower, red part came late" if any(day.late for day in summary.days) else ""
    heads = ("Days", "Hand-ins", "Late") if summary.due else ("Days", "Hand-ins")
    sentences = [tag("p", sentence) for sentence in hand_in_sentences(summary)]
    return _article(*sentences, chart.columns(f"Hand-ins{late}", heads, _spans(summary.days)))


def _spans(days: Sequence[Day]) -> list[chart.Column]:
    """Return a column for each day from the first to the last, or for several days each, in at most 14 columns."""
    first = days[0].day
    length = -(-((days[-1].day - first).days + 1) // _MAX_COLUMNS)
    spans: list[list[Day]] = [[] for _ in range((days[-1].day - first).days // length + 1)]
    for day in days:
        spans[(day.day - first).days // length].append(day)
    starts = [first + timedelta(days=n * length) for n in range(len(spans))]
    until = f" and {counted(length - 1, 'day')} more" if length > 1 else ""
    return [
        chart.Column(
            label=f"{start:%a %Y-%m-%d}{until}",
            short=f"{start:%d %b}",
            count=sum(day.count for day in span),
            marked=sum(day.late for day in span),
        )
        for start, span in zip(starts, spans, strict=True)
    ]


def _notices(summary: ClassSummary) -> Markup:
    shown = [
        joined([tag("p", inline(f"{notice.text}:")), tag("ul", *(tag("li", name) for name in notice.names))])
        for notice in notices(summary)
    ]
    return _article(*shown) if shown else NOTHING

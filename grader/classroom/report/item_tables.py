"""Quiz items on the page: for each quiz remarks, a table of figures, and the answers, collapsed."""

from collections.abc import Iterator, Sequence

from grader.classroom.report.class_phrases import count_of, counted, percent
from grader.classroom.report.item_remarks import (
    VOID,
    between,
    cautions,
    figure,
    option_figures,
    percent_between,
    reliability,
    remarks,
    severity,
    value,
    variants,
    wrong_response,
)
from grader.classroom.statistics import ItemSummary, OptionSummary, QuizSummary, WrongResponse
from grader.report.html_document import NOTHING, opening
from grader.report.html_markup import Markup, inline, joined, prose, tag

_HEADS = (
    ("Left out", "share of students without a usable answer"),
    ("Credit", "mean share of the points"),
    ("D27", "mean credit of the strongest 27 % of students minus that of the weakest"),
    ("r", "correlation with the rest of the quiz"),
    ("Alpha without", "Cronbach's alpha of the other items"),
)


def quizzes(found: Sequence[QuizSummary]) -> Markup:
    """Return every quiz: its remarks, its table, and its answers."""
    return joined(_quiz(n, quiz) for n, quiz in enumerate(found))


def _quiz(position: int, quiz: QuizSummary) -> Markup:
    anchor = f"quiz-{position}"
    heading = tag("h3", tag("code", quiz.id), quiz.title, id=anchor)
    count = tag("span", counted(quiz.students, "student"), class_="amount")
    remarked = sorted((item for item in quiz.items if remarks(item)), key=severity)
    answers = [item for item in quiz.items if item.options or item.wrong or variants(item)]
    return tag(
        "article",
        tag("div", heading, count, class_="head"),
        tag("p", reliability(quiz)),
        *(tag("p", inline(text), class_="aside") for text in cautions(quiz)),
        _remarks(remarked),
        _items(quiz),
        opening(tag("span", "Answers", class_="title"), *map(_answers, answers)) if answers else NOTHING,
        "\n",
        aria_labelledby=anchor,
    )  # fmt: skip


def _remarks(items: Sequence[ItemSummary]) -> Markup:
    rows = [
        tag("li", tag("b", item.id), tag("br"), *(joined([inline(text), " "]) for text in remarks(item)))
        for item in items
    ]
    return tag("ul", *rows, class_="remarks") if rows else NOTHING


def _items(quiz: QuizSummary) -> Markup:
    heads = [tag("th", name, scope="col", class_="amount", title=meaning) for name, meaning in _HEADS]
    caption = tag("caption", f"Items of {quiz.id}, with 95 % intervals")
    return tag(
        "table",
        caption,
        tag("thead", tag("tr", tag("th", "Item", scope="col"), *heads)),
        tag("tbody", *map(_row, quiz.items)),
        class_="parts class items",
    )


def _row(item: ItemSummary) -> Markup:
    name = tag("th", item.id, scope="row")
    if item.void:
        return tag("tr", name, tag("td", VOID[item.void], class_="amount", colspan=len(_HEADS)), "\n")
    cells = (
        (percent(item.omitted.value), ""),
        (percent(value(item.difficulty)), percent_between(item.difficulty)),
        (figure(item.discrimination), ""),
        (figure(value(item.rest)), between(item.rest)),
        (figure(item.alpha_without), ""),
    )
    shown = [
        tag("td", text, *([tag("small", within)] if within else []), class_="amount")
        for text, within in cells
    ]
    return tag("tr", name, *shown, "\n")


# --- answers


def _answers(item: ItemSummary) -> Markup:
    parts = [tag("h4", tag("code", item.id)), tag("div", prose(item.prompt), class_="prompt")]
    if variants(item):
        parts.append(tag("p", variants(item), class_="aside"))
    parts += _tables(item)
    return tag("div", *parts, "\n", class_="answers")


def _tables(item: ItemSummary) -> Iterator[Markup]:
    if item.options:
        names = ("All", "Weak", "Strong", "r")
        heads = [tag("th", name, scope="col", class_="amount") for name in names]
        caption = tag("caption", f"Options of {item.id}, and the share of students who chose them")
        head = tag("tr", tag("th", "Option", scope="col"), *heads)
        rows = map(_option, item.options)
        yield tag("table", caption, tag("thead", head), tag("tbody", *rows), class_="parts class")
    if item.wrong:
        caption = tag("caption", f"Frequent wrong responses to {item.id}")
        heads = [tag("th", "Response", scope="col"), tag("th", "Students", scope="col", class_="amount")]
        rows = map(_wrong, item.wrong)
        yield tag(
            "table", caption, tag("thead", tag("tr", *heads)), tag("tbody", *rows), class_="parts class"
        )


def _option(option: OptionSummary) -> Markup:
    right = tag("b", " right") if option.correct else NOTHING
    text = tag("small", inline(option.text)) if option.text else NOTHING
    cells = [tag("td", text, class_="amount") for text in option_figures(option)]
    return tag("tr", tag("th", tag("code", option.id), right, text, scope="row"), *cells, "\n")


def _wrong(found: WrongResponse) -> Markup:
    text, misconceptions = wrong_response(found)
    also = tag("small", misconceptions) if misconceptions else NOTHING
    return tag(
        "tr", tag("th", text, also, scope="row"), tag("td", count_of(found.given), class_="amount"), "\n"
    )

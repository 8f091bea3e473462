"""Similar solutions, as a section of the page of a class."""

from collections.abc import Sequence

from grader.classroom.report.class_phrases import counted
from grader.classroom.report.similarity_text import (
    ADVICE,
    SCORE,
    code,
    common,
    handed_in,
    name,
    score,
    where,
    wording,
)
from grader.classroom.similarity import Block, Pair
from grader.report.html_document import NOTHING, opening
from grader.report.html_markup import Markup, inline, joined, preformatted, tag


def alike(pairs: Sequence[Pair]) -> Markup:
    """Return the pairs, collapsed: a table of names, and for each pair both excerpts of every match.

    They are collapsed so that an instructor who projects the page does not show these names by accident.
    """
    if not pairs:
        return NOTHING
    heads = ("Students", "Exercise", "Score")
    head = tag("tr", *(tag("th", text, scope="col", class_=_side(text)) for text in heads))
    table = tag(
        "table",
        tag("caption", "Similar solutions"),
        tag("thead", head),
        tag("tbody", *map(_row, pairs)),
        class_="parts class",
    )
    lead = tag("span", f"{counted(len(pairs), 'pair')}, not for display in a lecture", class_="title")
    details = opening(lead, tag("p", SCORE, class_="aside"), table, *map(_pair, pairs))
    return tag("article", tag("p", ADVICE), details, "\n")


def _side(text: str) -> str | None:
    return "amount" if text == "Score" else None


def _names(pair: Pair) -> str:
    return f"{name(pair.first)} and {name(pair.second)}"


def _row(pair: Pair) -> Markup:
    return tag(
        "tr",
        tag("th", _names(pair), scope="row"),
        tag("td", tag("code", pair.exercise)),
        tag("td", score(pair), class_="amount"),
        "\n",
    )


def _pair(pair: Pair) -> Markup:
    sentences = [tag("p", inline(text)) for text in (common(pair), wording(pair), handed_in(pair)) if text]
    lead = tag("span", tag("code", pair.exercise), f" {_names(pair)}", class_="title")
    return opening(lead, *sentences, *(_block(pair, block) for block in pair.blocks))


def _block(pair: Pair, block: Block) -> Markup:
    sides = ((pair.first, block.first), (pair.second, block.second))
    return joined(
        joined(
            [
                tag("p", f"{side.student}: {where(excerpt)}", class_="aside"),
                preformatted("\n".join(code(excerpt))),
            ]
        )
        for side, excerpt in sides
    )

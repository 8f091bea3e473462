"""Column charts as inline SVG, with the numbers below and as a table for keyboards and screen readers."""

from collections.abc import Sequence
from dataclasses import dataclass

from grader.report.html_document import opening
from grader.report.html_markup import Markup, joined, tag

_HEIGHT = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """One column: `marked` of its `count` came late, and are drawn in another color. `short` is the label below it."""

    label: str
    short: str
    count: int
    marked: int = 0


def columns(caption: str, heads: tuple[str, ...], found: Sequence[Column]) -> Markup:
    """Return a chart. `heads` are those of its table: for the labels, the counts and, if any, the marked ones."""
    return tag(
        "figure",
        tag("figcaption", caption),
        _drawing(caption, found),
        tag("div", *map(_below, found), class_="below", aria_hidden="true"),
        _table(caption, heads, found),
        class_="chart",
    )


def _drawing(caption: str, found: Sequence[Column]) -> Markup:
    most = max(column.count for column in found) or 1
    paths = []
    for n, column in enumerate(found):
        height = _HEIGHT * column.count / most
        top = _HEIGHT * column.marked / most
        paths.append(tag("path", class_="column", d=f"M{n * 10 + 1} {_HEIGHT}v-{height:.2f}h8v{height:.2f}z"))
        if column.marked:
            paths.append(tag("path", class_="marked", d=f"M{n * 10 + 1} {_HEIGHT}v-{top:.2f}h8v{top:.2f}z"))
    return tag(
        "svg",
        *paths,
        viewBox=f"0 0 {len(found) * 10} {_HEIGHT}",
        preserveAspectRatio="none",
        role="img",
        aria_label=_described(caption, found),
    )


def _described(caption: str, found: Sequence[Column]) -> str:
    """Return a chart in words: the columns that are not empty."""
    text = "; ".join(
        f"{column.label}: {column.count}" + (f", of which {column.marked} late" if column.marked else "")
        for column in found
        if column.count
    )
    return f"{caption}. {text}."


def _below(column: Column) -> Markup:
    return tag("span", tag("b", str(column.count) if column.count else ""), column.short)


def _table(caption: str, heads: tuple[str, ...], found: Sequence[Column]) -> Markup:
    rows = [
        tag(
            "tr",
            tag("th", column.label, scope="row"),
            *(
                tag("td", str(value), class_="amount")
                for value in (column.count, column.marked)[: len(heads) - 1]
            ),
        )
        for column in found
    ]
    head = tag("tr", *(tag("th", name, scope="col", class_=_side(n)) for n, name in enumerate(heads)))
    table = tag("table", tag("caption", caption), tag("thead", head), tag("tbody", *rows), class_="numbers")
    return opening(tag("span", "The same as a table", class_="title"), joined([table]))


def _side(place: int) -> str | None:
    return "amount" if place else None

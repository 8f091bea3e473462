"""A quiz as one page that needs no network and holds no key; it downloads the answers file that `grade` reads."""

import json
from collections.abc import Mapping
from pathlib import Path

from grader.quiz.answers import Responses
from grader.quiz.bank import Bank
from grader.quiz.draw import FIRST_DRAW
from grader.quiz.sheet import as_yaml, entry, head
from grader.quiz.types import Item
from grader.report.html_document import NOTHING, document, skip
from grader.report.html_markup import Markup, inline, joined, prose, tag
from grader.report.phrases import item_name
from grader.report.text_layout import number


def to_html(bank: Bank, responses: Responses) -> str:
    """Return the page of a quiz, filled with these responses, drawn from their seed."""
    here = Path(__file__)
    asked = bank.sheet(responses.seed, responses.draw)
    open_items = [item for item in asked if item.void is None]
    body = [_item(item, open_items[-1].number) for item in open_items]
    data = tag("script", _data(bank, responses, asked), type="application/json", id="quiz")
    return document(
        f"{bank.title} - convgrader quiz",
        skip("Skip to the questions", "questions"),
        _header(bank, open_items),
        tag("main", *body, id="questions"),
        _bar(bank),
        data,
        style=here.with_name("quiz.css").read_text(encoding="utf-8"),
        script=here.with_name("quiz.js").read_text(encoding="utf-8"),
    )


def _header(bank: Bank, items: list[Item]) -> Markup:
    points = number(sum(item.points for item in items))
    return tag(
        "header",
        tag("p", "convgrader quiz", class_="brand"),
        tag(
            "h1", bank.title, tag("small", f"section {bank.section}, {len(items)} questions, {points} points")
        ),
        tag(
            "p",
            "Answer in any order, and change what you like. When you stop, download your answers and put the file ",
            joined(("into ", tag("code", "answers/"), ", in place of the one there; ")),
            joined((tag("code", "grade"), " grades it.")),
            class_="next",
        ),
        tag("noscript", tag("p", inline(f"This page needs scripts. Without: `grade quiz {bank.id}`."))),
    )


def _item(item: Item, last: int) -> Markup:
    name = f"q{item.number}"
    worth = f"{number(item.points)} point{'' if item.points == 1 else 's'}"
    title = item_name(item.number, item.id)
    legend = tag("legend", tag("h2", title, tag("small", f" (of {last}, {worth})")))
    form = tag("p", inline(f"Write {item.answer_form()}."), id=f"{name}-form", class_="form")
    return tag(
        "fieldset",
        legend,
        tag("div", prose(item.prompt_text()), id=f"{name}-prompt"),
        item.controls(name),
        form if item.shows_answer_form else NOTHING,
        tag("p", class_="todo", role="status"),
        _hints(item),
        id=name,
        data_item=item.id,
        data_number=item.number,
        data_kind=item.control_kind,
        aria_describedby=f"{name}-prompt",
    )


def _hints(item: Item) -> Markup:
    """Return the hints of an item, hidden, each with its cost, and the buttons that open them one after the other."""
    if not item.hints:
        return NOTHING
    count = len(item.hints)
    texts = [
        tag("p", tag("b", f"Hint {n} of {count}:"), " ", inline(hint.text), hidden="")
        for n, hint in enumerate(item.hints, start=1)
    ]
    buttons = [
        tag("button", f"Open hint {n} of {count}" + _cost(hint.cost), type="button", data_hint=n, hidden="")
        for n, hint in enumerate(item.hints, start=1)
    ]
    return tag("div", tag("div", *texts, aria_live="polite"), *buttons, class_="hints")


def _cost(cost: float) -> str:
    return f", for {number(cost)} of the points" if cost else ""


def _bar(bank: Bank) -> Markup:
    download = tag("button", "Download answers", type="button", id="download")
    state = tag("p", role="status", id="state")
    return tag(
        "footer", tag("div", state, download), class_="bottom", aria_label=f"Your answers to {bank.title}"
    )


def _data(bank: Bank, responses: Responses, asked: list[Item]) -> Markup:
    """Return the data of quiz.js, the answers file cut where responses belong, escaped: no text ends the script."""
    drawn = (
        f" draw {responses.draw}" if responses.draw != FIRST_DRAW else ""
    )  # other letters than were kept before
    data = {
        "file": f"{bank.id}.yaml",
        "keep": f"convgrader quiz {bank.id} {responses.seed if bank.seed is None else bank.seed}{drawn}",
        "head": "\n".join(head(bank, responses.seed, responses.draw)),
        "items": [
            {"id": item.id, "entry": "\n".join(entry(item)), **_given(item, responses.given)}
            for item in asked
        ],
        "hints": {item: n for item, n in responses.hints.items() if n},
    }
    return Markup(json.dumps(data).replace("<", "\\u003c"))


def _given(item: Item, given: Mapping[str, object]) -> dict[str, object]:
    if item.id not in given:
        return {"parts": {}, "written": ""}
    return {"parts": item.control_values(given[item.id]), "written": as_yaml(given[item.id])}

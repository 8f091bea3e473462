"""A quiz as one page that holds no key.

It is a file that needs no network and downloads the answers file that `grade` reads; or a page of `grade quiz --serve`,
which saves answers, and shows as much of their result as the course shows its students.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from grader.quiz.answers import Responses
from grader.quiz.bank import Bank
from grader.quiz.draw import FIRST_DRAW
from grader.quiz.page.result_markup import Result
from grader.quiz.responses import ResponseError, is_empty, shown
from grader.quiz.sheet import as_written, as_yaml, entry, head
from grader.quiz.types import Item
from grader.report.html_document import NOTHING, document, skip
from grader.report.html_markup import Markup, inline, joined, prose, tag
from grader.report.phrases import item_name
from grader.report.text_layout import number

# For a question that was answered elsewhere too: quiz.js fills in what the file says.
_OTHER = tag(
    "div",
    tag("p", role="alert"),
    tag("button", "Keep my answer", type="button", value="mine"),
    " ",
    tag("button", "Take the one in the file", type="button", value="file"),
    class_="other",
    hidden="",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Served:
    """What a served page has: where answers are saved, the button for their result, and the result if it is shown."""

    path: str
    button: str
    shown: Result | None = None


def to_html(bank: Bank, responses: Responses, served: Served | None = None) -> str:
    """Return the page of a quiz, filled with these responses, drawn from their seed."""
    here = Path(__file__)
    asked = bank.sheet(responses.seed, responses.draw)
    open_items = [item for item in asked if item.void is None]
    body = [_item(item, open_items[-1].number, served) for item in open_items]
    data = _data(bank, responses, asked)
    if served is not None:
        data |= _served_data(responses, asked, served)
    keeping = "kept_in_browser.js" if served is None else "saved_by_server.js"
    script = [here.with_name(name).read_text(encoding="utf-8") for name in ("quiz.js", keeping)]
    return document(
        f"{bank.title} - convgrader quiz",
        skip("Skip to the questions", "questions"),
        _header(bank, open_items, served),
        tag("main", *body, id="questions"),
        _bar(bank, served),
        tag("script", _escaped(data), type="application/json", id="quiz"),
        style=here.with_name("quiz.css").read_text(encoding="utf-8"),
        script="\n".join(script),
        connects=served is not None,
    )


def _header(bank: Bank, items: list[Item], served: Served | None) -> Markup:
    points = number(sum(item.points for item in items))
    summary = served.shown.summary if served is not None and served.shown is not None else NOTHING
    return tag(
        "header",
        tag("p", "convgrader quiz", class_="brand"),
        tag(
            "h1", bank.title, tag("small", f"section {bank.section}, {len(items)} questions, {points} points")
        ),
        _how_to_keep(served),
        tag("div", summary, id="summary", role="status", tabindex=-1) if served is not None else NOTHING,
        tag("noscript", tag("p", inline(f"This page needs scripts. Without: `grade quiz {bank.id}`."))),
    )


def _how_to_keep(served: Served | None) -> Markup:
    if served is not None:
        words = (
            "Answer in any order, and change what you like. Each answer is saved at once in ",
            tag("code", served.path),
            "; you can close this page at any time.",
        )
        return tag("p", *words, class_="next")
    return tag(
        "p",
        "Answer in any order, and change what you like. When you stop, download your answers and put the file ",
        joined(("into ", tag("code", "answers/"), ", in place of the one there; ")),
        joined((tag("code", "grade"), " grades it.")),
        class_="next",
    )


def _item(item: Item, last: int, served: Served | None) -> Markup:
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
        _OTHER if served is not None else NOTHING,
        _hints(item),
        _result(item, served),
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


def _result(item: Item, served: Served | None) -> Markup:
    if served is None:
        return NOTHING
    found = served.shown.items.get(item.id, NOTHING) if served.shown is not None else NOTHING
    return tag("div", found, class_="result")


def _bar(bank: Bank, served: Served | None) -> Markup:
    hidden = None if served is None else ""  # until something cannot be saved
    buttons = [tag("button", "Download answers", type="button", id="download", hidden=hidden)]
    if served is not None:
        buttons.append(tag("button", served.button, type="button", id="grade"))
    state = tag("p", role="status", id="state")
    return tag(
        "footer", tag("div", state, *buttons), class_="bottom", aria_label=f"Your answers to {bank.title}"
    )


def _data(bank: Bank, responses: Responses, asked: list[Item]) -> dict[str, object]:
    """Return the data of the scripts: the answers file cut where responses belong."""
    drawn = (
        f" draw {responses.draw}" if responses.draw != FIRST_DRAW else ""
    )  # other letters than were kept before
    return {
        "id": bank.id,
        "drawn": [responses.seed, responses.draw],
        "file": f"{bank.id}.yaml",
        "keep": f"convgrader quiz {bank.id} {responses.seed if bank.seed is None else bank.seed}{drawn}",
        "head": "\n".join(head(bank, responses.seed, responses.draw)),
        "items": [
            {"id": item.id, "entry": "\n".join(entry(item)), **_given(item, responses.given)}
            for item in asked
        ],
        "hints": {item: n for item, n in responses.hints.items() if n},
    }


def _served_data(responses: Responses, asked: list[Item], served: Served) -> dict[str, object]:
    """Return what is other in the data of a page that is served: it also says what is written and cannot be read."""
    items = [
        {"id": item.id, "entry": "\n".join(entry(item)), **item_state(item, responses)} for item in asked
    ]
    return {"items": items, "path": served.path}


def item_state(item: Item, responses: Responses) -> dict[str, object]:
    """Return what is written for an item, for its controls and for people, and what is wrong with it."""
    value = responses.written(item.id)
    state: dict[str, object] = {
        "parts": {},
        "written": as_written(value),
        "shown": shown(value),
        "problem": "",
    }
    if item.id in responses.given:
        return state | {"parts": item.control_values(value)}
    if is_empty(value):
        return state | {"shown": ""}
    parts = {str(name): shown(part) for name, part in value.items()} if isinstance(value, dict) else {}
    try:
        item.read(value)
    except ResponseError as error:
        return state | {"parts": parts or {"text": shown(value)}, "problem": f"{error}."}
    return state | {"problem": "This cannot be read as it stands in the file: answer it here again."}


def _given(item: Item, given: Mapping[str, object]) -> dict[str, object]:
    if item.id not in given:
        return {"parts": {}, "written": ""}
    return {"parts": item.control_values(given[item.id]), "written": as_yaml(given[item.id])}


def _escaped(data: dict[str, object]) -> Markup:
    """Return data as JSON in which no text ends the script."""
    return Markup(json.dumps(data).replace("<", "\\u003c"))

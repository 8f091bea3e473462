"""What the page asks with: the controls of each type of item, and how a response is spread over them.

Every control has a part: the name under which its value is kept. quiz.js makes the response of the parts again.
"""

from functools import singledispatch
from typing import cast

from grader.quiz.items import (
    ClozeItem,
    CodeOutputItem,
    GridItem,
    Item,
    MatchItem,
    MultiItem,
    NumberKey,
    OrderItem,
    ShapeKey,
    SingleItem,
    TrueFalseItem,
    WordsKey,
)
from grader.quiz.output_answers import MAX_LENGTH as MAX_PRINTED
from grader.quiz.responses import MAX_CELLS_LENGTH, MAX_LENGTH, read
from grader.quiz.responses import shown as as_text
from grader.quiz.soundness import gap_names
from grader.quiz.text_answers import MAX_LENGTH as MAX_TEXT
from grader.report.html_markup import Markup, inline, joined, tag


@singledispatch
def kind(_item: object) -> str:
    """Return how quiz.js makes a response of the parts of an item."""
    return "text"


kind.register(SingleItem, lambda _: "one")
kind.register(MultiItem, lambda _: "several")
kind.register(TrueFalseItem, lambda _: "verdict")
kind.register(MatchItem, lambda _: "match")
kind.register(OrderItem, lambda _: "order")
kind.register(ClozeItem, lambda _: "cloze")


def _choice(of: str, name: str, part: str, value: str, label: Markup) -> Markup:
    """Return a radio button or a box, all of it its label."""
    control = tag("input", type=of, name=name, data_part=part, value=value)
    return tag("label", control, " ", tag("span", label), class_="choice")


def _lettered(letter: str, text: str) -> Markup:
    return joined((tag("b", f"{letter})"), " ", inline(text)))


def _field(name: str, label: Markup | str, part: str, *, longest: int, lines: int = 1, told: str) -> Markup:
    """Return a labelled field to type into."""
    common: dict[str, str | int | None] = {
        "id": f"{name}-{part}",
        "data_part": part,
        "maxlength": longest,
        "autocomplete": "off",
        "autocapitalize": "off",
        "spellcheck": "false",
        "aria_describedby": told,
    }
    control = tag("input", type="text", **common) if lines == 1 else tag("textarea", rows=lines, **common)
    return tag("p", tag("label", label, for_=f"{name}-{part}"), control, class_="field")


def _select(name: str, label: Markup | str, part: str, options: dict[str, str]) -> Markup:
    """Return a labelled choice of one out of a list."""
    listed = [tag("option", "-", value="")]
    listed += [tag("option", text, value=value) for value, text in options.items()]
    control = tag("select", *listed, id=f"{name}-{part}", data_part=part)
    return tag("p", tag("label", label, for_=f"{name}-{part}"), " ", control, class_="field")


@singledispatch
def controls(item: object, name: str) -> Markup:
    """Return the controls of an item; `name` is unique in the page, and `name-form` says what to write."""
    raise TypeError(f"{type(item).__name__} is no type of item, as {name}")


@controls.register
def _(item: SingleItem, name: str) -> Markup:
    return joined(
        _choice("radio", name, "choice", letter, _lettered(letter, option.text))
        for letter, option in item.options.items()
    )


@controls.register
def _(item: MultiItem, name: str) -> Markup:
    return joined(
        _choice("checkbox", f"{name}-{letter}", letter, "on", _lettered(letter, option.text))
        for letter, option in item.options.items()
    )


@controls.register
def _(item: TrueFalseItem, name: str) -> Markup:
    verdicts = [
        _choice("radio", f"{name}-verdict", "verdict", word.lower(), inline(word))
        for word in ("True", "False")
    ]
    reasons = [
        _choice("radio", f"{name}-reason", "reason", letter, _lettered(letter, reason.text))
        for letter, reason in item.reasons.items()
    ]
    return joined(
        tag("div", tag("p", label, id=f"{name}-{part}"), *found, role="radiogroup", aria_labelledby=f"{name}-{part}")
        for part, label, found in (("v", "True or false?", verdicts), ("r", "Why?", reasons))
    )  # fmt: skip


@controls.register(NumberKey)
@controls.register(ShapeKey)
def _(_item: NumberKey | ShapeKey, name: str) -> Markup:
    return _field(name, "Your answer", "text", longest=MAX_LENGTH, told=f"{name}-form")


@controls.register
def _(item: WordsKey, name: str) -> Markup:
    if item.choices:
        return _select(name, "Your answer", "text", {choice: choice for choice in item.choices})
    return _field(name, "Your answer", "text", longest=MAX_TEXT, told=f"{name}-form")


@controls.register
def _(item: MatchItem, name: str) -> Markup:
    choices = {letter: f"{letter}) {text}" for letter, text in item.choices.items()}
    listed = tag("ul", *(tag("li", _lettered(*choice)) for choice in item.choices.items()), class_="plain")
    rows = [_select(name, _lettered(row, part.text), row, choices) for row, part in item.rows.items()]
    return joined(
        (tag("p", "Each row gets one of these; one may serve several rows, or none."), listed, *rows)
    )


@controls.register
def _(item: OrderItem, name: str) -> Markup:
    parts = {letter: f"{letter}) {text}" for letter, text in item.parts.items()}
    listed = tag("ul", *(tag("li", _lettered(*part)) for part in item.parts.items()), class_="plain")
    places = [_select(name, f"Place {n}", str(n), parts) for n in range(1, len(parts) + 1)]
    return joined((listed, *places))


@controls.register
def _(item: ClozeItem, name: str) -> Markup:
    return joined(_gap(item, name, gap) for gap in gap_names(item.prompt))


def _gap(item: ClozeItem, name: str, gap: str) -> Markup:
    blank = item.blanks[gap]
    choices = blank.choices if isinstance(blank, WordsKey) else None
    if choices:
        return _select(name, f"[{gap}]", gap, {choice: choice for choice in choices})
    longest = MAX_TEXT if isinstance(blank, WordsKey) else MAX_LENGTH
    return _field(name, f"[{gap}]", gap, longest=longest, told=f"{name}-form")


@controls.register
def _(_item: CodeOutputItem, name: str) -> Markup:
    return _field(name, "What is printed", "text", longest=MAX_PRINTED, lines=3, told=f"{name}-form")


@controls.register
def _(_item: GridItem, name: str) -> Markup:
    return _field(name, "Your matrix", "text", longest=MAX_CELLS_LENGTH, lines=4, told=f"{name}-form")


# --- a response, spread over the parts


@singledispatch
def parts(_item: object, value: object) -> dict[str, str]:
    """Return the parts of a response that can be read, as its controls would hold them."""
    return {"text": as_text(value)}


@parts.register
def _(item: SingleItem, value: object) -> dict[str, str]:
    (letter,) = _read_letters(item, value)
    return {"choice": letter}


@parts.register
def _(item: MultiItem, value: object) -> dict[str, str]:
    return dict.fromkeys(_read_letters(item, value), "on")


def _read_letters(item: Item, value: object) -> list[str]:
    return sorted(cast("frozenset[str]", read(item, value)))


@parts.register
def _(item: TrueFalseItem, value: object) -> dict[str, str]:
    verdict, reason = cast("tuple[bool, str]", read(item, value))
    return {"verdict": str(verdict).lower(), "reason": reason}


@parts.register
def _(item: MatchItem, value: object) -> dict[str, str]:
    return cast("dict[str, str]", read(item, value))


@parts.register
def _(item: OrderItem, value: object) -> dict[str, str]:
    found = cast("list[str]", read(item, value))
    return {str(n): letter for n, letter in enumerate(found, start=1)}


@parts.register
def _(item: ClozeItem, value: object) -> dict[str, str]:
    if isinstance(value, dict):
        return {str(gap): as_text(part) for gap, part in value.items() if part is not None}
    written = value if isinstance(value, list) else str(value).split(";")
    names = gap_names(item.prompt)
    return {gap: as_text(part).strip() for gap, part in zip(names, written, strict=False) if part is not None}

"""Controls of the answer page. Each has a part: the name under which quiz.js keeps its value."""

from collections.abc import Iterable, Mapping

from grader.report.html_markup import Markup, inline, joined, tag


def choice(kind: str, name: str, part: str, value: str, label: Markup) -> Markup:
    """Return a radio button or a checkbox; all of its text is its label."""
    control = tag("input", type=kind, name=name, data_part=part, value=value)
    return tag("label", control, " ", tag("span", label), class_="choice")


def lettered_text(letter: str, text: str) -> Markup:
    """Return a text behind its letter."""
    return joined((tag("b", f"{letter})"), " ", inline(text)))


def lettered_list(texts: Mapping[str, str]) -> Markup:
    """Return texts as a list, each behind its letter."""
    return tag("ul", *(tag("li", lettered_text(*text)) for text in texts.items()), class_="plain")


def field(name: str, label: Markup | str, part: str, *, max_length: int, lines: int = 1) -> Markup:
    """Return a field to type into with its label, described by the element `name-form`."""
    common: dict[str, str | int | None] = {
        "id": f"{name}-{part}",
        "data_part": part,
        "maxlength": max_length,
        "autocomplete": "off",
        "autocapitalize": "off",
        "spellcheck": "false",
        "aria_describedby": f"{name}-form",
    }
    control = tag("input", type="text", **common) if lines == 1 else tag("textarea", rows=lines, **common)
    return tag("p", tag("label", label, for_=f"{name}-{part}"), control, class_="field")


def select(name: str, label: Markup | str, part: str, options: Mapping[str, str]) -> Markup:
    """Return a drop-down list with its label; `options` are texts by value."""
    listed = [tag("option", "-", value="")]
    listed += [tag("option", text, value=value) for value, text in options.items()]
    control = tag("select", *listed, id=f"{name}-{part}", data_part=part)
    return tag("p", tag("label", label, for_=f"{name}-{part}"), " ", control, class_="field")


def radio_group(name: str, label: str, controls: Iterable[Markup]) -> Markup:
    """Return radio buttons under a label of their own."""
    return tag("div", tag("p", label, id=name), *controls, role="radiogroup", aria_labelledby=name)

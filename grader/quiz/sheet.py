"""A sheet: the items of a quiz as plain lines, and the answers file a student fills."""

import re
import secrets
from collections.abc import Iterator, Mapping
from functools import singledispatch

import yaml

from grader.quiz.bank import Bank
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
    Tolerance,
    TrueFalseItem,
    WordsKey,
)
from grader.quiz.marking import prompt_text
from grader.quiz.soundness import gap_names

MAX_SEED = 10**6
_OWN_LINE = re.compile(r"    |\t|\s*(?:[-*|#>]|\d+[.)])")


def new_seed() -> int:
    """Return the seed of a student who has none yet."""
    return secrets.randbelow(MAX_SEED)


def template(bank: Bank, seed: int = 0) -> str:
    """Return an empty answers file: every item with its question and options as comments."""
    return filled(bank, {}, seed=seed)


def filled(
    bank: Bank, given: Mapping[str, object], *, seed: int = 0, hints: Mapping[str, int] | None = None
) -> str:
    """Return an answers file with these responses filled in, and the hints that were opened."""
    lines = head(bank, seed)
    if opened := {item: count for item, count in (hints or {}).items() if count}:
        lines.append(f"hints: {as_yaml(opened)}")
    lines.append("answers:")
    for item in bank.sheet(seed):
        *asked, last = entry(item)
        lines += [*asked, f"{last} {as_yaml(given[item.id]) if item.id in given else ''}".rstrip()]
    return "\n".join(lines) + "\n"


def head(bank: Bank, seed: int) -> list[str]:
    """Return the first lines of an answers file: whose it is, and the seed where anything is drawn from it."""
    lines = [
        f"# {bank.title} (notes, section {bank.section}).",
        f"# Fill in by hand, or with `grade quiz {bank.id}`.",
        f"quiz: {bank.id}",
    ]
    if bank.draws and bank.seed is None:
        lines += [
            "# Your numbers are drawn from this seed. Leave it as it is: it belongs to your answers.",
            f"seed: {seed}",
        ]
    return lines


def entry(item: Item) -> list[str]:
    """Return the lines of one item in an answers file: its question as comments, and its id."""
    asked = [f"  # {line}".rstrip() for line in question(item)]
    return ["", *asked, f"  # Write {form(item)}", f"  {item.id}:"]


def question(item: Item) -> list[str]:
    """Return the prompt of a drawn item and what there is to choose from, line by line."""
    lines = ["(Withdrawn: this item does not count.)"] if item.void else []
    lines += _paragraphs(prompt_text(item))
    return lines + list(_choices(item))


def _paragraphs(markdown: str) -> list[str]:
    """Return the lines of a text, with those of one paragraph joined; code, lists and tables stay as they are."""
    lines: list[str] = []
    for line in markdown.split("\n"):
        goes_on = bool(lines) and bool(lines[-1]) and not _OWN_LINE.match(lines[-1])
        if line.strip() and goes_on and not _OWN_LINE.match(line):
            lines[-1] = f"{lines[-1]} {line.strip()}"
        else:
            lines.append(line.rstrip())
    return lines


@singledispatch
def _choices(_item: object) -> Iterator[str]:
    yield from ()


@_choices.register(SingleItem)
@_choices.register(MultiItem)
def _(item: SingleItem | MultiItem) -> Iterator[str]:
    yield from (f"{letter}) {option.text}" for letter, option in item.options.items())


@_choices.register
def _(item: TrueFalseItem) -> Iterator[str]:
    yield "True or false, and why?"
    yield from (f"{letter}) {reason.text}" for letter, reason in item.reasons.items())


@_choices.register
def _(item: MatchItem) -> Iterator[str]:
    yield from (f"{name}) {row.text}" for name, row in item.rows.items())
    yield "Each row gets one of these; one may serve several rows, or none."
    yield from (f"{letter}) {text}" for letter, text in item.choices.items())


@_choices.register
def _(item: OrderItem) -> Iterator[str]:
    yield from (f"{letter}) {text}" for letter, text in item.parts.items())


@_choices.register
def _(item: ClozeItem) -> Iterator[str]:
    alike: dict[str, list[str]] = {}
    for name in gap_names(item.prompt):
        alike.setdefault(form(item.blanks[name]), []).append(f"[{name}]")
    yield from (f"{', '.join(names)}: {words}" for words, names in alike.items())


@singledispatch
def form(_item: object) -> str:
    """Return what to write, with an example."""
    raise TypeError(f"{type(_item).__name__} is no type of item")


@form.register
def _(_item: SingleItem) -> str:
    return "one letter: b"


@form.register
def _(_item: MultiItem) -> str:
    return "letters: [a, c]"


@form.register
def _(_item: TrueFalseItem) -> str:
    return "true or false, and the letter of your reason: true, b"


@form.register
def _(item: NumberKey) -> str:
    words = "a number"
    if item.unit:
        words += f" with its unit, such as {item.unit}" if item.unit_required else f" (in {item.unit})"
    return words + _told(item.tolerance)


def _told(tolerance: Tolerance | None) -> str:
    if tolerance is None:
        return ""
    if tolerance.decimals is not None:
        return (
            f", rounded to {tolerance.decimals} decimals"
            if tolerance.decimals
            else ", rounded to a whole number"
        )
    near = [
        f"{tolerance.rtol:.3g} of it" if tolerance.rtol < 0.001 else f"{100 * tolerance.rtol:g} %"
    ] * bool(tolerance.rtol)
    near += [f"{tolerance.atol:g}"] * bool(tolerance.atol)
    return f", right within {' or '.join(near)}"


@form.register
def _(item: ShapeKey) -> str:
    return "a shape, such as (1, 8, 32, 32)" + (", with N for any batch size" if "N" in item.key else "")


@form.register
def _(item: WordsKey) -> str:
    return f"one of: {', '.join(item.choices)}" if item.choices else "a word or two"


@form.register
def _(_item: MatchItem) -> str:
    return "a letter for each row: 1b 2a"


@form.register
def _(_item: OrderItem) -> str:
    return "all letters in order: c, a, b"


@form.register
def _(item: ClozeItem) -> str:
    names = gap_names(item.prompt)
    return (
        f"what belongs into the gaps, in their order: {'; '.join(names)}"
        if len(names) > 1
        else f"what belongs into [{names[0]}]"
    )


@form.register
def _(_item: CodeOutputItem) -> str:
    return 'what is printed, in quotes: "tensor([1., 2.])"'


@form.register
def _(item: GridItem) -> str:
    return f"a matrix, row by row: 1 2; 3 4 or [[1, 2], [3, 4]]{_told(item.tolerance)}"


def as_yaml(value: object) -> str:
    """Return a response as it stands in an answers file, on one line."""
    text: str = yaml.safe_dump(value, default_flow_style=True, allow_unicode=True, width=10_000)
    return text.removesuffix("\n").removesuffix("...").strip()

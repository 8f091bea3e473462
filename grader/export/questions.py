"""Quiz items as questions of a learning platform: choices, numbers, short answers, pairs.

A question must earn what the item earns. Where a platform would give other credit for the same response, the item is
left out, with the reason.
"""

import html
import re
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import singledispatch

from grader.core.safetext import printable
from grader.quiz import Bank, Item
from grader.quiz.credit import Rule
from grader.quiz.fields import Tolerance
from grader.quiz.formulas import Formula
from grader.quiz.numeric_answers import EXACT_RTOL, plain
from grader.quiz.text_answers import normal
from grader.quiz.types import (
    CodeOutputItem,
    MatchItem,
    MultiItem,
    NumericItem,
    ShapeItem,
    SingleItem,
    TextItem,
)

MAX_TEXT = 20_000


class Kind(StrEnum):
    """How a question is answered."""

    SINGLE = "single"
    MULTI = "multi"
    NUMBER = "number"
    WORDS = "words"
    MATCH = "match"


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """A foreseen answer, right or wrong, with its feedback. `text` is plain, `feedback` is HTML.

    `tolerance` is absolute, for a number.
    """

    id: str
    text: str
    right: bool = False
    feedback: str = ""
    tolerance: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """A drawn item. `prompt` and `explanation` are HTML; `extras` are choices of a match that belong to no row."""

    id: str
    kind: Kind
    points: float
    prompt: str
    explanation: str
    answers: tuple[Answer, ...] = ()
    pairs: tuple[tuple[str, str], ...] = ()
    extras: tuple[str, ...] = ()
    shuffle: bool = False


class Unmapped(Exception):
    """Raised for an item that no question gives the same credit for. The message is the reason."""


def questions(bank: Bank, seed: int) -> tuple[list[Question], dict[str, str]]:
    """Return the items of a bank, drawn from a seed, as questions; and by item id the reasons of those left out."""
    found: list[Question] = []
    left_out: dict[str, str] = {}
    for item in bank.sheet(seed):
        try:
            found.append(_question(item, bank) if item.void is None else _withdrawn())
        except Unmapped as reason:
            left_out[item.id] = str(reason)
    return found, left_out


def _withdrawn() -> Question:
    raise Unmapped("it is withdrawn")


@singledispatch
def _question(item: Item, bank: Bank) -> Question:  # noqa: ARG001 - the other implementations use it
    raise Unmapped(f"the platform has no question like the type {item.type}")


def _made(item: Item, kind: Kind, note: str = "", **more: object) -> Question:
    prompt = to_html(item.prompt_text()) + (f"<p><em>{html.escape(note)}</em></p>" if note else "")
    given = {"id": item.id, "kind": kind, "points": item.points, "prompt": prompt}
    return Question(**given, explanation=to_html(item.explanation), **more)  # type: ignore[arg-type] # by kind


@_question.register
def _(item: SingleItem | MultiItem, _bank: Bank) -> Question:
    if any(option.void is not None for option in item.options.values()):
        raise Unmapped("an option of it is withdrawn")
    multi = isinstance(item, MultiItem)
    if isinstance(item, MultiItem) and item.credit is not Rule.NET:
        raise Unmapped(f"the platform has no credit rule like {item.credit}")
    answers = tuple(
        Answer(id=letter, text=option.text, right=option.correct, feedback=to_html(option.feedback))
        for letter, option in item.options.items()
    )
    return _made(item, Kind.MULTI if multi else Kind.SINGLE, answers=answers, shuffle=item.shuffle)


@_question.register
def _(item: NumericItem, _bank: Bank) -> Question:
    if item.unit_required:
        raise Unmapped("it asks for a unit")
    note = f"Answer with a number, in {item.unit}." if item.unit else "Answer with a number."
    key = plain(item.key)
    right = Answer(id="key", text=_number(key), right=True, tolerance=allowed(key, item.tolerance))
    wrong = [
        Answer(
            id=f"wrong{n}",
            text=_number(plain(w.value)),
            feedback=to_html(w.feedback),
            tolerance=EXACT_RTOL * abs(plain(w.value)),
        )
        for n, w in enumerate(item.expected_wrong)
    ]
    return _made(item, Kind.NUMBER, note, answers=(right, *wrong))


def allowed(key: float, tolerance: Tolerance | None) -> float:
    """Return the absolute tolerance of a number."""
    return EXACT_RTOL * abs(key) if tolerance is None else tolerance.allowed(key)


def _number(value: float) -> str:
    return str(int(value)) if value.is_integer() and abs(value) < 1e15 else repr(value)


@_question.register
def _(item: ShapeItem, _bank: Bank) -> Question:
    answers = _spelled("key", _sizes(item.key), right=True)
    for n, wrong in enumerate(item.expected_wrong):
        answers += _spelled(f"wrong{n}", _sizes(wrong.value), feedback=to_html(wrong.feedback))
    note = "Answer with the sizes of the shape, as in (2, 3); N stands for any batch size."
    return _made(item, Kind.WORDS, note, answers=tuple(answers))


def _sizes(shape: Sequence[int | str | Formula]) -> list[str]:
    return [size if isinstance(size, str) else _number(plain(size)) for size in shape]


def _spelled(name: str, sizes: list[str], *, right: bool = False, feedback: str = "") -> list[Answer]:
    """Return the ways to write a shape: in parentheses, in brackets or in neither, with or without spaces."""
    one = ["(", ",)"] if len(sizes) == 1 else ["(", ")"]
    brackets = [one, ["(", ")"], ["[", "]"], ["", ""]]
    texts = [f"{left}{comma.join(sizes)}{end}" for left, end in brackets for comma in (", ", ",")]
    return [
        Answer(id=f"{name}.{n}", text=text, right=right, feedback=feedback)
        for n, text in enumerate(dict.fromkeys(texts))
    ]


@_question.register
def _(item: TextItem, bank: Bank) -> Question:
    if item.choices is not None:
        return _chosen(item)
    if item.patterns:
        raise Unmapped("it accepts patterns")
    accepted = {normal(word) for word in item.accept}
    others = bank.source.value.aliases
    alike = [other for word, spellings in others.items() if normal(word) in accepted for other in spellings]
    texts = dict.fromkeys([*item.accept, *alike])
    right = [Answer(id=f"key{n}", text=text, right=True) for n, text in enumerate(texts)]
    wrong = [
        Answer(id=f"wrong{n}", text=w.value, feedback=to_html(w.feedback))
        for n, w in enumerate(item.expected_wrong)
    ]
    return _made(item, Kind.WORDS, answers=(*right, *wrong))


def _chosen(item: TextItem) -> Question:
    """Return a question that lists the choices."""
    accepted = {normal(word) for word in item.accept}
    feedback = {normal(wrong.value): to_html(wrong.feedback) for wrong in item.expected_wrong}
    choices = item.choices or []
    right = [choice for choice in choices if normal(choice) in accepted]
    if len(right) != 1:
        raise Unmapped("several of its choices are right")
    answers = tuple(
        Answer(id=f"choice{n}", text=choice, right=choice in right, feedback=feedback.get(normal(choice), ""))
        for n, choice in enumerate(choices)
    )
    return _made(item, Kind.SINGLE, answers=answers)


@_question.register
def _(item: MatchItem, _bank: Bank) -> Question:
    if item.credit != "each":
        raise Unmapped("it has no credit for a part of the rows")
    used = {row.key for row in item.rows.values()}
    pairs = tuple((row.text, item.choices[row.key]) for row in item.rows.values())
    extras = tuple(text for letter, text in item.choices.items() if letter not in used)
    return _made(item, Kind.MATCH, pairs=pairs, extras=extras)


@_question.register
def _(item: CodeOutputItem, _bank: Bank) -> Question:
    if "\n" in item.key.strip():
        raise Unmapped("it prints several lines")
    wrong = [
        Answer(id=f"wrong{n}", text=w.value.strip(), feedback=to_html(w.feedback))
        for n, w in enumerate(item.expected_wrong)
        if "\n" not in w.value.strip()
    ]
    right = Answer(id="key", text=item.key.strip(), right=True)
    return _made(item, Kind.WORDS, "Answer with exactly what is printed.", answers=(right, *wrong))


_CODE = re.compile(r"`([^`]+)`")


def to_html(markdown: str) -> str:
    """Return the Markdown of a bank as HTML: paragraphs, code that is indented, and `code` in a line."""
    written: list[str] = []
    paragraph: list[str] = []
    code: list[str] = []
    for line in [*markdown.expandtabs(4).split("\n"), ""]:
        if (code and (line.startswith("    ") or not line.strip())) or (
            line.startswith("    ") and not paragraph
        ):
            code.append(line[4:])
        else:
            written += _code(code)
            code = []
            if line.strip():
                paragraph.append(line.strip())
        if paragraph and not line.strip():
            written.append(f"<p>{_inline(' '.join(paragraph))}</p>")
            paragraph = []
    return "".join([*written, *_code(code)])


def xml_text(text: str) -> str:
    """Return text in which the characters that XML 1.0 forbids are spelled out, cut at MAX_TEXT characters."""
    return printable(text, limit=MAX_TEXT)


def _code(lines: list[str]) -> list[str]:
    return [f"<pre>{html.escape(chr(10).join(lines).strip(chr(10)), quote=False)}</pre>"] if lines else []


def _inline(text: str) -> str:
    return _CODE.sub(r"<code>\1</code>", html.escape(text, quote=False))

"""Marks one response: its credit, the feedback that helps with it, and the misconceptions it betrays."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import singledispatch

from grader.core.model import ItemResult
from grader.quiz.credit import choice_credit, order_credit, part_credit
from grader.quiz.items import (
    ClozeItem,
    CodeOutputItem,
    GridItem,
    Item,
    MatchItem,
    MultiItem,
    NumberKey,
    Option,
    OrderItem,
    ShapeKey,
    SingleItem,
    TrueFalseItem,
    WordsKey,
    Wrong,
    right_letters,
)
from grader.quiz.numeric_answers import is_key, plain, plain_matrix, same_cells, same_number, same_size
from grader.quiz.output_answers import same_output
from grader.quiz.responses import read, shown
from grader.quiz.soundness import gap_names
from grader.quiz.text_answers import matches, near, normal

Aliases = Mapping[str, str]
_WITHDRAWN = "This item was withdrawn. It does not count."
_GIVEN = "This item was found wrong. Everybody gets its points."


@dataclass(frozen=True, slots=True)
class Mark:
    """Credit in [0, 1], before hints are paid for."""

    credit: float
    feedback: tuple[str, ...] = ()
    misconceptions: tuple[str, ...] = ()


def grade_item(item: Item, value: object, aliases: Aliases | None = None, *, hints: int = 0) -> ItemResult:
    """Grade one response to a drawn item; None is no response. `hints` of its hints were opened."""
    marked = Mark(0.0) if value is None else mark(item, read(item, value), aliases or {})
    if marked.credit == 1.0:
        marked = Mark(1.0, (item.explanation,))
    cost = sum(hint.cost for hint in item.hints[:hints])
    points = max(0.0, item.points * marked.credit - cost)
    feedback = marked.feedback or ((_unforeseen(item),) if value is not None else ())
    if cost and marked.credit:
        feedback = (*feedback, f"Hints cost {cost:g} of the points.")
    if item.void is not None:
        points = item.points if item.void == "full" else 0.0
        feedback = (_GIVEN if item.void == "full" else _WITHDRAWN,)
    return ItemResult(
        id=item.id,
        type=item.type,
        prompt=prompt_text(item),
        points=points,
        max_points=0.0 if item.void == "drop" else item.points,
        answered=value is not None,
        response=shown(value) if value is not None else "",
        feedback=feedback,
        misconceptions=tuple(dict.fromkeys(marked.misconceptions)) if item.void is None else (),
    )


def prompt_text(item: Item) -> str:
    """Return the prompt in Markdown: with its code, and with gaps as `[name]`."""
    text = item.prompt.strip()
    if isinstance(item, CodeOutputItem):
        code = "\n".join(f"    {line}".rstrip() for line in item.code.strip().split("\n"))
        return f"{text}\n\n{code}"
    if isinstance(item, ClozeItem):
        for name in item.blanks:
            text = text.replace(f"[[{name}]]", f"[{name}]")
    return text


def _unforeseen(item: Item) -> str:
    return f"Not yet. What this asks of you: {item.objective}."


def _betrayed(wrong: Iterable[Wrong]) -> Mark:
    """Mark a wrong answer by the first of the foreseen ones that it equals."""
    first = next(iter(wrong), None)
    return Mark(0.0, (first.feedback,), (first.misconception,)) if first else Mark(0.0)


@singledispatch
def mark(item: object, response: object, aliases: Aliases) -> Mark:  # noqa: ARG001 - the others need them
    """Mark a response that was read. Without feedback of its own, nobody foresaw it."""
    raise TypeError(f"{type(item).__name__} is no type of item")


# --- choices


@mark.register
def _(item: SingleItem, chosen: frozenset[str], _aliases: Aliases) -> Mark:
    if any(item.options[letter].void == "full" for letter in chosen):
        return Mark(1.0)
    return _distractors(item.options, chosen, float(chosen == item.key))


@mark.register
def _(item: MultiItem, chosen: frozenset[str], _aliases: Aliases) -> Mark:
    options = {letter: option for letter, option in item.options.items() if option.void != "drop"}
    given = {letter for letter, option in options.items() if option.void == "full"}
    key = right_letters(options)
    decided = frozenset((chosen & set(options)) - given | key & given)
    marked = _distractors(options, decided, choice_credit(item.credit, decided, key, len(options)))
    if marked.credit == 1.0 or not key - decided:
        return marked
    missed = "What you left out is right too: go through the options once more."
    return Mark(marked.credit, (*marked.feedback, missed), marked.misconceptions)


@mark.register
def _(item: TrueFalseItem, response: tuple[bool, str], _aliases: Aliases) -> Mark:
    verdict, letter = response
    if verdict is not item.key:
        return Mark(0.0, (item.feedback,), (item.misconception,))
    right = item.reasons[letter].correct or item.reasons[letter].void == "full"
    return Mark(1.0) if right else _distractors(item.reasons, {letter}, 0.5)


def _distractors(options: Mapping[str, Option], chosen: Iterable[str], credit: float) -> Mark:
    wrong = [
        options[letter] for letter in sorted(chosen) if letter in options and not options[letter].correct
    ]
    betrayed = [option.misconception for option in wrong if option.misconception]
    return Mark(credit, tuple(option.feedback for option in wrong), tuple(betrayed))


# --- values


@mark.register
def _(item: NumberKey, number: float, _aliases: Aliases) -> Mark:
    if is_key(number, item):
        return Mark(1.0)
    return _betrayed(w for w in item.expected_wrong if same_number(number, plain(w.value), item.tolerance))


@mark.register
def _(item: ShapeKey, shape: list[int | str], _aliases: Aliases) -> Mark:
    if shape == item.key:
        return Mark(1.0)
    return _betrayed(wrong for wrong in item.expected_wrong if wrong.value == shape)


@mark.register
def _(item: WordsKey, text: str, aliases: Aliases) -> Mark:
    written = normal(text, aliases)
    accepted = {normal(word, aliases) for word in item.accept}
    if written in accepted or matches(written, item.patterns):
        return Mark(1.0)
    betrayed = _betrayed(wrong for wrong in item.expected_wrong if normal(wrong.value, aliases) == written)
    if not betrayed.feedback and near(written, accepted):
        return Mark(0.0, ("Almost: check the spelling.",))
    return betrayed


@mark.register
def _(item: CodeOutputItem, text: str, _aliases: Aliases) -> Mark:
    if same_output(text, item.key):
        return Mark(1.0)
    return _betrayed(wrong for wrong in item.expected_wrong if same_output(text, wrong.value))


@mark.register
def _(item: GridItem, matrix: list[list[float]], _aliases: Aliases) -> Mark:
    key = plain_matrix(item.key)
    betrayed = _betrayed(
        wrong
        for wrong in item.expected_wrong
        if same_size(matrix, plain_matrix(wrong.value))
        and all(same_cells(matrix, plain_matrix(wrong.value), item.tolerance))
    )
    if betrayed.feedback:
        return betrayed
    if not same_size(matrix, key):
        return Mark(0.0, ("The right matrix has another size.",))
    cells = same_cells(matrix, key, item.tolerance)
    credit = part_credit(cells, exact=item.credit == "exact")
    return Mark(credit, (f"{sum(cells)} of {len(cells)} cells are right.",))


# --- several parts


@mark.register
def _(item: OrderItem, order: list[str], _aliases: Aliases) -> Mark:
    credit = order_credit(order, item.key) if item.credit == "moves" else float(order == item.key)
    betrayed = _betrayed(wrong for wrong in item.expected_wrong if wrong.value == order)
    return Mark(credit, betrayed.feedback, betrayed.misconceptions)


@mark.register
def _(item: MatchItem, pairs: dict[str, str], _aliases: Aliases) -> Mark:
    marks = {}
    for name, row in item.rows.items():
        letter = pairs.get(name, "")
        foreseen = row.expected_wrong.get(letter)
        marks[f"row {name}"] = Mark(1.0) if letter == row.key else _betrayed([foreseen] if foreseen else [])
    return _together(marks, exact=item.credit == "exact")


@mark.register
def _(item: ClozeItem, blanks: dict[str, object], aliases: Aliases) -> Mark:
    marks = {
        name: mark(item.blanks[name], blanks[name], aliases) if name in blanks else Mark(0.0)
        for name in gap_names(item.prompt)
    }
    return _together(marks, exact=item.credit == "exact")


def _together(marks: Mapping[str, Mark], *, exact: bool) -> Mark:
    """Put the marks of the parts of an item together."""
    credit = part_credit([part.credit == 1.0 for part in marks.values()], exact=exact)
    told = [f"{name}: {text}" for name, part in marks.items() for text in part.feedback]
    open_parts = [name for name, part in marks.items() if part.credit < 1.0 and not part.feedback]
    if open_parts:
        told.append(f"Not right yet: {', '.join(open_parts)}.")
    return Mark(credit, tuple(told), tuple(m for part in marks.values() for m in part.misconceptions))

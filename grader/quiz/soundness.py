"""What can be wrong with an item whose YAML is of the right form, each problem with its place in the item."""

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from functools import singledispatch

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
    right_letters,
)
from grader.quiz.numeric_answers import Matrix, is_key, plain, plain_matrix, same_cells
from grader.quiz.output_answers import MAX_LENGTH as MAX_PRINTED
from grader.quiz.output_answers import same_output, tokens
from grader.quiz.text_answers import matches, normal

Location = tuple[str | int, ...]
Found = Iterator[tuple[Location, str]]
_LETTERS = "abcdefgh"
_GAP = re.compile(r"\[\[([A-Za-z][A-Za-z0-9_]*)\]\]")
RIGHT = "this expected wrong answer is right"


def item_problems(item: Item, aliases: Mapping[str, str]) -> Found:
    """Yield what is wrong with a drawn item."""
    if sum(hint.cost for hint in item.hints) > item.points:
        yield ("hints",), "the hints cost more than the item is worth"
    yield from _problems(item, aliases)


@singledispatch
def _problems(item: object, aliases: Mapping[str, str]) -> Found:  # noqa: ARG001 - the others need them
    raise TypeError(f"{type(item).__name__} is no type of item")


def _within(where: Location, found: Found) -> Found:
    for location, message in found:
        yield (*where, *location), message


def _lettered(names: Collection[str], what: str) -> Found:
    wanted = _LETTERS[: len(names)]
    if sorted(names) != list(wanted):
        yield (), f"name the {what} {', '.join(wanted)}, in this order"


def _distinct(texts: Mapping[str, str]) -> Found:
    seen: dict[str, str] = {}
    for name, text in sorted(texts.items()):
        first = seen.setdefault(" ".join(text.split()), name)
        if first != name:
            yield (name,), f"{name} says the same as {first}"


def _options(options: Mapping[str, Option], *, one: bool) -> Found:
    yield from _lettered(options, "options")
    yield from _distinct({letter: option.text for letter, option in options.items()})
    key = right_letters(dict(options))
    if one and len(key) != 1:
        yield (), f"a choice of one has one right option, and this one has {len(key)}"
    if not key:
        yield (), "no option is right"
    if key and all(options[letter].void == "drop" for letter in key):
        yield (), "every right option is void; write void: full for the item"
    for letter, option in options.items():
        if not option.correct and option.misconception is None:
            yield (letter,), f'the distractor {letter} lacks the "misconception" it betrays'


@_problems.register(SingleItem)
@_problems.register(MultiItem)
def _choice(item: SingleItem | MultiItem, _aliases: Mapping[str, str]) -> Found:
    yield from _within(("options",), _options(item.options, one=isinstance(item, SingleItem)))
    for letter in sorted(set(item.verify or ()) - set(item.options)):
        yield ("verify", letter), f"there is no option {letter}"


@_problems.register(TrueFalseItem)
def _true_false(item: TrueFalseItem, _aliases: Mapping[str, str]) -> Found:
    yield from _within(("reasons",), _options(item.reasons, one=True))


@_problems.register(NumberKey)
def _number(key: NumberKey, _aliases: Mapping[str, str]) -> Found:
    if key.unit_required and key.unit is None:
        yield ("unit_required",), 'a unit can only be required where there is a "unit"'
    for n, wrong in enumerate(key.expected_wrong):
        if is_key(plain(wrong.value), key):
            yield ("expected_wrong", n, "value"), RIGHT


@_problems.register(ShapeKey)
def _shape(key: ShapeKey, _aliases: Mapping[str, str]) -> Found:
    yield from _within(("key",), _sizes(key.key))
    for n, wrong in enumerate(key.expected_wrong):
        yield from _within(("expected_wrong", n, "value"), _sizes(wrong.value))
        if wrong.value == key.key:
            yield ("expected_wrong", n, "value"), RIGHT


def _sizes(sizes: Sequence[object]) -> Found:
    for n, size in enumerate(sizes):
        if size != "N" and (not isinstance(size, int) or isinstance(size, bool) or size < 0):
            yield (n,), f"{size} is no size; divide with // in formulas"


@_problems.register(WordsKey)
def _words(key: WordsKey, aliases: Mapping[str, str]) -> Found:
    accepted = {normal(word, aliases) for word in key.accept}
    for n, word in enumerate(key.accept):
        if not normal(word):
            yield ("accept", n), "nothing is left of this text once punctuation is taken away"
    choices = {normal(word, aliases) for word in key.choices or ()}
    if key.choices is not None and not accepted & choices:
        yield ("choices",), "none of the choices is accepted"
    for n, wrong in enumerate(key.expected_wrong):
        value = normal(wrong.value, aliases)
        if value in accepted or matches(value, key.patterns):
            yield ("expected_wrong", n, "value"), RIGHT


@_problems.register(MatchItem)
def _match(item: MatchItem, _aliases: Mapping[str, str]) -> Found:
    yield from _within(("choices",), _lettered(item.choices, "choices"))
    yield from _within(("choices",), _distinct(item.choices))
    if list(item.rows) != [str(n) for n in range(1, len(item.rows) + 1)]:
        yield ("rows",), "number the rows 1, 2, 3, ..., in this order"
    for name, row in item.rows.items():
        if row.key not in item.choices:
            yield ("rows", name, "key"), f"there is no choice {row.key}"
        for letter in row.expected_wrong:
            if letter not in item.choices:
                yield ("rows", name, "expected_wrong", letter), f"there is no choice {letter}"
            elif letter == row.key:
                yield ("rows", name, "expected_wrong", letter), RIGHT
    for name in sorted(set(item.verify or ()) - set(item.rows)):
        yield ("verify", name), f"there is no row {name}"


@_problems.register(OrderItem)
def _order(item: OrderItem, _aliases: Mapping[str, str]) -> Found:
    yield from _within(("parts",), _lettered(item.parts, "parts"))
    yield from _within(("parts",), _distinct(item.parts))
    orders: list[tuple[Location, list[str]]] = [(("key",), item.key)]
    orders += [(("expected_wrong", n, "value"), wrong.value) for n, wrong in enumerate(item.expected_wrong)]
    for where, order in orders:
        if sorted(order) != sorted(item.parts):
            yield where, f"an order names each of {', '.join(item.parts)} once"
    if item.key == sorted(item.parts):
        yield ("parts",), "the parts stand in the right order already; list them in another"
    for n, wrong in enumerate(item.expected_wrong):
        if wrong.value == item.key:
            yield ("expected_wrong", n, "value"), RIGHT


@_problems.register(ClozeItem)
def _cloze(item: ClozeItem, aliases: Mapping[str, str]) -> Found:
    gaps = gap_names(item.prompt)
    for name in sorted(set(gaps) - set(item.blanks)):
        yield ("prompt",), f'the prompt has a gap [[{name}]], but "blanks" does not know it'
    for name, blank in item.blanks.items():
        if gaps.count(name) != 1:
            yield (
                ("blanks", name),
                f"the prompt must have the gap [[{name}]] once, and has it {gaps.count(name)} times",
            )
        yield from _within(("blanks", name), _problems(blank, aliases))
    for name in sorted(set(item.verify or ()) - set(item.blanks)):
        yield ("verify", name), f"there is no blank {name}"


def gap_names(prompt: str) -> list[str]:
    """Return the names of the gaps of a cloze, in their order."""
    return _GAP.findall(prompt)


@_problems.register(CodeOutputItem)
def _code(item: CodeOutputItem, _aliases: Mapping[str, str]) -> Found:
    if not tokens(item.key):
        yield ("key",), "the code must print something"
    if len(item.key) > MAX_PRINTED:
        yield ("key",), f"the code must print at most {MAX_PRINTED} characters"
    for n, wrong in enumerate(item.expected_wrong):
        if same_output(wrong.value, item.key):
            yield ("expected_wrong", n, "value"), RIGHT


@_problems.register(GridItem)
def _grid(item: GridItem, _aliases: Mapping[str, str]) -> Found:
    key = plain_matrix(item.key)
    yield from _within(("key",), _rectangular(key))
    for n, wrong in enumerate(item.expected_wrong):
        value = plain_matrix(wrong.value)
        yield from _within(("expected_wrong", n, "value"), _rectangular(value))
        if all(same_cells(value, key, item.tolerance)):
            yield ("expected_wrong", n, "value"), RIGHT


def _rectangular(matrix: Matrix) -> Found:
    if len({len(row) for row in matrix}) > 1 or not matrix or not matrix[0]:
        yield (), "the rows of a matrix have the same length, at least 1"

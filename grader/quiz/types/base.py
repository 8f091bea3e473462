"""The interface of an item type. docs/quizzes.md explains the YAML of every type.

A type is one subclass of `Item` in a file of its own, and one line in `ITEM_TYPES` of this package. Whatever depends on
the type is a method here: no other module asks which type an item has, but `grader.export`, which translates types into
the questions of other systems.
"""

import re
from abc import abstractmethod
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal, Self

from pydantic import Field, PrivateAttr, field_validator

from grader.quiz.credit import part_credit
from grader.quiz.evaluation import Evaluator
from grader.quiz.fields import BankPart, Condition, Hint, Name, Param, Text, Void, Wrong
from grader.quiz.responses import MAX_LENGTH, shown
from grader.quiz.types.html_controls import field
from grader.report.html_markup import Markup

Aliases = Mapping[str, str]
Location = tuple[str | int, ...]
Problems = Iterator[tuple[Location, str]]
MIN_SHOWN_LINES = 2  # of a figure, or of code with a fault
_INDENTED = re.compile(r"^ {4}.*\S", re.MULTILINE)
IS_RIGHT = "this expected wrong answer is right"


@dataclass(frozen=True, slots=True, kw_only=True)
class MarkedResponse:
    """What a response earns: credit in [0, 1], before hints are paid for. Without feedback it was not foreseen."""

    credit: float
    feedback: tuple[str, ...] = ()
    misconceptions: tuple[str, ...] = ()


RIGHT = MarkedResponse(credit=1.0)
WRONG = MarkedResponse(credit=0.0)


class Answerable(BankPart):
    """What takes one response: an item, or a blank of a cloze. Numbers are drawn before any method is called."""

    # The field that holds the key, where one expression computes the whole of it.
    key_field: ClassVar[str] = "key"

    @abstractmethod
    def read(self, value: object) -> Any:
        """Read a response as it stands in an answers file (a scalar, a list, a mapping) or as it was typed.

        Raises ResponseError with what was expected. What is returned is what `mark` takes.
        """

    @abstractmethod
    def mark(self, response: Any, aliases: Aliases) -> MarkedResponse:
        """Mark a response that was read. `aliases` are other words for a word, in normal form."""

    @abstractmethod
    def problems(self, aliases: Aliases) -> Problems:
        """Yield what is wrong although the YAML matches the schema, each problem with its place."""

    @abstractmethod
    def answer_form(self) -> str:
        """Return what to write, with an example; "Write" stands before it."""

    @abstractmethod
    def key_response(self) -> object:
        """Return the response that earns everything, as it stands in an answers file."""

    def equals_key(self, value: object) -> bool:
        """Tell whether a value that `verify` computed is the key."""
        return bool(value == getattr(self, self.key_field))

    def key_message(self, value: object) -> str:
        """Return how the key differs from what `verify` computed."""
        return f"the key is {getattr(self, self.key_field)}, but torch says {value}"

    def control(self, name: str, part: str, label: str) -> Markup:
        """Return one control to answer with; quiz.js keeps its value under the name of its part."""
        return field(name, label, part, max_length=MAX_LENGTH)

    def foreseen(self) -> Sequence[Any]:
        """Return the wrong answers that have feedback, each with its `value`."""
        found: Sequence[Any] = getattr(self, "expected_wrong", ())
        return found

    def written(self, value: Any) -> object:
        """Return a value of `foreseen` as a student would write it."""
        return shown(value)

    def choice_chance(self) -> float | None:
        """Return the share of `choices` that are right; None where the answer is typed."""
        return None

    def numbers(self) -> Iterator[float]:
        """Yield the numbers of the key and of foreseen answers, which a draw can make too large."""
        yield from ()


class Item(Answerable):
    """Base of all items: what every item has, and what depends on the type."""

    # How quiz.js makes a response of the values of the controls.
    control_kind: ClassVar[str] = "text"
    # Whether the page repeats `answer_form`; not where the controls themselves show how to answer.
    shows_answer_form: ClassVar[bool] = True
    # Whether exactly one of `answer_options` is right.
    has_one_right: ClassVar[bool] = False

    if TYPE_CHECKING:
        type: str  # declared by each type as a literal, after the fields here: schemas list it there

    id: Text
    prompt: Text
    points: Annotated[float, Field(gt=0)] = 1.0
    objective: Text
    explanation: Text
    hints: list[Hint] = []
    params: dict[Name, Param] = {}
    where: list[Condition] = []
    void: Void | None = None
    shows: Literal["fault", "figure", "curve"] | None = None
    since: Annotated[int, Field(ge=1)] = 1
    until: Annotated[int, Field(ge=1)] | None = None

    _letters: str = PrivateAttr(default="")
    _number: int = PrivateAttr(default=0)

    @field_validator("hints", mode="before")
    @classmethod
    def _hints_may_be_texts(cls, value: Any) -> Any:
        return [{"text": h} if isinstance(h, str) else h for h in value] if isinstance(value, list) else value

    # --- what is asked

    def prompt_text(self) -> str:
        """Return the prompt in Markdown."""
        return self.prompt.strip()

    def listed_choices(self) -> Iterator[str]:
        """Yield what there is to choose from, line by line."""
        yield from ()

    def inner_keys(self) -> Collection[str]:
        """Return the keys that a response may have, where it is a mapping with names of the item's own."""
        return ()

    def shuffled_field(self) -> str | None:
        """Return the name of the field whose entries are put in an order drawn from the seed; None without one."""
        return None

    def in_order(self, letters: Sequence[str], *, relettered: bool) -> Self:
        """Return the item with the entries of `shuffled_field` in this order; `relettered`, as a, b, c, ..."""
        name = self.shuffled_field()
        if name is None:
            return self
        entries = getattr(self, name)
        names = sorted(letters) if relettered else letters
        found = self.model_copy(
            update={name: {new: entries[old] for new, old in zip(names, letters, strict=True)}}
        )
        found._letters = "".join(letters) if relettered else ""  # noqa: SLF001 - of the same class
        return found

    @property
    def letters(self) -> str:
        """The letters in the bank of what is shown as a, b, c, ...; empty where they are the same."""
        return self._letters

    @property
    def number(self) -> int:
        """Its place among the items of a sheet, from 1; 0 for an item that is on none.

        Withdrawn items count: withdrawing one changes the number of no other.
        """
        return self._number

    def numbered(self, number: int) -> Self:
        """Return the item as the one of this number."""
        found = self.model_copy()
        found._number = number  # noqa: SLF001 - of the same class
        return found

    @property
    def varies(self) -> bool:
        """Whether anything depends on the seed."""
        return bool(self.params) or self.shuffled_field() is not None

    # --- on the page

    def controls(self, name: str) -> Markup:
        """Return the controls to answer with, a single one unless overridden; `name` is unique in the page."""
        return self.control(name, "text", "Your answer")

    def control_values(self, value: object) -> dict[str, str]:
        """Return what the controls hold for a response that can be read, by part."""
        return {"text": shown(value)}

    # --- checks of the item, and of its key

    def item_problems(self, aliases: Aliases) -> Problems:
        """Yield what is wrong with the item: `problems`, hints that cost too much, and a figure that is not there."""
        if sum(hint.cost for hint in self.hints) > self.points:
            yield ("hints",), "the hints cost more than the item is worth"
        if self.shows is not None and len(_INDENTED.findall(self.prompt_text())) < MIN_SHOWN_LINES:
            yield (
                ("shows",),
                f"the prompt has no {self.shows}: at least {MIN_SHOWN_LINES} lines indented by four spaces",
            )
        yield from self.problems(aliases)

    def design_problems(self) -> Problems:
        """Yield what makes the item earn too much by guessing, whatever the draw."""
        yield from ()

    def answerables(self) -> Iterator[tuple[Location, Answerable]]:
        """Yield the parts that are read and marked on their own, each with its place in the item."""
        yield (), self

    def empty_response(self) -> object:
        """Return the response in which nothing is chosen; None without one, or where it may earn something."""
        return None

    def right_places(self) -> list[str]:
        """Return the letter of the right option, where there is one: in a bank it should vary."""
        return []

    @property
    def verdict(self) -> bool | None:
        """Whether the statement of the item is true; None where it has none."""
        return None

    @property
    def has_computed_key(self) -> bool:
        """Whether `grade check` can compute the key."""
        return getattr(self, "verify", None) is not None

    def key_differences(self, evaluator: Evaluator) -> Problems:
        """Yield where the key is not what `verify` computes. Raises EvaluationError. Needs `has_computed_key`."""
        value = evaluator.value(getattr(self, "verify", "None"))
        if not self.equals_key(value):
            yield (self.key_field,), self.key_message(value)

    # --- statistics

    def chance(self) -> float | None:
        """Return the mean credit of guessing; None where there is nothing to pick from."""
        return None

    def answer_options(self) -> dict[str, tuple[str, bool]]:
        """Return the text of each option, and whether it is right, by name; nothing where an item has none."""
        return {}

    def chosen_options(self, response: Any) -> frozenset[str]:
        """Return the names of the options that a response chooses."""
        return frozenset()


def within(where: Location, found: Problems) -> Problems:
    """Yield problems of a part with the place of the part before theirs."""
    for location, message in found:
        yield (*where, *location), message


def foreseen_mark(wrong: Iterable[Wrong]) -> MarkedResponse:
    """Mark a wrong answer by the first of the foreseen ones that it equals."""
    first = next(iter(wrong), None)
    if first is None:
        return WRONG
    return MarkedResponse(credit=0.0, feedback=(first.feedback,), misconceptions=(first.misconception,))


def joint_mark(marks: Mapping[str, MarkedResponse], *, exact: bool) -> MarkedResponse:
    """Join the marks of the parts of an item, by name. Parts without feedback are listed in one sentence."""
    feedback = [f"{name}: {text}" for name, part in marks.items() for text in part.feedback]
    if unforeseen := [name for name, part in marks.items() if part.credit < 1.0 and not part.feedback]:
        feedback.append(f"Not right yet: {', '.join(unforeseen)}.")
    return MarkedResponse(
        credit=part_credit([part.credit == 1.0 for part in marks.values()], exact=exact),
        feedback=tuple(feedback),
        misconceptions=tuple(slip for part in marks.values() for slip in part.misconceptions),
    )

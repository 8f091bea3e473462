"""Options to choose from: what `single`, `multi` and `true_false` share."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Annotated, Self

from pydantic import Field

from grader.quiz.evaluation import Evaluator
from grader.quiz.fields import BankPart, Slug, Text, Void
from grader.quiz.types.base import Item, MarkedResponse, Problems, within
from grader.quiz.types.lettered import distinct, lettered, verify_names


class Option(BankPart):
    """One option of a choice. A wrong one is a distractor: it names the misconception it shows."""

    text: Text
    correct: bool = False
    feedback: Text
    misconception: Slug | None = None
    void: Void | None = None

    @property
    def counts_as_right(self) -> bool:
        """Tell whether choosing it earns credit: it is right, or void with full credit."""
        return self.correct or self.void == "full"


Options = Mapping[str, Option]


class ChoiceItem(Item):
    """Base of the types with `options`."""

    options: Annotated[dict[str, Option], Field(min_length=2)]
    shuffle: bool = False
    verify: dict[str, Text] | None = None

    @property
    def key(self) -> frozenset[str]:
        """The letters of the right options."""
        return right_letters(self.options)

    def problems(self, aliases: Mapping[str, str]) -> Problems:
        """Yield what is wrong with the options, and expressions for options that do not exist."""
        yield from within(("options",), option_problems(self.options, one=self.has_one_right))
        yield from verify_names(self.verify, self.options, "option")

    def key_response(self) -> object:
        """Return the letters of the right options."""
        return sorted(letter for letter in self.key if self.options[letter].void != "drop")

    def listed_choices(self) -> Iterator[str]:
        """Yield the options."""
        yield from listed(self.options)

    def shuffled_field(self) -> str | None:
        """Return "options" where they are shuffled."""
        return "options" if self.shuffle else None

    def in_order(self, letters: Sequence[str], *, relettered: bool) -> Self:
        """Return the item with its options in this order; their expressions go with them."""
        found = super().in_order(letters, relettered=relettered)
        if not relettered or self.verify is None:
            return found
        verify = {
            new: self.verify[old]
            for new, old in zip(found.options, letters, strict=True)
            if old in self.verify
        }
        return found.model_copy(update={"verify": verify})

    def key_differences(self, evaluator: Evaluator) -> Problems:
        """Yield the options whose expression says otherwise."""
        for letter, expression in (self.verify or {}).items():
            value = bool(evaluator.value(expression))
            if value is not self.options[letter].correct:
                yield (
                    ("verify", letter),
                    f"option {letter} is marked {self.options[letter].correct}, but computed {value}",
                )

    def answer_options(self) -> dict[str, tuple[str, bool]]:
        """Return the options."""
        return named_options(self.options)

    def chosen_options(self, response: frozenset[str]) -> frozenset[str]:
        """Return the letters chosen."""
        return response


def right_letters(options: Options) -> frozenset[str]:
    """Return the letters of the right options."""
    return frozenset(letter for letter, option in options.items() if option.correct)


def listed(options: Options) -> Iterator[str]:
    """Yield the options, line by line."""
    yield from (f"{letter}) {option.text}" for letter, option in options.items())


def named_options(options: Options) -> dict[str, tuple[str, bool]]:
    """Return text and rightness of each option, sorted by letter."""
    return {letter: (option.text, option.counts_as_right) for letter, option in sorted(options.items())}


def option_mark(options: Options, chosen: Iterable[str], credit: float) -> MarkedResponse:
    """Mark with the feedback and the misconceptions of the distractors chosen."""
    wrong = [
        options[letter] for letter in sorted(chosen) if letter in options and not options[letter].correct
    ]
    return MarkedResponse(
        credit=credit,
        feedback=tuple(option.feedback for option in wrong),
        misconceptions=tuple(option.misconception for option in wrong if option.misconception),
    )


def right_share(options: Options) -> float:
    """Return the share of options that earn credit: what a guess of one earns."""
    return len([option for option in options.values() if option.counts_as_right]) / len(options)


def option_problems(options: Options, *, one: bool) -> Problems:
    """Yield what is wrong with options; with `one`, exactly one must be right."""
    yield from lettered(options, "options")
    yield from distinct({letter: option.text for letter, option in options.items()})
    key = right_letters(options)
    if one and len(key) != 1:
        yield (), f"exactly one option must be right, not {len(key)}"
    if not key:
        yield (), "no option is right"
    if key and all(options[letter].void == "drop" for letter in key):
        yield (), "every right option is void; write void: full for the item"
    for letter, option in options.items():
        if not option.correct and option.misconception is None:
            yield (letter,), f'the distractor {letter} needs a "misconception"'

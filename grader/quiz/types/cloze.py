"""`cloze`: a text with gaps, each a number, a shape or a word."""

import re
from collections.abc import Iterator, Mapping
from typing import Annotated, ClassVar, Literal

from pydantic import Field

from grader.quiz.credit import guessed_credit
from grader.quiz.evaluation import Evaluator
from grader.quiz.fields import Name, PartRule, Text
from grader.quiz.responses import ResponseError, is_empty, shown
from grader.quiz.types.base import (
    WRONG,
    Answerable,
    Item,
    Location,
    MarkedResponse,
    Problems,
    joint_mark,
    within,
)
from grader.quiz.types.lettered import verify_names
from grader.quiz.types.numeric import NumericBlank
from grader.quiz.types.shape import ShapeBlank
from grader.quiz.types.text import TextBlank
from grader.report.html_markup import Markup, joined

_GAP = re.compile(r"\[\[([A-Za-z][A-Za-z0-9_]*)\]\]")
Blank = Annotated[NumericBlank | ShapeBlank | TextBlank, Field(discriminator="type")]


class ClozeItem(Item):
    """A text with gaps: `[[name]]` in the prompt."""

    control_kind: ClassVar[str] = "cloze"

    type: Literal["cloze"]
    blanks: Annotated[dict[Name, Blank], Field(min_length=1)]
    credit: PartRule = "each"
    verify: dict[str, Text] | None = None

    @property
    def gaps(self) -> list[str]:
        """The names of the gaps, in their order."""
        return _GAP.findall(self.prompt)

    def inner_keys(self) -> list[str]:
        """Return the names of the gaps."""
        return self.gaps

    def read(self, value: object) -> dict[str, object]:
        """Read responses by gap: "20x28; 560" in the order of the gaps, a list, or a mapping. Gaps may be left out."""
        gaps = self.gaps
        if isinstance(value, dict):
            given = {str(name): part for name, part in value.items()}
        else:
            parts = value if isinstance(value, list) else str(value).split(";")
            if len(parts) > len(gaps):
                raise ResponseError(f"there are {len(gaps)} gaps, in this order: {'; '.join(gaps)}")
            given = dict(zip(gaps, parts, strict=False))
        for name in given:
            if name not in gaps:
                raise ResponseError(f'there is no gap "{name[:20]}"; the gaps are {", ".join(gaps)}')
        return {name: self._read_blank(name, part) for name, part in given.items() if not is_empty(part)}

    def _read_blank(self, name: str, part: object) -> object:
        try:
            return self.blanks[name].read(part)
        except ResponseError as error:
            raise ResponseError(f"{name}: {error}") from None

    def mark(self, response: dict[str, object], aliases: Mapping[str, str]) -> MarkedResponse:
        """Mark gap by gap."""
        marks = {}
        for name in self.gaps:
            blank: Answerable = self.blanks[name]
            marks[name] = blank.mark(response[name], aliases) if name in response else WRONG
        return joint_mark(marks, exact=self.credit == "exact")

    def problems(self, aliases: Mapping[str, str]) -> Problems:
        """Yield gaps without a blank, blanks without one gap, what is wrong with blanks, and needless expressions."""
        gaps = self.gaps
        for name in sorted(set(gaps) - set(self.blanks)):
            yield ("prompt",), f'the prompt has a gap [[{name}]], but "blanks" has no entry for it'
        for name, blank in self.blanks.items():
            if gaps.count(name) != 1:
                yield (
                    ("blanks", name),
                    f"the prompt must have the gap [[{name}]] once, and has it {gaps.count(name)} times",
                )
            yield from within(("blanks", name), blank.problems(aliases))
        yield from verify_names(self.verify, self.blanks, "blank")

    def answerables(self) -> Iterator[tuple[Location, Answerable]]:
        """Yield the blanks."""
        yield from ((("blanks", name), blank) for name, blank in self.blanks.items())

    def prompt_text(self) -> str:
        """Return the prompt, with gaps as `[name]`."""
        text = super().prompt_text()
        for name in self.blanks:
            text = text.replace(f"[[{name}]]", f"[{name}]")
        return text

    def answer_form(self) -> str:
        """Return what to write: the names of the gaps."""
        gaps = self.gaps
        return (
            f"what goes into the gaps, in order: {'; '.join(gaps)}"
            if len(gaps) > 1
            else f"what goes into [{gaps[0]}]"
        )

    def listed_choices(self) -> Iterator[str]:
        """Yield what to write into the gaps; gaps of the same form share a line."""
        alike: dict[str, list[str]] = {}
        for name in self.gaps:
            alike.setdefault(self.blanks[name].answer_form(), []).append(f"[{name}]")
        yield from (f"{', '.join(names)}: {words}" for words, names in alike.items())

    def key_response(self) -> object:
        """Return the response to each blank."""
        return {name: blank.key_response() for name, blank in self.blanks.items()}

    def empty_response(self) -> object:
        """Return no response for any gap."""
        return {}

    def key_differences(self, evaluator: Evaluator) -> Problems:
        """Yield the blanks whose expression gives another value."""
        for name, expression in (self.verify or {}).items():
            value = evaluator.value(expression)
            if not self.blanks[name].equals_key(value):
                yield ("blanks", name), f"{name}: {self.blanks[name].key_message(value)}"

    def controls(self, name: str) -> Markup:
        """Return the control of each blank."""
        return joined(self.blanks[gap].control(name, gap, f"[{gap}]") for gap in self.gaps)

    def control_values(self, value: object) -> dict[str, str]:
        """Return what was written into each gap."""
        if isinstance(value, dict):
            return {str(gap): shown(part) for gap, part in value.items() if part is not None}
        written = value if isinstance(value, list) else str(value).split(";")
        return {
            gap: shown(part).strip()
            for gap, part in zip(self.gaps, written, strict=False)
            if part is not None
        }

    def chance(self) -> float | None:
        """Return what guessing earns where there is a list to choose from in every gap."""
        shares = []
        for blank in self.blanks.values():
            if (share := blank.choice_chance()) is None:
                return None
            shares.append(share)
        return guessed_credit(shares, exact=self.credit == "exact")

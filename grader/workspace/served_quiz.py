"""A quiz on a page that a server shows: what the page posts, checked, and what it gets back."""

import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from grader.core.errors import UsageError
from grader.quiz.answers import Responses, graded
from grader.quiz.draw import DRAW, FIRST_DRAW
from grader.quiz.feedback import Shown
from grader.quiz.page import Result, Served, item_state, result_markup, to_html
from grader.workspace.answers_file import AnswersFile, Change
from grader.workspace.loopback_server import Action, Malformed
from grader.workspace.quiz_tries import QuizTries

_MAX_CHARACTERS = 4000  # of one response
_MAX_PARTS = 100


@dataclass(frozen=True, slots=True)
class ServedQuiz:
    """The page of a quiz, and what it can do. Keys and explanations leave it only where the course shows them."""

    answers: AnswersFile
    tries: QuizTries
    _lock: threading.Lock = field(default_factory=threading.Lock)

    @property
    def actions(self) -> Mapping[str, Action]:
        """What the page may post, by name."""
        return {"save": self.save, "try": self.grade}

    def page(self) -> str:
        """Return the page with the answers as they are now. Raises UsageError where they cannot be read."""
        with self._lock:
            responses = self.answers.begin()
            bank = self.answers.bank
            is_shown = self.tries.is_graded(bank, responses) or self.tries.is_over(bank)
            return to_html(
                bank,
                responses,
                Served(
                    path=str(self.answers.path),
                    button=self._button(responses),
                    shown=self._result(responses) if is_shown else None,
                ),
            )

    def save(self, body: dict[str, Any]) -> dict[str, Any]:
        """Save responses and opened hints, and return what the file says now of all items."""
        with self._lock:
            asked = _drawn(body.get("drawn"))
            known = {item.id: len(item.hints) for item in self.answers.bank.asked(asked.draw)}
            responses, over = _changes(body.get("changes"), known)
            hints = _hints(body.get("hints"), known)
            change = self.answers.change(asked, responses, hints, over)
            return self._state(change)

    def grade(self, body: dict[str, Any]) -> dict[str, Any]:
        """Grade the answers as they are in the file: a try. Return what the course shows of the result by now."""
        if body:
            raise Malformed("nothing belongs to it")
        with self._lock:
            responses = self.answers.read()
            if not responses.given:
                raise UsageError("There is no answer to grade yet.")
            self.tries.use(self.answers.bank, responses)
            result = self._result(responses)
            return {"summary": result.summary, "results": result.items, "button": self._button(responses)}

    def finish(self) -> None:
        """Wait for what is being saved."""
        with self._lock:
            return

    def _state(self, change: Change) -> dict[str, Any]:
        after = change.after
        return {
            "items": {
                item.id: item_state(item, after) for item in self.answers.bank.sheet(after.seed, after.draw)
            },
            "hints": {item: count for item, count in after.hints.items() if count},
            "button": self._button(after),
            "conflicts": sorted(change.conflicts),
            "backup": str(change.backup) if change.backup is not None else "",
        }

    def _result(self, responses: Responses) -> Result:
        bank = self.answers.bank
        shown = bank.shown_after(self.tries.used(bank))
        outlook = self.tries.outlook(bank) if shown is Shown.POINTS else ""
        return result_markup(graded(bank, responses, shown), outlook)

    def _button(self, responses: Responses) -> str:
        bank = self.answers.bank
        if not self.tries.announced(bank, responses):
            return "Show my points"
        return f"Grade: try {self.tries.used(bank) + 1} of {bank.tries}"


def _drawn(given: object) -> Responses:
    """Return the draw of the questions on the page, with no response."""
    match given:
        case [seed, draw] if (
            type(seed) is type(draw) is int and 0 <= seed < 2**63 and FIRST_DRAW <= draw <= DRAW
        ):
            return Responses(seed=seed, draw=draw)
        case _:
            raise Malformed("drawn is the seed and the draw of the questions")


def _changes(given: object, known: Mapping[str, object]) -> tuple[dict[str, object], dict[str, str]]:
    """Return the responses that were posted, and what they were written over."""
    if not isinstance(given, dict) or not given.keys() <= known.keys():
        raise Malformed("changes name the items of the quiz")
    responses: dict[str, object] = {}
    over: dict[str, str] = {}
    for item_id, change in given.items():
        match change:
            case {"response": None | str() | dict() as response, "over": str(before), **rest} if not rest:
                responses[item_id], over[item_id] = _response(response), before
            case _:
                raise Malformed(f"the change of {item_id} is malformed")
    return responses, over


def _response(given: str | dict[Any, Any] | None) -> object:
    parts = given if isinstance(given, dict) else {"": given or ""}
    if len(parts) > _MAX_PARTS or not all(isinstance(part, str) for part in parts.values()):
        raise Malformed("the parts of a response are texts")
    if sum(len(name) + len(part) for name, part in parts.items()) > _MAX_CHARACTERS:
        raise Malformed(f"a response has more than {_MAX_CHARACTERS} characters")
    texts = {_text(name): _text(part) for name, part in parts.items()}
    return texts if isinstance(given, dict) else texts[""] or None


def _text(given: str) -> str:
    """Return a text without lone surrogates, which no file can hold."""
    return given.encode("utf-8", "replace").decode()


def _hints(given: object, known: Mapping[str, int]) -> dict[str, int]:
    if not isinstance(given, dict) or not given.keys() <= known.keys():
        raise Malformed("hints name the items of the quiz")
    if not all(type(count) is int and 0 <= count <= known[item] for item, count in given.items()):
        raise Malformed("hints are numbers of hints that there are")
    return given

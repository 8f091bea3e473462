"""`code_output`: what a piece of code prints.

Printed texts are compared as a person would: numbers by value, brackets by shape, white space not at all.
"""

import math
import re
from collections.abc import Mapping, Sequence
from typing import Literal

from grader.quiz.evaluation import Evaluator
from grader.quiz.fields import Text
from grader.quiz.responses import ResponseError, brackets
from grader.quiz.types.base import (
    IS_RIGHT,
    RIGHT,
    Item,
    MarkedResponse,
    Problems,
    foreseen_mark,
)
from grader.quiz.types.html_controls import field
from grader.quiz.types.text import WrongText
from grader.quiz.typography import plain
from grader.report.html_markup import Markup

MAX_LENGTH = 2000
# torch prints four decimals.
_DECIMALS_OF_TORCH = 0.5e-4
_WRAPPER = re.compile(r"(?:torch\.)?(?:tensor|Size|array|Parameter)\(")
_ARGUMENT = re.compile(r",\s*(?:dtype|device|grad_fn|requires_grad|size)=(?:<[^<>]*>|\([^()]*\)|[^,()\s]+)")
_TOKEN = re.compile(r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d{1,3})?(?![\w.])|\w+|[^\w\s]")
_ENDS_OF_EXCEPTIONS = ("error", "exception", "warning", "stopiteration")
_BEFORE_EXCEPTION = re.compile(
    r"^(?:(?:it|this|the|code|torch|python|there|is|will|gets?|raises?|throws?|gives?|an?)\s+)+",
    re.IGNORECASE,
)
_AFTER_EXCEPTION = re.compile(r"(?:\s+(?:is|was|gets))?\s+(?:raised|thrown)[.!]?$|[.!]$", re.IGNORECASE)
_BRACKETS = {"(": "[", ")": "]"}


class CodeOutputItem(Item):
    """What a piece of code prints. `grade check` runs the code and compares."""

    type: Literal["code_output"]
    code: Text
    key: Text
    expected_wrong: list[WrongText] = []

    def read(self, value: object) -> str:
        """Read printed text, or a list of numbers."""
        text = brackets(value) if isinstance(value, list) else str(value)
        if isinstance(value, dict) or not tokens(text) or len(text) > MAX_LENGTH:
            raise ResponseError('write what is printed, in quotes, for example: "tensor([1., 2.])"')
        return text

    def mark(self, response: str, aliases: Mapping[str, str]) -> MarkedResponse:
        """Compare with the key, then with the foreseen texts."""
        if same_output(response, self.key):
            return RIGHT
        return foreseen_mark(wrong for wrong in self.expected_wrong if same_output(response, wrong.value))

    def problems(self, aliases: Mapping[str, str]) -> Problems:
        """Yield a key that is empty or too long, and foreseen texts that are right."""
        if not tokens(self.key):
            yield ("key",), "the code must print something"
        if len(self.key) > MAX_LENGTH:
            yield ("key",), f"the code must print at most {MAX_LENGTH} characters"
        for n, wrong in enumerate(self.expected_wrong):
            if same_output(wrong.value, self.key):
                yield ("expected_wrong", n, "value"), IS_RIGHT

    def prompt_text(self) -> str:
        """Return the prompt, with the code below it."""
        code = "\n".join(f"    {line}".rstrip() for line in self.code.strip().split("\n"))
        return f"{super().prompt_text()}\n\n{code}"

    def answer_form(self) -> str:
        """Return what to write."""
        return 'what is printed, in quotes: "tensor([1., 2.])"'

    def key_response(self) -> object:
        """Return what is printed."""
        return self.key

    def written(self, value: str) -> object:
        """Return the text."""
        return value

    @property
    def has_computed_key(self) -> bool:
        """Always: the code can be run."""
        return True

    def key_differences(self, evaluator: Evaluator) -> Problems:
        """Run the code."""
        printed = evaluator.printed(self.code)
        if not _equal(tokens(self.key), tokens(printed)):
            yield ("key",), f"the key is {self.key!r}, but the code prints {printed.strip()!r}"

    def controls(self, name: str) -> Markup:
        """Return a field of several lines."""
        return field(name, "What is printed", "text", max_length=MAX_LENGTH, lines=3)


def tokens(text: str) -> list[str | float]:
    """Return numbers, words and brackets of printed text. What torch writes around values is left out."""
    text = plain(text[:MAX_LENGTH])[:MAX_LENGTH]
    found: list[str | float] = []
    for token in _TOKEN.findall(_unwrapped(_ARGUMENT.sub("", text))):
        if token in {",", "'", '"', ";"}:
            continue
        value = _value(_BRACKETS.get(token, token))
        if _is_word(value) and found and _is_word(found[-1]):
            found[-1] = f"{found[-1]}{value}"  # `runtime error` is RuntimeError
        else:
            found.append(value)
    return found


def _is_word(token: str | float) -> bool:
    return isinstance(token, str) and token[0].isalpha()


def _value(token: str) -> str | float:
    try:
        return float(token) if token[-1].isdigit() or token.endswith(".") else token.casefold()
    except ValueError:
        return token.casefold()


def _unwrapped(text: str) -> str:
    """Take `tensor(` and its bracket away, from the inside out."""
    while match := _WRAPPER.search(text):
        depth, end = 1, match.end()
        while end < len(text) and depth:
            depth += {"(": 1, ")": -1}.get(text[end], 0)
            end += 1
        inner = text[match.end() : end - 1] if not depth else text[match.end() :]
        text = f"{text[: match.start()]} {inner} {text[end:]}"
    return text


def same_output(given: str, key: str) -> bool:
    """Tell whether two printed texts say the same; numbers may be rounded to four decimals, as torch rounds them.

    A row of two numbers or more may lack its brackets: `1, 1, 0, 0` is `torch.Size([1, 1, 0, 0])`.
    """
    other = tokens(key)
    one = tokens(_exception_in(given) if _is_exception(other) else given)
    return _equal(one, other) or (
        len(one) > 1 and all(map(_is_number, one)) and _equal(["[", *one, "]"], other)
    )


def _equal(one: Sequence[str | float], other: Sequence[str | float]) -> bool:
    return len(one) == len(other) and all(_same(a, b) for a, b in zip(one, other, strict=True))


def _is_number(token: str | float) -> bool:
    return isinstance(token, float) or token in ("nan", "inf", "true", "false")


def _is_exception(found: Sequence[str | float]) -> bool:
    return len(found) == 1 and isinstance(found[0], str) and found[0].endswith(_ENDS_OF_EXCEPTIONS)


def _exception_in(text: str) -> str:
    """Return the name of the exception that a text is about: without its message, its module and words around it."""
    name = _AFTER_EXCEPTION.sub("", plain(text).strip().split(":")[0])
    return _BEFORE_EXCEPTION.sub("", name).rpartition(".")[2].replace("-", " ")


def _same(a: str | float, b: str | float) -> bool:
    """Compare a token with the key's: whole numbers exactly, others as far as torch prints them."""
    if isinstance(a, float) and isinstance(b, float) and not b.is_integer():
        return math.isclose(a, b, rel_tol=_DECIMALS_OF_TORCH, abs_tol=_DECIMALS_OF_TORCH)
    return a == b

"""The words of a solution: comments, messages, names that the student chose, unusual numbers.

Two people who write the same code by themselves do not write the same comment. Words are not part of the code that is
compared; where only two students have them, they are further evidence.
"""

import ast
import io
import math
import re
import tokenize
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

_WORD = re.compile(r"[^\W\d_]+")
MIN_WORDS = 3  # a comment of two words, as `# output size`, is common
MAX_WORDS = 12  # the weight of a longer one
MIN_LETTERS = 4  # a shorter name, as `out`, is common
_MAX_CHARACTERS = 200

_COMMON_NUMBERS = {0.0, 0.5, 1.0, 2.0, 0.1, 0.01, 0.001, 1e-5, 1e-6, 1e-8}
COMMON_BELOW = 130  # smaller integers are common: sizes, indices


class Phrase(NamedTuple):
    """A comment, text, name or number: its kind, its words, and its weight in nodes of code."""

    kind: str
    text: str
    weight: int


def phrases(text: str, nodes: Sequence[ast.AST]) -> set[Phrase]:
    """Return the phrases of a file, given as its text and the nodes of its tree."""
    found = {Phrase("name", name, 1) for name in _names(nodes) if len(name) >= MIN_LETTERS}
    found |= {Phrase("number", number, 1) for number in _numbers(nodes)}
    for kind, content in [*_comments(text), *_texts(nodes)]:
        words = _WORD.findall(content[:_MAX_CHARACTERS].casefold())
        if len(words) >= MIN_WORDS:
            found.add(Phrase(kind, " ".join(words), min(len(words), MAX_WORDS)))
    return found


def _comments(text: str) -> Iterator[tuple[str, str]]:
    if "#" not in text:
        return
    try:
        for token in tokenize.generate_tokens(io.StringIO(text).readline):
            if token.type == tokenize.COMMENT:
                yield "comment", token.string
    except (tokenize.TokenError, SyntaxError):
        return  # the file could be parsed, so the comments read so far are enough


def _texts(nodes: Iterable[ast.AST]) -> Iterator[tuple[str, str]]:
    for node in nodes:
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield "text", node.value


def _names(nodes: Iterable[ast.AST]) -> Iterator[str]:
    for node in nodes:
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            yield node.id
        elif isinstance(node, (ast.FunctionDef, ast.ClassDef)):
            yield node.name


def _numbers(nodes: Iterable[ast.AST]) -> Iterator[str]:
    for node in nodes:
        if isinstance(node, ast.Constant) and isinstance(node.value, float) and math.isfinite(node.value):
            if node.value not in _COMMON_NUMBERS:
                yield repr(node.value)
        elif isinstance(node, ast.Constant) and isinstance(node.value, int) and node.value >= COMMON_BELOW:
            yield hex(node.value)[:40] if node.value >= 2**64 else str(node.value)  # str refuses long numbers

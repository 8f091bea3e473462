"""What a solution says in words: comments, messages, the names that were chosen, numbers that are odd.

Two people who write the same code do not write the same comment. Words are no part of the code that is compared; where
hardly anybody has them but two, they are further evidence.
"""

import ast
import io
import math
import re
import tokenize
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

_WORD = re.compile(r"[^\W\d_]+")
_MIN_WORDS = 3  # a comment of two words, as `# output size`, is anybody's
_MAX_WORDS = 12  # what a longer one counts for
_MIN_LETTERS = 4  # a shorter name, as `out`, is anybody's
_MAX_CHARACTERS = 200

_PLAIN = {0.0, 0.5, 1.0, 2.0, 0.1, 0.01, 0.001, 1e-5, 1e-6, 1e-8}
_PLAIN_BELOW = 130


class Phrase(NamedTuple):
    """Something said: what kind it is, its words, and how many nodes of code it counts for."""

    kind: str
    text: str
    weight: int


def phrases(text: str, nodes: Sequence[ast.AST]) -> set[Phrase]:
    """Return what a file says, given as its text and the nodes of its tree."""
    found = {Phrase("name", name, 1) for name in _names(nodes) if len(name) >= _MIN_LETTERS}
    found |= {Phrase("number", number, 1) for number in _numbers(nodes)}
    for kind, said in [*_comments(text), *_texts(nodes)]:
        words = _WORD.findall(said[:_MAX_CHARACTERS].casefold())
        if len(words) >= _MIN_WORDS:
            found.add(Phrase(kind, " ".join(words), min(len(words), _MAX_WORDS)))
    return found


def _comments(text: str) -> Iterator[tuple[str, str]]:
    if "#" not in text:
        return
    try:
        for token in tokenize.generate_tokens(io.StringIO(text).readline):
            if token.type == tokenize.COMMENT:
                yield "comment", token.string
    except (tokenize.TokenError, SyntaxError):
        return  # it could be parsed: what was read up to here is enough


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
            if node.value not in _PLAIN:
                yield repr(node.value)
        elif isinstance(node, ast.Constant) and isinstance(node.value, int) and node.value >= _PLAIN_BELOW:
            yield hex(node.value)[:40] if node.value >= 2**64 else str(node.value)  # str refuses long numbers

"""What a solution says in words: comments, messages, the names that were chosen, numbers that are odd.

Two people who write the same code do not write the same comment. Words are no part of the code that is compared; where
hardly anybody has them but two, they are further evidence.
"""

import ast
import io
import math
import re
import tokenize
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from grader.similarity.cutting import File

_WORD = re.compile(r"[^\W\d_]+")
_MIN_WORDS = 3  # a comment of two words, as `# output size`, is anybody's
_MAX_WORDS = 12  # what a longer one counts for
_MIN_LETTERS = 4  # a shorter name, as `out`, is anybody's
_MAX_CHARACTERS = 200


class Phrase(NamedTuple):
    """Something said: what kind it is, its words, and how many nodes of code it counts for."""

    kind: str
    text: str
    weight: int


def phrases(files: Iterable[File]) -> set[Phrase]:
    """Return what files say."""
    found: set[Phrase] = set()
    for file in files:
        for kind, text in [*_comments(file.text), *_texts(file.nodes)]:
            words = _WORD.findall(text.casefold())
            if len(words) >= _MIN_WORDS:
                found.add(Phrase(kind, " ".join(words)[:_MAX_CHARACTERS], min(len(words), _MAX_WORDS)))
        found |= {Phrase("name", name, 1) for name in _names(file.nodes) if len(name) >= _MIN_LETTERS}
        found |= {Phrase("number", number, 1) for number in _numbers(file.nodes)}
    return found


def _comments(text: str) -> Iterator[tuple[str, str]]:
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
        if (
            isinstance(node, ast.Constant)
            and isinstance(node.value, (int, float))
            and not _is_plain(node.value)
        ):
            yield repr(node.value)[:40]


def _is_plain(value: float) -> bool:
    """Tell whether a number is anybody's: True, a small whole number, infinity, 0.5 and powers of ten."""
    if isinstance(value, bool) or not math.isfinite(value):
        return True
    return (value == int(value) and value < 130) or value in (0.5, 0.1, 0.01, 0.001, 1e-5, 1e-6, 1e-8)

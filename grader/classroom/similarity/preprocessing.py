"""Prepares solutions to be compared: reads their files into pieces and phrases, each text once, within limits."""

import ast
import contextlib
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Protocol

import msgspec

from grader.classroom.similarity.comparing import Place, Solution
from grader.classroom.similarity.fragments import Piece, cut
from grader.classroom.similarity.similarity_phrases import Phrase, phrases
from grader.classroom.similarity.similarity_records import Published, SolutionSource
from grader.core import python_source
from grader.course import fingerprint

MAX_CHARACTERS = 100_000  # of all files of a solution; usual ones have at most 10,000
_TOO_LARGE = f"it is larger than the limit of {MAX_CHARACTERS:,} characters"
_NO_PYTHON = "it is not valid Python"


class NotComparable(Exception):
    """A solution cannot be compared; the message is the reason."""


class Cache(Protocol):
    """A store for what was read of a text."""

    def cached(self, key: str) -> bytes | None:
        """Return the value stored under a key, if any."""

    def keep(self, results: Mapping[str, bytes]) -> None:
        """Store values under their keys."""


@dataclass(frozen=True, slots=True)
class _ParsedFile:
    """The pieces and phrases of one text, what it imports, and the first and last line of each function.

    `problem` is the reason why it could not be read.
    """

    pieces: list[tuple[Piece, frozenset[int]]]
    words: frozenset[Phrase] = frozenset()
    imported: frozenset[str] = frozenset()
    functions: dict[str, tuple[int, int]] = field(default_factory=dict)
    problem: str = ""


class Preparation:
    """Prepares solutions of one exercise. What the course publishes is left out of them."""

    def __init__(self, published: Published, cache: Cache | None = None) -> None:
        self._stub, self._cache = published.stub, cache
        self._contract = frozenset(re.findall(r"[^\W\d]\w*", published.stub))
        self._files: dict[
            str, _ParsedFile
        ] = {}  # one text is handed in many times: the stub, a first attempt
        self._fresh: dict[str, bytes] = {}
        course_files = [self._file(text) for text in (published.stub, *published.solutions)]
        self._pieces = {piece for file in course_files for piece, _ in file.pieces}
        self._words = {phrase for file in course_files for phrase in file.words}

    def solution(self, source: SolutionSource) -> Solution:
        """Return a solution without what is published. Raises NotComparable."""
        code: dict[Piece, set[Place]] = defaultdict(set)
        words: set[Phrase] = set()
        functions: dict[str, set[Piece]] = defaultdict(set)
        found = list(self._reached(source))
        if source.module not in {_module(path) for path, _ in found}:
            raise NotComparable(_NO_PYTHON)
        for path, file in found:
            if file.problem:
                raise NotComparable(file.problem)
            words |= {phrase for phrase in file.words - self._words if phrase.text not in self._contract}
            for piece, lines in file.pieces:
                if piece not in self._pieces:
                    code[piece] |= {(path, line) for line in lines}
                    for name, (first, last) in file.functions.items():
                        if any(first <= line <= last for line in lines):
                            functions[name].add(piece)
        return Solution(source=source, code=code, words=words, functions=functions)

    def _reached(self, source: SolutionSource) -> Iterator[tuple[str, _ParsedFile]]:
        """Yield the module of a solution and the files that it imports, with their paths.

        Raises NotComparable where they have more than MAX_CHARACTERS.
        """
        read = 0
        for path in python_source.reached(
            source.sources, source.module, lambda path: self._file(source.sources[path]).imported
        ):
            read += len(source.sources[path])
            if read > MAX_CHARACTERS:
                raise NotComparable(_TOO_LARGE)
            yield path, self._file(source.sources[path])

    def keep(self) -> None:
        """Store what was read for the first time in the cache, so that the next comparison is fast."""
        if self._cache is not None:
            self._cache.keep(self._fresh)

    def _file(self, text: str) -> _ParsedFile:
        if text not in self._files:
            self._files[text] = self._cached(text) if self._cache is not None else _read(text, self._contract)
        return self._files[text]

    def _cached(self, text: str) -> _ParsedFile:
        assert self._cache is not None
        key = fingerprint.of("similarity", fingerprint.engine(), self._stub, text)
        if (data := self._cache.cached(key)) is not None:
            with contextlib.suppress(msgspec.MsgspecError, ValueError):  # damaged: it is read again
                return msgspec.msgpack.decode(data, type=_ParsedFile)
        file = _read(text, self._contract)
        self._fresh[key] = msgspec.msgpack.encode(file)
        return file


def _read(text: str, contract: frozenset[str]) -> _ParsedFile:
    if len(text) > MAX_CHARACTERS:
        return _ParsedFile([], problem=_TOO_LARGE)
    tree = python_source.parse(text)
    if tree is None:
        return _ParsedFile([], problem=_NO_PYTHON)
    nodes = python_source.nodes(tree)
    try:
        pieces = [(piece, frozenset(lines)) for piece, lines in cut(nodes, contract).items()]
    except RecursionError:
        return _ParsedFile([], problem="it is nested too deeply")
    names = frozenset(name for name, _, _ in python_source.imports(nodes))
    return _ParsedFile(pieces, frozenset(phrases(text, nodes)), names, dict(_functions(tree)))


def _functions(tree: ast.Module) -> Iterator[tuple[str, tuple[int, int]]]:
    """Yield the functions of a file and the methods of its classes, but no nested ones."""
    for node in tree.body:
        for one in node.body if isinstance(node, ast.ClassDef) else [node]:
            if isinstance(one, (ast.FunctionDef, ast.AsyncFunctionDef)):
                yield one.name, (one.lineno, one.end_lineno or one.lineno)


def _module(path: str) -> str:
    return path.removesuffix(".py").removesuffix("/__init__").replace("/", ".")


def changed(solutions: Iterable[Solution]) -> Iterator[Solution]:
    """Yield solutions, without those that hold the same pieces as an earlier one of the same student."""
    seen: set[tuple[str, bool, frozenset[Piece], frozenset[Phrase]]] = set()
    for one in solutions:
        key = (one.source.student, one.source.outside, frozenset(one.code), frozenset(one.words))
        if key not in seen:
            seen.add(key)
            yield one

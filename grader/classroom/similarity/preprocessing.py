"""Prepares solutions to be compared: reads their files into pieces and phrases, within bounds, each text once."""

import ast
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Protocol

import msgspec

from grader.classroom.similarity.comparing import Place, Solution
from grader.classroom.similarity.fragments import Piece, cut
from grader.classroom.similarity.phrases import Phrase, phrases
from grader.classroom.similarity.similarity_records import Published, Work
from grader.core import python_source
from grader.course import fingerprint

MAX_CHARACTERS = 100_000  # of all files of a solution; an honest one has 10,000
_TOO_LARGE = "it is larger than any honest solution"
_NO_PYTHON = "it is not Python that can be read"


class Unreadable(Exception):
    """The message says why a solution is not compared."""


class Cache(Protocol):
    """Where what was read of a text is kept: a gradebook is one."""

    def cached(self, key: str) -> bytes | None:
        """Return what is kept under a key."""

    def keep(self, results: Mapping[str, bytes]) -> None:
        """Keep something under its key."""


@dataclass(frozen=True, slots=True)
class _File:
    """What one text holds, what it imports, and the first and last line of each function.

    `problem` says why it could not be read.
    """

    pieces: list[tuple[Piece, frozenset[int]]]
    words: frozenset[Phrase] = frozenset()
    imported: frozenset[str] = frozenset()
    functions: dict[str, tuple[int, int]] = field(default_factory=dict)
    problem: str = ""


class Preparation:
    """Prepares solutions of one exercise: what is published is nobody's own, and is left out of them."""

    def __init__(self, published: Published, cache: Cache | None = None) -> None:
        self._stub, self._cache = published.stub, cache
        self._contract = frozenset(re.findall(r"[^\W\d]\w*", published.stub))
        self._files: dict[str, _File] = {}  # many hand in the same text: the stub, or what they had before
        self._fresh: dict[str, bytes] = {}
        ours = [self._file(text) for text in (published.stub, *published.solutions)]
        self._pieces = {piece for file in ours for piece, _ in file.pieces}
        self._words = {phrase for file in ours for phrase in file.words}

    def solution(self, work: Work) -> Solution:
        """Return a solution without what is published. Raises Unreadable."""
        code: dict[Piece, set[Place]] = defaultdict(set)
        words: set[Phrase] = set()
        functions: dict[str, set[Piece]] = defaultdict(set)
        found = list(self._reached(work))
        if work.module not in {_module(path) for path, _ in found}:
            raise Unreadable(_NO_PYTHON)
        for path, file in found:
            if file.problem:
                raise Unreadable(file.problem)
            words |= {phrase for phrase in file.words - self._words if phrase.text not in self._contract}
            for piece, lines in file.pieces:
                if piece not in self._pieces:
                    code[piece] |= {(path, line) for line in lines}
                    for name, (first, last) in file.functions.items():
                        if any(first <= line <= last for line in lines):
                            functions[name].add(piece)
        return Solution(work=work, code=code, words=words, functions=functions)

    def _reached(self, work: Work) -> Iterator[tuple[str, _File]]:
        """Yield the files that make up a solution, each with its path. Raises Unreadable beyond MAX_CHARACTERS."""
        read = 0
        for path in python_source.reached(
            work.sources, work.module, lambda path: self._file(work.sources[path]).imported
        ):
            read += len(work.sources[path])
            if read > MAX_CHARACTERS:
                raise Unreadable(_TOO_LARGE)
            yield path, self._file(work.sources[path])

    def keep(self) -> None:
        """Keep what was read for the first time, so that nobody waits for it again."""
        if self._cache is not None:
            self._cache.keep(self._fresh)

    def _file(self, text: str) -> _File:
        if text not in self._files:
            self._files[text] = self._cached(text) if self._cache is not None else _read(text, self._contract)
        return self._files[text]

    def _cached(self, text: str) -> _File:
        assert self._cache is not None
        key = fingerprint.of("similarity", fingerprint.engine(), self._stub, text)
        if (data := self._cache.cached(key)) is not None:
            return msgspec.msgpack.decode(data, type=_File)
        file = _read(text, self._contract)
        self._fresh[key] = msgspec.msgpack.encode(file)
        return file


def _read(text: str, contract: frozenset[str]) -> _File:
    if len(text) > MAX_CHARACTERS:
        return _File([], problem=_TOO_LARGE)
    tree = python_source.parse(text)
    if tree is None:
        return _File([], problem=_NO_PYTHON)
    nodes = python_source.nodes(tree)
    try:
        pieces = [(piece, frozenset(lines)) for piece, lines in cut(nodes, contract).items()]
    except RecursionError:
        return _File([], problem="it is nested too deeply")
    names = frozenset(name for name, _, _ in python_source.imports(nodes))
    return _File(pieces, frozenset(phrases(text, nodes)), names, dict(_functions(tree)))


def _functions(tree: ast.Module) -> Iterator[tuple[str, tuple[int, int]]]:
    """Yield the functions of a file and the methods of its classes, but none inside another."""
    for node in tree.body:
        for one in node.body if isinstance(node, ast.ClassDef) else [node]:
            if isinstance(one, (ast.FunctionDef, ast.AsyncFunctionDef)):
                yield one.name, (one.lineno, one.end_lineno or one.lineno)


def _module(path: str) -> str:
    return path.removesuffix(".py").removesuffix("/__init__").replace("/", ".")


def changed(solutions: Iterable[Solution]) -> Iterator[Solution]:
    """Yield solutions without those that are, piece for piece, an earlier one of the same student's."""
    seen: set[tuple[str, bool, frozenset[Piece], frozenset[Phrase]]] = set()
    for one in solutions:
        key = (one.work.student, one.work.outside, frozenset(one.code), frozenset(one.words))
        if key not in seen:
            seen.add(key)
            yield one

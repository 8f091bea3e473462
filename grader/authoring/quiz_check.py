"""Checks quizzes: every item is valid for many seeds, and torch and the references agree with every computable key."""

import contextlib
import re
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from grader import quiz
from grader.authoring.reference_submissions import reference_sources
from grader.authoring.tree_check import course_path
from grader.core.error_location import blame
from grader.core.errors import DocumentError, Problem
from grader.core.python_source import bound_names, parse
from grader.course.catalog import Course

_WORD = re.compile(r"\w+")


@dataclass(frozen=True, slots=True, kw_only=True)
class QuizFindings:
    """What `grade check` found in one quiz bank: the number of keys that were computed, and the problems."""

    bank: str
    computed: int
    problems: tuple[Problem, ...]

    @property
    def passed(self) -> bool:
        """Tell whether there is no problem."""
        return not self.problems


@dataclass(frozen=True, slots=True, kw_only=True)
class References:
    """The names that torch and the references give to the `verify` of quiz items.

    `undefined` are the names of references that raise; `problems` say where.
    """

    names: dict[str, object]
    undefined: frozenset[str]
    problems: tuple[Problem, ...]


def bank_paths(course: Course) -> list[Path]:
    """Return the paths of the banks of a course, sorted by name."""
    return sorted(course.quizzes.glob("*.yaml"))


def check_quizzes(course: Course) -> tuple[int, list[Problem]]:
    """Load every bank, draw every item many times, and compute every key with torch and the references.

    Return how many keys were computed, and the problems.
    """
    found = list(check_banks(course, bank_paths(course)))
    return sum(proof.computed for proof in found), [problem for proof in found for problem in proof.problems]


def check_banks(course: Course, paths: Sequence[Path]) -> Iterator[QuizFindings]:
    """Check these banks; yield the findings of each, in order. A bank that cannot be read does not stop the others.

    Keys of a bank that mentions a name of a reference that raises are not computed: the reference is the problem then.
    """
    loaded: dict[Path, quiz.Bank | DocumentError] = {}
    for path in paths:
        try:
            loaded[path] = quiz.load_bank(path, shown=course_path(course, path))
        except DocumentError as error:
            loaded[path] = error
    readable = any(isinstance(found, quiz.Bank) for found in loaded.values())
    references = run_references(course) if readable else None  # this imports torch
    for path, found in loaded.items():
        if isinstance(found, DocumentError):
            yield QuizFindings(bank=path.stem, computed=0, problems=found.problems)
        elif references is not None:
            yield _check_bank(path, found, references)


def _check_bank(path: Path, bank: quiz.Bank, references: References) -> QuizFindings:
    problems = quiz.stress(bank)
    if words_in(path) & references.undefined:
        return QuizFindings(bank=bank.id, computed=0, problems=(*problems, *references.problems))
    problems += quiz.verify(bank, references.names)
    computed = sum(item.has_computed_key for _, item in bank.placed)
    return QuizFindings(bank=bank.id, computed=computed, problems=tuple(problems))


def words_in(path: Path) -> set[str]:
    """Return all words in the file of a bank, a superset of the names that its `verify` expressions use."""
    return set(_WORD.findall(path.read_bytes().decode("utf-8", "replace")))


def references_used(course: Course, path: Path) -> dict[str, str]:
    """Return the references that the keys of a bank may depend on, by exercise."""
    words = words_in(path)
    texts = reference_sources(course)
    return {name: text for name, text in texts.items() if _exported_names(course, name, text) & words}


def _exported_names(course: Course, exercise_id: str, text: str) -> set[str]:
    """Return the names that quizzes may use: those of exercise.yaml, or all of the reference if that cannot be read."""
    exercise = course.exercise(exercise_id)
    if exercise is not None:
        return set(exercise.names)
    tree = parse(text)
    return bound_names(tree) if tree is not None else set()


def run_references(course: Course) -> References:
    """Execute every reference and return its names, with `torch`, `nn` and `F`, for the `verify` of quiz items."""
    import torch  # noqa: PLC0415 - slow to import, and only needed here

    torch.set_num_threads(1)
    names: dict[str, object] = {"torch": torch, "nn": torch.nn, "F": torch.nn.functional}
    undefined: set[str] = set()
    problems: list[Problem] = []
    for exercise_id, text in reference_sources(course).items():
        wanted = _exported_names(course, exercise_id, text)
        path = course.references[exercise_id]
        namespace: dict[str, object] = {"__name__": f"reference_{exercise_id}"}
        try:
            with contextlib.redirect_stdout(
                sys.stderr
            ):  # a reference that prints must not add to the command's output
                exec(compile(text, str(path), "exec"), namespace)  # noqa: S102 - trusted code of the course
        except (Exception, SystemExit) as error:  # noqa: BLE001 - any exception is reported to the author
            undefined |= wanted
            problems.append(_problem(course, path, error))
        names |= {name: namespace[name] for name in wanted if name in namespace}
    return References(names=names, undefined=frozenset(undefined), problems=tuple(problems))


def _problem(course: Course, path: Path, error: BaseException) -> Problem:
    found = blame(error, path.parent)
    if found is None:
        return Problem(path=course_path(course, path), message=f"raises {type(error).__name__}: {error}")
    return replace(found, path=course_path(course, path.parent / found.path))

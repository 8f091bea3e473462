"""Proves quizzes: items hold for many seeds, and torch and the references compute every key that can be."""

import contextlib
import re
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from grader import quiz
from grader.authoring.reference_submissions import course_references
from grader.authoring.tree_check import shown
from grader.core.error_location import blame
from grader.core.errors import DocumentError, Problem
from grader.core.python_source import bound_names, parse
from grader.course.catalog import Course

_WORD = re.compile(r"\w+")


@dataclass(frozen=True, slots=True, kw_only=True)
class BankProof:
    """What the check of one bank found: how many of its keys were computed, and its problems."""

    bank: str
    computed: int
    problems: tuple[Problem, ...]

    @property
    def is_sound(self) -> bool:
        """Tell whether nothing is wrong."""
        return not self.problems


@dataclass(frozen=True, slots=True, kw_only=True)
class References:
    """What the references define, for the `verify` of quiz items. `lacking` are names of those that do not run."""

    names: dict[str, object]
    lacking: frozenset[str]
    problems: tuple[Problem, ...]


def bank_paths(course: Course) -> list[Path]:
    """Return the banks of a course, in the order of their names."""
    return sorted(course.quizzes.glob("*.yaml"))


def check_quizzes(course: Course) -> tuple[int, list[Problem]]:
    """Load every bank, draw every item many times, and compute every key with torch and the references.

    Return how many keys were computed, and the problems.
    """
    found = list(check_banks(course, bank_paths(course)))
    return sum(proof.computed for proof in found), [problem for proof in found for problem in proof.problems]


def check_banks(course: Course, paths: Sequence[Path]) -> Iterator[BankProof]:
    """Check these banks; yield a proof of each, in order. A bank that cannot be read hides no other's problems.

    What depends on a reference that does not run is not computed: the reference is the problem then.
    """
    loaded: dict[Path, quiz.Bank | DocumentError] = {}
    for path in paths:
        try:
            loaded[path] = quiz.load_bank(path, shown=shown(course, path))
        except DocumentError as error:
            loaded[path] = error
    readable = any(isinstance(found, quiz.Bank) for found in loaded.values())
    references = run_references(course) if readable else None  # torch only where it is needed
    for path, found in loaded.items():
        if isinstance(found, DocumentError):
            yield BankProof(bank=path.stem, computed=0, problems=found.problems)
        elif references is not None:
            yield _check_bank(path, found, references)


def _check_bank(path: Path, bank: quiz.Bank, references: References) -> BankProof:
    problems = quiz.stress(bank)
    if words(path) & references.lacking:
        return BankProof(bank=bank.id, computed=0, problems=(*problems, *references.problems))
    problems += quiz.verify(bank, references.names)
    computed = sum(item.has_computed_key for item in bank.items)
    return BankProof(bank=bank.id, computed=computed, problems=tuple(problems))


def words(path: Path) -> set[str]:
    """Return the words of a bank: what does not stand there as a word, no `verify` names."""
    return set(_WORD.findall(path.read_bytes().decode("utf-8", "replace")))


def relied_on(course: Course, path: Path) -> dict[str, str]:
    """Return the references that the keys of a bank may depend on, by exercise."""
    mentioned = words(path)
    texts = course_references(course)
    return {name: text for name, text in texts.items() if _names(course, name, text) & mentioned}


def _names(course: Course, exercise_id: str, text: str) -> set[str]:
    """Return what an exercise gives to quizzes: its names; where its YAML cannot be read, what its reference binds."""
    exercise = course.exercise(exercise_id)
    if exercise is not None:
        return set(exercise.names)
    tree = parse(text)
    return bound_names(tree) if tree is not None else set()


def run_references(course: Course) -> References:
    """Run every reference, and return torch's names and theirs, for the `verify` of quiz items."""
    import torch  # noqa: PLC0415 - only this command needs it here

    torch.set_num_threads(1)
    names: dict[str, object] = {"torch": torch, "nn": torch.nn, "F": torch.nn.functional}
    lacking: set[str] = set()
    problems: list[Problem] = []
    for exercise_id, text in course_references(course).items():
        wanted = _names(course, exercise_id, text)
        path = course.references[exercise_id]
        namespace: dict[str, object] = {"__name__": f"reference_{exercise_id}"}
        try:
            with contextlib.redirect_stdout(sys.stderr):  # what a reference prints is no part of our output
                exec(compile(text, str(path), "exec"), namespace)  # noqa: S102 - the course's own
        except (Exception, SystemExit) as error:  # noqa: BLE001 - whatever it raises, the author must know
            lacking |= wanted
            problems.append(_told(course, path, error))
        names |= {name: namespace[name] for name in wanted if name in namespace}
    return References(names=names, lacking=frozenset(lacking), problems=tuple(problems))


def _told(course: Course, path: Path, error: BaseException) -> Problem:
    found = blame(error, path.parent)
    if found is None:
        return Problem(path=shown(course, path), message=f"raises {type(error).__name__}: {error}")
    return replace(found, path=shown(course, path.parent / found.path))

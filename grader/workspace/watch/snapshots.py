"""The content of a workspace at one moment, and which exercises and quizzes differ from another moment.

Texts are compared, never times: `touch` changes nothing, and it does not matter how an editor saves. An exercise
differs when a file differs that it depends on: its module, or a module that this imports, directly or not. Where
imports cannot be read from the text (by name at run time, relative, with a star), it depends on every file beside it.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from grader.core import python_source
from grader.core.model import Exercise
from grader.grading import attempt
from grader.grading.messages import Job
from grader.submission import Folder, Recording, Submission, Text, Unreadable, file_of

_Files = Mapping[str, str]  # path in the submission -> text, or the reason why it cannot be read


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """A submission at one moment, every file read once: what to grade, and the files that each part depends on."""

    submission: Submission
    read: Mapping[str, bytes | Unreadable]
    plan: attempt.Plan
    exercises: Mapping[str, _Files]
    quizzes: Mapping[str, _Files]


@dataclass(frozen=True, slots=True, kw_only=True)
class Changes:
    """The exercises and quizzes that differ between two looks, and the files that changed."""

    exercises: tuple[str, ...] = ()
    quizzes: tuple[str, ...] = ()
    files: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.exercises or self.quizzes)


def look(folder: Path, exercises: Sequence[Exercise], quizzes: Collection[str], seed: int) -> Look:
    """Read everything of a submission that is to be graded."""
    tree = Recording(Folder(folder))
    submission = Submission(tree, is_workspace=True)
    plan = attempt.plan(submission, exercises, seed)
    files = {name: relied_on(job) for name, job in plan.jobs.items()}
    files |= {name: {f"exercises/{name}.py": result.message} for name, result in plan.refused.items()}
    return Look(
        submission=submission,
        plan=plan,
        exercises={exercise.id: files[exercise.id] for exercise in exercises},
        quizzes={quiz: _answers(submission, quiz) for quiz in quizzes},
        read=tree.kept.files,
    )


def changes(before: Look | None, now: Look) -> Changes:
    """Return what differs; without a look before, every exercise and quiz, and no file."""
    if before is None:
        return Changes(exercises=tuple(now.exercises), quizzes=tuple(now.quizzes))
    exercises = tuple(name for name in now.exercises if now.exercises[name] != before.exercises[name])
    quizzes = tuple(name for name in now.quizzes if now.quizzes[name] != before.quizzes[name])
    pairs = [(before.exercises[name], now.exercises[name]) for name in exercises]
    pairs += [(before.quizzes[name], now.quizzes[name]) for name in quizzes]
    paths = {path for old, new in pairs for path in {*old, *new}}
    files = sorted(path for path in set(map(file_of, paths)) if before.read.get(path) != now.read.get(path))
    return Changes(exercises=exercises, quizzes=quizzes, files=tuple(files))


def relied_on(job: Job) -> dict[str, str]:
    """Return the files that the result of a job depends on."""
    reached = python_source.reached(job.sources, job.module, lambda path: _read(job.sources[path]).names)
    paths: Collection[str] = list(reached)
    if not all(_read(job.sources[path]).certain for path in paths):
        paths = job.sources
    return {f"{job.root}{path}": job.sources[path] for path in paths}


@dataclass(frozen=True, slots=True)
class _Imports:
    names: tuple[str, ...]
    certain: bool


@lru_cache(maxsize=512)
def _read(text: str) -> _Imports:
    try:
        tree = python_source.parse_strictly(text)
    except python_source.TooComplex:
        return _Imports((), certain=False)
    if tree is None:
        return _Imports((), certain=True)  # it does not compile, so it imports nothing
    nodes = python_source.nodes(tree)
    names = {part for name, _, _ in python_source.imports(nodes) for part in _with_parents(name)}
    return _Imports(tuple(sorted(names)), certain=not any(map(python_source.hides_imports, nodes)))


def _with_parents(name: str) -> Iterator[str]:
    """Yield a, a.b and a.b.c for a.b.c: importing the last imports them all."""
    parts = name.split(".")
    for count in range(1, len(parts) + 1):
        yield ".".join(parts[:count])


def _answers(submission: Submission, quiz: str) -> _Files:
    found = submission.answers(quiz)
    if isinstance(found, Text):
        return {found.name: found.text}
    return {found.name: found.reason} if isinstance(found, Unreadable) else {}

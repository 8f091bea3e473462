"""Which exercises of a course a caller means, and whether a submission holds any of them."""

from collections.abc import Iterable, Sequence
from pathlib import Path

from grader.core.errors import UsageError
from grader.core.model import Exercise
from grader.core.suggestions import question
from grader.course.catalog import Course
from grader.submission import Submission, Unreadable


def choose(course: Course, ids: Sequence[str], also_known: Iterable[str] = ()) -> list[Exercise]:
    """Return the exercises of these ids, or all where `ids` is empty; raise UsageError for an unknown id.

    An id of an exercise that cannot be read is known, and left out. `also_known` are further words that a misspelled
    id may stand for, such as the names of commands.
    """
    known = [exercise.id for exercise in course.exercises]
    known += [folder.name for folder in course.folders if folder.name not in known]
    for wanted in ids:
        if wanted in known:
            continue
        if (course.quizzes / f"{wanted}.yaml").is_file():
            raise UsageError(
                f'"{wanted}" is a quiz. Answer it with `grade quiz {wanted}`; `grade` without names grades it.'
            )
        hint = question(wanted, [*known, *also_known]) or f" There are: {', '.join(known)}."
        raise UsageError(f'There is no exercise "{wanted}".{hint}')
    return [exercise for exercise in course.exercises if not ids or exercise.id in ids]


def refuse_empty(course: Course, submission: Submission, path: Path) -> None:
    """Raise UsageError for a submission that holds neither a stub nor answers: most likely the wrong folder."""
    has_module = any(_has_module(submission, exercise.id) for exercise in course.exercises)
    if not has_module and not submission.tree.has_folder("answers"):
        raise UsageError(
            f"There is nothing to grade in {path.resolve()}: no exercises/ and no answers/.\n"
            "Start a workspace with `grade init DIR`, or name one with --submission DIR."
        )


def _has_module(submission: Submission, exercise: str) -> bool:
    snapshot = submission.snapshot(exercise)
    return not isinstance(snapshot, Unreadable) or snapshot.attempted

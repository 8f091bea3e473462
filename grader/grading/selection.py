"""Which exercises of a course a caller means, and whether a submission holds any of them."""

from collections.abc import Collection, Sequence, Set
from pathlib import Path

from grader.core.errors import UsageError
from grader.core.model import Exercise
from grader.core.safetext import first_names
from grader.core.suggestions import nearest
from grader.course.catalog import Course
from grader.grading.attempt import Plan
from grader.submission import Submission, Unreadable
from grader.submission.kinds import NOTEBOOK_ENDING, UNREAD_ENDINGS, ending_of

_MAX_NAMED = 6


def choose(course: Course, ids: Sequence[str], commands: Collection[str] = ()) -> list[Exercise]:
    """Return the exercises of these ids, or all where `ids` is empty; raise UsageError for an unknown id.

    An id of an exercise that cannot be read is known, and left out. `commands` are further words that the first id may
    be a misspelling of.
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
        near = nearest(wanted, [*known, *(commands if wanted == ids[0] else ())])
        if near in commands:
            raise UsageError(f'There is no command "{wanted}". Did you mean `grade {near}`?')
        hint = f'Did you mean "{near}"?' if near is not None else f"There are: {', '.join(known)}."
        raise UsageError(f'There is no exercise "{wanted}". {hint}')
    return [exercise for exercise in course.exercises if not ids or exercise.id in ids]


def as_ids(course: Course, words: Sequence[str], folder: Path) -> tuple[str, ...]:
    """Return ids for what a user named: an id itself, or the path of a module of the submission in `folder`.

    Raises UsageError for a path that leads elsewhere, as what is graded is the submission.
    """
    known = {exercise.id for exercise in course.exercises}
    return tuple(word if word in known else _as_id(word, folder, known) for word in words)


def _as_id(word: str, folder: Path, known: Set[str]) -> str:
    path = Path(word.replace("\\", "/"))
    if path.is_dir():
        raise UsageError(
            f"{word} is a folder. `grade` grades all of this one; --submission DIR names another."
        )
    if path.suffix != ".py" and len(path.parts) < 2:
        return word
    path = path.with_suffix(".py") if not path.suffix else path
    own = [(folder / place / path.name).resolve() for place in ("exercises", "")]
    if path.stem not in known or path.resolve() not in own:
        raise UsageError(
            f"{word} is no exercise of {folder.resolve()}, which is graded.\n"
            "Name an exercise, as in `grade relu`; --submission PATH grades another folder, zip or notebook."
        )
    return path.stem


def refuse_empty(course: Course, submission: Submission, path: Path) -> None:
    """Raise UsageError for a submission that holds neither a stub nor answers: most likely the wrong folder."""
    has_module = any(_has_module(submission, exercise.id) for exercise in course.exercises)
    if not has_module and not submission.tree.has_folder("answers"):
        names = submission.tree.names()
        unread = [_with_kind(name) for name in names if ending_of(name) in UNREAD_ENDINGS][:_MAX_NAMED]
        said = f" It holds {', '.join(unread)}." if unread else ""
        if any(name.endswith(NOTEBOOK_ENDING) for name in names) and course.exercises:
            snapshot = submission.snapshot(course.exercises[0].id)
            said += f" {snapshot.sentence}" if isinstance(snapshot, Unreadable) else ""
        raise UsageError(
            f"There is nothing to grade in {path.resolve()}: no exercises/ and no answers/.{said}\n"
            "Start a workspace with `grade init DIR`, or name one with --submission DIR."
        )


def refuse_unrecognized(submission: Submission, planned: Plan, quizzes: Collection[str]) -> None:
    """Raise UsageError for a hand-in that holds no module, no named cell and no answers: it is no stub, and no zero."""
    if planned.jobs or planned.refused.keys() - planned.missing:
        return
    if any(submission.answers(quiz) is not None for quiz in quizzes):
        return
    names = submission.tree.names()
    if submission.problems:
        raise UsageError(" ".join(submission.problems))
    if not names:
        raise UsageError("it holds no file. Ask for the hand-in, or take it out.")
    if any(name.endswith(NOTEBOOK_ENDING) for name in names):
        said = [result.message for result in planned.refused.values()]
        raise UsageError(next((text for text in said if "meant" in text), said[0]))
    kinds = first_names([_with_kind(name) for name in names], _MAX_NAMED)
    raise UsageError(
        f"it holds no module of an exercise, no cell named after one and no answers, but {kinds}."
    )


def _with_kind(name: str) -> str:
    what = UNREAD_ENDINGS.get(ending_of(name))
    return f"{name} ({what.partition('.')[0]})" if what else name


def _has_module(submission: Submission, exercise: str) -> bool:
    snapshot = submission.snapshot(exercise)
    return not isinstance(snapshot, Unreadable) or snapshot.attempted

"""`grade hint` and `grade solution`: hints for an exercise, and the reference solution after full marks."""

import ast
import re
import textwrap
from pathlib import Path

import click

from grader.cli import options
from grader.cli.terminal import allows_color, prose_width
from grader.core.errors import InternalError, UsageError
from grader.core.model import Exercise, ExerciseResult, Hidden, Outcome
from grader.core.suggestions import question
from grader.course import catalog
from grader.course.catalog import Course
from grader.course.visibility import seen as seen_of
from grader.grading import attempt
from grader.grading.dispatcher import Dispatcher
from grader.grading.messages import DEFAULT_SEED
from grader.report import hidden_sentence
from grader.submission import open_submission
from grader.workspace.opened_hints import OpenedHints

_workspace = options.submission("The workspace; this folder unless given.")


@click.command("hint", short_help="Open the next hint for an exercise.")
@options.exercise
@click.argument("number", type=click.IntRange(min=1), required=False)
@_workspace
@options.course
def hint_command(exercise: str, number: int | None, submission: Path) -> int:
    """Open the next hint for EXERCISE. The first is a nudge, the last almost the answer.

    With NUMBER, show that hint again.

    \b
    grade hint pooling
    grade hint pooling 1
    """  # noqa: D301 - \b is click's mark for text that keeps its lines
    found = choose_one(catalog.load(catalog.find_root()), exercise)
    click.echo(OpenedHints(submission).next(found, number, width=prose_width()))
    return 0


@click.command("solution", short_help="Show the reference solution, once yours has full marks.")
@options.exercise
@_workspace
@options.course
def solution_command(exercise: str, submission: Path) -> int:
    """Show the reference solution of EXERCISE, with its reasons, once your own has full marks.

    Your file is graded first. The solution stays closed as long as the exercise has checks that are hidden from you.
    Exits with 1 while it is closed.

    Example: grade solution pooling
    """
    with Dispatcher() as dispatcher:
        course = catalog.load(catalog.find_root())
        found = choose_one(course, exercise)
        seen = seen_of(found)
        if seen.hidden is not None:  # opening it would reveal that they pass
            click.echo(_hidden_checks_text(found, seen.hidden))
            return 1
        handed_in = open_submission(submission)
        (result,) = attempt.grade_exercises(dispatcher, handed_in, [found], DEFAULT_SEED)
    if result.is_void:
        raise InternalError(result.message or f"{exercise} could not be graded. Please try again.")
    if result.outcome is not Outcome.PASSED:
        click.echo(_not_yet_text(found, result))
        return 1
    click.echo(_solution_text(found))
    return 0


def choose_one(course: Course, wanted: str) -> Exercise:
    """Return the exercise of this id; raise UsageError for an unknown id."""
    found = course.exercise(wanted)
    if found is None:
        known = [exercise.id for exercise in course.exercises]
        raise UsageError(f'There is no exercise "{wanted}".{question(wanted, known) or " See `grade list`."}')
    return found


def _not_yet_text(exercise: Exercise, result: ExerciseResult) -> str:
    passed = sum(check.outcome is Outcome.PASSED for check in result.checks)
    state = f"{passed} of {len(result.checks)} checks pass" if result.checks else "no check could run"
    return click.wrap_text(
        f"The solution of {exercise.id} opens when yours has full marks; now {state}. "
        f"`grade {exercise.id}` shows what is missing, and `grade hint {exercise.id}` opens a hint.",
        width=prose_width(),
    )


def _hidden_checks_text(exercise: Exercise, hidden: Hidden) -> str:
    return click.wrap_text(
        f"The solution of {exercise.id} stays closed for now. {hidden_sentence(hidden)} "
        f"`grade hint {exercise.id}` opens a hint.",
        width=prose_width(),
    )


def _solution_text(exercise: Exercise) -> str:
    """Return the reference: its module docstring as prose, then its code."""
    source = (exercise.folder / "reference.py").read_text(encoding="utf-8")
    tree = ast.parse(source)
    explanation = ast.get_docstring(tree) or ""
    first = tree.body[0]
    lines = source.splitlines()
    code = "\n".join(lines[first.end_lineno :] if explanation else lines).strip("\n")
    prose = "\n\n".join(map(_filled, explanation.split("\n\n")))
    return f"{exercise.title}\n\n{prose}\n\n{_highlighted(code)}\n"


def _filled(paragraph: str) -> str:
    """Return a paragraph wrapped to the width of prose; each item of a list begins on its own line."""
    items = re.split(r"\n(?=- )", paragraph)
    return "\n".join(
        textwrap.fill(" ".join(item.split()), prose_width(), subsequent_indent="  " * item.startswith("- "))
        for item in items
    )


def _highlighted(code: str) -> str:
    """Return code with colors, where the terminal allows them."""
    if not allows_color():
        return code
    from pygments import highlight  # noqa: PLC0415 - slow to import, and only needed here
    from pygments.formatters import TerminalFormatter  # noqa: PLC0415
    from pygments.lexers import PythonLexer  # noqa: PLC0415

    return highlight(code, PythonLexer(), TerminalFormatter()).rstrip("\n")
